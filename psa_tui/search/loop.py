"""One meta-loop of a search, as the user's training loop sees it."""

from __future__ import annotations

from math import isfinite, nan
from typing import TYPE_CHECKING, SupportsFloat

import torch
from torch import Tensor

from psa_tui.errors import ConfigError, PsaError
from psa_tui.formatting import percent
from psa_tui.method.events import MetaLoopFinished, UnitsAblated, Verdict
from psa_tui.method.progress import FRACTIONS
from psa_tui.method.randomness import named_seed, shuffled
from psa_tui.method.variants import Variant
from psa_tui.networks.unit import Unit

if TYPE_CHECKING:
    from psa_tui.search.search import Search

_MOST_IMAGES = 2**53
"""Which a float counts exactly."""


class Loop:
    """A candidate is in the model, damaged: train it, measure it, and ``report`` how good it is."""

    def __init__(self, search: Search, number: int, variant: Variant, ablation: UnitsAblated | None) -> None:
        """``Search.loops`` makes it."""
        self._search = search
        self._asked: set[str] = set()
        self.number = number
        """The meta-loop, from 1 on over the whole life of the search."""
        self.variant = variant
        """The one in force, of a schedule too."""
        self.ablation = ablation
        """What was damaged; None where nothing was, as in loop 1."""
        self.event: MetaLoopFinished | None = None
        """What became of the candidate, and why; None until it was reported."""

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that were damaged."""
        done = () if self.ablation is None else self.ablation.units
        return tuple(self._search.table.unit(one.layer, one.unit) for one in done)

    def seed(self, purpose: str) -> int:
        """Return a seed of 64 bits that is always the same for this search's seed, this loop and this purpose.

        For what has a global state: ``torch.manual_seed(loop.seed("dropout"))``.
        """
        return named_seed(self._search.seed, self.number, purpose)

    def generator(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """Return a new generator with ``seed(purpose)``; PyTorch uses 32 bits of it on a CPU."""
        return torch.Generator(device).manual_seed(self.seed(purpose))

    def order(self, count: int) -> Tensor:
        """Return the order in which ``psa train`` would visit ``count`` training images: int64 [count]."""
        return torch.from_numpy(shuffled(self._search.seed, self.number, count))

    def weight_decay(self, rate: float) -> float:
        """Return ``rate`` where the variant decays weights, else 0: for your optimiser."""
        self._asked.add("weight_decay")
        return rate if self.variant.weight_decay else 0.0

    def dropout(self, rate: float) -> float:
        """Return ``rate`` where the variant drops hidden units, else 0: for your dropout modules."""
        self._asked.add("dropout")
        return rate if self.variant.dropout else 0.0

    def report(
        self,
        accuracy: SupportsFloat | None = None,
        *,
        correct: int | None = None,
        total: int | None = None,
        train_loss: float | None = None,
    ) -> MetaLoopFinished:
        """Say how good the candidate in the model is; it is promoted or rolled back. Returns ``event``.

        Args:
            accuracy: validation accuracy, a fraction; NaN rolls back.
            correct: validation images classified correctly, in place of ``accuracy``.
            total: of how many; the same in every loop.
            train_loss: where it is known; one that is not finite rolls back.

        Raises:
            ConfigError: the numbers are none, or not of the kind that was reported before.
            PsaError: the loop was reported before, or is over.
        """
        self._check_open()
        if (accuracy is None) == (correct is None) or (correct is None) != (total is None):
            raise ConfigError("report an accuracy as a fraction, or correct=9123, total=10000")
        if accuracy is not None:
            fraction = float(accuracy)
            finite = isfinite(fraction)
            if finite and not 0 <= fraction <= 1:
                raise ConfigError(
                    f"accuracy {fraction:g}, expected a fraction from 0 to 1; counts are report(correct=..., total=...)"
                )
            parts, whole = int(fraction * FRACTIONS) if finite else 0, FRACTIONS
        else:
            assert correct is not None
            assert total is not None
            parts, whole, finite = _whole(correct), _whole(total), True
            if not 0 <= parts <= whole or not 0 < whole < _MOST_IMAGES:
                raise ConfigError(f"{parts} correct of {whole}, expected a part of at least one image")
        self._check_asked()
        finite = finite and (train_loss is None or isfinite(train_loss))
        loss = nan if train_loss is None else float(train_loss)
        self.event = self._search.decide(self, parts, whole, finite=finite, train_loss=loss)
        return self.event

    def _check_open(self) -> None:
        if self._search.progress.meta_loop >= self.number:
            raise PsaError(f"meta-loop {self.number} was reported already; report each once")
        if self._search.open_loop is not self:
            raise PsaError(f"meta-loop {self.number} was left without a report and is over; go on with search.loops(n)")

    def _check_asked(self) -> None:
        """Make sure that what the variant says of training was asked for: a search cannot do it itself."""
        for name, applies in (("weight_decay", self.variant.weight_decay), ("dropout", self.variant.dropout)):
            if applies and name not in self._asked:
                raise ConfigError(
                    f"variant {self.variant.name} has {name.replace('_', ' ')}, which is your training loop's: take "
                    f"the rate from loop.{name}(rate) in each loop"
                )

    def __str__(self) -> str:
        """Return the loop in one line."""
        damaged = ", ".join(unit.name for unit in self.units[:4]) + (" ..." if len(self.units) > 4 else "")
        said = f"meta-loop {self.number}: {damaged or 'nothing'} damaged"
        if self.event is None:
            return said
        verdict = "promoted" if self.event.verdict is Verdict.PROMOTED else "rolled back"
        return f"{said}, {percent(self.event.validation_accuracy)}, {verdict} ({self.event.reason})"


def _whole(number: int) -> int:
    try:
        return int(number.__index__())
    except (AttributeError, TypeError):
        raise ConfigError(f"expected whole numbers of images, found {number!r:.40}") from None
