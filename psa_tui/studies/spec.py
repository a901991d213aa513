"""What a study is: its networks, variants, trials and hyperparameters, and the seed of each trial."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import Variant, find_variant
from psa_tui.networks import Mlp, Network
from psa_tui.outside import is_plain_name
from psa_tui.studies.grids import parse_network


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySpec:
    """A study. Two studies of one name are the same study exactly when their specs agree (``differences``)."""

    name: str
    networks: tuple[Network, ...]
    """All of one family, for the images of ``dataset``."""
    variants: tuple[Variant, ...]
    trials: int
    """Trials of each network and variant; they count from 1."""
    meta_loops: int
    seed: int
    dataset: str
    dataset_fingerprint: str
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    quick: bool = False
    """Cut short on purpose: it must never be shown as a reproduction."""

    @property
    def family(self) -> str:
        """The family of its networks."""
        return self.networks[0].family

    def as_settings(self) -> dict[str, Any]:
        """Return the spec as JSON-ready values; ``network`` is there unless the family is the published one."""
        family = {} if self.family == Mlp.family else {"network": self.family}
        return {
            "name": self.name,
            **family,
            "shapes": [network.short_name for network in self.networks],
            "modes": [variant.name for variant in self.variants],
            "trials": self.trials,
            "meta_loops": self.meta_loops,
            "seed": self.seed,
            "dataset": self.dataset,
            "dataset_fingerprint": self.dataset_fingerprint,
            **self.hyperparameters.as_json(),
            "quick": self.quick,
        }

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> StudySpec:
        """Return the spec of ``as_settings``; hyperparameters that ``values`` lacks take their defaults.

        Raises:
            ConfigError: a plug-in that the study needs is not installed here.
        """
        dataset, family = values["dataset"], values.get("network", Mlp.family)
        return cls(
            name=values["name"],
            networks=tuple(parse_network(text, dataset, family) for text in values["shapes"]),
            variants=tuple(_installed_variant(values["name"], mode) for mode in values["modes"]),
            trials=values["trials"],
            meta_loops=values["meta_loops"],
            seed=values["seed"],
            dataset=dataset,
            dataset_fingerprint=values["dataset_fingerprint"],
            hyperparameters=Hyperparameters.from_json(values),
            quick=values["quick"],
        )

    def differences(self, other: StudySpec) -> list[str]:
        """Return what makes ``other`` another study under this name, in words; empty when it is the same."""
        mine, theirs = ({"network": spec.family} | spec.as_settings() for spec in (self, other))
        return [
            f"{name.replace('_', ' ')} ({_brief(mine[name])}, not {_brief(theirs[name])})"
            for name in mine
            if mine[name] != theirs[name]
        ]


def trial_seed(study_seed: int, network: Network, trial: int) -> int:
    """Return the seed of trial ``trial`` of every variant of ``network``, what ``psa train --seed`` takes: below 2**63.

    The variants of a trial share it, so they share the initialisation and the order of images (common random
    numbers). Derived by NumPy's ``SeedSequence``, whose output NumPy guarantees not to change, from depth and width
    of a network like ``[18*18]``, from a digest of the text form of any other.
    """
    address: tuple[int, ...]
    if isinstance(network, Mlp) and len(network.groups) == 1:
        address = (network.groups[0].count, network.groups[0].width)
    else:
        digest = hashlib.sha256(f"{network.family} {network}".encode()).digest()
        address = tuple(int.from_bytes(digest[start : start + 4]) for start in range(0, len(digest), 4))
    sequence = np.random.SeedSequence(entropy=study_seed, spawn_key=(*address, trial))
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1


def check_name(name: str) -> str:
    """Return ``name``, if it can name a study: it becomes the name of a folder.

    Raises:
        ConfigError: it cannot.
    """
    if not is_plain_name(name):
        raise ConfigError(
            f"--study {name[:80]!r}: expected letters, digits, dots, dashes and underscores, 64 at most, "
            "a letter or digit first"
        )
    return name


def _installed_variant(study: str, mode: str) -> Variant:
    try:
        return find_variant(mode)
    except ConfigError as error:
        raise ConfigError(
            f"study {study} has the mode {mode[:80]!r}, which is not installed here ({error}); install its plug-in"
        ) from None


def _brief(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(value) <= 6 else f"{len(value)}: {value[0]}, {value[1]}, ..."
    return str(value)
