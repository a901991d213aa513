"""A network family of your own: one convolution, whose filters are the units that an ablation hits.

    python examples/own_network.py --arch 16 --dataset mnist5k --mode hidden --meta-loops 20

trains one with 16 filters and takes every option of ``psa train``. To have the family in every command, studies too,
install it as a package (``pip install`` this file beside a pyproject.toml) with the entry point

    [project.entry-points."psa_tui.networks"]
    filters = "own_network:FiltersFamily"

and say ``psa train --network filters --arch 16``. The backend ``module`` trains whatever ``forward`` computes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import UnitParameters
from psa_tui.method.events import Block
from psa_tui.networks import NETWORKS, Network, ParameterSpec
from psa_tui.networks.base import DropoutMasks

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 5


@dataclass(frozen=True)
class Filters(Network):
    """Convolution (stride 2), ReLU, Dropout, the mean of each filter over the image, Linear."""

    family: ClassVar[str] = "filters"

    filters: int
    input_shape: tuple[int, ...]
    classes: int

    def __str__(self) -> str:
        """Return the number of filters: all there is to say."""
        return str(self.filters)

    @property
    def short_name(self) -> str:
        """The same without spaces."""
        return str(self)

    @property
    def patch(self) -> int:
        """Numbers of the image that a filter reads at a time."""
        return self.input_shape[0] * SIDE * SIDE

    @property
    def tensors(self) -> Sequence[ParameterSpec]:
        """The order of a row, without gaps."""
        filters, head = self.filters * self.patch, self.filters * (self.patch + 1)
        return [
            ParameterSpec("filters.weight", (self.filters, self.input_shape[0], SIDE, SIDE), 0),
            ParameterSpec("filters.bias", (self.filters,), filters),
            ParameterSpec("head.weight", (self.classes, self.filters), head),
            ParameterSpec("head.bias", (self.classes,), head + self.classes * self.filters),
        ]

    @property
    def unit_counts(self) -> Sequence[int]:
        """A layer of filters, and the output layer."""
        return (self.filters, self.classes)

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return where a unit's incoming weights, its bias and its outgoing weights are in a row."""
        weight, bias = self.tensors[2 * layer : 2 * layer + 2]
        size = weight.size // weight.shape[0]
        start = weight.offset + unit * size
        outgoing: tuple[slice, ...] = ()
        if layer == 0:
            head = self.tensors[2]
            outgoing = (slice(head.offset + unit, head.offset + head.size, self.filters),)
        return UnitParameters(
            incoming=(slice(start, start + size),),
            bias=(slice(bias.offset + unit, bias.offset + unit + 1),),
            outgoing=outgoing,
        )

    def initial_weights(self, draws: np.random.Generator) -> np.ndarray:
        """Draw what PyTorch's layers begin with: uniform on ±1/sqrt(numbers read)."""
        read = np.repeat([self.patch, self.filters], [block.parameters for block in self.blocks()])
        flat: np.ndarray = draws.uniform(-1, 1, self.parameters) / np.sqrt(read)
        return flat.astype(np.float32)

    def forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits [batch, classes] of ``inputs`` [batch, channels, rows, columns]."""
        from torch.nn.functional import conv2d, linear

        seen = conv2d(inputs, tensors["filters.weight"], tensors["filters.bias"], stride=2).relu()
        if dropout is not None:
            seen = dropout(seen, 0)
        return linear(seen.mean((2, 3)), tensors["head.weight"], tensors["head.bias"])

    def blocks(self) -> Sequence[Block]:
        """Return the rows of its table on the dashboard."""
        return [
            Block(name="filters", units=self.filters, parameters=self.filters * (self.patch + 1)),
            Block(name="output", units=self.classes, parameters=self.classes * (self.filters + 1)),
        ]

    @property
    def parameters(self) -> int:
        """Numbers of a row."""
        return sum(block.parameters for block in self.blocks())

    @property
    def depth(self) -> int:
        """Hidden layers."""
        return 1

    @property
    def hidden_units(self) -> int:
        """Units of all hidden layers."""
        return self.filters

    @property
    def input_parameters(self) -> int:
        """Weights of the layer that reads the images."""
        return self.filters * self.patch


class FiltersFamily:
    """Reads ``16``."""

    default_architecture = "16"

    def parse(self, text: str, input_shape: tuple[int, ...], classes: int) -> Filters:
        """Return the network of ``text`` for images of ``input_shape``."""
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
            raise ConfigError("write the number of filters, 1 to 9999")
        if len(input_shape) != 3 or min(input_shape[1:]) < SIDE:
            raise ConfigError(f"filters need images of {SIDE} x {SIDE} pixels or more, the data set has {input_shape}")
        return Filters(int(text), input_shape, classes)


if __name__ == "__main__":
    from psa_tui.cli import main

    NETWORKS.register("filters", FiltersFamily())
    sys.argv[1:] = ["train", "--network", "filters", *sys.argv[1:]]
    main()
