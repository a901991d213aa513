"""A live view for terminals: progress, the LKG, and what became of the last candidates."""

from __future__ import annotations

import time
from collections import deque
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from psa_tui.events import (
    EpochProgressed,
    Event,
    MetaLoopFinished,
    NeuronAblated,
    Progress,
    RunFinished,
    RunStarted,
    Verdict,
)
from psa_tui.views.text import format_finished, format_neuron, format_started, format_verdict, percent

_FRAME_S = 0.25
_SHOWN_LOOPS = 8


class LiveView:
    """Redraws a few lines in place, at most four times a second, only when something happened."""

    def __init__(self, stream: TextIO) -> None:
        """``stream`` is a terminal."""
        console = Console(file=stream, highlight=False)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._started: RunStarted | None = None
        self._epoch: EpochProgressed | None = None
        self._ablation: NeuronAblated | None = None
        self._progress: Progress | None = None
        self._loops: deque[MetaLoopFinished] = deque(maxlen=_SHOWN_LOOPS)
        self._drawn_at = 0.0

    def handle(self, event: Event) -> None:
        """Fold the event in, and draw when a frame is due."""
        if isinstance(event, RunStarted):
            self._started, self._progress = event, event.progress
            self._print(format_started(event))
            self._live.start()
        elif isinstance(event, EpochProgressed):
            self._epoch = event
        elif isinstance(event, NeuronAblated):
            self._ablation = event
        elif isinstance(event, MetaLoopFinished):
            self._progress, self._epoch, self._ablation = event.progress, None, None
            self._loops.appendleft(event)
        elif isinstance(event, RunFinished):
            self._live.update(self._picture(), refresh=True)
            self.close()
            self._print([self._lines(loop) for loop in reversed(self._loops)])
            self._print(format_finished(event))
            return
        if time.monotonic() - self._drawn_at >= _FRAME_S:
            self._live.update(self._picture(), refresh=True)
            self._drawn_at = time.monotonic()

    def close(self) -> None:
        """Give back the cursor."""
        self._live.stop()

    def _print(self, lines: list[str] | list[Text]) -> None:
        for line in lines:
            self._live.console.print(Text(line) if isinstance(line, str) else line, soft_wrap=True)

    def _lines(self, loop: MetaLoopFinished) -> Text:
        style = "green" if loop.verdict is Verdict.PROMOTED else "red"
        line = Text(f"loop {loop.meta_loop:>4}  {percent(loop.validation_accuracy):>8}  ")
        line.append(f"{format_verdict(loop):<18}", style=style)
        line.append(f"  {format_neuron(loop.ablation)} zeroed" if loop.ablation else "")
        return line

    def _picture(self) -> RenderableType:
        assert self._started is not None
        assert self._progress is not None
        progress, last = self._progress, self._started.last_meta_loop
        epoch = self._epoch
        bars = Table.grid(padding=(0, 2))
        bars.add_row("meta-loops", ProgressBar(last, progress.meta_loop, width=30), f"{progress.meta_loop}/{last}")
        images, total = (epoch.images, epoch.image_count) if epoch else (0, self._started.train_count)
        loss = f"loss {epoch.loss:.4f}" if epoch else ""
        bars.add_row("epoch", ProgressBar(total, images, width=30), loss)
        lkg = Text(f"LKG {percent(progress.bounty)} since meta-loop {progress.lkg_meta_loop}, ", style="bold")
        lkg.append(
            f"{progress.promotions} promoted, {progress.rollbacks} rolled back ({progress.rollbacks_in_a_row} in a row)"
        )
        now = format_neuron(self._ablation) + " zeroed" if self._ablation else "no ablation"
        current = Text(f"loop {progress.meta_loop + 1:>4}  {now}, training", style="dim")
        return Group(bars, lkg, current, *(self._lines(loop) for loop in self._loops))
