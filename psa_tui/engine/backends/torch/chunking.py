"""Which members of a population train together.

Members never influence one another, so any division gives the same mathematics; it only decides how well
caches are used. The constants were measured (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psa_tui.networks.stacked import Linear

_OPTIMISER_BYTES = 16 << 20
"""Weights, gradients and moments of members that train together should stay in the last-level cache."""
_ACTIVATION_BYTES = 1024 << 10
"""One layer's activations of members that train together should stay in a core's own cache."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Members of a population that train together, those that follow one order of images side by side."""

    members: tuple[int, ...]
    orders: tuple[tuple[int, int], ...]
    """Successive runs of ``members``: the row of the order they follow, and how many they are."""

    @property
    def members_per_order(self) -> tuple[int, ...]:
        """How many successive members follow each of the orders."""
        return tuple(members for _, members in self.orders)


def chunks(layers: Sequence[Linear], order_of: Sequence[int], batch_size: int, itemsize: int) -> list[Chunk]:
    """Divide a population, given each member's order, into chunks that fit the caches.

    Members that follow one order go together where they fit: their first layer is one matrix product.
    """
    groups: dict[int, list[int]] = {}
    for member, order in enumerate(order_of):
        groups.setdefault(order, []).append(member)
    widest = max(layer.outputs for layer in layers)
    most = min(
        _OPTIMISER_BYTES // (4 * itemsize * layers[-1].end),
        _ACTIVATION_BYTES // (itemsize * widest * batch_size),
    )
    parts = [(order, part) for order, members in groups.items() for part in _evenly(members, most)]
    # As equal as can be: a last chunk of few members would waste its calls.
    enough = max(map(len, _evenly(range(len(order_of)), most)))
    divided: list[list[tuple[int, Sequence[int]]]] = []
    size = enough
    for order, members in parts:
        if size >= enough or size + len(members) > most:
            divided.append([])
            size = 0
        divided[-1].append((order, members))
        size += len(members)
    return [
        Chunk(
            members=tuple(member for _, members in chunk for member in members),
            orders=tuple((order, len(members)) for order, members in chunk),
        )
        for chunk in divided
    ]


def _evenly(members: Sequence[int], most: int) -> list[Sequence[int]]:
    """Divide ``members`` into the fewest parts of at most ``most`` (at least one), all of about one size."""
    parts = -(-len(members) // max(1, most))
    size = -(-len(members) // parts)
    return [members[start : start + size] for start in range(0, len(members), size)]


def runs(positions: Sequence[int]) -> Iterator[slice]:
    """Go through ``positions`` (ascending) as few slices: in a study every sixth member has the same variant."""
    start = 0
    while start < len(positions):
        step = positions[start + 1] - positions[start] if start + 1 < len(positions) else 1
        end = start + 1
        while end < len(positions) and positions[end] - positions[end - 1] == step:
            end += 1
        yield slice(positions[start], positions[end - 1] + 1, step)
        start = end
