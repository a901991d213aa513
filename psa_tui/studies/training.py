"""Training a part of a study: the one place where a study meets the engine.

Local workers, Ray tasks and SageMaker jobs all do their work with ``PartRun``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch

from psa_tui.data import load_dataset
from psa_tui.data.split import Split
from psa_tui.engine.backends.torch.training import Images, count_correct
from psa_tui.engine.meta_loop import Population, Recipe, Trial, run_meta_loops
from psa_tui.engine.population import initial_weights, layout, stack
from psa_tui.errors import DataError
from psa_tui.method.events import EpochProgressed, MetaLoopFinished, Progress
from psa_tui.storage.study_store import COMPLETE, RUNNING, LoopRow, TrialRow
from psa_tui.studies.part_state import PartState, decode_state, encode_state
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec, trial_seed


@dataclass(frozen=True)
class StudyData:
    """The images of a study on the device that trains it; shared by all parts a worker trains."""

    train: Images
    validation: Images
    test: Images
    device: torch.device


@dataclass(frozen=True, slots=True)
class LoopShare:
    """The meta-loop under way is done to ``share``, from 0 to 1."""

    share: float


@dataclass(frozen=True, slots=True)
class LoopDone:
    """A meta-loop of all members is done; the part's state is that after it."""

    rows: tuple[LoopRow, ...]
    """One a member."""
    seconds: float


def load_study_data(spec: StudySpec, dataset_dir: Path, device: str) -> StudyData:
    """Load the study's data set onto ``device``.

    Raises:
        DataError: it is missing or damaged, or not the edition the study was begun with.
        RetryableError: it is not there and cannot be downloaded now.
    """
    data = load_dataset(spec.dataset, dataset_dir)
    if data.fingerprint != spec.dataset_fingerprint:
        raise DataError(
            f"study {spec.name} was begun with another edition of {spec.dataset} than the one in {dataset_dir}; "
            "point --dataset-dir at the original files"
        )
    target = torch.device(device)

    def images(split: Split) -> Images:
        pixels, labels = torch.from_numpy(split.pixels).to(target), torch.from_numpy(split.labels).to(target)
        return Images(pixels, labels, data.mean, data.std)

    return StudyData(images(data.train), images(data.validation), images(data.test), target)


class PartRun:
    """A part being trained in this process, from the beginning or from a saved state."""

    def __init__(
        self, spec: StudySpec, part: Part, data: StudyData, saved: bytes | None = None, where: str = "the saved state"
    ) -> None:
        """``saved`` is what ``state`` returned earlier; ``where`` names its file in a complaint.

        Raises:
            CheckpointError: ``saved`` is damaged, or the state of another part or study.
        """
        self.spec, self.part, self.data = spec, part, data
        members = [(trial, mode) for trial in part.trials for mode in spec.modes]
        self._numbers = [trial for trial, _ in members]
        layers = layout(part.shape.architecture)
        seeds = {trial: trial_seed(spec.seed, part.shape, trial) for trial in part.trials}
        if saved is None:
            progress = [Progress(validation_count=len(data.validation))] * len(members)
            rows = {trial: initial_weights(layers, seed) for trial, seed in seeds.items()}
            lkg = stack([rows[trial] for trial, _ in members], data.device)
            self._seconds = 0.0
        else:
            before = decode_state(spec, part, saved, where)
            progress, self._seconds = list(before.progress), before.seconds
            lkg = torch.from_numpy(before.lkg.copy()).to(data.device)
        trials = [
            Trial(seeds[trial], mode, counters) for (trial, mode), counters in zip(members, progress, strict=True)
        ]
        self._population = Population(layers, trials, lkg)

    @property
    def meta_loop(self) -> int:
        """Meta-loops completed."""
        return self._population.trials[0].progress.meta_loop

    @property
    def finished(self) -> bool:
        """Whether all meta-loops are done."""
        return self.meta_loop >= self.spec.meta_loops

    @property
    def bounties(self) -> tuple[tuple[float | None, ...], ...]:
        """The best validation accuracies so far: one tuple a mode, one entry a trial of the part."""
        found = [trial.progress.bounty for trial in self._population.trials]
        modes = len(self.spec.modes)
        return tuple(tuple(found[mode::modes]) for mode in range(modes))

    def run(self) -> Iterator[LoopShare | LoopDone]:
        """Run meta-loops to the last one; closing the iterator abandons only the loop under way."""
        spec = self.spec
        recipe = Recipe(spec.learning_rate, spec.batch_size, spec.weight_decay, spec.dropout)
        rows: list[LoopRow] = []
        started = time.perf_counter()
        for event in run_meta_loops(self._population, self.data.train, self.data.validation, recipe, spec.meta_loops):
            if isinstance(event, EpochProgressed):
                yield LoopShare(event.images / event.image_count)
            elif isinstance(event, MetaLoopFinished):
                rows.append(self._row(event))
                if len(rows) == len(self._population.trials):
                    seconds = time.perf_counter() - started
                    self._seconds += seconds
                    yield LoopDone(tuple(rows), seconds)
                    rows, started = [], time.perf_counter()

    def state(self) -> bytes:
        """The state after the last finished meta-loop, to go on from elsewhere."""
        progress = tuple(trial.progress for trial in self._population.trials)
        state = PartState(progress, self._population.lkg.cpu().numpy(), self._seconds)
        return encode_state(self.spec, self.part, state)

    def trial_rows(self, origin: str) -> list[TrialRow]:
        """Every trial as it stands; once all loops are done, with the LKG's accuracy on the test images."""
        population = self._population
        test: list[float | None] = [None] * len(population.trials)
        if self.finished:
            correct = count_correct(population.lkg, population.layers, self.data.test).tolist()
            test = [
                count / len(self.data.test) if trial.progress.lkg_correct is not None else None
                for count, trial in zip(correct, population.trials, strict=True)
            ]
        return [
            TrialRow(
                architecture=str(self.part.shape),
                mode=str(trial.mode),
                trial=number,
                parameters=self.part.shape.parameters,
                seed=trial.seed,
                state=COMPLETE if self.finished else RUNNING,
                meta_loop=trial.progress.meta_loop,
                bounty=trial.progress.bounty,
                bounty_meta_loop=trial.progress.lkg_meta_loop or None,
                test_accuracy=accuracy,
                seconds=self._seconds / len(population.trials),
                origin=origin,
            )
            for number, trial, accuracy in zip(self._numbers, population.trials, test, strict=True)
        ]

    def _row(self, event: MetaLoopFinished) -> LoopRow:
        target = event.ablation
        return LoopRow(
            architecture=str(self.part.shape),
            mode=str(event.mode),
            trial=self._numbers[event.member],
            meta_loop=event.meta_loop,
            ablated_layer=None if target is None else target.layer,
            ablated_neuron=None if target is None else target.neuron,
            train_loss=event.train_loss if isfinite(event.train_loss) else None,
            validation_correct=event.validation_correct,
            validation_count=event.progress.validation_count,
            finite=event.finite,
            verdict=str(event.verdict),
        )
