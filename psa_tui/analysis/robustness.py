"""Robustness: test accuracy against damage, the mean over draws and the band in which most of them lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.trajectories import BAND as BAND
from psa_tui.errors import ConfigError
from psa_tui.formatting import percent
from psa_tui.machine.optional_dependencies import require
from psa_tui.method.probes import UnitKill

if TYPE_CHECKING:
    from psa_tui.method.probes import Probe
    from psa_tui.runs.probing import Probed

LETTERS = ascii_lowercase + ascii_uppercase
"""What checkpoints are called in tables and figures, in this order."""
FIGURE_FORMATS = (".svg", ".png", ".pdf")


@dataclass(frozen=True, slots=True)
class Point:
    """Test accuracy at one level of damage: fractions."""

    level: float
    mean: float
    low: float
    """Below it lies a tenth of the draws (``BAND``), between neighbours interpolated."""
    high: float
    """Above it lies a tenth of the draws."""
    dead: float | None
    """Of the units that were zeroed, how many were dead before: the mean over draws; None where none is zeroed."""


def check_request(checkpoints: Sequence[Path], figure: str | None) -> None:
    """Refuse, before any work, more checkpoints than there are letters, and a figure that could not be written.

    Raises:
        PsaError: as its words say.
    """
    if len(checkpoints) > len(LETTERS):
        raise ConfigError(f"{len(checkpoints)} checkpoints: expected at most {len(LETTERS)} at a time")
    if figure is not None:
        if Path(figure).suffix not in FIGURE_FORMATS:
            raise ConfigError(f"--out {figure}: expected a name that ends in {', '.join(FIGURE_FORMATS)}")
        require("matplotlib")


def robustness_curve(probed: Probed, probe: Probe) -> list[Point]:
    """Return a checkpoint's accuracy untouched (level 0), then at every level."""
    import numpy as np

    count = len(probed.subject.images)
    untouched = probed.untouched / count
    points = [Point(0, untouched, untouched, untouched, None)]
    for index, (level, correct) in enumerate(zip(probe.levels, probed.correct, strict=True)):
        low, high = np.quantile(correct, BAND) / count
        dead = None if probed.dead_hit is None else probed.dead_hit[index]
        points.append(Point(level, float(correct.mean()) / count, float(low), float(high), dead))
    return points


def difference(probed: Probed) -> str | None:
    """Say that the untouched accuracy is not what the run reported at its end; None where it is, or nothing was."""
    reported = probed.subject.record.test_correct
    if reported in (None, probed.untouched):
        return None
    here, there = percent(probed.untouched / len(probed.subject.images)), percent(probed.subject.record.test_accuracy)
    return (
        f"{probed.subject.label}: test accuracy {here} here and {there} at the end of its run; the device, the backend "
        "or a version was another"
    )


def damage_words(probe: Probe) -> str:
    """Say what is done to the weights."""
    return "zeroing random hidden units" if isinstance(probe, UnitKill) else "adding Gaussian noise to all weights"


def robustness_json(probed: Probed, probe: Probe) -> dict[str, Any]:
    """Return all that was found of a checkpoint, every draw too."""
    subject, record = probed.subject, probed.subject.record
    counts = [[probed.untouched], *(correct.tolist() for correct in probed.correct)]
    return {
        "path": subject.label,
        "problem": None,
        "run": record.run,
        "network": record.network,
        "architecture": record.architecture,
        "mode_history": record.mode_history,
        "seed": record.seed,
        "meta_loop": record.progress.meta_loop,
        "dataset": record.dataset,
        "dataset_fingerprint": record.dataset_fingerprint,
        "device": str(subject.images.labels.device),
        "backend": subject.backend.name,
        "hidden_units": len(subject.dead),
        "dead_units": int(subject.dead.sum()),
        "test_count": len(subject.images),
        "test_accuracy": probed.untouched / len(subject.images),
        "reported_test_accuracy": record.test_accuracy,
        "levels": [
            {probe.name: point.level, "mean": point.mean, "low": point.low, "high": point.high}
            | ({} if probed.dead_hit is None else {"dead_among_zeroed": point.dead or 0.0})
            | {"correct": correct}
            for point, correct in zip(robustness_curve(probed, probe), counts, strict=True)
        ],
    }
