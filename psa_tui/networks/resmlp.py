"""Residual networks on the same notation: ``[4*4, 2*8]`` is a stack of four blocks of width 4, then two of width 8.

Groups of one width that are neighbours form a stack. Where the current width differs from the stack's, ``Linear, ReLU,
Dropout`` leads over (the transition; the first one takes the pixels). Then comes a residual block for each layer of the
group, ``y = ReLU(x + Linear2(Dropout(ReLU(Linear1(x)))))``, and after all stacks a Linear to the classes. Tensors are
named ``stacks.0.transition.weight``, ``stacks.0.blocks.1.linear1.bias``, ..., ``head.weight``, as modules would be.

Two families differ in what a unit is. A residual stream carries a coordinate past the linear layers that write to it
and has many readers, so a row and a column of one layer do not silence it:

- ``resmlp``: damage silences. Units are the coordinates of each stack's stream (incoming: their rows and biases in the
  transition and in the stack's every Linear2; outgoing: their columns in its every Linear1 and in what reads the
  stack), and the inner neurons of each block (row and bias of Linear1, column of Linear2). All but the output's are
  hidden. A coordinate whose writers are zero is zero throughout its stack, and stays so, since no gradient reaches
  them; only pixels that a stack reads without a transition are beyond damage.
- ``resmlp-published``: the rule of the published trials. Units are the neurons of all linear layers in order of
  computation; a hidden one (any but those of the first layer and of the last) is a row, its bias and the column of
  the next linear layer in that order. A damaged neuron of Linear2 passes on what the skip brings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from psa_tui.method.layer_names import OUTPUT
from psa_tui.networks.notation import Group, parse_groups
from psa_tui.networks.stacked import Linear, StackedNetwork, UnitLayer

if TYPE_CHECKING:
    from psa_tui.method.events import Block


@dataclass(frozen=True)
class ResMlp(StackedNetwork):
    """A residual classifier whose units are those that damage silences; ``depth`` counts its blocks."""

    family: ClassVar[str] = "resmlp"

    @property
    def hidden_units(self) -> int:
        """The coordinates of the streams, and the inner neurons of the blocks."""
        return sum(group.width * (1 + group.count) for group in self.groups)

    @property
    def dropped_units(self) -> int:
        """The neurons of the transitions, and the inner ones of the blocks."""
        return sum(group.width * (group.count + leads_over) for group, leads_over in self._stacks())

    @property
    def activations(self) -> int:
        """The neurons of all linear layers but the head."""
        return sum(group.width * (2 * group.count + leads_over) for group, leads_over in self._stacks())

    @property
    def skips_inputs(self) -> bool:
        """Whether the first stack has no transition, since it is as wide as the inputs."""
        return self.groups[0].width == self.inputs

    @property
    def width(self) -> float:
        """The width of the blocks, the mean."""
        return sum(group.count * group.width for group in self.groups) / self.depth

    @property
    def input_parameters(self) -> int:
        """Weights of the first layer."""
        return self.inputs * self.groups[0].width

    def blocks(self) -> list[Block]:
        """Return a row a stack, and one for the output layer."""
        from psa_tui.method.events import Block

        rows, inputs = [], self.inputs
        for group, leads_over in self._stacks():
            size = leads_over * (inputs * group.width + group.width)
            size += 2 * group.count * (group.width**2 + group.width)
            rows.append(Block(name=f"{group.count} residual", units=group.width, parameters=size))
            inputs = group.width
        return [*rows, Block(name=OUTPUT, units=self.classes, parameters=inputs * self.classes + self.classes)]

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Such as ``block 3 inner``, counted from 0 as tensors are."""
        return tuple(layer.name for layer in self.unit_layers)

    @property
    def unit_kinds(self) -> tuple[str, ...]:
        """Neurons, and the coordinates of streams."""
        return tuple(layer.kind for layer in self.unit_layers)

    @cached_property
    def layers(self) -> tuple[Linear, ...]:
        """The transitions, both layers of each block, and the head, in order of computation."""
        found: list[Linear] = []
        width = self.inputs

        def add(name: str, outputs: int, *, skip: bool = False, dropout: bool = True) -> None:
            offset = found[-1].end if found else 0
            found.append(Linear(width, outputs, offset, name, skip, dropout))

        for stack, (group, leads_over) in enumerate(self._stacks()):
            if leads_over:
                add(f"stacks.{stack}.transition", group.width)
            width = group.width
            for block in range(group.count):
                add(f"stacks.{stack}.blocks.{block}.linear1", width)
                add(f"stacks.{stack}.blocks.{block}.linear2", width, skip=True, dropout=False)
        add("head", self.classes, dropout=False)
        return tuple(found)

    @cached_property
    def unit_layers(self) -> tuple[UnitLayer, ...]:
        """The stream of each stack, then the inner neurons of each of its blocks; the output last."""
        found: list[UnitLayer] = []
        at = 0
        for stack, (group, leads_over) in enumerate(self._stacks()):
            inner = range(at + leads_over, at + leads_over + 2 * group.count, 2)
            writers = (*range(at, at + leads_over), *(one + 1 for one in inner))
            at = inner.stop
            name = self._name_of(stack)
            found.append(UnitLayer(group.width, writers, (*inner, at), f"{name}stream", "coordinate"))
            for block, one in enumerate(inner):
                found.append(UnitLayer(group.width, (one,), (one + 1,), f"{name}block {block} inner"))
        return (*found, UnitLayer(self.classes, (at,), (), OUTPUT))

    def _stacks(self) -> Iterator[tuple[Group, bool]]:
        """Go through the groups, and whether a transition leads over to each."""
        width = self.inputs
        for group in self.groups:
            yield group, group.width != width
            width = group.width

    def _name_of(self, stack: int) -> str:
        return "" if len(self.groups) == 1 else f"stack {stack} "


@dataclass(frozen=True)
class PublishedResMlp(ResMlp):
    """A residual classifier whose units are the neurons of its linear layers, as in the published trials."""

    family: ClassVar[str] = "resmlp-published"

    @property
    def hidden_layers(self) -> Sequence[int]:
        """All linear layers but the first and the last."""
        return range(1, len(self.unit_counts) - 1)

    @property
    def hidden_units(self) -> int:
        """The neurons of all linear layers but the first and the last."""
        return self.activations - self.groups[0].width

    @cached_property
    def unit_layers(self) -> tuple[UnitLayer, ...]:
        """The linear layers."""
        last = len(self.layers) - 1
        return tuple(
            UnitLayer(layer.outputs, (at,), (at + 1,) if at < last else (), self._name(layer.name))
            for at, layer in enumerate(self.layers)
        )

    def _name(self, module: str) -> str:
        """Return in words what ``module`` is; the layers of a block are the inner and the outer one."""
        if module == "head":
            return OUTPUT
        _, stack, *path = module.split(".")
        inside = {"linear1": "inner", "linear2": "outer"}
        words = path[0] if len(path) == 1 else f"block {path[1]} {inside[path[2]]}"
        return f"{self._name_of(int(stack))}{words}"


class ResMlpFamily:
    """Reads what ``MlpFamily`` does."""

    default_architecture = "[8*8]"

    def __init__(self, kind: type[ResMlp]) -> None:
        """Make networks of ``kind``."""
        self._kind = kind

    def parse(self, text: str, input_shape: tuple[int, ...], classes: int) -> ResMlp:
        """Return the network of ``[4*4, 2*8]``; spaces are allowed, and the brackets may be left out together.

        Raises:
            ConfigError: the text is anything else; the message shows it with a caret under the fault.
        """
        return self._kind.of_groups(parse_groups(text), input_shape, classes)
