"""What of an epoch one process computes, and what it has to exchange with others in every step.

A process alone computes all of it. Processes that train one network together divide either the images of every
batch, or, where there is a single wide hidden layer, its neurons. Both are the same sums in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from psa_tui.engine.backends.torch.parameter_layout import Packed
from psa_tui.engine.backends.torch.passes import Backward, Call, Forward
from psa_tui.engine.backends.torch.process_group import ProcessGroup
from psa_tui.engine.population import Linear, linear_layers

_NEURONS = 16
"""A process with fewer neurons would spend its time on the images, which it sees all."""


class Share(Protocol):
    """What one process computes of an epoch."""

    weights: Packed
    """What the passes compute with."""
    gradients: Packed
    """What the backward pass finds."""
    updated: Tensor
    """The weights that the optimiser updates here: [some]."""
    updating: Tensor
    """Their gradients: [some]."""
    units: slice
    """Which of the hidden neurons are here."""

    def images(self, batch: int) -> slice:
        """Which images of a batch are seen here."""

    def step(self, forward: Forward, backward: Backward, update: Sequence[Call], turn: int) -> list[Call]:
        """The calls of a step; ``turn`` counts the steps of an epoch."""

    def finish(self, flat: Tensor) -> None:
        """Write the trained weights into their rows of ``flat`` [M, parameters]."""


class Whole:
    """All that the members of a chunk need, in a process that trains alone."""

    def __init__(self, flat: Tensor, layers: tuple[Linear, ...], members: Sequence[int], columns: Tensor) -> None:
        """Take the weights of ``members`` from ``flat``; ``columns`` is the order of the first layer's inputs."""
        self._members = torch.tensor(members, device=flat.device)
        self.weights, self.gradients = (Packed(layers, len(members), flat, columns) for _ in range(2))
        self.weights.load(flat, self._members)
        self.updated, self.updating = self.weights.flat, self.gradients.flat
        self.units = slice(None)

    def images(self, batch: int) -> slice:
        """All of them."""
        return slice(0, batch)

    def step(self, forward: Forward, backward: Backward, update: Sequence[Call], turn: int) -> list[Call]:
        """Nothing to exchange."""
        return [*forward.calls, *backward.calls, *update]

    def finish(self, flat: Tensor) -> None:
        """Write the trained weights into their rows of ``flat`` [M, parameters]."""
        self.weights.store(flat, self._members)


class ImageShare:
    """Some images of every batch: data parallelism with a divided optimiser.

    Every process finds the gradients of its images, then updates its share of the weights with the sum of all
    (ZeRO, Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054).
    """

    def __init__(self, group: ProcessGroup, flat: Tensor, layers: tuple[Linear, ...], columns: Tensor) -> None:
        """Take the weights of the only row of ``flat``."""
        self._group = group
        self._member = torch.zeros(1, dtype=torch.int64)
        self.weights = Packed(layers, 1, flat, columns, group.weights)
        self.gradients = Packed(layers, 1, flat, columns, group.gradients[group.rank])
        self.weights.load(flat, self._member)
        self._share = group.share(flat.shape[1])
        self.updated, self.updating = group.weights[self._share].clone(), self.gradients.flat[self._share]
        self.units = slice(None)

    def images(self, batch: int) -> slice:
        """This process's share of them."""
        return self._group.share(batch)

    def losses(self, batch: int) -> Tensor:
        """Where losses are added up, this process's row of all: [1, batch]."""
        return self._group.losses[self._group.rank :][:1]

    def step(self, forward: Forward, backward: Backward, update: Sequence[Call], turn: int) -> list[Call]:
        """Wait until all weights are there; and after the passes, until nobody needs them and all gradients are."""
        group = self._group
        others = [gradients for rank, gradients in enumerate(group.gradients) if rank != group.rank]
        return [
            group.barrier,
            *forward.calls,
            *backward.calls,
            group.barrier,
            *(partial(self.updating.add_, gradients[self._share]) for gradients in others),
            *update,
            publish(self.updated, group.weights[self._share]),
        ]

    def finish(self, flat: Tensor) -> None:
        """Write the trained weights into the only row of ``flat``."""
        self._group.barrier()
        self.weights.store(flat, self._member)


class NeuronShare:
    """Some neurons of the only hidden layer, with all images: tensor parallelism.

    Every process trains a narrower network; the sum of their logits is the logits of all (the first half of a
    layer pair of Megatron-LM, Shoeybi et al. 2019, https://arxiv.org/abs/1909.08053). Only logits are exchanged.
    """

    def __init__(self, group: ProcessGroup, flat: Tensor, layers: tuple[Linear, ...], columns: Tensor) -> None:
        """Take this process's share of the only row of ``flat``."""
        hidden, output = layers
        self._group = group
        self._layers = layers
        self.units = group.share(hidden.outputs)
        narrow = linear_layers([hidden.inputs, self.units.stop - self.units.start, output.outputs])
        self.weights, self.gradients = (Packed(narrow, 1, flat, columns) for _ in range(2))
        self._row = torch.zeros(1, narrow[-1].end, dtype=flat.dtype)
        self._narrow = narrow
        for ours, all_of_it in self._views(flat):
            ours.copy_(all_of_it)
        self.weights.load(self._row, torch.zeros(1, dtype=torch.int64))
        self.updated, self.updating = self.weights.flat, self.gradients.flat

    def _views(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Places in the row of the narrow network, each with its place in ``flat`` [1, parameters].

        The output's bias belongs to the first process; in the others' networks it is and stays zero.
        """
        (hidden, output), (narrow_hidden, narrow_output) = self._layers, self._narrow
        pairs = [
            (narrow_hidden.weight(self._row), hidden.weight(flat)[:, self.units]),
            (narrow_hidden.bias(self._row), hidden.bias(flat)[:, self.units]),
            (narrow_output.weight(self._row), output.weight(flat)[:, :, self.units]),
        ]
        return pairs if self._group.rank else [*pairs, (narrow_output.bias(self._row), output.bias(flat))]

    def images(self, batch: int) -> slice:
        """All of them."""
        return slice(0, batch)

    def losses(self, batch: int) -> Tensor:
        """The first row of all losses: [1, batch]. The other processes find the same ones, which must not count."""
        return self.updated.new_zeros(1, batch) if self._group.rank else self._group.losses[:1]

    def step(self, forward: Forward, backward: Backward, update: Sequence[Call], turn: int) -> list[Call]:
        """Tell this network's logits, wait for the others', and add them up in the same order everywhere.

        They are told in two places in turn: a process may be a step ahead of one that still reads.
        """
        group, logits = self._group, forward.logits
        told = [place[: logits.numel()].view_as(logits) for place in group.logits[turn % 2]]
        return [
            *forward.calls,
            publish(logits, told[group.rank]),
            group.barrier,
            partial(torch.add, told[0], told[1], out=logits),
            *(partial(logits.add_, place) for place in told[2:]),
            *backward.calls,
            *([self.gradients.biases[-1].zero_] if group.rank else []),
            *update,
        ]

    def finish(self, flat: Tensor) -> None:
        """Write the trained weights of all processes into the only row of ``flat``."""
        self.weights.store(self._row, torch.zeros(1, dtype=torch.int64))
        for ours, all_of_it in self._views(self._group.weights.unsqueeze(0)):
            all_of_it.copy_(ours)
        self._group.barrier()
        flat.copy_(self._group.weights)


def share_of(
    group: ProcessGroup, flat: Tensor, layers: tuple[Linear, ...], columns: Tensor
) -> ImageShare | NeuronShare:
    """What this process of ``group`` computes for the only row of ``flat``."""
    wide = len(layers) == 2 and layers[0].outputs >= _NEURONS * group.size
    return (NeuronShare if wide else ImageShare)(group, flat, layers, columns)


def publish(source: Tensor, target: Tensor) -> Call:
    """A copy into memory that other processes have read.

    It is a product, because the string instructions of a plain copy take five times as long on such cache lines.
    """
    return partial(torch.mul, source, source.new_ones(()), out=target)
