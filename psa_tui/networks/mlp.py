"""Fully connected networks, as people write them: ``[4*4, 2*8]``. No torch.

An architecture is a list of groups ``count*width``: ``[4*4, 2*8, 1*16]`` is four hidden layers of four neurons, then
two of eight, then one of sixteen. Every hidden layer is Linear, ReLU, Dropout; the head is Linear. Sizes are computed
from the groups in closed form, so asking how big ``[999999999*9]`` would be costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any, ClassVar

from psa_tui.method.ablation import UnitParameters
from psa_tui.method.initialisation import DEFAULT, HE, INITIALISATIONS, ORTHOGONAL, he_weights, orthogonal_weights
from psa_tui.networks.base import NETWORKS, DropoutMasks, Network, ParameterSpec
from psa_tui.networks.notation import Group, groups_of_widths, parse_groups

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from psa_tui.method.events import Block

__all__ = ["Group", "Linear", "Mlp", "MlpFamily", "groups_of_widths", "linear_layers"]


@dataclass(frozen=True, slots=True)
class Linear:
    """Where one linear layer lies in a flat row: ``outputs * inputs`` weights, then ``outputs`` biases."""

    inputs: int
    outputs: int
    offset: int
    name: str
    """The module's name in the equivalent ``nn.Sequential``: "0", "3", "6", ..."""

    @property
    def bias_offset(self) -> int:
        """Where the biases begin."""
        return self.offset + self.outputs * self.inputs

    @property
    def end(self) -> int:
        """Where the next layer begins."""
        return self.bias_offset + self.outputs

    def weight(self, flat: Any) -> Any:
        """Return the weights of every member, a view of the tensor ``flat`` [M, parameters]: [M, outputs, inputs]."""
        return flat[:, self.offset : self.bias_offset].view(-1, self.outputs, self.inputs)

    def bias(self, flat: Any) -> Any:
        """Return the biases of every member, a view of the tensor ``flat`` [M, parameters]: [M, outputs]."""
        return flat[:, self.bias_offset : self.end]


def linear_layers(widths: Sequence[int]) -> tuple[Linear, ...]:
    """Return the linear layers between activations of ``widths``, from the inputs to the logits."""
    layers = []
    offset = 0
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        layer = Linear(inputs, outputs, offset, name=str(3 * index))
        layers.append(layer)
        offset = layer.end
    return tuple(layers)


@dataclass(frozen=True)
class Mlp(Network):
    """A fully connected classifier.

    Neighbouring groups of one width are one group (``of_groups`` sees to it), so two are equal exactly when they
    describe the same network.
    """

    family: ClassVar[str] = "mlp"
    initialisations: ClassVar[tuple[str, ...]] = INITIALISATIONS

    groups: tuple[Group, ...]
    input_shape: tuple[int, ...]
    classes: int

    @classmethod
    def of_groups(cls, groups: Sequence[Group], input_shape: tuple[int, ...], classes: int) -> Mlp:
        """Return the network of ``groups``, with neighbours of the same width merged."""
        merged: list[Group] = []
        for group in groups:
            if merged and merged[-1].width == group.width:
                merged[-1] = Group(merged[-1].count + group.count, group.width)
            else:
                merged.append(group)
        return cls(tuple(merged), input_shape, classes)

    def __str__(self) -> str:
        """Return the canonical notation, ``[4*4, 2*8]``."""
        return "[" + ", ".join(f"{group.count}*{group.width}" for group in self.groups) + "]"

    @property
    def short_name(self) -> str:
        """``18*18`` for one group, ``[4*4,2*8]`` for several."""
        text = str(self).replace(" ", "")
        return text[1:-1] if len(self.groups) == 1 else text

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return sum(group.count for group in self.groups)

    @property
    def hidden_units(self) -> int:
        """The number of hidden neurons."""
        return sum(group.count * group.width for group in self.groups)

    @property
    def input_parameters(self) -> int:
        """Weights of the first layer."""
        return self.inputs * self.groups[0].width

    @property
    def parameters(self) -> int:
        """Weights and biases; ``784W + W + (L-1)(W² + W) + 10W + 10`` for ``[L*W]`` on MNIST."""
        return sum(block.parameters for block in self.blocks())

    def blocks(self) -> list[Block]:
        """Return a row a group, and one for the output layer."""
        from psa_tui.method.events import Block

        rows = []
        inputs = self.inputs
        for group in self.groups:
            first = inputs * group.width + group.width
            size = first + (group.count - 1) * (group.width**2 + group.width)
            rows.append(Block(name=f"{group.count} hidden", units=group.width, parameters=size))
            inputs = group.width
        return [*rows, Block(name="output", units=self.classes, parameters=inputs * self.classes + self.classes)]

    def hidden_widths(self) -> Iterator[int]:
        """Go through the width of every hidden layer, first to last."""
        for group in self.groups:
            for _ in range(group.count):
                yield group.width

    @cached_property
    def layers(self) -> tuple[Linear, ...]:
        """The linear layers, the output layer last."""
        return linear_layers([self.inputs, *self.hidden_widths(), self.classes])

    @cached_property
    def tensors(self) -> tuple[ParameterSpec, ...]:
        """Weight and bias of every layer under the names of ``nn.Sequential(Linear, ReLU, Dropout, ..., Linear)``."""
        found = []
        for layer in self.layers:
            found.append(ParameterSpec(f"{layer.name}.weight", (layer.outputs, layer.inputs), layer.offset))
            found.append(ParameterSpec(f"{layer.name}.bias", (layer.outputs,), layer.bias_offset))
        return tuple(found)

    @cached_property
    def unit_counts(self) -> tuple[int, ...]:
        """Neurons of each layer."""
        return (*self.hidden_widths(), self.classes)

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return a neuron's row of weights, its bias, and its column of the following layer."""
        own = self.layers[layer]
        start = own.offset + unit * own.inputs
        outgoing: tuple[slice, ...] = ()
        if layer + 1 < len(self.layers):
            following = self.layers[layer + 1]
            outgoing = (slice(following.offset + unit, following.bias_offset, following.inputs),)
        bias = own.bias_offset + unit
        return UnitParameters((slice(start, start + own.inputs),), (slice(bias, bias + 1),), outgoing)

    def initial_weights(self, draws: np.random.Generator) -> np.ndarray:
        """Draw PyTorch's default initialisation of ``nn.Linear``: float32 [parameters].

        Weights and biases are uniform on ±1/sqrt(inputs), which is what ``kaiming_uniform_(a=sqrt(5))`` gives
        (He et al. 2015, https://arxiv.org/abs/1502.01852).
        """
        import numpy as np

        flat = draws.random(self.parameters, dtype=np.float32)
        for layer in self.layers:
            bound = np.float32(1 / sqrt(layer.inputs))
            row = flat[layer.offset : layer.end]
            row *= 2 * bound
            row -= bound
        return flat

    def initial_weights_of(self, law: str, draws: np.random.Generator) -> np.ndarray:
        """Draw a random initialisation from ``law``: float32 [parameters]. Biases are zero but in the default one."""
        if law == DEFAULT:
            return self.initial_weights(draws)
        import numpy as np

        draw = {HE: he_weights, ORTHOGONAL: orthogonal_weights}[law]
        flat = np.zeros(self.parameters, dtype=np.float32)
        for layer in self.layers:
            flat[layer.offset : layer.bias_offset] = draw(layer.outputs, layer.inputs, draws).ravel()
        return flat

    def forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits [batch, classes] of ``inputs`` [batch, *input_shape]."""
        from torch.nn.functional import linear

        activations = inputs.flatten(1)
        unit = 0
        for layer in self.layers[:-1]:
            activations = linear(activations, tensors[f"{layer.name}.weight"], tensors[f"{layer.name}.bias"]).relu()
            if dropout is not None:
                activations = dropout(activations, unit)
            unit += layer.outputs
        name = self.layers[-1].name
        return linear(activations, tensors[f"{name}.weight"], tensors[f"{name}.bias"])


class MlpFamily:
    """Reads ``[4*4, 2*8]``, ``18*18`` and ``512,256``."""

    default_architecture = "[1*1024]"

    def parse(self, text: str, input_shape: tuple[int, ...], classes: int) -> Mlp:
        """Return the network of ``[4*4, 2*8]``; spaces are allowed, and the brackets may be left out together.

        Raises:
            ConfigError: the text is anything else; the message shows it with a caret under the fault.
        """
        return Mlp.of_groups(parse_groups(text), input_shape, classes)


NETWORKS.register(Mlp.family, MlpFamily())
