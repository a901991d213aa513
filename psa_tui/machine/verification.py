"""Whether backends compute here what they should, and how fast: for machines that nobody has tried yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import le

import numpy as np
import torch

from psa_tui.data import DATASETS
from psa_tui.engine.backend import AUTO, BACKENDS, Backend, choose_backend
from psa_tui.engine.images import Images
from psa_tui.engine.parallelism import threads_for
from psa_tui.errors import PsaError
from psa_tui.machine.devices import set_threads
from psa_tui.machine.oracle import Expected, Strays, epoch_on, expect, initial_weights, strays_of
from psa_tui.machine.throughput import training_and_evaluation_rates
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.networks import NETWORKS
from psa_tui.networks.mlp import Mlp

_SPEC = DATASETS.find("mnist")
_SHAPES = ("[4*4, 2*8]", "[1*1024]")
"""A narrow, deep one and a wide one; two kinds of networks for numba, each compiled once."""
_IMAGES, _SEED = 300, 249
"""Five steps, the last of which is not a whole batch; and a seed of images that leave no unit so near its threshold, in
exact arithmetic, that rounding could decide whether it is active: one in many seeds."""
_BATCH_SIZE = Hyperparameters().batch_size
_INK_OF_PATCH, _INK_OF_PIXEL = 0.38, 0.5
"""As much of a generated image is not black as of MNIST: patches of 4 x 4 pixels, and pixels in them."""
_SIZE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one backend did with one network."""

    backend: str
    architecture: str
    bound: Strays
    """How far weights may be from the oracle's after five steps of ``none``, ``decay`` and ``dropout``."""
    strays: Strays | None = None
    """How far they are."""
    miscounted: int | None = None
    """How many images it classified otherwise than the oracle, of those that rounding cannot change."""
    meta_loops_per_s: float | None = None
    """Those of one trial, with as many images as MNIST has."""
    error: str = ""
    """What it raised, if it did not come to an end."""

    @property
    def passed(self) -> bool:
        """Whether it did as it should; what is no number is within no bound."""
        within = self.strays is not None and all(map(le, self.strays, self.bound))
        return within and self.miscounted == 0 and not self.error


def networks() -> list[Mlp]:
    """Return the networks of the check."""
    found = [NETWORKS.find(Mlp.family).parse(shape, _SPEC.input_shape, _SPEC.classes) for shape in _SHAPES]
    return [one for one in found if isinstance(one, Mlp)]


def backends_to_check(wanted: str, device: str) -> list[Backend]:
    """Return the backend that is ``wanted``, or for ``auto`` every one that can train ``networks`` on ``device``.

    Raises:
        ConfigError: the one that is wanted cannot.
    """
    if wanted != AUTO:
        return [choose_backend(wanted, network, device) for network in networks()][:1]
    every = [BACKENDS.find(name) for name in BACKENDS]
    return [one for one in every if all(one.refusal(network, device) is None for network in networks())]


def verify(backends: Sequence[Backend], device: str, threads: int | None) -> Iterator[Check]:
    """Check and time ``backends`` on ``device``, a few seconds each with each network.

    ``threads`` are those of a run, None for as many as each backend takes.
    """
    few, many = images_of_the_check(), _on(generated_images(_SPEC.train_count), device)
    for network in networks():
        expected = expect(network, few)
        for backend in backends:
            set_threads(threads_for(network, backend, _BATCH_SIZE, device, threads), backend)
            check = Check(backend=backend.name, architecture=str(network), bound=expected.bound)
            try:
                check = _compared(check, backend, network, few, expected, device)
                training, evaluation = training_and_evaluation_rates(network, many, backend, _BATCH_SIZE)
                seconds = _SPEC.train_count / training + _SPEC.validation_count / evaluation
                yield replace(check, meta_loops_per_s=1 / seconds)
            except Exception as error:
                # On a device that nobody has tried anything may happen; what the others do is still worth knowing.
                yield replace(check, error=_said(error))


def _compared(check: Check, backend: Backend, network: Mlp, images: Images, expected: Expected, device: str) -> Check:
    """Return ``check`` with what ``backend`` makes of ``images`` beside what is expected."""
    weights, there = initial_weights(network).to(device), _on(images, device)
    for _ in backend.train_epoch(weights, network, there, epoch_on(there, weights)):
        pass
    row = expected.weights[:1].float().to(device)
    counted = int(backend.count_correct(row, network, _on(expected.decided, device))[0])
    return replace(check, strays=strays_of(weights, expected.weights), miscounted=len(expected.decided) - counted)


def product_error(device: str) -> float:
    """Return how far a float32 product on ``device`` is from float64's, relative to its largest sum of magnitudes.

    Raises:
        PsaError: the device cannot do it at all.
    """
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(_SIZE, _SIZE, generator=generator) for _ in range(2))
    try:
        found = (left.to(device) @ right.to(device)).cpu().double()
    except RuntimeError as error:
        raise PsaError(f"{device} multiplies nothing ({_said(error)}); choose another --device") from None
    exact, magnitudes = left.double() @ right.double(), left.abs() @ right.abs()
    return float((found - exact).abs().max() / magnitudes.max())


def generated_images(count: int, seed: int = 0) -> Images:
    """Return random images of MNIST's size, as black as its own, with random labels."""
    draws = np.random.default_rng(seed)
    patches = draws.random((count, 7, 1, 7, 1), np.float32) < _INK_OF_PATCH
    ink = patches & (draws.random((count, 7, 4, 7, 4), np.float32) < _INK_OF_PIXEL)
    pixels = (ink * draws.integers(1, 256, ink.shape, np.uint8)).reshape(count, _SPEC.inputs)
    labels = draws.integers(0, _SPEC.classes, count)
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels), _SPEC.mean, _SPEC.std, _SPEC.input_shape)


def _said(error: Exception) -> str:
    """Return what an error says in its first line; those of CUDA have many."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def images_of_the_check() -> Images:
    """Return what backends and the oracle train on."""
    return generated_images(_IMAGES, _SEED)


def _on(images: Images, device: str) -> Images:
    return replace(images, pixels=images.pixels.to(device), labels=images.labels.to(device), prepared={})
