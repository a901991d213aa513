"""A run as TensorBoard's event files, one folder a run; every loop is one step of every curve.

A session that goes on from a checkpoint opens with TensorBoard's own mark that later steps are void, so a
loop that is run again replaces itself. Loops that the folder lacks (a kill came first, or the run began
without this view) are taken from the run's history, so the curves have no gap either.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.errors import ConfigError, PsaError
from psa_tui.formatting import percent, printable
from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.event_codec import printable_event
from psa_tui.method.events import EarlierLoops, Event, MetaLoopFinished, RunFinished, RunStarted, Verdict
from psa_tui.method.layer_names import LayerNames
from psa_tui.outside import is_plain_name
from psa_tui.storage.atomic_write import make_folder
from psa_tui.views.text import format_finished, format_started, format_units, format_verdict, needs_reason

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOSS, TRAIN, VALIDATION = "loss/train", "accuracy/train", "accuracy/validation"
LKG, TEST = "accuracy/lkg", "accuracy/test"
PROMOTIONS, ROLLBACKS = "verdicts/promotions", "verdicts/rollbacks"
LAYER, NEURON, UNITS = "ablation/layer", "ablation/neuron", "ablation/units"
_LONGEST_LIST = 200
"""Characters in which the text of a loop lists its ablated units."""


class TensorBoardView:
    """Writes ``folder / run``; what it wrote of a loop is in the file when the next loop begins."""

    def __init__(self, folder: Path) -> None:
        """Make sure, before anything runs, that it will work.

        Raises:
            ConfigError: the package tensorboard is not installed.
            PsaError: ``folder`` cannot be written.
        """
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise ConfigError(
                "--tensorboard needs the package tensorboard, which is missing; pip install 'psa-tui[tensorboard]'"
            ) from None
        make_folder(folder, "--tensorboard DIR")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PsaError(f"{folder}: cannot be written; make it writable or choose another --tensorboard DIR")
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._known: set[int] | None = None
        """The loops that the folder has of a run that goes on; None before it was looked at."""
        self._tested: set[int] = set()
        self._loops = self._promotions = 0
        self._lkg: float | None = None

    def handle(self, event: Event) -> None:
        """Write what belongs to a curve or a text; the rest is not for this view."""
        event = printable_event(event)
        match event:
            case RunStarted():
                self._start(event)
            case EarlierLoops():
                self._fill_up(event)
            case MetaLoopFinished():
                self._add_loop(event)
            case RunFinished():
                self._finish(event)

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _start(self, event: RunStarted) -> None:
        if not is_plain_name(event.run):
            raise PsaError(f"run {printable(event.run)[:80]!r}: no name for a folder of --tensorboard DIR")
        self._started = event
        self._path = self._folder / event.run
        if not event.resumed:
            self._open(1)

    def _fill_up(self, event: EarlierLoops) -> None:
        """Open the file at the first loop that the folder lacks, and write it and all later ones."""
        if self._known is None:
            self._known, self._tested = self._steps(VALIDATION), self._steps(TEST)
        for index, loop in enumerate(event.meta_loops):
            self._loops += 1
            self._promotions += event.promoted[index]
            if event.promoted[index]:
                self._lkg = event.validation_accuracies[index]
            if self._writer is None and loop in self._known:
                continue
            if self._writer is None:
                self._open(loop)
            scalars = {LOSS: event.train_losses[index], VALIDATION: event.validation_accuracies[index], LKG: self._lkg}
            scalars[TRAIN] = event.train_accuracies[index] if event.train_accuracies else None
            scalars |= {PROMOTIONS: self._promotions, ROLLBACKS: self._loops - self._promotions}
            scalars |= _ablation_scalars(event.ablations[index])
            self._add_scalars(loop, scalars)
        if self._writer is not None:
            self._writer.flush()

    def _open(self, first: int) -> SummaryWriter:
        """Open a new file for the loops from ``first`` on."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._path), purge_step=first)
        lines = (f"- {line}" for line in (*format_started(self._started), *self._started.notices))
        self._writer.add_text("run", "\n".join(lines), self._started.progress.meta_loop + 1)
        self._writer.flush()
        return self._writer

    def _steps(self, tag: str) -> set[int]:
        """Return the steps that TensorBoard shows of the curve ``tag``."""
        from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

        if not self._path.is_dir():
            return set()
        found = EventAccumulator(str(self._path), size_guidance={SCALARS: 0}).Reload()
        return {scalar.step for scalar in found.Scalars(tag)} if tag in found.Tags()[SCALARS] else set()

    def _add_loop(self, event: MetaLoopFinished) -> None:
        if self._writer is None:
            self._open(event.meta_loop)
        progress = event.progress
        scalars = {LOSS: event.train_loss, VALIDATION: event.validation_accuracy, LKG: progress.lkg_accuracy}
        scalars[TRAIN] = event.train_accuracy
        scalars |= {PROMOTIONS: progress.promotions, ROLLBACKS: progress.rollbacks}
        scalars |= _ablation_scalars(() if event.ablation is None else event.ablation.units)
        self._add_scalars(event.meta_loop, scalars)
        self._add_texts(event)

    def _add_scalars(self, step: int, scalars: dict[str, float | None]) -> None:
        if self._writer is None:
            return
        for tag, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(tag, value, step)

    def _add_texts(self, event: MetaLoopFinished) -> None:
        if self._writer is None:
            return
        reason = f" ({event.reason})" if needs_reason(event) else ""
        if event.ablation is not None:
            names = LayerNames() if self._started is None else self._started.names
            units = format_units(event.ablation.units, names, _LONGEST_LIST)
            self._writer.add_text("ablation", f"{units}: {format_verdict(event)}{reason}", event.meta_loop)
        if event.verdict is Verdict.PROMOTED:
            text = f"{format_verdict(event)}, LKG {percent(event.progress.lkg_accuracy)}{reason}"
            self._writer.add_text("promotion", text, event.meta_loop)
        self._writer.flush()

    def _finish(self, event: RunFinished) -> None:
        step = event.progress.meta_loop
        writer = self._writer or self._open(step + 1)
        if event.test_accuracy is not None and step not in self._tested:
            writer.add_scalar(TEST, event.test_accuracy, step)
        writer.add_text("result", "\n".join(f"- {line}" for line in format_finished(event)), step)
        self.close()


def _ablation_scalars(units: Sequence[AblatedUnit]) -> dict[str, float | None]:
    """Return layer and index of a single unit, and of several how many they are."""
    if len(units) == 1:
        return {LAYER: units[0].layer, NEURON: units[0].unit}
    return {UNITS: len(units)} if units else {}
