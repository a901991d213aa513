"""Units by name: what can be ablated in a network whose tensors have names, such as a PyTorch module. No torch.

A ``Unit`` says which coordinates of which parameters lead into it and out of it; a ``UnitTable`` lays units out in a
flat row of all parameters, which is what ablation rules work on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import UnitParameters
from psa_tui.networks.base import ParameterSpec

OUTPUT = "output"
"""The kind of the units of an output layer."""


@dataclass(frozen=True, slots=True)
class Place:
    """The numbers of one parameter whose coordinate along ``dimension`` is ``index``: a row, a column, a channel."""

    parameter: str
    dimension: int
    index: int


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that can be ablated, and the numbers that lead into it and out of it."""

    name: str
    """Unique in the network: ``conv1[3]``."""
    kind: str
    """``neuron``, ``channel``, ``head``, ``block``, ``output`` or a word of one's own."""
    layer: str
    """The layer that it is one of: units of one layer share it."""
    incoming: tuple[Place, ...]
    """Its own weights and biases; zero, they silence it."""
    outgoing: tuple[Place, ...] = ()
    """What reads it; empty where nothing does."""


class UnitTable:
    """The units of a network, laid out in a row of its parameters: what ``psa_tui.method.ablation.Units`` asks for."""

    def __init__(self, parameters: Sequence[ParameterSpec], units: Sequence[Unit]) -> None:
        """Lay out ``units`` by layer, in order of first appearance; an output layer, of which there is one, comes last.

        Raises:
            ConfigError: two units share a name, a layer mixes output units with others, there are two output layers,
                or a unit names what the parameters do not have.
        """
        self.parameters = {one.name: one for one in parameters}
        layers: dict[str, list[Unit]] = {}
        for unit in units:
            layers.setdefault(unit.layer, []).append(unit)
        outputs = [name for name, some in layers.items() if any(unit.kind == OUTPUT for unit in some)]
        if len(outputs) > 1 or any(unit.kind != OUTPUT for name in outputs for unit in layers[name]):
            raise ConfigError("units: expected at most one output layer, and nothing else in it")
        if len({unit.name for unit in units}) < len(units):
            raise ConfigError("units: two of them have the same name")
        self.layers = {name: tuple(layers[name]) for name in sorted(layers, key=lambda name: name in outputs)}
        self.unit_counts = tuple(len(some) for some in self.layers.values())
        self.hidden_layers = range(len(self.layers) - len(outputs))
        self._by_layer = tuple(self.layers.values())
        self.layer_names = tuple(_shown(name, some) for name, some in self.layers.items())
        """What people call each layer."""
        self.unit_kinds = tuple("neuron" if some[0].kind == OUTPUT else some[0].kind for some in self._by_layer)
        """What a unit of each layer is."""
        for unit in units:
            _check(unit, self.parameters)

    def unit(self, layer: int, unit: int) -> Unit:
        """Return the unit of two indices."""
        return self._by_layer[layer][unit]

    def unit_parameters(self, layer: int, unit: int) -> UnitParameters:
        """Return which numbers of a row belong to a unit; one-dimensional parameters named ``bias`` are its bias."""
        found = self.unit(layer, unit)
        biases = [place for place in found.incoming if place.parameter.rpartition(".")[2] == "bias"]
        return UnitParameters(
            incoming=_slices(self.parameters, [place for place in found.incoming if place not in biases]),
            bias=_slices(self.parameters, biases),
            outgoing=_slices(self.parameters, found.outgoing),
        )


def _shown(name: str, units: Sequence[Unit]) -> str:
    """Return a layer's name; a module of an ``nn.Sequential`` is called by a number, which alone says little."""
    return OUTPUT if units[0].kind == OUTPUT else f"layer {name}" if name.isdigit() else name


def _check(unit: Unit, parameters: Mapping[str, ParameterSpec]) -> None:
    for place in (*unit.incoming, *unit.outgoing):
        parameter = parameters.get(place.parameter)
        if parameter is None:
            raise ConfigError(f"unit {unit.name}: there is no parameter {place.parameter!r}")
        shape = parameter.shape
        if not 0 <= place.dimension < len(shape) or not 0 <= place.index < shape[place.dimension]:
            raise ConfigError(
                f"unit {unit.name}: {place.parameter} has shape {shape}, and no index {place.index} along dimension "
                f"{place.dimension}"
            )
    if not unit.incoming:
        raise ConfigError(f"unit {unit.name}: nothing leads into it")


def _slices(parameters: Mapping[str, ParameterSpec], places: Iterable[Place]) -> tuple[slice, ...]:
    """Return the slices of a row that ``places`` cover; neighbours are one slice."""
    found: list[slice] = []
    for place in places:
        for part in _slices_of(parameters[place.parameter], place):
            before = found[-1] if found else None
            if before is not None and before.step is part.step is None and before.stop == part.start:
                found[-1] = slice(before.start, part.stop)
            else:
                found.append(part)
    return tuple(found)


def _slices_of(parameter: ParameterSpec, place: Place) -> list[slice]:
    inner = math.prod(parameter.shape[place.dimension + 1 :])
    stride = parameter.shape[place.dimension] * inner
    begin = parameter.offset + place.index * inner
    end = parameter.offset + parameter.size
    if inner == 1 and stride > 1:
        return [slice(begin, end, stride)]
    return [slice(at, at + inner) for at in range(begin, end, stride)]
