"""The seeds of a study's trials: what its variants share, and what differs from trial to trial."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from math import isqrt
from typing import NamedTuple

from psa_tui.method.variants import Variant
from psa_tui.networks import Mlp, Network


class Seeding(StrEnum):
    """What the trials of a study share."""

    PAIRED = "paired"
    """All variants of a trial have one seed: the same first weights, images in the same order (common random numbers),
    so that two variants can be compared trial by trial."""
    INDEPENDENT = "independent"
    """Every variant of every trial has a seed of its own."""
    SEPARATE = "separate"
    """Paired, but first weights and everything drawn later have seeds of their own. Trial by trial the square shells of
    (first weights, order) are filled, so k * k trials are every one of k first weights with every one of k orders: what
    differs between trials can be told apart by its source."""


class TrialSeeds(NamedTuple):
    """The seeds of one trial of one variant."""

    draws: int
    """Of all that is drawn while it trains, what ``psa train --seed`` takes."""
    initialisation: int
    """Of its first weights; the same as ``draws`` unless a study has them separate."""


def trial_seeds(seeding: Seeding, study_seed: int, network: Network, variant: Variant, trial: int) -> TrialSeeds:
    """Return the seeds of trial ``trial``, which counts from 1, of ``variant``: numbers below 2**63."""
    if seeding is Seeding.INDEPENDENT:
        seed = _derived(study_seed, network, trial, *_digest(variant.name))
        return TrialSeeds(seed, seed)
    if seeding is Seeding.SEPARATE:
        initialisation, order = crossed(trial)
        # Which of the two it is stands in the address: the first weights of 1 are not the order of 1.
        return TrialSeeds(_derived(study_seed, network, order, 1), _derived(study_seed, network, initialisation, 2))
    seed = trial_seed(study_seed, network, trial)
    return TrialSeeds(seed, seed)


def trial_seed(study_seed: int, network: Network, trial: int) -> int:
    """Return the seed of trial ``trial`` of every variant of ``network`` where seeds are paired: below 2**63.

    Derived by NumPy's ``SeedSequence``, whose output NumPy guarantees not to change, from depth and width of a network
    like ``[18*18]``, from a digest of the text form of any other.
    """
    return _derived(study_seed, network, trial)


def crossed(trial: int) -> tuple[int, int]:
    """Return which first weights and which order trial ``trial`` has where seeds are separate; all count from 1.

    The pairing function of Rosenberg and Strong (1972), by square shells: (1, 1); (1, 2), (2, 2), (2, 1); (1, 3), ...
    """
    shell = isqrt(trial - 1)
    place = trial - 1 - shell * shell
    return (place + 1, shell + 1) if place <= shell else (shell + 1, 2 * shell - place + 1)


def _derived(study_seed: int, network: Network, trial: int, *more: int) -> int:
    if isinstance(network, Mlp) and len(network.groups) == 1:
        address: tuple[int, ...] = (network.groups[0].count, network.groups[0].width)
    else:
        address = _digest(f"{network.family} {network}")
    import numpy as np

    sequence = np.random.SeedSequence(entropy=study_seed, spawn_key=(*address, trial, *more))
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1


def _digest(text: str) -> tuple[int, ...]:
    digest = hashlib.sha256(text.encode()).digest()
    return tuple(int.from_bytes(digest[start : start + 4]) for start in range(0, len(digest), 4))
