"""The sizes of shapes: depth, width and parameters of architectures, as far as they are known here.

A study from elsewhere may name architectures of a family, or a data set, that is not installed here: what it recorded
of them is shown all the same, and what cannot be known is NaN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from psa_tui.data import DATASETS
from psa_tui.errors import ConfigError
from psa_tui.networks import NETWORKS, Mlp, Network
from psa_tui.registry import Registry

if TYPE_CHECKING:
    from pandas import DataFrame

Item = TypeVar("Item")
PUBLISHED_DATASET = "mnist"
_COMMA = re.compile(r",(?![^\[]*\])")
"""A comma outside brackets."""
_LARGEST = 2**63 - 1
"""What a column of whole numbers holds."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large an architecture is; None where that is not known."""

    depth: int | None = None
    """Hidden layers."""
    width: float | None = None
    """Hidden units a layer, the mean."""
    parameters: int | None = None


def parse_shape(text: str, dataset: str | None, family: str) -> Network | None:
    """Return the network that ``text`` describes in the notation of ``family``; None where it is none known here."""
    known = _installed(NETWORKS, family)
    spec = _installed(DATASETS, dataset or PUBLISHED_DATASET) or DATASETS.find(PUBLISHED_DATASET)
    try:
        return None if known is None else known.parse(text, spec.input_shape, spec.classes)
    except ConfigError:
        return None


def is_installed(family: str) -> bool:
    """Whether architectures of a family can be read here."""
    return _installed(NETWORKS, family) is not None


def size_of(architecture: str, dataset: str | None, family: str, recorded: int | None = None) -> Size:
    """Return the size of an architecture.

    Args:
        architecture: its text form.
        dataset: the data set it was trained on; None stands for full MNIST.
        family: the network's family.
        recorded: its parameters as the study recorded them, for one that cannot be computed here.
    """
    network = parse_shape(architecture, dataset, family)
    if network is None:
        return Size(parameters=recorded)
    # The parameters depend on the data set's images, depth and width do not.
    is_known = _installed(DATASETS, dataset or PUBLISHED_DATASET) is not None
    computed = network.parameters if is_known else recorded
    if computed is not None and computed > _LARGEST:
        return Size(parameters=recorded)
    return Size(network.depth, network.width, computed)


def family_of(table: DataFrame) -> str:
    """Return the network family of a table of trials or meta-loops."""
    family: str = table.attrs.get("network") or Mlp.family
    return family


def network_attr(family: str) -> dict[str, Any]:
    """Return the attribute ``family_of`` reads; none for the family of the published study."""
    return {} if family == Mlp.family else {"network": family}


def shape_sizes(trials: DataFrame, architectures: Iterable[str]) -> dict[str, Size]:
    """Return the size of each of ``architectures``: that of the table of trials, else what can be computed."""
    rows = trials.drop_duplicates("architecture")
    columns = (rows[name] for name in ("architecture", "depth", "width", "parameters"))
    known = {name: Size(*map(_known, size)) for name, *size in zip(*columns, strict=True)}
    dataset, family = trials.attrs.get("dataset"), family_of(trials)
    return {name: known[name] if name in known else size_of(name, dataset, family) for name in architectures}


def with_sizes(table: DataFrame, sizes: Mapping[str, Size]) -> DataFrame:
    """Return ``table`` with the columns depth, width and parameters after architecture.

    Whole numbers are int64; a column with an unknown or another number is float64, NaN where it is unknown.
    """
    import pandas as pd

    table = table.copy()
    place = list(table.columns).index("architecture")
    found = [sizes[name] for name in table["architecture"]]
    for offset, name in enumerate(("depth", "width", "parameters"), start=1):
        values = [getattr(size, name) for size in found]
        whole = all(value is not None and value == int(value) for value in values)
        column = pd.Series(values, index=table.index, dtype="int64" if whole else "float64")
        table.insert(place + offset, name, column)
    return table


def split_shapes(text: str) -> list[str]:
    """Return the entries of ``8*8,[4*4,2*8]``: commas inside brackets separate nothing."""
    return [entry.strip() for entry in _COMMA.split(text)]


def count_text(count: float | None) -> str:
    """Return a number of parameters with thousands separated; N/A where it is not known."""
    return "N/A" if count is None or count != count else f"{int(count):,}"


def _installed(registry: Registry[Item], name: str) -> Item | None:
    """Return what ``name`` stands for, or None; a plug-in that cannot be loaded is as good as none for showing."""
    try:
        return registry.get(name)
    except ConfigError:
        return None


def _known(value: Any) -> Any:
    return None if value != value else int(value) if value == int(value) else float(value)
