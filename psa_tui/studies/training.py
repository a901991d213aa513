"""Training a part of a study: the one place where a study meets the engine.

Local workers, Ray tasks and SageMaker jobs all do their work with ``PartRun``.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

from psa_tui.data import load_dataset
from psa_tui.engine.backend import AUTO, choose_backend
from psa_tui.engine.images import Images, load_images
from psa_tui.engine.meta_loop import Population, Trial, run_meta_loops
from psa_tui.engine.population import initial_population_row, stack
from psa_tui.errors import DataError
from psa_tui.method.events import EpochProgressed, MetaLoopFinished
from psa_tui.method.progress import Progress
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.study_rows import COMPLETE, RUNNING, TrialLoop, TrialRow
from psa_tui.studies.executors.base import PartProgress
from psa_tui.studies.part_state import PartState, decode_state, encode_state
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec

_FRACTION_EVERY_S = 0.5


@dataclass(frozen=True)
class StudyData:
    """The images of a study on the device that trains it; shared by all parts a worker trains."""

    train: Images
    validation: Images
    test: Images
    device: torch.device


def load_study_data(spec: StudySpec, dataset_dir: Path, device: str) -> StudyData:
    """Load the study's data set onto ``device``.

    Raises:
        DataError: it is missing or damaged, or not the edition the study was begun with.
        RetryableError: it is not there and cannot be downloaded now.
    """
    data = load_dataset(spec.data_source, dataset_dir)
    if data.fingerprint != spec.dataset_fingerprint and data.spec.path is not None:
        raise DataError(
            f"{data.spec.path}: is not the {spec.dataset} that study {spec.name} was begun with; put that back, "
            "or give the study on this one another name"
        )
    if data.fingerprint != spec.dataset_fingerprint:
        raise DataError(
            f"study {spec.name} was begun with another edition of {spec.dataset} than the one in {dataset_dir}; "
            "point --dataset-dir at the original files"
        )
    target = torch.device(device)
    train, validation, test = (
        load_images(split, data.spec, target) for split in (data.train, data.validation, data.test)
    )
    return StudyData(train, validation, test, target)


class PartRun:
    """A part being trained in this process, from the beginning or from a saved state."""

    def __init__(
        self,
        spec: StudySpec,
        part: Part,
        data: StudyData,
        saved: bytes | None = None,
        *,
        backend: str = AUTO,
        origin: str | None = None,
    ) -> None:
        """Begin a part.

        Args:
            saved: what ``state`` returned earlier.
            backend: the name of the engine's backend.
            origin: where the trials are trained, for their rows; this machine's name by default.

        Raises:
            CheckpointError: ``saved`` is damaged, or the state of another part or study.
            ConfigError: the backend cannot train the network.
        """
        self.spec, self.part, self.data = spec, part, data
        self._origin = platform.node() if origin is None else origin
        network = part.network
        members = list(part.members(spec))
        self._numbers = [trial for trial, _ in members]
        seeds = [spec.seeds(network, variant, trial) for trial, variant in members]
        if saved is None:
            images = range(len(data.validation))
            progress = [Progress(validation_count=len(images[variant.reported])) for _, variant in members]
            laws = [variant.all_variants[0].initialisation for _, variant in members]
            draws = [(one.initialisation, law) for one, law in zip(seeds, laws, strict=True)]
            rows = {draw: initial_population_row(network, *draw) for draw in dict.fromkeys(draws)}
            lkg = stack([rows[draw] for draw in draws], data.device)
            self._seconds = 0.0
        else:
            before = decode_state(spec, part, saved, part.file_name)
            progress, self._seconds = list(before.progress), before.seconds
            lkg = torch.from_numpy(before.lkg.copy()).to(data.device)
        trials = [
            Trial(one.draws, variant, counters, one.initialisation)
            for one, (_, variant), counters in zip(seeds, members, progress, strict=True)
        ]
        self._population = Population(
            network, trials, lkg, choose_backend(backend, network, str(data.device), floats=data.train.are_floats)
        )
        if saved is not None:
            moments, held = (
                None if array is None else torch.from_numpy(array.copy()).to(data.device)
                for array in (before.moments, before.held)
            )
            self._population.moments = moments if moments is not None else self._population.moments
            self._population.held = held

    @property
    def meta_loop(self) -> int:
        """Meta-loops completed."""
        return self._population.trials[0].progress.meta_loop

    @property
    def finished(self) -> bool:
        """Whether all meta-loops are done."""
        return self.meta_loop >= self.spec.meta_loops

    def run(self, worker: str, save_every_s: float) -> Generator[PartProgress, None, None]:
        """Run meta-loops to the last one; closing the iterator abandons only the loop under way.

        Args:
            worker: who does it, for the messages.
            save_every_s: after so long the next finished loop's message holds the state; never that of the last loop.

        Yields:
            A message for each finished meta-loop, the last one ``done``, and one every half second for the loop under
            way.
        """
        if self.finished:
            # The state was that after the last loop already.
            yield self.progress(worker)
            return
        trials = len(self._population.trials)
        loops: list[TrialLoop] = []
        loop_s: float | None = None
        started = fraction_at = saved_at = time.monotonic()
        events = run_meta_loops(
            self._population,
            self.data.train,
            self.data.validation,
            self.spec.hyperparameters,
            self.spec.meta_loops,
        )
        for event in events:
            now = time.monotonic()
            if isinstance(event, EpochProgressed) and now - fraction_at >= _FRACTION_EVERY_S:
                fraction_at = now
                yield self.progress(worker, loop_s=loop_s, loop_fraction=event.images / event.image_count)
            elif isinstance(event, MetaLoopFinished):
                row = MetaLoopRow.of(event)
                loops.append(TrialLoop(self.part.network.short_name, self._numbers[event.member], row))
                if len(loops) == trials:
                    loop_s = now - started
                    self._seconds += loop_s
                    saves = now - saved_at >= save_every_s and not self.finished
                    saved_at = now if saves else saved_at
                    yield self.progress(worker, tuple(loops), loop_s, saves=saves)
                    loops, started = [], time.monotonic()

    def progress(
        self,
        worker: str,
        loops: tuple[TrialLoop, ...] = (),
        loop_s: float | None = None,
        *,
        loop_fraction: float = 0.0,
        saves: bool = False,
    ) -> PartProgress:
        """Return where the part stands as a message of ``worker``, with its state if it ``saves``."""
        return PartProgress(
            worker=worker,
            part=self.part,
            meta_loop=self.meta_loop,
            loop_fraction=loop_fraction,
            loop_s=loop_s,
            bounties=self._bounties(),
            loops=loops,
            trials=tuple(self.trial_rows()) if loops or self.finished else (),
            state=self.state() if saves else None,
            done=self.finished,
        )

    def state(self) -> bytes:
        """Return the state after the last finished meta-loop, to go on from elsewhere."""
        population = self._population
        progress = tuple(trial.progress for trial in population.trials)
        moments, held = (None if one is None else one.cpu().numpy() for one in (population.moments, population.held))
        state = PartState(progress, population.lkg.cpu().numpy(), self._seconds, moments, held)
        return encode_state(self.spec, self.part, state)

    def trial_rows(self) -> list[TrialRow]:
        """Return every trial as it stands; once all loops are done, with the LKG's accuracy on the test images."""
        population = self._population
        test: list[float | None] = [None] * len(population.trials)
        if self.finished:
            correct = population.backend.count_correct(population.lkg, population.network, self.data.test).tolist()
            test = [
                count / len(self.data.test) if trial.progress.lkg_correct is not None else None
                for count, trial in zip(correct, population.trials, strict=True)
            ]
        return [
            TrialRow(
                architecture=self.part.network.short_name,
                mode=trial.variant.name,
                trial=number,
                parameters=self.part.network.parameters,
                seed=trial.seed,
                state=COMPLETE if self.finished else RUNNING,
                meta_loop=trial.progress.meta_loop,
                bounty=trial.progress.bounty,
                bounty_meta_loop=trial.progress.best_meta_loop or None,
                test_accuracy=accuracy,
                seconds=self._seconds / len(population.trials),
                origin=self._origin,
                lkg_dead=trial.progress.lkg_dead,
                lkg_inactive=trial.progress.lkg_inactive,
            )
            for number, trial, accuracy in zip(self._numbers, population.trials, test, strict=True)
        ]

    def _bounties(self) -> tuple[tuple[float | None, ...], ...]:
        """Return the best validation accuracies so far: one tuple a variant, one entry a trial of the part."""
        found = [trial.progress.bounty for trial in self._population.trials]
        variants = len(self.spec.variants)
        return tuple(tuple(found[variant::variants]) for variant in range(variants))
