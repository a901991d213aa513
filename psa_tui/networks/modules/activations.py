"""Where the hidden units of a module are among the numbers of an activation: to be masked, or looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from psa_tui.networks.base import DropoutMasks
from psa_tui.networks.unit import Unit, UnitTable


class Places:
    """Which hidden unit each number of one example belongs to."""

    def __init__(self, units: Tensor, wanted: Sequence[int] | None) -> None:
        """``units`` are hidden units, int64 [numbers]; ``wanted``, if given, are those to be looked at."""
        self.units = units
        self._order = None if wanted is None else torch.stack([torch.nonzero(units == one)[:, 0] for one in wanted])
        """The numbers of each wanted unit: [units, numbers of each]."""

    def multiplied(self, activations: Tensor, masks: Tensor) -> Tensor:
        """Return ``activations`` [batch, ...] times the masks [batch, hidden units] of their units."""
        return activations * masks[:, self.units.to(masks.device)].view_as(activations)

    def watch(self, shown: DropoutMasks, first: int) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        """Return the hook that shows the wanted units, from hidden unit ``first`` on: [batch, units, numbers]."""

        def show(module: nn.Module, arguments: tuple[Any, ...]) -> None:
            assert self._order is not None
            shown(arguments[0].flatten(1)[:, self._order.to(arguments[0].device)], first)

        return show


class Masked(nn.Module):
    """Stands where a dropout layer was: multiplies by the engine's masks while there are some."""

    p = 0.0
    inplace = False

    def __init__(self) -> None:
        """Pass everything on, until masks come."""
        super().__init__()
        self.places: Places | None = None
        self.masks: Tensor | None = None
        """Of all hidden units, for this step: [batch, hidden units]."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs, masked where there are masks."""
        if self.masks is None or self.places is None:
            return inputs
        return self.places.multiplied(inputs, self.masks)


def units_of(
    labels: Tensor | None,
    units: Sequence[Unit],
    table: UnitTable,
    examples: int,
    wanted: Sequence[int] | None = None,
) -> Places | None:
    """Return the places of hidden units by ``labels``, which say of each number of some examples its unit of ``units``.

    None where they do not show: other numbers lie between them, unless only some are ``wanted``, or the first
    dimension is not that of the ``examples``.
    """
    if labels is None or labels.dim() < 2 or len(labels) != examples or bool((labels != labels[:1]).any()):
        return None
    every = [unit for layer in table.hidden_layers for unit in list(table.layers.values())[layer]]
    places = {unit.name: place for place, unit in enumerate(every)}
    hidden = torch.tensor([*(places.get(unit.name, -1) for unit in units), -1])
    found = hidden[labels[0].flatten()]
    if wanted is None:
        return Places(found, None) if bool((found >= 0).all()) else None
    counts = {int((found == one).sum()) for one in wanted}
    return Places(found, wanted) if len(counts) == 1 and counts != {0} else None
