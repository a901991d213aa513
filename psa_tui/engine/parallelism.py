"""How a run or a study uses the cores of a machine. The constants were measured (docs/performance.md)."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from psa_tui.networks.base import Network

if TYPE_CHECKING:
    from psa_tui.engine.backend import Backend

log = logging.getLogger(__name__)

_THREADING_WIDTH = 64
"""A first layer of at least so many units is worth dividing among threads."""


def threads_for(network: Network, backend: Backend, batch_size: int, device: str, wanted: int | None) -> int:
    """Return on how many threads one trial of ``network`` trains fastest with ``backend`` on ``device``.

    The last bits of the weights depend on it. ``device`` is such as "cpu" and "cuda:0"; ``wanted`` overrules.
    """
    cores = _cores()
    # A plug-in of an earlier version does not say.
    fastest = getattr(backend, "threads", threads_of_products)
    threads: int = wanted or (fastest(network, batch_size, cores) if device == "cpu" else 1)
    log.debug(
        "threads: %d for %s, batch %d on %s, %d cores (--threads overrules)",
        threads,
        network,
        batch_size,
        device,
        cores,
    )
    return threads


def threads_of_products(network: Network, batch_size: int, cores: int) -> int:
    """Return on how many of ``cores`` PyTorch multiplies fastest, whatever the batch, see ``Backend.threads``.

    Handing small operations to several threads costs more than they take.
    """
    return cores if network.input_parameters >= _THREADING_WIDTH * network.inputs else 1


def processes_for(members: int, device: str) -> int:
    """Return how many processes, of one thread each, train a population of ``members`` fastest on ``device``.

    Members need nothing from one another, so processes divide the work without ever waiting, as threads must
    after each operation; a GPU is fed by one process.
    """
    return min(_cores(), members) if device == "cpu" else 1


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
