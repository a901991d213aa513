"""How fast the engine trains a few networks here, on all workers at once, in seconds instead of meta-loops."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.data import DATASETS, DatasetSpec, dataset_spec
from psa_tui.errors import PsaError
from psa_tui.machine.signals import StopRequest
from psa_tui.method.variants import Variant
from psa_tui.networks import Network
from psa_tui.studies.parts import parts_of
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.worker_process import start_worker

if TYPE_CHECKING:
    from psa_tui.engine.backend import Backend
    from psa_tui.engine.epoch import Trial
    from psa_tui.engine.images import Images

_SOURCE = "mnist5k"
"""The data set whose images are trained on, repeated to the size of the study's: it comes with the package."""
_EVALUATED = 1000
_ANSWER_S = 600.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured."""

    costs_s: Mapping[Network, float]
    """Seconds of one trial's meta-loop on one of the workers that are all busy."""
    core_share: float | None
    """How much of a core a worker had meanwhile, the median; None where they do not compute on the CPU."""


def calibrate(
    spec: StudySpec, networks: Sequence[Network], workers: int, device: str, backend: str, budget_s: float
) -> Calibration:
    """Measure one trial's meta-loop of each of ``networks`` on ``workers`` that are all busy.

    Every worker trains what its backend trains together of the study's population, a few steps in about ``budget_s``
    a network, on the embedded digits repeated to the size of the study's data set; the rest of the epoch is taken to
    go on alike.

    Raises:
        LeaveAtOnce: Ctrl-C, TERM or HUP came, which end the workers too.
        PsaError: a worker ended before it had measured all.
    """
    with StopRequest():
        started = [
            start_worker(_serve, spec, device, backend, budget_s, name="psa calibration") for _ in range(workers)
        ]
        pipes = [pipe for _, pipe in started]
        try:
            for pipe in pipes:
                _receive(pipe)
            costs_s, shares = {}, []
            for network in networks:
                for pipe in pipes:
                    pipe.send(network)
                answers = [_receive(pipe) for pipe in pipes]
                costs_s[network] = statistics.fmean(seconds for seconds, _ in answers)
                shares += [share for _, share in answers]
            return Calibration(costs_s, statistics.median(shares) if device == "cpu" else None)
        finally:
            for process, pipe in started:
                process.kill()
                process.join()
                pipe.close()


def _receive(pipe: Connection) -> tuple[float, float]:
    """Return a worker's seconds, and how much of a core it had."""
    try:
        if pipe.poll(_ANSWER_S):
            seconds, share = pipe.recv()
            return float(seconds), float(share)
    except (EOFError, OSError):
        pass
    raise PsaError("a worker of the calibration ended early; is there memory left? try fewer --workers")


def _serve(pipe: Connection, spec: StudySpec, device: str, backend: str, budget_s: float) -> None:
    """Be the process of one worker: measure the networks that come through ``pipe``."""
    from psa_tui.engine.backend import choose_backend
    from psa_tui.machine.devices import set_threads

    set_threads(1)
    data = dataset_spec(spec.data_source)
    train = _images(data, data.train_count, device)
    validation = _images(data, min(_EVALUATED, data.validation_count), device)
    # Whoever asked may have left, as after Ctrl-C, while something was measured.
    with suppress(EOFError, ConnectionError):
        pipe.send((0.0, 1.0))
        while True:
            network: Network = pipe.recv()
            chosen = choose_backend(backend, network, device, floats=data.floats)
            started, worked = time.perf_counter(), time.process_time()
            seconds = _trial_s(spec, network, chosen, train, validation, device, budget_s)
            share = (time.process_time() - worked) / (time.perf_counter() - started)
            pipe.send((seconds, share))


def _images(data: DatasetSpec, count: int, device: str) -> Images:
    import numpy as np
    import torch

    from psa_tui.data import Split
    from psa_tui.engine.images import load_images

    source = DATASETS.find(_SOURCE).load(Path(), None).train
    pixels = np.resize(source.pixels, (count, data.inputs))
    if data.floats:
        pixels = (pixels / 128 - 1).astype(np.float32)
    labels = np.resize(source.labels, count) % data.classes
    return load_images(Split(pixels, labels), data, torch.device(device))


def _trial_s(
    spec: StudySpec,
    network: Network,
    backend: Backend,
    train: Images,
    validation: Images,
    device: str,
    budget_s: float,
) -> float:
    """Return the seconds of one trial's meta-loop, the mean over the variants."""
    from psa_tui.engine.epoch import Trial
    from psa_tui.method.progress import Progress

    variants = _trained_variants(spec)
    nothing = Progress(validation_count=1)
    members = [Trial(trial, variant, nothing) for trial in parts_of(spec, network)[0].trials for variant in variants]
    seconds, measured = 0.0, 0
    # Where few members train together, the first of them might hold no member of a costly variant.
    while measured < len(variants):
        epoch_s, together = _epoch_s(spec, network, backend, train, device, members[measured:], budget_s)
        seconds += epoch_s + _evaluation_s(spec, network, backend, validation, device, together)
        measured += together
    return seconds / measured * len(variants) / len(spec.variants)


def _trained_variants(spec: StudySpec) -> list[Variant]:
    """Return the variants of a trial without those that the engine does not train because another trains alike."""
    import torch

    from psa_tui.engine.epoch import effective_decay

    decays = effective_decay(spec.hyperparameters, torch.float32) > 0
    trained: dict[object, Variant] = {}
    for variant in spec.variants:
        alike = replace(variant.without_look(), name="", weight_decay=variant.weight_decay and decays)
        trained.setdefault(variant.name if variant.dropout else alike, variant)
    return list(trained.values())


def _epoch_s(
    spec: StudySpec,
    network: Network,
    backend: Backend,
    train: Images,
    device: str,
    members: Sequence[Trial],
    budget_s: float,
) -> tuple[float, int]:
    """Return the seconds of one epoch of those ``members`` that train together, and how many they are.

    From the first steps: what comes before the first one, and the pace of the others. What is done only once in the
    life of a worker, such as loading kernels, is done before and does not count.
    """
    import torch

    from psa_tui.engine.epoch import epoch_of
    from psa_tui.engine.population import initial_population_row, stack
    from psa_tui.method.variants import OptimizerState

    weights = stack([initial_population_row(network, 0)] * len(members), torch.device(device))
    variants = [trial.variant.at(1) for trial in members]
    keeps = any(variant.optimizer_state is not OptimizerState.FRESH for variant in variants)
    moments = weights.new_zeros(len(members), 2, network.parameters) if keeps else None
    epoch = epoch_of(members, variants, spec.hyperparameters, 1, train, weights, moments)
    with closing(backend.train_epoch(weights, network, train, epoch)) as once:
        next(once)
    started = time.perf_counter()
    # Images are those that a member has seen, the mean over all: times their number, the work done.
    points: list[tuple[float, int]] = []
    together = len(members)
    with closing(backend.train_epoch(weights, network, train, epoch)) as training:
        for images, losses in training:
            # The losses are read because a GPU works on after its steps were asked for.
            lossy = int((losses != 0).any(1).sum())
            points.append((time.perf_counter() - started, images * len(members)))
            if len(points) == 1:
                together = max(lossy, 1)
            if points[-1][0] - points[0][0] >= budget_s:
                break
    first_s, first_work = points[0]
    pace = _median_pace(points) or first_s / max(first_work, 1)
    return max(first_s - first_work * pace, 0.0) + together * len(train) * pace, together


def _median_pace(points: Sequence[tuple[float, int]]) -> float | None:
    """Return the seconds of a unit of work, of ``points`` in time and work; None where they tell nothing.

    That is the pace at which half of the work is done faster. A moment in which the machine did something else is not
    this engine's pace, nor is that of an epoch's last images, a batch that is not full and has a call of its own.
    """
    steps = [(after - before, more - work) for (before, work), (after, more) in pairwise(points) if more > work]
    half = sum(work for _, work in steps) / 2
    done = 0
    for seconds, work in sorted(steps, key=lambda step: step[0] / step[1]):
        done += work
        if done >= half:
            return seconds / work
    return None


def _evaluation_s(
    spec: StudySpec, network: Network, backend: Backend, validation: Images, device: str, members: int
) -> float:
    """Return the seconds in which ``members`` are measured on all validation images."""
    import torch

    from psa_tui.engine.population import initial_population_row, stack

    weights = stack([initial_population_row(network, 0)] * members, torch.device(device))
    backend.count_correct(weights, network, validation).tolist()
    started = time.perf_counter()
    backend.count_correct(weights, network, validation).tolist()
    return (time.perf_counter() - started) * dataset_spec(spec.data_source).validation_count / len(validation)
