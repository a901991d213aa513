"""The networks and variants of a study, as people list them. No torch."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path

from psa_tui.data import dataset_spec
from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean
from psa_tui.method.variants import FIRST_STUDY, PUBLISHED, Variant, find_variant, ordered, split_list
from psa_tui.networks import NETWORKS, Mlp, Network

GRIDS = ("first", "published")
"""The grids that ship with psa-tui: the 59 shapes of the first study, the 98 of the published one."""
PUBLISHED_DATASET = "mnist"
_INLINE = re.compile(r"[*,\[]")
_COMMA = re.compile(r",(?![^\[]*\])")
"""A comma outside brackets."""
_GROUPS = re.compile(r"[0-9]+x[0-9]+(-[0-9]+x[0-9]+)*", re.ASCII)
_LONGEST_STEM = 60


def parse_network(text: str, dataset: str = PUBLISHED_DATASET, family: str = Mlp.family) -> Network:
    """Return the network that ``text`` describes in the notation of its family, for the images of a data set.

    Raises:
        ConfigError: it describes none, or there is no such family or data set.
    """
    spec = dataset_spec(dataset)
    return NETWORKS.find(family).parse(text, spec.input_shape, spec.classes)


def parse_grid(text: str, dataset: str = PUBLISHED_DATASET, family: str = Mlp.family) -> tuple[Network, ...]:
    """Return the networks of a grid: ``first``, ``published``, an inline list ``8*8,[4*4,2*8]``, or a file.

    A file has networks separated by commas or line ends; what follows ``#`` is a comment. Text with a ``*``, a comma
    or a bracket in it is an inline list. Commas inside brackets separate nothing.

    Raises:
        ConfigError: it names no grid and no file, has no network, an unreadable one, or one twice.
    """
    if text in GRIDS:
        content = resources.files("psa_tui.studies").joinpath("recipes", f"{text}.txt").read_text(encoding="utf-8")
        return _networks(content, text, dataset, family)
    if _INLINE.search(text):
        return _networks(text, "--grid", dataset, family)
    try:
        content = Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise ConfigError(
            f"--grid {text[:80]!r}: cannot be read ({reason}); say {' or '.join(GRIDS)}, "
            f"a file, or a list like 8*8,18*18{did_you_mean(text, GRIDS)}"
        ) from None
    return _networks(content, text, dataset, family)


def parse_modes(text: str | None, grid: str | None) -> tuple[Variant, ...]:
    """Return the variants of ``none,full``, published ones first; without a text those of the grid's study.

    Raises:
        ConfigError: a name is no variant's, or is there twice.
    """
    if text is None:
        return FIRST_STUDY if grid == "first" else PUBLISHED
    found: dict[str, Variant] = {}
    for name in split_list(text):
        if name in found:
            raise ConfigError(f"--modes: {name[:40]!r} is there twice; leave one out")
        try:
            found[name] = find_variant(name)
        except ConfigError as error:
            raise ConfigError(f"--modes: {error}") from None
    return tuple(found[name] for name in ordered(found))


def file_stem(network: Network) -> str:
    """Return a network in the name of a file, a folder or a job: ``18x18``, ``4x4-2x8``; no two networks share one."""
    stem = network.short_name.strip("[]").replace("*", "x").replace(",", "-")
    if network.family == Mlp.family and len(stem) <= _LONGEST_STEM and _GROUPS.fullmatch(stem):
        return stem
    digest = hashlib.sha256(f"{network.family} {network.short_name}".encode()).hexdigest()[:12]
    plain = re.sub(r"[^A-Za-z0-9]+", "-", f"{network.family}-{stem}")[:_LONGEST_STEM].strip("-")
    return f"{plain}-{digest}"


def _networks(content: str, where: str, dataset: str, family: str) -> tuple[Network, ...]:
    networks: dict[Network, None] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        for entry in _COMMA.split(line.partition("#")[0]):
            if not entry.strip():
                continue
            try:
                network = parse_network(entry.strip(), dataset, family)
            except ConfigError as error:
                raise ConfigError(f"{where[:80]}, line {number}: {error}", error.detail) from None
            if network in networks:
                raise ConfigError(f"{where[:80]}, line {number}: {network.short_name} is there twice; leave one out")
            networks[network] = None
    if not networks:
        raise ConfigError(f"{where[:80]}: no shapes in it; write LAYERS*NEURONS such as 8*8,18*18")
    return tuple(networks)
