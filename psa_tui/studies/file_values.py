"""Single values of a study file: each function returns what is meant by what stands there, or says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psa_tui.data import AUTO, DATASETS, dataset_spec
from psa_tui.data.own import looks_like_path, own_path
from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.networks import NETWORKS
from psa_tui.networks.modules.code import run_named_code
from psa_tui.networks.modules.names import names_code

OPTIONS = {one.option: one for one in HYPERPARAMETERS}


def text_of(value: Any) -> str:
    """Return text."""
    if not isinstance(value, str):
        raise ConfigError(f"expected text, found {str(value)[:40]!r}")
    return value


def family_of(text: str) -> str:
    """Return the name of a family; code of the user's own is run, because they named the file that names it."""
    return run_named_code(text) if names_code(text) else one_of(text, tuple(NETWORKS))


def one_of(text: str, names: Sequence[str]) -> str:
    """Return one of ``names``."""
    if text not in names:
        raise UnknownNameError(text, names)
    return text


def whole_number(least: int, most: int) -> Callable[[Any], int]:
    """Return what reads a whole number in a range."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ConfigError(f"expected a whole number from {least} to {most}, found {str(value)[:40]!r}")
        return value

    return parse


def data_source_of(value: Any) -> str:
    """Return the name of a data set, or the path of data of one's own."""
    if value == AUTO:
        raise ConfigError("a study must not choose its data set; name one")
    if looks_like_path(text_of(value)):
        # Relative to the current folder, as on the command line; what is there is looked at now.
        return str(dataset_spec(own_path(value)).path)
    return one_of(value, tuple(DATASETS))


def hyperparameter(option: str) -> Callable[[Any], float]:
    """Return what reads the hyperparameter ``option``."""

    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"expected {OPTIONS[option].expected}, found {str(value)[:40]!r}")
        try:
            return OPTIONS[option].parse(repr(value))
        except ConfigError as error:
            raise ConfigError(f"{error}, found {value!r}") from None

    return parse
