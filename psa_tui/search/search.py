"""Persistent Stochastic Ablation on top of a training loop of one's own.

A search owns the Last Known Good (LKG) parameters and buffers of a module, what is damaged in each candidate, and what
is promoted; the loop that trains and measures is the user's. An MLP that is trained so in the order of ``loop.order``
takes the same verdicts and damages as under ``psa train``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from operator import index
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from psa_tui.errors import CheckpointError, ConfigError, PsaError
from psa_tui.method.ablation import Candidate
from psa_tui.method.dead_units import dead_units
from psa_tui.method.events import EarlierLoops, MetaLoopFinished, UnitsAblated, Verdict
from psa_tui.method.progress import MOST_LOOPS, Progress
from psa_tui.method.promotion import judge
from psa_tui.method.randomness import Purpose, generator
from psa_tui.method.variants import Variant
from psa_tui.networks.unit import Unit, UnitTable
from psa_tui.search.file import SavedSearch, packed, read_search, units_digest, unpacked, write_search
from psa_tui.search.loop import Loop
from psa_tui.search.model import Model, Tensors
from psa_tui.search.state import SearchState, as_event, with_loop
from psa_tui.search.telling import Teller, left_event, started_event
from psa_tui.search.variants import chosen_variant
from psa_tui.storage.read_errors import damage_errors

InitialWeights = Callable[[np.random.Generator], Mapping[str, Any]]
_MOST_SEED = 2**63 - 1


class Search:
    """Restores, damages and promotes a model around a training loop of the user's.

    ::

        search = psa_tui.Search(model, units, variant="output", seed=7)
        for loop in search.loops(100):
            train_one_epoch(model, generator=loop.generator("order"))
            loop.report(evaluate(model))
            search.save("search.safetensors")
        search.load_best_()
    """

    def __init__(
        self,
        model: nn.Module,
        units: Iterable[Unit],
        variant: str | Variant,
        seed: int = 0,
        *,
        initial_weights: InitialWeights | None = None,
    ) -> None:
        """Begin a search from the weights that ``model`` has.

        Args:
            model: trained in place; it must keep the names, shapes and types of its tensors.
            units: what can be ablated; an ablation of output units needs some of kind ``output``.
            variant: what is damaged and promoted: a name as ``psa train --mode`` takes it, or a ``Variant``.
            seed: of all draws, 0 to 2**63 - 1.
            initial_weights: draws a new initialisation, an array for each parameter's name; the effect ``reinit`` takes
                the numbers of units from it.

        Raises:
            ConfigError: the model cannot be copied back, a unit is not in it, or the variant is partly the training
                loop's; the message says how.
        """
        if not 0 <= seed <= _MOST_SEED:
            raise ConfigError(f"seed {seed}, expected 0 to {_MOST_SEED}")
        self.units = tuple(units)
        self.seed = index(seed)
        self._model = Model(model)
        self._model.check_untied(self.units)
        self.table = UnitTable(self._model.parameters, self.units)
        self.variant = chosen_variant(variant, self.table, can_reinitialise=initial_weights is not None)
        self._draw_initial = initial_weights
        self._state = SearchState(Progress(validation_count=1), self._model.copy())
        self._units_digest: str | None = None
        self._started = 0.0
        self.open_loop: Loop | None = None
        """The loop that waits for a report."""
        self.teller = Teller()

    @property
    def model(self) -> nn.Module:
        """The module that it trains."""
        return self._model.module

    @property
    def progress(self) -> Progress:
        """Its counters after the last loop that was reported: ``progress.lkg_accuracy``, ``progress.promotions``."""
        return self._state.progress

    @property
    def history(self) -> EarlierLoops:
        """The loops that were reported, in columns; of a very long search the last ones."""
        return as_event(self._state.past)

    def loops(self, last: int) -> Iterator[Loop]:
        """Go through the meta-loops that are missing up to ``last`` in total.

        Each begins with the LKG in the model, damaged; loop 1 damages nothing. A loop that is left by ``break`` or an
        exception never was.

        Raises:
            ConfigError: the model has changed, or ``last`` is no number of loops.
            PsaError: a loop was not reported.
        """
        if not 0 <= last <= MOST_LOOPS:
            raise ConfigError(f"{last} meta-loops, expected 0 to {MOST_LOOPS}")
        if self.progress.meta_loop >= last:
            return
        loop: Loop | None = None
        try:
            if self.teller.makers:
                self.teller.begin(started_event(self, self._model, last, self._state.dead), self.history)
            while self.progress.meta_loop < last:
                loop = self._begin()
                yield loop
                if self.progress.meta_loop < loop.number:
                    raise PsaError(f"meta-loop {loop.number} was not reported: call loop.report(accuracy) in each loop")
        finally:
            if self.open_loop is loop:
                self.open_loop = None
            self.teller.end(left_event(self.progress, last))

    def load_best_(self) -> None:
        """Give the model the LKG, its buffers too; a loop that waits for a report is over.

        Raises:
            PsaError: nothing was promoted yet.
        """
        if self.progress.lkg_correct is None:
            raise PsaError("no candidate was promoted yet, so there is no LKG to load")
        self.open_loop = None
        self._model.restore(self._state.lkg)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the search into one safetensors file, durably; an interrupted save leaves the file that was there.

        The LKG lies in it under the model's own names: ``model.load_state_dict(safetensors.torch.load_file(path),
        strict=False)``. A loop that was not reported is not in it.

        Raises:
            CheckpointError: it cannot be written.
        """
        write_search(Path(path), *self._packed())

    def state_dict(self) -> dict[str, Any]:
        """Return what ``save`` writes, for a checkpoint of your own: a text and tensors, which share the LKG's memory.

        ``load_state_dict`` of a search of such a model and units, this variant and seed goes on with it, to the bit.
        """
        header, tensors = self._packed()
        return {"header": header, "tensors": tensors}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was called. The model is changed by ``loops`` and ``load_best_`` alone.

        Raises:
            CheckpointError: ``state`` is damaged, or of another model, other units, another variant or seed.
        """
        with damage_errors(source := "state_dict", "that of a search"):
            header, tensors = str(state["header"]), dict(state["tensors"])
        self._go_on(source, unpacked(source, header, tensors), self.variant, self.seed)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        model: nn.Module,
        units: Iterable[Unit],
        variant: str | Variant | None = None,
        seed: int | None = None,
        *,
        initial_weights: InitialWeights | None = None,
    ) -> Search:
        """Go on with the search in a file, to the bit. ``model`` is changed by ``loops`` and ``load_best_`` alone.

        ``variant`` and ``seed`` are the file's; those that are given must be the same.

        Raises:
            CheckpointError: the file is missing, damaged, or of another model, other units, another variant or seed.
            ConfigError: as ``Search``.
        """
        saved = read_search(Path(path))
        search = cls(model, units, saved.variant, saved.seed, initial_weights=initial_weights)
        search._go_on(path, saved, variant, seed)
        return search

    def decide(self, loop: Loop, correct: int, total: int, *, finite: bool, train_loss: float) -> MetaLoopFinished:
        """Promote the candidate in the model or roll it back: what ``Loop.report`` does with the numbers it checked.

        Raises:
            ConfigError: the model has changed, or another number of images was reported before.
        """
        state, variant = self._state, loop.variant
        before = state.progress
        if not before.meta_loop:
            before = replace(before, validation_count=total)
        if before.validation_count != total:
            raise ConfigError("report accuracies in every loop, or counts of the same total: earlier loops differ")
        finite = finite and self._model.is_finite()
        draws = generator(self.seed, loop.number, Purpose.PROMOTION)
        decision = judge(variant.promotion_rule, before, correct, draws, finite=finite)
        progress = before.after(loop.number, correct, decision, finite=finite)
        lkg, held, dead = state.lkg, state.held, state.dead
        if decision.promoted:
            lkg = held if decision.held and held is not None else self._model.copy()
            held, dead = None, self._dead_units(self._model.row(lkg))
        elif decision.hold:
            held = self._model.copy()
        progress = replace(progress, lkg_dead=None if progress.lkg_correct is None else len(dead))
        event = MetaLoopFinished(
            member=0,
            meta_loop=loop.number,
            mode=self.variant.name,
            verdict=Verdict.PROMOTED if decision.promoted else Verdict.ROLLED_BACK,
            finite=finite,
            validation_correct=correct,
            validation_accuracy=correct / total,
            gain=None if before.lkg_correct is None else (correct - before.lkg_correct) / total,
            train_loss=train_loss,
            seconds=time.perf_counter() - self._started,
            ablation=loop.ablation,
            progress=progress,
            reason=decision.reason,
            dead_units=dead if decision.promoted else None,
        )
        # One assignment: a Ctrl-C comes before it or after it.
        self._state = SearchState(progress, lkg, held, dead, with_loop(state.past, event))
        self.teller(event)
        return event

    def _go_on(self, source: object, saved: SavedSearch, variant: str | Variant | None, seed: int | None) -> None:
        if variant is not None:
            asked = chosen_variant(variant, self.table, can_reinitialise=self._draw_initial is not None)
            if asked.without_look() != saved.variant.without_look():
                raise CheckpointError(f"{source}: a search with variant {saved.variant}, expected {asked}")
        if seed is not None and seed != saved.seed:
            raise CheckpointError(f"{source}: a search with seed {saved.seed}, expected {seed}")
        self._state = saved.state_for(source, self._model, self.units, self.table)

    def _packed(self) -> tuple[str, Tensors]:
        if self._units_digest is None:
            self._units_digest = units_digest(self.units)
        return packed(self._model, self._state, (self.variant, self.seed), self._units_digest)

    def _begin(self) -> Loop:
        number = self.progress.meta_loop + 1
        self._started = time.perf_counter()
        self._model.restore(self._state.lkg)
        variant = self.variant.at(number)
        ablation = None
        if variant.ablation is not None and number > 1:
            row = self._model.row(self._model.tensors())
            candidate = Candidate(row, self._initial_row, _no_activations)
            done = variant.ablation.ablate(candidate, self.table, generator(self.seed, number, Purpose.ABLATION))
            self._model.put(row)
            ablation = UnitsAblated(
                member=0,
                meta_loop=number,
                mode=self.variant.name,
                # The last layer is the output's, whether there are units of it or not.
                layers=len(self.table.hidden_layers) + 1,
                units=tuple(replace(unit, dead=(unit.layer, unit.unit) in self._state.dead) for unit in done),
            )
            self.teller(ablation)
        self.open_loop = Loop(self, number, variant, ablation)
        return self.open_loop

    def _dead_units(self, row: Tensor) -> tuple[tuple[int, int], ...]:
        return dead_units(row, self.table) if self.table.hidden_layers else ()

    def _initial_row(self, draws: np.random.Generator) -> np.ndarray:
        """Draw a new initialisation: [parameters]."""
        if self._draw_initial is None:
            raise ConfigError("this ablation draws a new initialisation: give initial_weights")
        drawn = self._draw_initial(draws)
        row = np.empty(self._model.size)
        for one in self._model.parameters:
            array = np.asarray(drawn[one.name]) if one.name in drawn else None
            if array is None or array.shape != one.shape:
                raise ConfigError(f"initial_weights gave no {one.name} of shape {one.shape}")
            one.view(row[None])[0] = array
        return row


def _no_activations() -> np.ndarray:
    raise ConfigError("this ablation needs activations, and a search does not see your validation images")
