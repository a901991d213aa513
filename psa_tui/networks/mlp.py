"""Fully connected networks, as people write them: ``[4*4, 2*8]``. No torch.

An architecture is a list of groups ``count*width``: ``[4*4, 2*8, 1*16]`` is four hidden layers of four neurons, then
two of eight, then one of sixteen. Every hidden layer is Linear, ReLU, Dropout; the head is Linear. Sizes are computed
from the groups in closed form, so asking how big ``[999999999*9]`` would be costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from psa_tui.networks.notation import Group, groups_of_widths, parse_groups
from psa_tui.networks.stacked import Linear, StackedNetwork, UnitLayer

if TYPE_CHECKING:
    from psa_tui.method.events import Block

__all__ = ["Group", "Linear", "Mlp", "MlpFamily", "groups_of_widths", "linear_layers"]


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
class Mlp(StackedNetwork):
    """A fully connected classifier; tensors have the names of ``nn.Sequential(Linear, ReLU, Dropout, ..., Linear)``.

    ``[L*W]`` has ``784W + W + (L-1)(W² + W) + 10W + 10`` parameters on MNIST.
    """

    family: ClassVar[str] = "mlp"

    @property
    def hidden_units(self) -> int:
        """Neurons of all hidden layers."""
        return sum(group.count * group.width for group in self.groups)

    @property
    def input_parameters(self) -> int:
        """Weights of the first layer."""
        return self.inputs * self.groups[0].width

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
    def unit_layers(self) -> tuple[UnitLayer, ...]:
        """The linear layers: a neuron is its row, its bias, and its column of the following layer."""
        last = len(self.layers) - 1
        return tuple(
            UnitLayer(layer.outputs, (at,), (at + 1,) if at < last else ()) for at, layer in enumerate(self.layers)
        )


class MlpFamily:
    """Reads ``[4*4, 2*8]``, ``18*18`` and ``512,256``."""

    default_architecture = "[1*1024]"

    def parse(self, text: str, input_shape: tuple[int, ...], classes: int) -> Mlp:
        """Return the network of ``[4*4, 2*8]``; spaces are allowed, and the brackets may be left out together.

        Raises:
            ConfigError: the text is anything else; the message shows it with a caret under the fault.
        """
        return Mlp.of_groups(parse_groups(text), input_shape, classes)
