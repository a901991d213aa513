"""Trying found units on the example: what was followed call by call must hold for the numbers, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from psa_tui.networks.tracing.operations import tensors_in
from psa_tui.networks.unit import Place, Unit

_SEED = 0


class Trial:
    """A module and its example, to be run with other parameters."""

    def __init__(self, model: nn.Module, arguments: tuple[Any, ...]) -> None:
        """``model`` is in evaluation mode."""
        self.model, self.arguments = model, arguments
        self.parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}

    def is_silent(self, units: Sequence[Unit]) -> bool:
        """Return whether, with the incoming numbers zero, the outgoing ones do not matter."""
        return self._same(zero=[one.incoming for one in units], changed=[one.outgoing for one in units])

    def is_unread(self, units: Sequence[Unit]) -> bool:
        """Return whether, with the outgoing numbers zero, the incoming ones do not matter."""
        return self._same(zero=[one.outgoing for one in units], changed=[one.incoming for one in units])

    def _same(self, zero: Iterable[Iterable[Place]], changed: Iterable[Iterable[Place]]) -> bool:
        draws = torch.Generator().manual_seed(_SEED)
        before = {name: parameter.clone() for name, parameter in self.parameters.items()}
        after = {name: parameter.clone() for name, parameter in self.parameters.items()}
        for (name, dimension), indices in _together(changed).items():
            noise = torch.randn(after[name].shape, generator=draws).to(after[name])
            indices = indices.to(noise.device)
            after[name].index_add_(dimension, indices, noise.index_select(dimension, indices))
        for (name, dimension), indices in _together(zero).items():
            for parameters in (before, after):
                parameters[name].index_fill_(dimension, indices.to(parameters[name].device), 0)
        pairs = zip(self._outputs(before), self._outputs(after), strict=True)
        # Kernels of some devices do not add in the same order twice.
        return all(torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True) for one, other in pairs)

    def _outputs(self, parameters: dict[str, Tensor]) -> list[Tensor]:
        with torch.random.fork_rng():
            torch.manual_seed(_SEED)
            return tensors_in(functional_call(self.model, parameters, self.arguments))


def _together(places: Iterable[Iterable[Place]]) -> dict[tuple[str, int], Tensor]:
    """Return the indices of ``places`` by parameter and dimension, so that they are changed in one call."""
    found: dict[tuple[str, int], set[int]] = {}
    for place in (place for some in places for place in some):
        found.setdefault((place.parameter, place.dimension), set()).add(place.index)
    return {where: torch.tensor(sorted(indices)) for where, indices in found.items()}


def failing(trial: Trial, layers: Sequence[Sequence[Unit]], read_by_others: Sequence[bool]) -> list[int]:
    """Return which of the hidden ``layers`` fail on the example, by index.

    Every second unit of all layers is tried at once, then the others: only where that fails, layer by layer.
    ``read_by_others`` says of which the incoming numbers matter to their neighbours, through a normalisation.
    """

    def holds(chosen: Sequence[int]) -> bool:
        for start in (0, 1):
            silent = [unit for index in chosen for unit in layers[index][start::2]]
            unread = [unit for index in chosen if not read_by_others[index] for unit in layers[index][start::2]]
            if not trial.is_silent(silent) or not trial.is_unread(unread):
                return False
        return True

    everything = range(len(layers))
    return [] if holds(everything) else [index for index in everything if not holds([index])]
