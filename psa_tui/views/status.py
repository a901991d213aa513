"""Checkpoints and runs as rows of the tables that ``psa status`` prints."""

from __future__ import annotations

from pathlib import Path

from psa_tui.formatting import network_words, percent
from psa_tui.runs.status import CheckpointSummary
from psa_tui.storage.run_store import RunRow

CHECKPOINT_COLUMNS = ("checkpoint", "shape", "parameters", "modes", "loops", "bounty", "at", "test")
CHECKPOINT_SPARE = ("at", "parameters", "test", "shape", "loops")
RUN_COLUMNS = ("run", "state", "shape", "mode", "seed", "data", "loops", "bounty", "test")
RUN_SPARE = ("seed", "data", "test", "loops", "state", "shape")
"""What a narrow terminal goes without; psa results show has all of it."""


def checkpoint_cells(summary: CheckpointSummary) -> list[str]:
    """Return a checkpoint's row."""
    return [
        str(Path(summary.name or "", Path(summary.path).name)),
        network_words(summary.network, summary.architecture),
        f"{summary.parameters:,}",
        " ".join(f"{mode}@{loop}" if loop > 1 else mode for loop, mode in summary.mode_history),
        f"{summary.meta_loop}/{summary.last_meta_loop}",
        percent(summary.bounty),
        str(summary.bounty_meta_loop),
        percent(summary.test_accuracy),
    ]


def run_cells(row: RunRow) -> list[str]:
    """Return a run's row; a run with a name goes by it."""
    return [
        row.name or row.run,
        row.state,
        network_words(row.network, row.architecture),
        row.mode,
        str(row.seed),
        row.dataset,
        f"{row.meta_loop}/{row.last_meta_loop}",
        percent(row.bounty),
        percent(row.test_accuracy),
    ]
