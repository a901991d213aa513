"""A network of the user's own code where nobody named that code: what was recorded of it, enough to show a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psa_tui.networks.base import DropoutMasks, Network, ParameterSpec
from psa_tui.networks.modules.names import UnnamedCodeError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from psa_tui.method.ablation import UnitParameters
    from psa_tui.method.events import Block

SIZES = ("parameters", "depth", "hidden_units", "input_parameters", "operations")
"""What is recorded of a network: ``operations`` are those of one image that is validated."""


def recorded_sizes(network: Network) -> dict[str, int]:
    """Return what ``RecordedNetwork`` needs of ``network``."""
    operations = network.meta_loop_operations(train_count=0, validation_count=1)
    return {name: operations if name == "operations" else getattr(network, name) for name in SIZES}


@dataclass(frozen=True)
class RecordedNetwork(Network):
    """Has a name and sizes, and runs nothing. Whatever needs the module is refused: the command has to name it."""

    family: str  # type: ignore[misc]
    architecture: str
    input_shape: tuple[int, ...]
    classes: int
    sizes: Mapping[str, int] = field(default_factory=dict, compare=False)
    """By the names in ``SIZES``; empty where an earlier version recorded none."""

    def __str__(self) -> str:
        """Return what ``--arch`` said."""
        return self.architecture

    @property
    def short_name(self) -> str:
        """The same as in ``--arch``."""
        return self.architecture

    @property
    def parameters(self) -> int:
        """Numbers of a row."""
        return self.sizes["parameters"]

    @property
    def depth(self) -> int:
        """Hidden layers that have units."""
        return self.sizes["depth"]

    @property
    def hidden_units(self) -> int:
        """Units of all hidden layers."""
        return self.sizes["hidden_units"]

    @property
    def input_parameters(self) -> int:
        """Numbers of the tensor that reads the images."""
        return self.sizes["input_parameters"]

    def meta_loop_operations(self, train_count: int, validation_count: int, pixels: int | None = None) -> int:
        """Return the operations of a meta-loop, as the module says them."""
        return self.sizes["operations"] * (3 * train_count + validation_count)

    @property
    def tensors(self) -> Sequence[ParameterSpec]:
        """Not recorded."""
        raise UnnamedCodeError(self.family)

    @property
    def unit_counts(self) -> Sequence[int]:
        """Not recorded."""
        raise UnnamedCodeError(self.family)

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Not recorded."""
        raise UnnamedCodeError(self.family)

    def blocks(self) -> Sequence[Block]:
        """Not recorded."""
        raise UnnamedCodeError(self.family)

    def initial_weights(self, draws: np.random.Generator) -> np.ndarray:
        """Not recorded."""
        raise UnnamedCodeError(self.family)

    def forward(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Not recorded."""
        raise UnnamedCodeError(self.family)
