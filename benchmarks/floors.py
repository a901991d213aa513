"""The least time that a meta-loop can take on a machine, by what its arithmetic and its memory cannot do without."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.population import HYPERPARAMETERS, SPEC
from psa_tui.networks import Network

_STATE = 3 * 4
"""Bytes of a parameter and AdamW's two moments of it."""
_STEPS = -(-SPEC.train_count // HYPERPARAMETERS.batch_size)


@dataclass(frozen=True, slots=True)
class Rates:
    """What this machine does at best."""

    operations_per_s: float
    """Multiplications and additions, float32."""
    bytes_per_s: float
    """Between memory and the processor, both ways together."""
    cache_bytes: int | None
    """Of the last-level cache; None where it is not known."""

    def better(self, other: Rates) -> Rates:
        """Return the better of two measurements."""
        operations = max(self.operations_per_s, other.operations_per_s)
        return Rates(operations, max(self.bytes_per_s, other.bytes_per_s), self.cache_bytes)


def operations(network: Network, pixels: int | None = None) -> int:
    """Return the multiplications and additions of a meta-loop that multiplies ``pixels`` of an image only."""
    seen = network.inputs if pixels is None else pixels
    evaluation = network.parameters - (network.inputs - seen) * network.input_parameters // network.inputs
    return network.meta_loop_operations(SPEC.train_count, 0, pixels) + 2 * evaluation * SPEC.validation_count


def state_bytes(network: Network, cache_bytes: int | None) -> int:
    """Return the bytes that pass between memory and the processor: what no cache holds of the state, in and out a step.

    The state is weights and moments; 0 where it fits into ``cache_bytes``, or where those are not known.
    """
    return 0 if cache_bytes is None else 2 * _STEPS * max(0, network.parameters * _STATE - cache_bytes)


def floor_s(network: Network, rates: Rates, pixels: int) -> float:
    """Return the least seconds of a trial's meta-loop, with images of which ``pixels`` are not black."""
    arithmetic = operations(network, pixels) / rates.operations_per_s
    return max(arithmetic, state_bytes(network, rates.cache_bytes) / rates.bytes_per_s)
