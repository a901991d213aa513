"""The least time that a meta-loop can take on a machine: by its arithmetic, its instructions and its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.population import HYPERPARAMETERS, SPEC
from psa_tui.networks import Network

_STATE = 3 * 4
"""Bytes of a parameter and AdamW's two moments of it."""
_STEPS = -(-SPEC.train_count // HYPERPARAMETERS.batch_size)
_ADAMW = 11
"""Instructions for a register of parameters. Each moment: two and a store; the weight: root, sum, quotient, two and a
store. What is read is read by those that compute."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What this machine does at best."""

    operations_per_s: float
    """Multiplications and additions, float32."""
    slots_per_s: float
    """Instructions."""
    lanes: int
    """Numbers in a vector register."""
    bytes_per_s: float
    """Between memory and the processor, both ways together."""
    cache_bytes: int | None
    """Of the last-level cache; None where it is not known."""

    def better(self, other: Rates) -> Rates:
        """Return the better of two measurements."""
        return Rates(
            max(self.operations_per_s, other.operations_per_s),
            max(self.slots_per_s, other.slots_per_s),
            self.lanes,
            max(self.bytes_per_s, other.bytes_per_s),
            self.cache_bytes,
        )


class Floors(NamedTuple):
    """The least seconds of a trial's meta-loop, by what limits it."""

    multiply_adds_s: float
    issue_slots_s: float
    bytes_s: float


def operations(network: Network, pixels: int | None = None) -> int:
    """Return the multiplications and additions of a meta-loop that multiplies ``pixels`` of an image only."""
    seen = network.inputs if pixels is None else pixels
    evaluation = network.parameters - (network.inputs - seen) * network.input_parameters // network.inputs
    return network.meta_loop_operations(SPEC.train_count, 0, pixels) + 2 * evaluation * SPEC.validation_count


def certain_operations(network: Network, pixels: int) -> int:
    """Return those of a meta-loop's operations that no dead unit spares: the first layer's, forward.

    What comes after it, and backward, is left out for units that no image of a batch activates. A network with a later
    layer of one unit, and that one ablated, needs no pixel to train.
    """
    weights = network.input_parameters * pixels // network.inputs
    return 2 * weights * (SPEC.validation_count + (0 if 1 in network.unit_counts[1:] else SPEC.train_count))


def instructions(network: Network, pixels: int, lanes: int) -> int:
    """Return the instructions of a meta-loop if all registers are full and nothing is looked for or moved.

    A multiply-add is one, AdamW takes ``_ADAMW`` a step, a hidden unit's activation is compared and stored, and so is
    its gradient.
    """
    activations = 2 * network.hidden_units * (2 * SPEC.train_count + SPEC.validation_count)
    return (operations(network, pixels) // 2 + _ADAMW * network.parameters * _STEPS + activations) // lanes


def state_bytes(network: Network, cache_bytes: int | None) -> int:
    """Return the bytes that pass between memory and the processor: what no cache holds of the state, in and out a step.

    The state is weights and moments; 0 where it fits into ``cache_bytes``, or where those are not known.
    """
    return 0 if cache_bytes is None else 2 * _STEPS * max(0, network.parameters * _STATE - cache_bytes)


def floors(network: Network, rates: Rates, pixels: int, fraction: float = 1.0) -> Floors:
    """Return the least seconds of a trial's meta-loop, with images of which ``pixels`` are not black.

    Only a ``fraction`` of the trials is computed, see ``population.distinct``.
    """
    return Floors(
        fraction * operations(network, pixels) / rates.operations_per_s,
        fraction * instructions(network, pixels, rates.lanes) / rates.slots_per_s,
        fraction * state_bytes(network, rates.cache_bytes) / rates.bytes_per_s,
    )
