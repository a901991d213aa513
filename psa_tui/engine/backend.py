"""The seam between the engine and the arithmetic: a backend trains an epoch and counts correct answers.

A backend knows nothing of promotion, files or screens. Members of a population never influence one another: each
trains on its own mean loss. To add a backend from outside, register it in the entry point group ``psa_tui.backends``;
``--backend NAME`` then trains with it. Importing this needs no torch.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from psa_tui.engine.backends import Lack
from psa_tui.engine.backends.module import ModuleBackend
from psa_tui.engine.backends.numba import NumbaBackend
from psa_tui.engine.backends.torch import TorchBackend
from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.networks.base import Network
from psa_tui.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from psa_tui.engine.images import Images
    from psa_tui.method.randomness import DropoutMaskDraws

log = logging.getLogger(__name__)

AUTO = "auto"
ADAMW_BETAS = (0.9, 0.999)
ADAMW_EPSILON = 1e-8
NOT_COUNTED = -1
"""What ``Epoch.correct`` holds until a backend has counted."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch trains with; the per-member entries follow the rows of the population."""

    orders: Tensor
    """The orders in which images are visited: int64 [orders, N]."""
    order_of: tuple[int, ...]
    """The row of ``orders`` that each member follows; members of one trial seed share theirs."""
    hyperparameters: Hyperparameters
    weight_decay: tuple[float, ...]
    """Decoupled weight decay of each member, 0 where its variant has none."""
    dropout: tuple[DropoutMaskDraws | None, ...]
    """Each member's dropout masks, None where its variant has none."""
    labels: tuple[Tensor | None, ...]
    """The labels of all images that each member is trained with, int64 [N]; None for the images' own."""
    moments: Tensor | None
    """AdamW's first and second moments of each member: [M, 2, parameters], zero where the optimiser is fresh.

    A member's are overwritten when its epoch is complete. None where all are fresh and nobody wants them back.
    """
    steps: tuple[int, ...]
    """The steps that each member's optimiser has taken before."""
    correct: Tensor | None = None
    """How many training images each member classified correctly: int64 [M]. None where nobody wants to know.

    As each step saw them: by the weights from before it, with its dropout, and by the labels that are trained with.
    Correct is an image whose label's logit no other exceeds; one with a logit that is not a number is not. A member's
    is overwritten when its epoch is complete; a backend that does not count leaves it.
    """

    def accuracies(self) -> list[float | None]:
        """Return of each member the fraction of images that are ``correct``; None where they were not counted."""
        if self.correct is None:
            return [None] * len(self.order_of)
        count = self.orders.shape[1]
        return [None if correct == NOT_COUNTED else correct / count for correct in self.correct.tolist()]

    def of(self, members: Sequence[int]) -> Epoch:
        """Return the epoch of some members."""
        return Epoch(
            self.orders,
            tuple(self.order_of[member] for member in members),
            self.hyperparameters,
            tuple(self.weight_decay[member] for member in members),
            tuple(self.dropout[member] for member in members),
            tuple(self.labels[member] for member in members),
            None if self.moments is None else self.moments[list(members)],
            tuple(self.steps[member] for member in members),
            None if self.correct is None else self.correct[list(members)],
        )


class Backend(Protocol):
    """Does the arithmetic of networks it supports.

    One that draws the orders of epochs sooner than ``psa_tui.method.randomness.shuffled`` has a ``shuffled`` of its
    own, equal to that one.
    """

    name: str
    """What ``--backend`` calls it."""
    every_variant: bool
    """Whether it obeys an epoch's labels, moments and steps; one that does not trains no variant that has its own."""
    measures_activity: bool
    """Whether ``count_correct`` takes ``active``; where it does not, which units are active is not known."""
    takes_floats: bool
    """Whether it trains on images of floats (``Images.are_floats``); where not, it is never given any."""

    def refusal(self, network: Network, device: str) -> str | None:
        """Return why it cannot train ``network`` on ``device`` ("cpu", "cuda:0"); None when it can.

        A ``Lack`` where it could on a machine that has what this one lacks.
        """

    def threads(self, network: Network, batch_size: int, cores: int) -> int:
        """Return on how many of ``cores`` it trains one member fastest, on the CPU."""

    def use_threads(self, count: int) -> None:
        """Compute with ``count`` CPU threads in this process from now on."""

    def train_epoch(
        self, weights: Tensor, network: Network, images: Images, epoch: Epoch
    ) -> Generator[tuple[int, Tensor], None, Tensor]:
        """Train ``weights`` [M, parameters] for one epoch with AdamW (Loshchilov & Hutter 2019).

        A member's row is overwritten when its epoch is complete, as are its moments and its entry of ``epoch.correct``.

        Yields:
            After every step or few, the number of images a member has seen so far (the mean over the members), and the
            losses so far [M, some]: of members in no particular order, summed by place in the batch.

        Returns:
            Each member's mean training loss over the epoch [M].
        """

    def count_correct(self, weights: Tensor, network: Network, images: Images, active: Tensor | None = None) -> Tensor:
        """Return how many images each member of ``weights`` [M, parameters] classifies correctly: int64 [M].

        A tie between classes counts as the first of them, as ``torch.argmax`` has it. In ``active``, bool [M, hidden
        units], it marks each member's hidden units whose activation is not zero for some image, and leaves the other
        marks as they are.
        """


BACKENDS: Registry[Backend] = Registry("backend", "psa_tui.backends")


# The fastest first: that is the order in which ``auto`` asks.
BACKENDS.register(NumbaBackend.name, NumbaBackend())
BACKENDS.register(TorchBackend.name, TorchBackend())
BACKENDS.register(ModuleBackend.name, ModuleBackend())


def choose_backend(
    wanted: str, network: Network, device: str, before: str | None = None, *, floats: bool = False
) -> Backend:
    """Return the backend that ``wanted`` stands for; ``auto`` takes the first that supports ``network``.

    ``before`` is the one that trained so far: it is the first that ``auto`` asks, and must be known. ``floats`` says
    that the images are such.

    Raises:
        ConfigError: the one asked for does not support it, or none does.
    """
    reasons = []
    for name in _candidates(wanted, before):
        reason = _refusal(BACKENDS.find(name), network, device, floats)
        if reason is None:
            log.debug("backend: %s (--backend overrules)", name)
            return BACKENDS.find(name)
        reasons.append(f"{name}: {reason}")
    raise ConfigError(f"--backend {wanted} cannot train {network} on {device} ({'; '.join(reasons)})")


def second_choice(
    wanted: str, network: Network, device: str, before: str | None = None, *, floats: bool = False
) -> list[str]:
    """Return, in a sentence, that ``choose_backend`` takes none of its first choice for want of something here.

    Empty where it takes its first choice, or that one is not for such a network and device at all.
    """
    chosen = choose_backend(wanted, network, device, before, floats=floats).name
    for name in _candidates(wanted, before):
        refusal = _refusal(BACKENDS.find(name), network, device, floats)
        if refusal is None:
            break
        if isinstance(refusal, Lack):
            return [f"--backend {wanted} takes {chosen} here, not {name}: {refusal}"]
    return []


def _refusal(backend: Backend, network: Network, device: str, floats: bool) -> str | None:
    refusal = backend.refusal(network, device)
    # A plug-in of an earlier version does not know of floats.
    if refusal is None and floats and not getattr(backend, "takes_floats", False):
        return Lack("it trains on images of bytes (uint8) only, and these are floats")
    return refusal


def _candidates(wanted: str, before: str | None) -> Iterator[str]:
    if wanted != AUTO:
        yield wanted
        return
    if before is not None:
        yield before
    yield from BACKENDS
