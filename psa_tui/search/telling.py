"""Telling views of a search what happens in it, without letting a broken one harm the search."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import torch

from psa_tui.method.dead_units import DeadUnits
from psa_tui.method.events import Block, EarlierLoops, Event, Outcome, RunFinished, RunStarted
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress

if TYPE_CHECKING:
    from psa_tui.search.model import Model
    from psa_tui.search.search import Search

log = logging.getLogger(__name__)


class SearchView(Protocol):
    """Shows a search from ``loops`` to its end."""

    def handle(self, event: Event) -> None:
        """Take note of ``event``."""

    def close(self) -> None:
        """Give back what was taken, such as the terminal."""


class Teller:
    """Makes the views that somebody asked for when loops begin, tells them all, and closes them when loops end."""

    def __init__(self) -> None:
        """Nobody watches."""
        self.makers: list[Callable[[], SearchView]] = []
        self._views: list[SearchView] = []
        self._began = 0.0

    def begin(self, started: RunStarted, earlier: EarlierLoops) -> None:
        """Make the views, and tell them of the loops before."""
        self._views = [make() for make in self.makers]
        self._began = time.perf_counter()
        self(started)
        if earlier.meta_loops:
            self(earlier)

    def __call__(self, event: Event) -> None:
        """Tell all views of ``event``; one that fails is gone, and the search goes on."""
        for view in list(self._views):
            try:
                view.handle(event)
            except Exception as error:
                self._views.remove(view)
                log.warning("a view failed and is gone, the search goes on: %s: %s", type(error).__name__, error)

    def end(self, finished: Callable[[float], RunFinished]) -> None:
        """Tell the views how the loops ended, after how many seconds, and close them."""
        self(finished(time.perf_counter() - self._began))
        while self._views:
            self._views.pop().close()


def started_event(search: Search, model: Model, last: int, dead: DeadUnits) -> RunStarted:
    """Return the event with which loops begin; of data and optimiser a search knows nothing."""
    layers = search.table.layers
    return RunStarted(
        run="search",
        resumed=search.progress.meta_loop > 0,
        network="module",
        architecture=type(search.model).__name__,
        parameters=model.size,
        unit_counts=search.table.unit_counts,
        layer_names=search.table.layer_names,
        unit_kinds=search.table.unit_kinds,
        blocks=tuple(
            Block(
                name=name,
                units=len(units),
                parameters=sum(
                    len(range(part.start, part.stop, part.step or 1))
                    for number in range(len(units))
                    for parts in (search.table.unit_parameters(layer, number),)
                    for part in (*parts.incoming, *parts.bias)
                ),
            )
            for layer, (name, units) in enumerate(layers.items())
        ),
        mode=search.variant.name,
        hyperparameters=Hyperparameters(),
        own_loop=True,
        seed=search.seed,
        dataset="your own loop and data",
        dataset_fingerprint="",
        train_count=0,
        validation_count=0,
        test_count=0,
        majority_class_accuracy=None,
        device=", ".join(dict.fromkeys(str(one.device) for one in model.tensors().values())) or "cpu",
        threads=torch.get_num_threads(),
        backend="your own loop",
        checkpoint="",
        last_meta_loop=last,
        progress=search.progress,
        dead_units=None if search.progress.lkg_correct is None else dead,
    )


def left_event(progress: Progress, last: int) -> Callable[[float], RunFinished]:
    """Return what makes the event with which loops end, of the seconds that they took."""
    finished = progress.meta_loop >= last

    def made(seconds: float) -> RunFinished:
        return RunFinished(
            run="search",
            outcome=Outcome.FINISHED if finished else Outcome.STOPPED,
            reason="" if finished else "your loop",
            last_meta_loop=last,
            progress=progress,
            test_accuracy=None,
            seconds=seconds,
            resume_command=f"search.loops({last})",
        )

    return made
