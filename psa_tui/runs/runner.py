"""Driving the engine: decide what to run, persist every loop, then publish it.

At each finished meta-loop, and at the end, the history is written first, then the checkpoint, then the views
are told. A kill between the first two leaves a loop, or an end, that the history knows and the checkpoint does
not; a resume runs it again, to the same bits, and writes the same row.
"""

from __future__ import annotations

import logging
import platform
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from psa_tui import __version__
from psa_tui.errors import CheckpointError, DataError
from psa_tui.machine.devices import choose, detect, set_threads
from psa_tui.machine.memory import available_memory_bytes, check_memory
from psa_tui.machine.signals import LeaveAtOnce, StopRequest
from psa_tui.method.events import (
    EarlierLoops,
    Event,
    MetaLoopFinished,
    Outcome,
    Progress,
    RunFinished,
    RunStarted,
    Verdict,
)
from psa_tui.runs.controls import Control
from psa_tui.runs.resuming import (
    changes,
    holds_run,
    mode_history,
    refuse_another_run,
    refuse_to_bury,
    resume_command,
    said_by,
)
from psa_tui.settings import Settings, TrainConfig
from psa_tui.storage.checkpoint import FILE_NAME, Checkpoint, Record, read_checkpoint, write_checkpoint
from psa_tui.storage.locks import locked
from psa_tui.storage.run_store import History, open_history

if TYPE_CHECKING:
    from psa_tui.data import Dataset
    from psa_tui.engine.backends.torch.training import Images
    from psa_tui.engine.meta_loop import Population

log = logging.getLogger(__name__)

_PAUSE_POLL_S = 0.2
_INTERRUPTED = 130
_RECIPE = ("arch", "mode", "lr", "batch_size", "weight_decay", "dropout", "seed", "dataset")


class View(Protocol):
    """Something that shows a run. It only reads events, and may fail without harm to the run."""

    def handle(self, event: Event) -> None:
        """Take note of ``event``; called in order, after what it tells is durable."""

    def close(self) -> None:
        """The run is over, or failed: give back the terminal."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run is connected with: who watches it, and who may ask it for something."""

    views: Sequence[View]
    stop: StopRequest
    control: Control
    say: Callable[[str], None]
    """Told in words what takes long before the first event, such as a download."""


def train(settings: Settings, around: Surroundings) -> RunFinished:
    """Start a run, or go on from the checkpoint in the model folder for ``meta_loops`` more.

    Raises:
        ConfigError: the settings contradict each other, the checkpoint or this machine.
        CheckpointError, DataError, HistoryError, RetryableError: as their names say; every file is intact.
    """
    config = settings.train_config()
    path = config.model_dir / FILE_NAME
    try:
        config.model_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"{config.model_dir}: cannot be made ({error.strerror}); choose another --model-dir"
        ) from None
    with locked(path):
        if not path.exists():
            refuse_to_bury(path)
            return _run(path, config, None, config.meta_loops, around)
        checkpoint = read_checkpoint(path)
        refuse_another_run(settings, path, checkpoint.record)
        config = settings.with_checkpoint(said_by(checkpoint.record)).train_config()
        config = replace(config, dataset=checkpoint.record.dataset)
        last = checkpoint.record.progress.meta_loop + config.meta_loops
        return _run(path, config, checkpoint, last, around)


def resume(settings: Settings, add: int, around: Surroundings) -> RunFinished | None:
    """Finish the run of the checkpoint in the model folder, after adding ``add`` meta-loops to it.

    Returns:
        None when nothing is left to do.

    Raises:
        As ``train``; also CheckpointError when there is no checkpoint.
    """
    path = Path(settings.get("model_dir")) / FILE_NAME
    read_checkpoint(path)
    with locked(path):
        checkpoint = read_checkpoint(path)
        record = checkpoint.record
        if record.complete and not add:
            return None
        config = settings.with_checkpoint(said_by(record), pinned=_RECIPE).train_config()
        return _run(path, config, checkpoint, record.last_meta_loop + add, around)


def _run(
    path: Path,
    config: TrainConfig,
    checkpoint: Checkpoint | None,
    last_meta_loop: int,
    around: Surroundings,
) -> RunFinished:
    check_memory(config.architecture, config.batch_size)
    with open_history(config.results_dir) as history:
        return _Run(path, config, checkpoint, last_meta_loop, around, history).execute()


@dataclass(slots=True)
class _Loaded:
    """What a run computes with."""

    population: Population
    train: Images
    validation: Images
    test: Images


class _Run:
    """One session of one run, from loading to its last event."""

    def __init__(
        self,
        path: Path,
        config: TrainConfig,
        checkpoint: Checkpoint | None,
        last_meta_loop: int,
        around: Surroundings,
        history: History,
    ) -> None:
        self.path = path
        self.config = config
        self.checkpoint = checkpoint
        self.last_meta_loop = last_meta_loop
        self.views = list(around.views)
        self.stop = around.stop
        self.control = around.control
        self.say = around.say
        self.history = history
        self.started = time.perf_counter()

    def execute(self) -> RunFinished:
        with self.stop.loading():
            import torch

            from psa_tui.data import load_dataset
            from psa_tui.engine.backends.torch.chunking import parallelism_of
            from psa_tui.engine.meta_loop import Recipe, run_meta_loops

        config = self.config
        device = torch.device(choose(config.device, detect()).device)
        parallelism = parallelism_of(
            config.architecture, config.batch_size, str(device), config.threads, available_memory_bytes()
        )
        set_threads(parallelism.threads)
        data = load_dataset(config.dataset, config.dataset_dir, self.say)
        if self.checkpoint is not None and self.checkpoint.record.dataset_fingerprint != data.fingerprint:
            raise DataError(
                f"{self.path} was trained on another edition of {data.name} than the one in {config.dataset_dir}; "
                "point --dataset-dir at the original files"
            )
        record = self._record(data, device, parallelism.total_threads)
        loaded = self._load(record, data, device)
        record = self._branch_off(record)
        self._write(record, loaded)
        lacking = self.history.begin(record, self.path)
        self.stop.in_loops = True
        self._publish(self._started(record, data, lacking))
        if self.checkpoint is not None:
            self._publish(self._earlier_loops(record))
        log.debug("first step after %.2f s", time.perf_counter() - self.started)

        recipe = Recipe(config.learning_rate, config.batch_size, config.weight_decay, config.dropout)
        try:
            events = run_meta_loops(
                loaded.population,
                loaded.train,
                loaded.validation,
                recipe,
                self.last_meta_loop,
                parallelism.processes,
            )
            with closing(events):
                for event in events:
                    if isinstance(event, MetaLoopFinished):
                        record = replace(record, progress=event.progress, test_correct=None)
                        self.history.add(record.run, event)
                        self._write(record, loaded)
                    self._publish(event)
                    record = self._obey(event, record, loaded)
                    if self.stop.reason is not None:
                        break
            record = self._measure_test(record, loaded)
            outcome = Outcome.FINISHED if record.finished else Outcome.STOPPED
            end = self._end(record, outcome, "" if record.finished else self.stop.reason or "")
            self._write(record, loaded)
        except LeaveAtOnce as leave:
            self._publish(self._end(record, Outcome.STOPPED, str(leave)))
            raise
        except Exception as error:
            self._publish(self._end(record, Outcome.FAILED, str(error) or type(error).__name__))
            raise
        self._publish(end)
        return end

    def _obey(self, event: Event, record: Record, loaded: _Loaded) -> Record:
        """Do what was asked for at the keyboard; the record changes with the mode."""
        changed = self.control.poll(record.mode)
        while changed is not None:
            self._publish(changed)
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
            mode, self.control.next_mode = self.control.next_mode, None
            record = replace(record, mode_history=mode_history(record.mode_history, mode, event.meta_loop + 1))
            loaded.population.trials[0].mode = mode
            self._write(record, loaded)
            self._publish(self.control.state())
        return record

    def _record(self, data: Dataset, device: object, threads: int) -> Record:
        """The record this session starts from."""
        import numpy
        import torch

        config = self.config
        old = None if self.checkpoint is None else self.checkpoint.record
        progress = Progress(validation_count=len(data.validation.labels)) if old is None else old.progress
        return Record(
            run=_new_run_name() if old is None else old.run,
            architecture=str(config.architecture),
            parameters=config.architecture.parameters,
            mode_history=mode_history(() if old is None else old.mode_history, config.mode, progress.meta_loop + 1),
            seed=secrets.randbits(32) if config.seed is None else config.seed,
            dataset=data.name,
            dataset_requested=config.dataset if old is None else old.dataset_requested,
            dataset_fingerprint=data.fingerprint,
            learning_rate=config.learning_rate,
            batch_size=config.batch_size,
            weight_decay=config.weight_decay,
            dropout=config.dropout,
            last_meta_loop=self.last_meta_loop,
            progress=progress,
            test_correct=None if old is None else old.test_correct,
            test_count=len(data.test.labels),
            device=str(device),
            threads=threads,
            machine=_machine(),
            versions={
                "psa-tui": __version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": numpy.__version__,
            },
        )

    def _branch_off(self, record: Record) -> Record:
        """A new run name when the checkpoint is a copy of one that still exists: each keeps its own history."""
        home = self.history.home(record.run)
        if home is None or home == self.path.absolute() or not holds_run(home, record.run):
            return record
        branch = replace(record, run=_new_run_name())
        self.history.begin(branch, self.path)
        self.history.copy_loops(record.run, branch.run, record.progress.meta_loop)
        return branch

    def _load(self, record: Record, data: Dataset, device: object) -> _Loaded:
        import torch

        from psa_tui.engine.backends.torch.training import Images
        from psa_tui.engine.meta_loop import Population, Trial
        from psa_tui.engine.population import flat_weights, initial_weights, layout, stack

        assert isinstance(device, torch.device)
        layers = layout(self.config.architecture)
        if self.checkpoint is None:
            row = initial_weights(layers, record.seed)
        else:
            row = flat_weights(layers, self.checkpoint.weights)
        train, validation, test = (
            Images(
                torch.from_numpy(split.pixels).to(device),
                torch.from_numpy(split.labels).to(device),
                data.mean,
                data.std,
            )
            for split in (data.train, data.validation, data.test)
        )
        trials = [Trial(record.seed, record.mode, record.progress)]
        return _Loaded(Population(layers, trials, stack([row], device)), train, validation, test)

    def _started(self, record: Record, data: Dataset, lacking: int) -> RunStarted:
        from psa_tui.data import majority_class_accuracy

        notices = list(data.notices)
        if lacking:
            notices.append(f"the history in {self.config.results_dir} lacks {lacking} earlier meta-loops of this run")
        old = None if self.checkpoint is None else self.checkpoint.record
        if old is not None:
            notices += changes(old, record)
        return RunStarted(
            run=record.run,
            resumed=old is not None,
            architecture=record.architecture,
            parameters=record.parameters,
            mode=record.mode,
            learning_rate=record.learning_rate,
            batch_size=record.batch_size,
            weight_decay=record.weight_decay,
            dropout=record.dropout,
            seed=record.seed,
            dataset=record.dataset,
            dataset_fingerprint=record.dataset_fingerprint,
            train_count=len(data.train.labels),
            validation_count=len(data.validation.labels),
            test_count=len(data.test.labels),
            majority_class_accuracy=majority_class_accuracy(data.validation),
            device=record.device,
            threads=record.threads,
            checkpoint=str(self.path),
            last_meta_loop=record.last_meta_loop,
            progress=record.progress,
            notices=tuple(notices),
        )

    def _earlier_loops(self, record: Record) -> EarlierLoops:
        loops = self.history.loops(record.run)
        return EarlierLoops(
            meta_loops=tuple(loop["meta_loop"] for loop in loops),
            validation_accuracies=tuple(loop["validation_correct"] / loop["validation_count"] for loop in loops),
            promoted=tuple(loop["verdict"] == Verdict.PROMOTED for loop in loops),
            ablated_layers=tuple(loop["ablated_layer"] for loop in loops),
            ablated_neurons=tuple(loop["ablated_neuron"] for loop in loops),
            train_losses=tuple(loop["train_loss"] for loop in loops),
        )

    def _measure_test(self, record: Record, loaded: _Loaded) -> Record:
        """Read the test images once, with the LKG; without one there is nothing to measure."""
        from psa_tui.engine.backends.torch.training import count_correct

        if record.progress.lkg_correct is None:
            return record
        correct = count_correct(loaded.population.lkg, loaded.population.layers, loaded.test)
        return replace(record, test_correct=int(correct[0]))

    def _write(self, record: Record, loaded: _Loaded) -> None:
        from psa_tui.engine.population import named_weights

        weights = named_weights(loaded.population.layers, loaded.population.lkg)
        write_checkpoint(self.path, Checkpoint(record, weights))

    def _end(self, record: Record, outcome: Outcome, reason: str) -> RunFinished:
        """Tell the history how the session ends; the views are not told yet."""
        event = RunFinished(
            run=record.run,
            outcome=outcome,
            reason=reason,
            last_meta_loop=record.last_meta_loop,
            progress=record.progress,
            test_accuracy=record.test_accuracy,
            seconds=time.perf_counter() - self.started,
            resume_command=resume_command(self.config.model_dir, self.config.results_dir),
        )
        try:
            self.history.end(event)
        except Exception:
            if outcome is not Outcome.FAILED:
                raise
            log.debug("the failure could not be recorded", exc_info=True)
        return event

    def _publish(self, event: Event) -> None:
        for view in list(self.views):
            try:
                view.handle(event)
            except BrokenPipeError:
                self.views.remove(view)
                self.stop.request("its output was closed", 1)
            except OSError as error:
                self.views.remove(view)
                self.stop.request(f"its output failed ({error.strerror})", 1)
            except Exception as error:
                self.views.remove(view)
                log.warning("a view failed and is gone, the run goes on: %s: %s", type(error).__name__, error)
                log.debug("the view's failure", exc_info=True)


def _new_run_name() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _machine() -> str:
    import torch

    return f"{platform.platform()}, {torch.backends.cpu.get_cpu_capability()}"
