"""How a run or a study uses the cores of a machine. The constants were measured (docs/performance.md)."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, NamedTuple

from psa_tui.engine.process_group import can_train_together
from psa_tui.networks.base import Network

if TYPE_CHECKING:
    from psa_tui.engine.backend import Backend

log = logging.getLogger(__name__)

_IMAGES_PER_PROCESS = 64
"""Fewer images of a batch are not worth a process."""
_THREADING_WIDTH = 64
"""A first layer of at least so many units is worth dividing among the threads of a process."""


class Parallelism(NamedTuple):
    """How a run uses the cores."""

    processes: int
    """They train one network together (see ``process_group``)."""
    threads: int
    """Of each process."""

    @property
    def total_threads(self) -> int:
        """How many cores are used; the last bits of the weights depend on it."""
        return self.processes * self.threads


def parallelism_of(
    network: Network, backend: Backend, batch_size: int, device: str, threads: int | None, memory_bytes: int
) -> Parallelism:
    """Return how one trial of ``network`` trains fastest with ``backend`` on ``device`` ("cpu", "cuda:0").

    ``threads`` is the total to use, None for the best. Only as many processes as fit ``memory_bytes`` are chosen.
    """
    if device == "cpu" and backend.data_parallel and can_train_together():
        processes = min(threads or _cores(), batch_size)
        if threads is None:
            processes = max(1, min(processes, batch_size // _IMAGES_PER_PROCESS))
            while processes > 1 and network.training_bytes(batch_size, processes=processes) > memory_bytes:
                processes -= 1
        chosen = Parallelism(processes, 1)
    else:
        chosen = Parallelism(1, threads or threads_for(network, device))
    log.debug(
        "layout: %s, batch %d on %s, %d cores: %d processes of %d threads (--threads overrules)",
        network,
        batch_size,
        device,
        _cores(),
        *chosen,
    )
    return chosen


def threads_for(network: Network, device: str) -> int:
    """Return how many threads a single process computes fastest with on ``device``.

    Handing small operations to several threads costs more than they take.
    """
    wide = device == "cpu" and network.input_parameters >= _THREADING_WIDTH * network.inputs
    return _cores() if wide else 1


def processes_for(members: int, device: str) -> int:
    """Return how many processes, of one thread each, train a population of ``members`` fastest on ``device``.

    Members need nothing from one another, so processes divide the work without ever waiting, as threads must
    after each operation; a GPU is fed by one process.
    """
    return min(_cores(), members) if device == "cpu" else 1


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
