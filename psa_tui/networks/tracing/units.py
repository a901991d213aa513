"""What is known of the units while a module runs: which layers they are of, what touches them, what is refused.

A unit is a whole number from 1 on. A ``Traced`` says of every number of an activation which unit it belongs to: it
depends on no other unit, and is zero where the unit's own weights are, unless it is ``loud``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from psa_tui.networks.unit import Place

RESIDUAL = "several layers write to one residual stream"
ADDED = "it is added to something else, as to a residual stream"


@dataclass(eq=False)
class Layer:
    """The units that one layer makes: neurons of a linear one, channels of a convolution, heads of attention."""

    name: str
    kind: str
    first: int
    count: int
    source: Traced
    """What the layer reads."""
    refusal: str | None = None
    normalised: bool = False
    """Whether its numbers take part in the mean and the variance that others of its layer are divided by."""
    returned: bool = False
    ends_branch: bool = False
    """Whether what it gives is added to the stream that its branch came from: all its units are a residual block."""

    @property
    def units(self) -> range:
        """Its units."""
        return range(self.first, self.first + self.count)


@dataclass(eq=False)
class Traced:
    """A tensor of the run: its units, where it has some, and what it was computed from."""

    labels: Tensor | None = None
    """The unit of each of its numbers, 0 where it belongs to none: int64 of its shape."""
    loud: str | None = None
    """Why it is not zero where its unit's weights are; None where it is."""
    mixed: bool = False
    """Whether its numbers depend on others' units too, so that it can only be returned."""
    parents: tuple[Traced, ...] = ()

    def comes_from(self, other: Traced) -> bool:
        """Whether ``other`` is among what it was computed from, or is itself."""
        waiting, seen = [self], {self}
        while waiting:
            one = waiting.pop()
            if one is other:
                return True
            fresh = [parent for parent in one.parents if parent not in seen]
            seen.update(fresh)
            waiting += fresh
        return False


@dataclass
class Knowledge:
    """All layers of a run, and the numbers that lead into and out of their units."""

    layers: list[Layer] = field(default_factory=list)
    incoming: dict[int, list[Place]] = field(default_factory=dict)
    outgoing: dict[int, list[Place]] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    """Why no unit may touch a parameter."""
    _touched: dict[str, set[int]] = field(default_factory=dict)
    """The layers, by index, that touch a parameter."""
    _one_with: dict[int, int] = field(default_factory=dict)
    """Units that are part of another one: the rows of query, key and value in a head."""
    _layer_of: list[int] = field(default_factory=lambda: [-1])
    _now: Tensor | None = None
    """What each unit is part of at the moment, 0 where it is refused; None where that is to be found anew."""

    def new_layer(self, name: str, kind: str, count: int, source: Traced) -> Layer:
        """Begin a layer of ``count`` new units."""
        layer = Layer(name, kind, len(self._layer_of), count, source)
        self._layer_of += [len(self.layers)] * count
        self.layers.append(layer)
        self._now = None
        return layer

    def find(self, unit: int) -> int:
        """Return the unit that ``unit`` is part of, or itself."""
        while unit in self._one_with:
            unit = self._one_with[unit]
        return unit

    def layer_of(self, unit: int) -> Layer:
        """Return the layer that made a unit."""
        return self.layers[self._layer_of[unit]]

    def live(self, traced: Traced | None) -> Tensor | None:
        """Return the labels of a tensor, without what is refused; None where nothing is left."""
        if traced is None or traced.labels is None:
            return None
        if self._now is None:
            found = (0 if self.layer_of(unit).refusal else self.find(unit) for unit in range(1, len(self._layer_of)))
            self._now = torch.tensor([0, *found])
        traced.labels = self._now[traced.labels]
        return traced.labels if bool(traced.labels.any()) else None

    @staticmethod
    def units_in(labels: Tensor) -> list[int]:
        """Return the units that ``labels`` has."""
        return [unit for unit in torch.unique(labels).tolist() if unit]

    def join(self, units: Iterable[int], kind: str | None = None) -> int:
        """Make one unit of several, which is ablated as a whole, and return it."""
        first, *others = sorted({self.find(unit) for unit in units})
        for unit in others:
            self._one_with[unit] = first
        self._now = None
        if kind is not None:
            self.layer_of(first).kind = kind
        return first

    def groups(self) -> dict[int, list[int]]:
        """Return the units by the one that they are part of, in order."""
        found: dict[int, list[int]] = {}
        for unit in range(1, len(self._layer_of)):
            found.setdefault(self.find(unit), []).append(unit)
        return found

    def lead_in(self, unit: int, place: Place) -> None:
        """Record a number of the unit's own."""
        self._touch(unit, place, self.incoming)

    def lead_out(self, unit: int, place: Place) -> None:
        """Record a number that reads the unit."""
        self._touch(unit, place, self.outgoing)

    def _touch(self, unit: int, place: Place, which: dict[int, list[Place]]) -> None:
        which.setdefault(unit, []).append(place)
        self._touched.setdefault(place.parameter, set()).add(self._layer_of[unit])
        if place.parameter in self.shared:
            self.refuse([unit], self.shared[place.parameter])

    def share(self, parameter: str, reason: str) -> None:
        """Let no unit touch ``parameter``."""
        self.shared.setdefault(parameter, reason)
        for index in self._touched.get(parameter, ()):
            self.refuse(self.layers[index].units, reason)

    def refuse(self, units: Iterable[int], reason: str) -> None:
        """Refuse the layers of ``units``, and those that have a unit together with one of them."""
        waiting = {self._layer_of[unit] for unit in units if unit}
        links = {(self._layer_of[unit], self._layer_of[whole]) for unit, whole in self._one_with.items()}
        while more := {end for link in links if waiting.intersection(link) for end in link} - waiting:
            waiting |= more
        self._now = None
        for index in waiting:
            self.layers[index].refusal = self.layers[index].refusal or reason

    def refuse_traced(self, traced: Traced | None, reason: str) -> None:
        """Refuse all that a tensor has."""
        labels = self.live(traced)
        if labels is not None:
            self.refuse(self.units_in(labels), reason)

    def sure(self) -> Iterator[tuple[Layer, list[list[int]]]]:
        """Go through the layers that are not refused, with the units of each, several where they are one."""
        groups = self.groups()
        for layer in self.layers:
            own = [groups[unit] for unit in layer.units if unit in groups]
            if layer.refusal is None and own:
                yield layer, own
