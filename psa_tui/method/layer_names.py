"""What people call the layers of a network and the units in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psa_tui.formatting import printable

OUTPUT = "output"
_NUMBERED = "layer "


@dataclass(frozen=True, slots=True)
class LayerNames:
    """Names of ``count`` layers, the output layer last; where they have none they are numbered, their units neurons."""

    count: int = 0
    layers: Sequence[str] = ()
    kinds: Sequence[str] = ()
    """Of each layer, what one of its units is: ``channel``."""

    def layer(self, layer: int) -> str:
        """Return ``layer 2``, ``output``, or the name it has."""
        if 0 <= layer < len(self.layers):
            return printable(self.layers[layer])
        return OUTPUT if layer == self.count - 1 else f"{_NUMBERED}{layer}"

    def short(self, layer: int) -> str:
        """Return ``2``, ``out``, or the name it has: for narrow columns."""
        name = self.layer(layer)
        return "out" if name == OUTPUT else name.removeprefix(_NUMBERED)

    def kind(self, layer: int) -> str:
        """Return what one of its units is: ``neuron``."""
        return printable(self.kinds[layer]) if 0 <= layer < len(self.kinds) else "neuron"

    def unit(self, layer: int, unit: int) -> str:
        """Return ``layer 2 neuron 7``, counted from 0 as tensors are."""
        return f"{self.layer(layer)} {self.kind(layer)} {unit}"
