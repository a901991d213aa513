"""One session of one run: persist every loop, then publish it.

At each finished meta-loop the history is written first, then the checkpoint, then the views are told. A kill
between the first two leaves a loop that the history knows and the checkpoint does not; a resume runs it again, to the
same bits, and writes the same row. At the end the checkpoint comes first: a kill then leaves a complete run that the
history calls interrupted, until a resume tells it.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_tui.machine.device_memory import measure_device_memory
from psa_tui.machine.devices import choose, detect, set_threads
from psa_tui.machine.signals import LeaveAtOnce
from psa_tui.method.events import (
    DeviceMemoryMeasured,
    Event,
    MetaLoopFinished,
    Outcome,
    RunFinished,
    SettingChange,
)
from psa_tui.method.variants import find_variant
from psa_tui.runs.context import RunContext
from psa_tui.runs.publishing import Publisher
from psa_tui.runs.record import finished_event, new_record, new_run_name, split_counts, started_event
from psa_tui.runs.resuming import check_edition, extended_history, holds_run, is_same_place
from psa_tui.runs.setting_changes import session_of, stored_changes
from psa_tui.runs.stored_loops import earlier_events
from psa_tui.settings import RunConfig
from psa_tui.storage.checkpoint import STATE, Checkpoint, write_checkpoint
from psa_tui.storage.header import Record
from psa_tui.storage.labels import Labels
from psa_tui.storage.run_store import RunStore

if TYPE_CHECKING:
    import torch

    from psa_tui.data import Dataset
    from psa_tui.engine.backend import Backend
    from psa_tui.engine.images import Images
    from psa_tui.engine.meta_loop import Population

log = logging.getLogger(__name__)

_PAUSE_POLL_S = 0.2
_INTERRUPTED = 130


@dataclass(slots=True)
class _Loaded:
    """What a run computes with."""

    population: Population
    train: Images
    validation: Images
    test: Images


class RunSession:
    """One session of one run, from loading to its last event."""

    def __init__(
        self,
        path: Path,
        config: RunConfig,
        checkpoint: Checkpoint | None,
        last_meta_loop: int,
        context: RunContext,
        store: RunStore,
        labels: Labels,
    ) -> None:
        """``path`` is the checkpoint's, and locked; ``checkpoint`` is None for a run that begins."""
        self.path = path
        self.config = config
        self.checkpoint = checkpoint
        self.last_meta_loop = last_meta_loop
        self.stop = context.stop
        self.control = context.control
        self.say = context.say
        self.publish = Publisher(context.views, context.stop)
        self.store = store
        self.labels = labels
        self.sessions: list[dict[str, Any]] = []
        """Those of the run so far, this one last, from which its changes of settings follow."""
        self.started, self.seconds = time.perf_counter(), 0.0

    def execute(self) -> RunFinished:
        """Run to the last meta-loop, or until a stop is asked for; return the last event, which was published."""
        trial = self.config.trial
        old = None if self.checkpoint is None else self.checkpoint.record
        with self.stop.loading():
            import torch

            from psa_tui.data import dataset_spec, load_dataset
            from psa_tui.engine.backend import choose_backend, second_choice
            from psa_tui.engine.meta_loop import run_meta_loops
            from psa_tui.engine.parallelism import threads_for

            device = torch.device(choose(self.config.device, detect()).device)
            wanted = (self.config.backend, trial.network, str(device), None if old is None else old.backend)
            floats = dataset_spec(trial.dataset).floats
            backend = choose_backend(*wanted, floats=floats)
            batch_size = trial.hyperparameters.batch_size
            threads = threads_for(trial.network, backend, batch_size, str(device), self.config.threads)
            set_threads(threads, backend)
        data = load_dataset(trial.dataset, self.config.dataset_dir, self.say)
        if self.checkpoint is not None:
            check_edition(self.path, self.checkpoint.record, data, self.config.dataset_dir)
        record = new_record(self.config, old, data, self.last_meta_loop, str(device), threads, backend.name)
        loaded = self._load(record, data, device, backend)
        record = self._named(record, is_new=old is None)
        self._write(record, loaded)
        splits = split_counts(data, trial.variant)
        lacking = self.store.begin_session(record, self.path, splits, is_new=old is None, labels=self.labels)
        self.sessions, self.seconds = self._sessions(record, old), self.store.seconds(record.run)
        self.stop.in_loops = True
        dead_units = loaded.population.dead_units(0)
        changes, more = self._changes(record), second_choice(*wanted, floats=floats)
        self.publish(started_event(record, old, data, self.config, self.path, lacking, dead_units, changes, more))
        if old is not None:
            for earlier in earlier_events(self.store, record.run):
                self.publish(earlier)
        memory: DeviceMemoryMeasured | None = None
        log.debug("first step after %.2f s", time.perf_counter() - self.started)
        try:
            events = run_meta_loops(
                loaded.population, loaded.train, loaded.validation, trial.hyperparameters, self.last_meta_loop
            )
            with closing(events):
                for event in events:
                    if isinstance(event, MetaLoopFinished):
                        record = replace(record, progress=event.progress, test_correct=None)
                        self.store.add(record.run, event)
                        self.seconds += event.seconds
                        self._write(record, loaded)
                    self.publish(event)
                    if isinstance(event, MetaLoopFinished) and (found := measure_device_memory(device)) != memory:
                        memory = found
                        if memory is not None:
                            self.publish(memory)
                    record = self._obey(event, record, loaded)
                    if self.stop.reason is not None:
                        break
            record = self._measure_test(record, loaded)
            # Here the checkpoint comes first: a history that says finished is never ahead of it.
            self._write(record, loaded)
            outcome = Outcome.FINISHED if record.finished else Outcome.STOPPED
            end = self._end(record, outcome, "" if record.finished else self.stop.reason or "")
        except LeaveAtOnce as leave:
            self.publish(self._end(record, Outcome.STOPPED, str(leave)))
            raise
        except Exception as error:
            self.publish(self._end(record, Outcome.FAILED, str(error) or type(error).__name__))
            raise
        self.publish(end)
        return end

    def _obey(self, event: Event, record: Record, loaded: _Loaded) -> Record:
        """Do what was asked for at the keyboard; the record changes with the mode."""
        changed = self.control.poll(record.mode)
        while changed is not None:
            self.publish(changed)
            changed = None
            while self.control.paused and changed is None and self.stop.reason is None and not self.control.quit:
                changed = self.control.poll(record.mode, wait_s=_PAUSE_POLL_S)
        if self.control.quit:
            self.stop.request("the key q", _INTERRUPTED)
        if not isinstance(event, MetaLoopFinished):
            return record
        if self.control.stop_after_loop:
            self.stop.request("the key s", _INTERRUPTED)
        if self.control.next_mode is not None:
            variant, self.control.next_mode = find_variant(self.control.next_mode), None
            record = replace(record, mode_history=extended_history(record.mode_history, variant, event.meta_loop + 1))
            loaded.population.trials[0].variant = variant
            self._write(record, loaded)
            self.publish(self.control.state())
        return record

    def _sessions(self, record: Record, old: Record | None) -> list[dict[str, Any]]:
        """Those in the history; where it lacks the one before this, the checkpoint knows what that trained with."""
        *earlier, this = self.store.sessions(record.run)
        if old is not None and old.progress.meta_loop:
            earlier.append(session_of(old))
        return [*earlier, this]

    def _changes(self, record: Record) -> tuple[SettingChange, ...]:
        return stored_changes(self.sessions, record.mode_history)

    def _named(self, record: Record, is_new: bool) -> Record:
        """Give a new run a name that no other has, and so a copy of a checkpoint that still exists: it branches off.

        The history learns of a branch after its checkpoint, and copies its loops then, or at the next session.
        """
        parent = record.parent
        if not is_new:
            home = self.store.home(record.run)
            if home is None or is_same_place(home, self.path) or not holds_run(home, record.run):
                return record
            parent = record.run
        while self.store.home(name := new_run_name()) is not None:
            pass
        return replace(record, run=name, parent=parent)

    def _load(self, record: Record, data: Dataset, device: torch.device, backend: Backend) -> _Loaded:
        from psa_tui.engine.images import load_images
        from psa_tui.engine.meta_loop import Population, Trial
        from psa_tui.engine.population import flat_weights, initial_population_row, load_state, stack

        network, variant = self.config.trial.network, self.config.trial.variant
        if self.checkpoint is None:
            law = variant.all_variants[0].initialisation
            first = record.seed if record.initialisation_seed is None else record.initialisation_seed
            row = initial_population_row(network, first, law)
        else:
            row = flat_weights(network, self.checkpoint.weights)
        train, validation, test = (
            load_images(split, data.spec, device) for split in (data.train, data.validation, data.test)
        )
        trials = [Trial(record.seed, variant, record.progress, record.initialisation_seed)]
        population = Population(network, trials, stack([row], device), backend)
        if self.checkpoint is not None:
            load_state(population, self.checkpoint.state, STATE)
        return _Loaded(population, train, validation, test)

    def _measure_test(self, record: Record, loaded: _Loaded) -> Record:
        """Read the test images once, with the LKG; without one there is nothing to measure."""
        if record.progress.lkg_correct is None:
            return record
        population = loaded.population
        correct = population.backend.count_correct(population.lkg, population.network, loaded.test)
        return replace(record, test_correct=int(correct[0]))

    def _write(self, record: Record, loaded: _Loaded) -> None:
        from psa_tui.engine.population import named_state, named_weights

        population = loaded.population
        weights = named_weights(population.network, population.lkg)
        write_checkpoint(self.path, Checkpoint(record, weights, named_state(population, STATE)))

    def _end(self, record: Record, outcome: Outcome, reason: str) -> RunFinished:
        """Tell the history how the session ends; the views are not told yet."""
        event = finished_event(record, outcome, reason, self.config, self.seconds, self._changes(record))
        try:
            self.store.end(event)
        except Exception:
            if outcome is not Outcome.FAILED:
                raise
            log.debug("the failure could not be recorded", exc_info=True)
        return event
