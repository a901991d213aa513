"""What is asked of a study's trials: as its design says, or by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.analysis.comparison import CONTROL
from psa_tui.analysis.regimes import majority_class
from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.method.progress import ESCAPE_ABOVE_MAJORITY
from psa_tui.method.variants import ordered
from psa_tui.studies.design.plan import Endpoint
from psa_tui.studies.design.registration import Registration, load_registration

if TYPE_CHECKING:
    from pandas import DataFrame

_ALPHA = 0.05
_USUAL = (Endpoint.ESCAPE, Endpoint.VALIDATION, Endpoint.TEST)


@dataclass(frozen=True, slots=True)
class Questions:
    """Contrasts (treatment, control), endpoints, the bar of escape, and the risk that all contrasts share."""

    contrasts: tuple[tuple[str, str], ...]
    endpoints: tuple[Endpoint, ...]
    escape_above: float | None
    """None where the majority class is not known."""
    alpha: float


def questions_of(
    trials: DataFrame,
    results_dir: Path,
    contrasts: Sequence[str] | None = None,
    zero_r: float | None = None,
    endpoints: Sequence[Endpoint] | None = None,
) -> Questions:
    """Return what is asked of ``trials``.

    ``contrasts``, texts such as ``output - none``, and ``endpoints`` stand in place of the design's. Without either
    these are escape and the accuracies: the others take all meta-loops.

    Raises:
        ConfigError: a contrast is none, or is of a mode that has no trials.
        DataError: the registered design was changed since.
    """
    modes = ordered(trials["mode"].unique())
    registration = design_of(trials, results_dir)
    if contrasts:
        wanted = [_pair(text, modes) for text in contrasts]
    elif registration is not None:
        wanted = [(one.treatment, one.control) for one in registration.design.hypotheses]
    else:
        wanted = [(mode, CONTROL) for mode in modes if mode != CONTROL and CONTROL in modes]
    if not wanted:
        raise ConfigError(f"no mode {CONTROL} to compare with; say --contrast 'A - B', of {', '.join(modes) or 'none'}")
    try:
        bar = majority_class(trials, zero_r) + ESCAPE_ABOVE_MAJORITY
    except ConfigError:
        bar = None
    if registration is not None and zero_r is None:
        bar = registration.design.escape_above
    if not endpoints:
        endpoints = _USUAL if registration is None else registration.design.endpoints
    alpha = _ALPHA if registration is None else registration.design.alpha
    return Questions(tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(endpoints)), bar, alpha)


def design_of(trials: DataFrame, results_dir: Path) -> Registration | None:
    """Return the registration of the study that ``trials`` are of; None where there is none.

    Args:
        results_dir: or the database file in it.

    Raises:
        DataError: the registered design was changed since.
    """
    if trials.attrs.get("source") != "local":
        return None
    folder = results_dir.parent if results_dir.is_file() else results_dir
    return load_registration(folder, str(trials.attrs.get("study")))


def _pair(text: str, modes: Sequence[str]) -> tuple[str, str]:
    sides = [side.strip() for side in text.split(" - ")]
    if len(sides) != 2:
        raise ConfigError(f"--contrast {text[:60]!r}: expected two modes with ' - ' between, as in 'output - none'")
    for side in sides:
        if side not in modes:
            raise ConfigError(f"--contrast: {UnknownNameError(side, modes)}")
    return sides[0], sides[1]
