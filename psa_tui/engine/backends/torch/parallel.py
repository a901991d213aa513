"""What of an epoch one process computes, and what it exchanges with others in every step.

A single process computes all of it. Processes that train one network together divide either the images of every
batch (data parallel), or, where there is a single wide hidden layer, its neurons (tensor parallel). Both are the same
sums in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from psa_tui.engine.backends.torch.parameter_layout import ParameterLayout
from psa_tui.engine.backends.torch.passes import Backward, Call, Forward
from psa_tui.engine.process_group import ProcessGroup
from psa_tui.networks.mlp import Linear, linear_layers

_NEURONS_PER_PROCESS = 16
"""A process with fewer neurons would spend its time on the images, which it sees all."""


class ParallelStrategy(Protocol):
    """What one process computes of an epoch."""

    weights: ParameterLayout
    """What the passes compute with."""
    gradients: ParameterLayout
    """What the backward pass finds."""
    updated_weights: Tensor
    """The weights that this process's optimiser updates: [some]."""
    updated_gradients: Tensor
    """Their gradients: [some]."""
    hidden_units: slice
    """Which of the hidden neurons are computed here."""

    def batch_slice(self, batch: int) -> slice:
        """Return which images of a batch are seen here."""

    def step_calls(self, forward: Forward, backward: Backward, update: Sequence[Call], buffer: int) -> list[Call]:
        """Return the calls of a step; ``buffer`` is 0 and 1 alternately, step by step."""

    def take(self, rows: Tensor) -> Tensor:
        """Return the numbers of ``rows`` [M, parameters] that belong to ``updated_weights``, in its order: a copy."""

    def give(self, numbers: Tensor, rows: Tensor) -> None:
        """Write ``numbers``, ordered as ``updated_weights``, of all processes to ``rows`` [M, parameters]."""

    def store(self, rows: Tensor) -> None:
        """Write the trained weights into their rows of ``rows`` [M, parameters]."""


class SingleProcess:
    """All members of a chunk, in a process that trains alone."""

    def __init__(self, rows: Tensor, layers: Sequence[Linear], members: Sequence[int], pixel_order: Tensor) -> None:
        """Take the weights of ``members`` from ``rows`` [M, parameters]."""
        self._members = torch.tensor(members, device=rows.device)
        self._layout = partial(ParameterLayout, layers, len(members), rows, pixel_order)
        self.weights, self.gradients = self._layout(), self._layout()
        self.weights.load(rows, self._members)
        self.updated_weights, self.updated_gradients = self.weights.flat, self.gradients.flat
        self.hidden_units = slice(None)

    def batch_slice(self, batch: int) -> slice:
        """Return all images of a batch."""
        return slice(0, batch)

    def step_calls(self, forward: Forward, backward: Backward, update: Sequence[Call], buffer: int) -> list[Call]:
        """Return the calls of a step: nothing is exchanged."""
        return [*forward.calls, *backward.calls, *update]

    def take(self, rows: Tensor) -> Tensor:
        """Return the members' numbers of ``rows`` [M, parameters]: [members * parameters]."""
        taken = self._layout()
        taken.load(rows, self._members)
        return taken.flat

    def give(self, numbers: Tensor, rows: Tensor) -> None:
        """Write ``numbers`` [members * parameters] to the members' rows of ``rows`` [M, parameters]."""
        self._layout(numbers).store(rows, self._members)

    def store(self, rows: Tensor) -> None:
        """Write the trained weights into their rows of ``rows`` [M, parameters]."""
        self.weights.store(rows, self._members)


class DataParallel:
    """Some images of every batch, with an optimiser that is divided among the processes.

    Every process finds the gradients of its images, then updates its part of the weights with the sum of all
    (ZeRO, Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054).
    """

    def __init__(self, group: ProcessGroup, rows: Tensor, layers: Sequence[Linear], pixel_order: Tensor) -> None:
        """Take the weights of the only row of ``rows`` [1, parameters]."""
        self._group = group
        self._member = torch.zeros(1, dtype=torch.int64)
        self._layout = partial(ParameterLayout, layers, 1, rows, pixel_order)
        self.weights = self._layout(group.weights)
        self.gradients = self._layout(group.gradients[group.rank])
        self.weights.load(rows, self._member)
        self._partition = group.partition(rows.shape[1])
        self.updated_weights = group.weights[self._partition].clone()
        self.updated_gradients = self.gradients.flat[self._partition]
        self.hidden_units = slice(None)

    def batch_slice(self, batch: int) -> slice:
        """Return this process's images of a batch."""
        return self._group.partition(batch)

    def losses(self, batch: int) -> Tensor:
        """Return where losses are added up, this process's row of all: [1, batch]."""
        return self._group.losses[self._group.rank :][:1]

    def step_calls(self, forward: Forward, backward: Backward, update: Sequence[Call], buffer: int) -> list[Call]:
        """Return the calls of a step.

        It begins when all weights are there. The passes are done everywhere before weights change: then nobody
        needs the old ones, and all gradients are there.
        """
        group = self._group
        others = [gradients for rank, gradients in enumerate(group.gradients) if rank != group.rank]
        return [
            group.barrier,
            *forward.calls,
            *backward.calls,
            group.barrier,
            *(partial(self.updated_gradients.add_, gradients[self._partition]) for gradients in others),
            *update,
            _copy_to_shared_memory(self.updated_weights, group.weights[self._partition]),
        ]

    def take(self, rows: Tensor) -> Tensor:
        """Return this process's part of the only row of ``rows`` [1, parameters]: [part]."""
        taken = self._layout()
        taken.load(rows, self._member)
        return taken.flat[self._partition].clone()

    def give(self, numbers: Tensor, rows: Tensor) -> None:
        """Write all processes' ``numbers`` [part] to the only row of ``rows`` [1, parameters], in each of them."""
        self._group.barrier()
        self._group.weights[self._partition] = numbers
        self._group.barrier()
        self._layout(self._group.weights).store(rows, self._member)

    def store(self, rows: Tensor) -> None:
        """Write the trained weights into the only row of ``rows`` [1, parameters]."""
        self._group.barrier()
        self.weights.store(rows, self._member)


class TensorParallel:
    """Some neurons of the only hidden layer, with all images.

    Every process trains a narrower network; the sum of their logits is the logits of all (the first half of a
    layer pair of Megatron-LM, Shoeybi et al. 2019, https://arxiv.org/abs/1909.08053). Only logits are exchanged.
    """

    def __init__(self, group: ProcessGroup, rows: Tensor, layers: Sequence[Linear], pixel_order: Tensor) -> None:
        """Take this process's neurons of the only row of ``rows`` [1, parameters]."""
        hidden, output = layers
        self._group = group
        self._layers = hidden, output
        self.hidden_units = group.partition(hidden.outputs)
        width = self.hidden_units.stop - self.hidden_units.start
        narrow_hidden, narrow_output = linear_layers([hidden.inputs, width, output.outputs])
        self._narrow = narrow_hidden, narrow_output
        self._layout = partial(ParameterLayout, self._narrow, 1, rows, pixel_order)
        self.weights, self.gradients = self._layout(), self._layout()
        self._row = torch.zeros(1, narrow_output.end, dtype=rows.dtype)
        self._only = torch.zeros(1, dtype=torch.int64)
        self._load(self.weights, rows)
        self.updated_weights, self.updated_gradients = self.weights.flat, self.gradients.flat

    def _load(self, layout: ParameterLayout, rows: Tensor) -> None:
        """Take this process's neurons of the only row of ``rows`` [1, parameters]."""
        for ours, full in self._views(rows):
            ours.copy_(full)
        layout.load(self._row, self._only)

    def _views(self, rows: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return views of the narrow network's row, each with its part of ``rows`` [1, parameters].

        The output's bias belongs to the first process; in the others' networks it is and stays zero.
        """
        (hidden, output), (narrow_hidden, narrow_output) = self._layers, self._narrow
        pairs = [
            (narrow_hidden.weight(self._row), hidden.weight(rows)[:, self.hidden_units]),
            (narrow_hidden.bias(self._row), hidden.bias(rows)[:, self.hidden_units]),
            (narrow_output.weight(self._row), output.weight(rows)[:, :, self.hidden_units]),
        ]
        return pairs if self._group.rank else [*pairs, (narrow_output.bias(self._row), output.bias(rows))]

    def batch_slice(self, batch: int) -> slice:
        """Return all images of a batch."""
        return slice(0, batch)

    def losses(self, batch: int) -> Tensor:
        """Return where losses are added up: [1, batch].

        That is the first row of all; the other processes find the same losses, which must not count.
        """
        return self.updated_weights.new_zeros(1, batch) if self._group.rank else self._group.losses[:1]

    def step_calls(self, forward: Forward, backward: Backward, update: Sequence[Call], buffer: int) -> list[Call]:
        """Return the calls of a step: logits are exchanged, and added up in the same order everywhere.

        They lie in two buffers alternately: a process may be a step ahead of one that still reads.
        """
        group, logits = self._group, forward.logits
        parts = [part[: logits.numel()].view_as(logits) for part in group.logits[buffer]]
        return [
            *forward.calls,
            _copy_to_shared_memory(logits, parts[group.rank]),
            group.barrier,
            partial(torch.add, parts[0], parts[1], out=logits),
            *(partial(logits.add_, part) for part in parts[2:]),
            *backward.calls,
            *([self.gradients.biases[-1].zero_] if group.rank else []),
            *update,
        ]

    def take(self, rows: Tensor) -> Tensor:
        """Return the numbers of this process's neurons in the only row of ``rows`` [1, parameters]."""
        taken = self._layout()
        self._load(taken, rows)
        return taken.flat

    def give(self, numbers: Tensor, rows: Tensor) -> None:
        """Write all processes' ``numbers`` to the only row of ``rows`` [1, parameters], in each of them."""
        self._group.barrier()
        self._gather(self._layout(numbers), rows)

    def store(self, rows: Tensor) -> None:
        """Write the trained weights of all processes into the only row of ``rows`` [1, parameters]."""
        self._gather(self.weights, rows)

    def _gather(self, layout: ParameterLayout, rows: Tensor) -> None:
        layout.store(self._row, self._only)
        for ours, full in self._views(self._group.weights.unsqueeze(0)):
            full.copy_(ours)
        self._group.barrier()
        rows.copy_(self._group.weights)


def parallel_strategy(
    group: ProcessGroup, rows: Tensor, layers: Sequence[Linear], pixel_order: Tensor
) -> DataParallel | TensorParallel:
    """Return what this process of ``group`` computes for the only row of ``rows`` [1, parameters]."""
    wide = len(layers) == 2 and layers[0].outputs >= _NEURONS_PER_PROCESS * group.size
    return (TensorParallel if wide else DataParallel)(group, rows, layers, pixel_order)


def _copy_to_shared_memory(source: Tensor, target: Tensor) -> Call:
    """Return the call that copies ``source`` into memory that other processes have read.

    It is a product, because the string instructions of a plain copy take five times as long on such cache lines.
    """
    return partial(torch.mul, source, source.new_ones(()), out=target)
