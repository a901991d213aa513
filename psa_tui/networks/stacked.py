"""What networks of linear layers have in common that are written as groups: ``[4*4, 2*8]``. No torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import sqrt
from typing import TYPE_CHECKING, Any, ClassVar, Self

from psa_tui.method.ablation import UnitParameters
from psa_tui.method.initialisation import DEFAULT, HE, INITIALISATIONS, ORTHOGONAL, he_weights, orthogonal_weights
from psa_tui.networks.base import DropoutMasks, Network, ParameterSpec
from psa_tui.networks.notation import Group, merged

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Linear:
    """Where one linear layer lies in a flat row: ``outputs * inputs`` weights, then ``outputs`` biases."""

    inputs: int
    outputs: int
    offset: int
    name: str
    """That of the module in checkpoints."""
    skip: bool = False
    """Whether what the layer before it reads is added to what it computes, before ReLU."""
    dropout: bool = True
    """Whether dropout acts behind its ReLU; behind the last layer, the output, there is neither."""

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

    def row(self, unit: int) -> slice:
        """Return where the weights are that lead into output ``unit``."""
        return slice(self.offset + unit * self.inputs, self.offset + (unit + 1) * self.inputs)

    def column(self, unit: int) -> slice:
        """Return where the weights are that read input ``unit``."""
        return slice(self.offset + unit, self.bias_offset, self.inputs)


def mask_places(layers: Sequence[Linear]) -> tuple[int | None, ...]:
    """Return the first row of the dropout masks that is for each of ``layers``; None for one that is not dropped."""
    dropped = [layer.outputs if layer.dropout else 0 for layer in layers[:-1]]
    begins = accumulate(dropped[:-1], initial=0)
    return (*(at if some else None for at, some in zip(begins, dropped, strict=True)), None)


@dataclass(frozen=True, slots=True)
class UnitLayer:
    """Units that can be ablated, and the linear layers whose rows and columns belong to each."""

    units: int
    writers: tuple[int, ...]
    """Those that compute the unit: its row of weights and its bias, in each."""
    readers: tuple[int, ...]
    """Those whose column is damaged where outgoing weights are."""
    name: str = ""
    """What people call it; nothing where layers are numbered."""
    kind: str = "neuron"
    """What one of its units is."""


@dataclass(frozen=True)
class StackedNetwork(Network):
    """A classifier of linear layers, described by groups.

    Neighbouring groups of one width are one group (``of_groups`` sees to it), so two are equal exactly when they
    describe the same network.
    """

    initialisations: ClassVar[tuple[str, ...]] = INITIALISATIONS

    groups: tuple[Group, ...]
    input_shape: tuple[int, ...]
    classes: int

    @classmethod
    def of_groups(cls, groups: Sequence[Group], input_shape: tuple[int, ...], classes: int) -> Self:
        """Return the network of ``groups``, with neighbours of the same width merged."""
        return cls(merged(groups), input_shape, classes)

    def __str__(self) -> str:
        """Return the canonical notation, ``[4*4, 2*8]``."""
        return "[" + ", ".join(f"{group.count}*{group.width}" for group in self.groups) + "]"

    @property
    def short_name(self) -> str:
        """``18*18`` for one group, ``[4*4,2*8]`` for several."""
        text = str(self).replace(" ", "")
        return text[1:-1] if len(self.groups) == 1 else text

    @property
    def skips_inputs(self) -> bool:
        """Whether a skip adds the inputs themselves, in closed form."""
        return False

    @property
    def depth(self) -> int:
        """The layers that the notation counts."""
        return sum(group.count for group in self.groups)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(block.parameters for block in self.blocks())

    @property
    @abstractmethod
    def layers(self) -> tuple[Linear, ...]:
        """The linear layers in order of computation, the output layer last."""

    @property
    @abstractmethod
    def unit_layers(self) -> tuple[UnitLayer, ...]:
        """The layers of units, the output layer last."""

    @cached_property
    def tensors(self) -> tuple[ParameterSpec, ...]:
        """Weight and bias of every layer."""
        found = []
        for layer in self.layers:
            found.append(ParameterSpec(f"{layer.name}.weight", (layer.outputs, layer.inputs), layer.offset))
            found.append(ParameterSpec(f"{layer.name}.bias", (layer.outputs,), layer.bias_offset))
        return tuple(found)

    @cached_property
    def unit_counts(self) -> tuple[int, ...]:
        """Units of each layer."""
        return tuple(layer.units for layer in self.unit_layers)

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return a unit's rows of weights, its biases, and its columns of what reads it."""
        found = self.unit_layers[layer]
        writers = [self.layers[at] for at in found.writers]
        return UnitParameters(
            incoming=tuple(one.row(unit) for one in writers),
            bias=tuple(slice(one.bias_offset + unit, one.bias_offset + unit + 1) for one in writers),
            outgoing=tuple(self.layers[at].column(unit) for at in found.readers),
        )

    @cached_property
    def dropout_at(self) -> tuple[int | None, ...]:
        """The first row of the dropout masks that is for each linear layer; None for one that is not dropped."""
        return mask_places(self.layers)

    @cached_property
    def hidden_at(self) -> tuple[int | None, ...]:
        """The first hidden unit whose activation each linear layer computes; None where its units are not hidden."""
        found: list[int | None] = [None] * len(self.layers)
        begin = 0
        for at in self.hidden_layers:
            for writer in self.unit_layers[at].writers:
                found[writer] = begin
            begin += self.unit_counts[at]
        return tuple(found)

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
        return self._logits(tensors, inputs, dropout, self.dropout_at)

    def watched_forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, watch: DropoutMasks) -> Tensor:
        """Compute logits as ``forward`` does, and show ``watch`` the hidden units."""
        return self._logits(tensors, inputs, watch, self.hidden_at)

    def _logits(
        self,
        tensors: Mapping[str, Tensor],
        inputs: Tensor,
        hook: DropoutMasks | None,
        first_units: Sequence[int | None],
    ) -> Tensor:
        from torch.nn.functional import linear

        read_before = activations = inputs.flatten(1)
        for layer, first_unit in zip(self.layers[:-1], first_units, strict=False):
            found = linear(activations, tensors[f"{layer.name}.weight"], tensors[f"{layer.name}.bias"])
            if layer.skip:
                found = found + read_before
            read_before, activations = activations, found.relu()
            if hook is not None and first_unit is not None:
                activations = hook(activations, first_unit)
        name = self.layers[-1].name
        return linear(activations, tensors[f"{name}.weight"], tensors[f"{name}.bias"])
