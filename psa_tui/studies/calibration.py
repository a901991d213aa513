"""How fast the engine trains a few shapes here, on all workers at once, in seconds instead of meta-loops."""

from __future__ import annotations

import multiprocessing
import signal
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from psa_tui.data import embedded
from psa_tui.errors import PsaError
from psa_tui.method.variants import AblationMode
from psa_tui.studies.grids import Shape
from psa_tui.studies.parts import parts_of
from psa_tui.studies.spec import StudySpec

if TYPE_CHECKING:
    from torch import Tensor

    from psa_tui.engine.backends.torch.training import Epoch, Images
    from psa_tui.engine.population import Linear

_TRAINING_IMAGES = 50_000
_VALIDATION_IMAGES = 10_000
_EMBEDDED_SHARE = 0.08
"""The embedded digits have so many images for training, and fewer for validation, by MNIST's."""
_EVALUATED = 1000
_PATIENCE_S = 600.0


def calibrate(
    spec: StudySpec, shapes: Sequence[Shape], workers: int, device: str, budget_s: float
) -> dict[Shape, float]:
    """Seconds of one trial's meta-loop on one of ``workers`` that are all busy, for each of ``shapes``.

    Every worker trains what fits a core's caches of the study's population, a few steps in about ``budget_s`` a
    shape, on the embedded digits repeated to the size of MNIST; the rest of the epoch is taken to go on alike.

    Raises:
        PsaError: a worker ended before it had measured all.
    """
    share = _EMBEDDED_SHARE if spec.dataset == embedded.NAME else 1.0
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes = []
    for _ in range(workers):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, spec, device, budget_s), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            _receive(pipe)
        measured = {}
        for shape in shapes:
            for pipe in pipes:
                pipe.send(shape)
            measured[shape] = share * statistics.fmean([_receive(pipe) for pipe in pipes])
        return measured
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _receive(pipe: Connection) -> float:
    try:
        if pipe.poll(_PATIENCE_S):
            return float(pipe.recv())
    except (EOFError, OSError):
        pass
    raise PsaError("a worker of the calibration ended early; is there memory left? try fewer --workers")


def _serve(pipe: Connection, spec: StudySpec, device: str, budget_s: float) -> None:
    # The keyboard is the business of the process that asked.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from psa_tui.machine.devices import set_threads

    set_threads(1)
    train = _images(_TRAINING_IMAGES, device)
    validation = _images(_EVALUATED, device)
    pipe.send(0.0)
    while True:
        try:
            shape: Shape = pipe.recv()
        except EOFError:
            return
        pipe.send(_measure(spec, shape, train, validation, device, budget_s))


def _images(count: int, device: str) -> Images:
    import numpy as np
    import torch

    from psa_tui.engine.backends.torch.training import Images

    data = embedded.load_embedded()
    pixels, labels = np.resize(data.train.pixels, (count, 784)), np.resize(data.train.labels, count)
    return Images(torch.from_numpy(pixels).to(device), torch.from_numpy(labels).to(device), data.mean, data.std)


def _measure(spec: StudySpec, shape: Shape, train: Images, validation: Images, device: str, budget_s: float) -> float:
    """Seconds of one trial's meta-loop, the mean over the modes."""
    import torch

    from psa_tui.engine.backends.torch.chunking import chunks
    from psa_tui.engine.backends.torch.training import count_correct
    from psa_tui.engine.population import initial_weights, layout, stack

    layers = layout(shape.architecture)
    # Members as a worker has them, who takes on one part of a cell at a time, and trains equal ones once.
    modes = [mode for mode in spec.modes if not (_is_the_control(spec, mode) and AblationMode.NONE in spec.modes)]
    everyone = [(trial, mode) for trial in parts_of(spec, shape)[0].trials for mode in modes]
    parts = chunks(layers, [trial for trial, _ in everyone], spec.batch_size, 4)
    # Where few members fit the caches, one part might hold no member of a costly mode.
    parts = parts[: -(-len(modes) // len(parts[0].members))]
    weights = initial_weights(layers, seed=0)
    seconds, count = 0.0, 0
    for part in parts:
        members = [everyone[member] for member in part.members]
        flat = stack([weights] * len(members), torch.device(device))
        seconds += _epoch_s(flat, layers, train, _epoch(spec, members, device), budget_s / len(parts))
        count_correct(flat, layers, validation).tolist()
        started = time.perf_counter()
        count_correct(flat, layers, validation).tolist()
        seconds += (time.perf_counter() - started) * _VALIDATION_IMAGES / _EVALUATED
        count += len(members)
    return seconds / count * len(modes) / len(spec.modes)


def _is_the_control(spec: StudySpec, mode: AblationMode) -> bool:
    """Whether ``mode`` is decay at rates that are nothing in float32."""
    import torch

    from psa_tui.engine.backends.torch.training import effective_decay

    return mode is AblationMode.DECAY and not effective_decay(spec.learning_rate, spec.weight_decay, torch.float32)


def _epoch(spec: StudySpec, members: Sequence[tuple[int, AblationMode]], device: str) -> Epoch:
    import numpy as np
    import torch

    from psa_tui.engine.backends.torch.training import Epoch
    from psa_tui.method.randomness import DropoutBits, shuffled

    trials = list(dict.fromkeys(trial for trial, _ in members))
    return Epoch(
        orders=torch.from_numpy(np.stack([shuffled(trial, 1, _TRAINING_IMAGES) for trial in trials])).to(device),
        order_of=tuple(trials.index(trial) for trial, _ in members),
        learning_rate=spec.learning_rate,
        batch_size=spec.batch_size,
        weight_decay=tuple(spec.weight_decay if mode is AblationMode.DECAY else 0.0 for _, mode in members),
        dropout=tuple(
            DropoutBits(trial, 1, spec.dropout) if mode is AblationMode.DROPOUT else None for trial, mode in members
        ),
    )


def _epoch_s(flat: Tensor, layers: tuple[Linear, ...], train: Images, epoch: Epoch, budget_s: float) -> float:
    """Seconds of one epoch, from its first steps: what comes before the first, and the pace of the others."""
    from psa_tui.engine.backends.torch.training import train_epoch

    steps = -(-_TRAINING_IMAGES // epoch.batch_size)
    started = time.perf_counter()
    training = train_epoch(flat, layers, train, epoch)
    # The losses are read because a GPU works on after its steps were asked for.
    next(training)[1].tolist()
    times = [time.perf_counter()]
    for _, losses in training:
        losses.tolist()
        times.append(time.perf_counter())
        if times[-1] - times[0] >= budget_s:
            break
    training.close()
    # The median: a moment in which the machine did something else is not this engine's pace.
    pace = statistics.median([after - before for before, after in pairwise(times)] or [0.0])
    return max(times[0] - started - pace, 0.0) + steps * pace
