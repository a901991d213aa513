"""Small convolutional networks with batch normalisation, whose channels are the units. No torch.

An architecture is a list of stages, as wide as their number of channels: ``16,32`` has two convolutions, each with
pooling behind it. ``2*16, 32`` has two convolutions of 16 channels in its first stage, and pooling after the second.
A layer is a convolution (3x3, padded, without a bias), pooling where it is the last of its stage, BatchNorm, ReLU and
Dropout; the head is Linear over what is left of the image. Pooling comes before BatchNorm and ReLU: that costs a
quarter of what the usual order costs and gives as good networks (D. Page, "How to train your ResNet", 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod, sqrt
from typing import TYPE_CHECKING, ClassVar

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import UnitParameters
from psa_tui.method.initialisation import DEFAULT, HE, INITIALISATIONS, ORTHOGONAL, he_weights, orthogonal_weights
from psa_tui.networks.base import DropoutMasks, Network, ParameterSpec
from psa_tui.networks.notation import Group, parse_stages

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from psa_tui.method.events import Block

_SIDE, _PATCH = 3, 9
_POOLED = 2


@dataclass(frozen=True, slots=True)
class Convolution:
    """One layer: what it reads, and what it makes of it."""

    number: int
    """From 0: its tensors are ``conv0.weight``, ``norm0.weight``, ..."""
    inputs: int
    channels: int
    size: tuple[int, int]
    """Rows and columns of the image that it reads, and of what it computes before pooling."""
    pooling: tuple[int, int]
    """By how much rows and columns shrink."""

    @property
    def pooled(self) -> tuple[int, int]:
        """Rows and columns of its activations."""
        return self.size[0] // self.pooling[0], self.size[1] // self.pooling[1]


@dataclass(frozen=True)
class ConvNet(Network):
    """A convolutional classifier; a channel is zeroed with its filter and the scale and shift of its BatchNorm.

    Such a channel is silent, in training and in evaluation, and stays so: no gradient reaches its filter. Dropout
    drops whole channels of an image (Tompson et al. 2015), as one bit decides for a unit and an image. A BatchNorm that
    gets a single number, of a last batch of one image that has shrunk to one pixel, takes the running statistics.
    """

    family: ClassVar[str] = "convnet"
    initialisations: ClassVar[tuple[str, ...]] = INITIALISATIONS

    stages: tuple[Group, ...]
    input_shape: tuple[int, ...]
    classes: int

    def __str__(self) -> str:
        """Return the canonical notation, ``[2*16, 32]``."""
        return f"[{', '.join(f'{one.count}*{one.width}' if one.count > 1 else f'{one.width}' for one in self.stages)}]"

    @property
    def short_name(self) -> str:
        """``16`` for one stage, ``[2*16,32]`` for several."""
        text = str(self).replace(" ", "")
        return text[1:-1] if len(self.stages) == 1 else text

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Rows and columns of the image that each stage reads, and of what the head reads."""
        found = [(self.input_shape[1], self.input_shape[2])]
        for _ in self.stages:
            rows, columns = found[-1]
            found.append((rows // min(_POOLED, rows), columns // min(_POOLED, columns)))
        return found

    @cached_property
    def layers(self) -> tuple[Convolution, ...]:
        """The convolutions, first to last."""
        found: list[Convolution] = []
        inputs, sizes = self.input_shape[0], self.sizes
        for stage, size, pooled in zip(self.stages, sizes, sizes[1:], strict=False):
            pooling = (size[0] // pooled[0], size[1] // pooled[1])
            for left in reversed(range(stage.count)):
                found.append(Convolution(len(found), inputs, stage.width, size, (1, 1) if left else pooling))
                inputs = stage.width
        return tuple(found)

    @property
    def depth(self) -> int:
        """The number of convolutions."""
        return sum(stage.count for stage in self.stages)

    @property
    def hidden_units(self) -> int:
        """The channels of all layers."""
        return sum(stage.count * stage.width for stage in self.stages)

    @property
    def head_inputs(self) -> int:
        """Numbers that the head reads."""
        return self.stages[-1].width * prod(self.sizes[-1])

    @property
    def input_parameters(self) -> int:
        """Weights of the first convolution."""
        return self.stages[0].width * self.input_shape[0] * _PATCH

    @property
    def parameters(self) -> int:
        """Filters, four numbers a channel (scale, shift, running mean and variance), and the head."""
        return sum(block.parameters for block in self.blocks())

    @property
    def products(self) -> int:
        """Every filter is used once a pixel."""
        used = (filters * prod(size) for filters, size in zip(self._filters, self.sizes, strict=False))
        return sum(used) + self.classes * self.head_inputs

    @property
    def input_products(self) -> int:
        """Those of the first convolution."""
        return self.input_parameters * prod(self.input_shape[1:])

    @property
    def activations(self) -> int:
        """What the convolutions compute before pooling."""
        return sum(one.count * one.width * prod(size) for one, size in zip(self.stages, self.sizes, strict=False))

    def training_bytes(self, batch_size: int, members: int = 1, kept_copies: int = 0) -> int:
        """Return the memory that ``members`` trials need to train: of activations, they have one's at a time."""
        alone = super().training_bytes(batch_size, 1, kept_copies)
        return alone + (members - 1) * (6 + kept_copies) * 4 * self.parameters

    @property
    def _filters(self) -> list[int]:
        """Numbers of all filters of each stage."""
        inputs = [self.input_shape[0], *(stage.width for stage in self.stages)]
        return [
            _PATCH * (before + (stage.count - 1) * stage.width) * stage.width
            for before, stage in zip(inputs, self.stages, strict=False)
        ]

    def blocks(self) -> list[Block]:
        """Return a row a stage, and one for the output layer."""
        from psa_tui.method.events import Block

        rows = [
            Block(
                name=f"{stage.count} conv" if stage.count > 1 else "conv",
                units=stage.width,
                parameters=filters + 4 * stage.count * stage.width,
            )
            for stage, filters in zip(self.stages, self._filters, strict=True)
        ]
        return [*rows, Block(name="output", units=self.classes, parameters=self.classes * (self.head_inputs + 1))]

    @cached_property
    def tensors(self) -> tuple[ParameterSpec, ...]:
        """What is trained, under the names of modules ``conv0``, ``norm0``, ..., ``head``; then the buffers."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            shapes[f"conv{layer.number}.weight"] = (layer.channels, layer.inputs, _SIDE, _SIDE)
            shapes |= {f"norm{layer.number}.{name}": (layer.channels,) for name in ("weight", "bias")}
        shapes |= {"head.weight": (self.classes, self.head_inputs), "head.bias": (self.classes,)}
        for layer in self.layers:
            shapes |= {f"norm{layer.number}.running_{name}": (layer.channels,) for name in ("mean", "var")}
        found, offset = [], 0
        for name, shape in shapes.items():
            found.append(ParameterSpec(name, shape, offset))
            offset += prod(shape)
        return tuple(found)

    @property
    def buffers(self) -> Sequence[ParameterSpec]:
        """The running means and variances."""
        return self.tensors[-2 * self.depth :]

    @cached_property
    def unit_counts(self) -> tuple[int, ...]:
        """Channels of each layer, and the classes."""
        return (*(stage.width for stage in self.stages for _ in range(stage.count)), self.classes)

    @property
    def layer_names(self) -> Sequence[str]:
        """``conv0``, ``conv1``, ..., ``output``."""
        return (*(f"conv{number}" for number in range(self.depth)), "output")

    @property
    def unit_kinds(self) -> Sequence[str]:
        """Channels, and the neurons of the output layer."""
        return (*["channel"] * self.depth, "neuron")

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return a channel's filter and scale, its shift, and what the next layer reads it by."""

        def own(name: str) -> slice:
            return self._named[name].computing(unit)

        if layer == self.depth:
            return UnitParameters((own("head.weight"),), (own("head.bias"),), ())
        following = self._named["head.weight" if layer + 1 == self.depth else f"conv{layer + 1}.weight"]
        return UnitParameters(
            incoming=(own(f"conv{layer}.weight"), own(f"norm{layer}.weight")),
            bias=(own(f"norm{layer}.bias"),),
            outgoing=following.reading(unit, self.unit_counts[layer]),
        )

    @cached_property
    def _named(self) -> dict[str, ParameterSpec]:
        return {tensor.name: tensor for tensor in self.tensors}

    def initial_weights(self, draws: np.random.Generator) -> np.ndarray:
        """Draw PyTorch's initialisation: uniform on ±1/sqrt(numbers read), and BatchNorm as the identity."""
        return self.initial_weights_of(DEFAULT, draws)

    def initial_weights_of(self, law: str, draws: np.random.Generator) -> np.ndarray:
        """Draw a random initialisation from ``law``: float32 [parameters]. Biases are zero but in the default one."""
        import numpy as np

        flat = np.zeros(self.parameters, dtype=np.float32)
        for tensor in self.tensors:
            part = flat[tensor.offset : tensor.offset + tensor.size]
            layer, _, name = tensor.name.partition(".")
            outputs, inputs = tensor.shape[0], tensor.size // tensor.shape[0]
            if layer.startswith("norm"):
                part[:] = name in ("weight", "running_var")
            elif law == DEFAULT:
                bound = np.float32(1 / sqrt(self.head_inputs if name == "bias" else inputs))
                part[:] = 2 * bound * draws.random(tensor.size, dtype=np.float32) - bound
            elif name == "weight":
                part[:] = {HE: he_weights, ORTHOGONAL: orthogonal_weights}[law](outputs, inputs, draws).ravel()
        return flat

    def forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits [batch, classes] of ``inputs`` [batch, *input_shape] with the running statistics."""
        return self._logits(tensors, inputs, dropout, training=False)

    def train_forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits with the statistics of the batch, and bring the running ones up to date."""
        return self._logits(tensors, inputs, dropout, training=True)

    def _logits(
        self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None, *, training: bool
    ) -> Tensor:
        import torch
        from torch.nn.functional import batch_norm, conv2d, linear, max_pool2d

        # Channels last in memory is what convolutions of few channels are a third faster with on a CPU.
        seen = inputs.to(memory_format=torch.channels_last)
        unit = 0
        for layer in self.layers:
            filters = tensors[f"conv{layer.number}.weight"].to(memory_format=torch.channels_last)
            seen = conv2d(seen, filters, padding=_SIDE // 2)
            if prod(layer.pooling) > 1:
                seen = max_pool2d(seen, layer.pooling)
            norm = f"norm{layer.number}."
            mean, variance = tensors[f"{norm}running_mean"], tensors[f"{norm}running_var"]
            of_batch = training and len(inputs) * prod(layer.pooled) > 1
            scale, shift = tensors[f"{norm}weight"], tensors[f"{norm}bias"]
            seen = batch_norm(seen, mean, variance, scale, shift, training=of_batch).relu()
            if dropout is not None:
                seen = dropout(seen, unit)
            unit += layer.channels
        return linear(seen.flatten(1), tensors["head.weight"], tensors["head.bias"])


class ConvNetFamily:
    """Reads ``16,32`` and ``[2*16, 32]``."""

    default_architecture = "[16, 32, 64]"

    def parse(self, text: str, input_shape: tuple[int, ...], classes: int) -> ConvNet:
        """Return the network of ``16,32``; spaces and brackets are allowed.

        Raises:
            ConfigError: the text is anything else, or the data set has no images of channels, rows and columns.
        """
        stages = tuple(parse_stages(text))
        if len(input_shape) != 3:
            raise ConfigError(
                f"a convnet needs images of channels, rows and columns, the data set has {input_shape}; "
                "choose --network mlp"
            )
        return ConvNet(stages, input_shape, classes)
