"""Memory for activations and their gradients, allocated once for an epoch: views of few tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from torch import Tensor

from psa_tui.engine.backends.torch.parameter_layout import ParameterLayout

CORE_CACHE_BYTES = 512 << 10
"""The gradients of several layers of one shape are one batch of products while their activations fit in this."""


class LayerRun(NamedTuple):
    """Successive layers, from ``begin`` to before ``end``."""

    begin: int
    end: int


def runs_of_one_shape(weights: ParameterLayout, batch: int) -> Iterator[LayerRun]:
    """Go through the layers after the first as runs of one shape, cut to what a core's own cache holds."""
    begin = 1
    for end in range(2, len(weights.layers) + 1):
        shape = weights.weights[begin].shape
        size = (end + 1 - begin) * shape[0] * shape[1] * batch * weights.flat.element_size()
        if end == len(weights.layers) or weights.weights[end].shape != shape or size > CORE_CACHE_BYTES:
            yield LayerRun(begin, end)
            begin = end


def separate_buffers(
    weights: ParameterLayout, batch: int, layer_runs: Sequence[LayerRun]
) -> tuple[Tensor, list[Tensor]]:
    """Allocate a buffer [members * neurons, batch] for each run.

    The rows are in the order of ``ParameterLayout.all_biases``.

    Returns:
        All of it, [members * all neurons, batch], and the views of the runs.
    """
    buffer = weights.flat.new_empty(len(weights.all_biases), batch)
    return buffer, _split(buffer, _row_counts(weights, layer_runs))


def alternating_buffers(weights: ParameterLayout, batch: int, layer_runs: Sequence[LayerRun]) -> list[Tensor]:
    """Return a buffer [members * neurons, batch] for each run, of two that are used alternately.

    The rows are in the order of ``ParameterLayout.all_biases``. What is overwritten soon stays in a cache.
    """
    counts = _row_counts(weights, layer_runs)
    buffers = weights.flat.new_empty(2, max(counts), batch)
    return [buffers[at % 2, :count] for at, count in enumerate(counts)]


def separate_activations(weights: ParameterLayout, batch: int) -> list[Tensor]:
    """Allocate the activations of each layer: [members, outputs, batch]."""
    return layer_views(weights.flat.new_empty(len(weights.all_biases), batch), weights.biases)


def alternating_activations(weights: ParameterLayout, batch: int) -> list[Tensor]:
    """Return a buffer [members, outputs, batch] for each layer, where a layer's overwrites that of the last but one."""
    layers = [LayerRun(index, index + 1) for index in range(len(weights.layers))]
    buffers = zip(alternating_buffers(weights, batch, layers), weights.biases, strict=True)
    return [layer_views(buffer, [bias])[0] for buffer, bias in buffers]


def layer_views(buffer: Tensor, biases: Sequence[Tensor]) -> list[Tensor]:
    """View ``buffer`` [members * neurons, batch] as the layers of ``biases`` [members, outputs, 1].

    Returns:
        For each of them, [members, outputs, batch].
    """
    parts = _split(buffer, [bias.numel() for bias in biases])
    return [part.view(*bias.shape[:2], part.shape[1]) for part, bias in zip(parts, biases, strict=True)]


def joined(views: Sequence[Tensor]) -> Tensor:
    """View neighbouring ``views`` [members, ...] of one storage as a single one: [len(views) * members, ...]."""
    first = views[0]
    return first.as_strided((len(views) * first.shape[0], *first.shape[1:]), first.stride())


def _split(buffer: Tensor, counts: Sequence[int]) -> list[Tensor]:
    return [buffer[begin:end] for begin, end in pairwise(accumulate(counts, initial=0))]


def _row_counts(weights: ParameterLayout, layer_runs: Sequence[LayerRun]) -> list[int]:
    return [sum(bias.numel() for bias in weights.biases[begin:end]) for begin, end in layer_runs]
