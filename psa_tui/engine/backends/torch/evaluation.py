"""Counting correct answers of a population of fully connected networks."""

from __future__ import annotations

import torch
from torch import Tensor

from psa_tui.engine.backends.torch.chunking import chunks
from psa_tui.engine.backends.torch.parameter_layout import ParameterLayout
from psa_tui.engine.backends.torch.passes import Forward
from psa_tui.engine.backends.torch.sparse_pixels import pixel_scale
from psa_tui.engine.images import Images
from psa_tui.networks.stacked import StackedNetwork

_BATCH = 1000
_WEIGHT_BYTES = 1 << 20
"""Members whose weights fit in this are evaluated together."""


def count_correct(weights: Tensor, network: StackedNetwork, images: Images, active: Tensor | None = None) -> Tensor:
    """Return how many images each member of ``weights`` [M, parameters] classifies correctly, see ``Backend``."""
    correct = torch.zeros(len(weights), dtype=torch.int64, device=weights.device)
    batch = max(1, min(_BATCH, len(images)))
    scale = pixel_scale(images, weights)
    divided = chunks(network.layers, range(len(weights)), batch, weights.element_size())
    row_bytes = network.parameters * weights.element_size()
    together = max(1, _WEIGHT_BYTES // (len(divided[0].members) * row_bytes))
    for start in range(0, len(divided), together):
        # Chunks that are evaluated together see each batch of images converted once.
        some = divided[start : start + together]
        layouts = []
        for chunk in some:
            layouts.append(ParameterLayout(network.layers, len(chunk.members), weights))
            layouts[-1].load(weights, torch.tensor(chunk.members, device=weights.device))
        # The members of these chunks are neighbours, in order.
        places = [slice(chunk.members[0], chunk.members[-1] + 1) for chunk in some]
        counts = [correct[place] for place in places]
        marks = [None if active is None else active[place] for place in places]
        totals = [None if mark is None else weights.new_empty(mark.shape) for mark in marks]
        inputs = weights.new_empty(1, 0, images.pixels.shape[1])
        for begin in range(0, len(images), batch):
            pixels, labels = images.pixels[begin : begin + batch], images.labels[begin : begin + batch]
            if len(pixels) != inputs.shape[1]:
                inputs = weights.new_empty(1, *pixels.shape)
                forwards = [
                    Forward(
                        layout,
                        [len(chunk.members)],
                        inputs,
                        scale.scale,
                        keep_activations=False,
                        sums=total,
                        hidden_at=network.hidden_at,
                    )
                    for layout, chunk, total in zip(layouts, some, totals, strict=True)
                ]
            scale.put(pixels, inputs[0])
            for forward, count, total, mark in zip(forwards, counts, totals, marks, strict=True):
                forward.run()
                if mark is not None and total is not None:
                    # Not one of them is below zero; a sum is quicker than a maximum.
                    mark |= total > 0
                # Unlike argmax, max is quick along a dimension that is not the last; it too takes the first maximum.
                count += (forward.logits.max(1).indices == labels).sum(1)
    return correct
