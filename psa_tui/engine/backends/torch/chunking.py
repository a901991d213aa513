"""How a population is laid out on a machine: which members train together, and on how many threads.

Members never influence one another, so any division gives the same mathematics; it only decides how well
caches and cores are used. The constants were measured (docs/performance.md).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psa_tui.engine.backends.torch.process_group import can_train_together
from psa_tui.engine.population import Linear
from psa_tui.networks.mlp import Architecture

log = logging.getLogger(__name__)

_OPTIMISER_BYTES = 16 << 20
"""Weights, gradients and moments of members that train together should stay in the last-level cache."""
_ACTIVATION_BYTES = 1024 << 10
"""One layer's activations of members that train together should stay in a core's own cache."""
_SHARE_IMAGES = 64
"""A share of a batch with fewer images is not worth a process."""
_THREADING_WIDTH = 64
"""Where processes cannot share: a first layer at least this wide is worth dividing among threads."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Members of a population that train together, those that share an order of images side by side."""

    members: tuple[int, ...]
    orders: tuple[tuple[int, int], ...]
    """Successive runs of ``members``: the row of the order they follow, and how many they are."""


def chunks(layers: tuple[Linear, ...], order_of: Sequence[int], batch_size: int, itemsize: int) -> list[Chunk]:
    """Divide a population, given each member's order, into chunks that fit the caches.

    Members that share an order go together where they fit: their first layer is one matrix product.
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
    """``members`` in the fewest parts of at most ``most`` (at least one) members, all of about one size."""
    parts = -(-len(members) // max(1, most))
    size = -(-len(members) // parts)
    return [members[start : start + size] for start in range(0, len(members), size)]


def runs(positions: Sequence[int]) -> Iterator[slice]:
    """``positions`` (ascending) as few slices: in a study every sixth member has the same mode."""
    start = 0
    while start < len(positions):
        step = positions[start + 1] - positions[start] if start + 1 < len(positions) else 1
        end = start + 1
        while end < len(positions) and positions[end] - positions[end - 1] == step:
            end += 1
        yield slice(positions[start], positions[end - 1] + 1, step)
        start = end


class Parallelism(NamedTuple):
    """How a run uses the cores."""

    processes: int
    """They train one network together (see ``shares``)."""
    threads: int
    """Of each process."""

    @property
    def total_threads(self) -> int:
        """How many cores are used; the last bits of the weights depend on it."""
        return self.processes * self.threads


def parallelism_of(
    architecture: Architecture, batch_size: int, device: str, threads: int | None, memory_bytes: int
) -> Parallelism:
    """How one trial of ``architecture`` trains fastest on ``device`` ("cpu", "cuda:0").

    ``threads`` is the total to use, None for the best. Only as many processes as fit ``memory_bytes`` are chosen.
    """
    if device == "cpu" and can_train_together():
        processes = min(threads or _cores(), batch_size)
        if threads is None:
            processes = max(1, min(processes, batch_size // _SHARE_IMAGES))
            while processes > 1 and architecture.training_bytes(batch_size, processes) > memory_bytes:
                processes -= 1
        chosen = Parallelism(processes, 1)
    else:
        # Handing small operations to several threads costs more than they take.
        wide = device == "cpu" and architecture.groups[0].width >= _THREADING_WIDTH
        chosen = Parallelism(1, threads or (_cores() if wide else 1))
    log.debug(
        "layout: %s, batch %d on %s, %d cores: %d processes of %d threads (--threads overrules)",
        architecture,
        batch_size,
        device,
        _cores(),
        *chosen,
    )
    return chosen


def processes_for(members: int, device: str) -> int:
    """How many processes, of one thread each, train a population of ``members`` fastest on ``device``.

    Members need nothing from one another, so processes divide the work without ever waiting, as threads must
    after each operation; a GPU is fed by one process.
    """
    return min(_cores(), members) if device == "cpu" else 1


def _cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
