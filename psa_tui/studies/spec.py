"""What a study is: its networks, variants, trials and hyperparameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise, repeat
from typing import Any

from psa_tui.data import dataset_spec
from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import Variant, find_variant
from psa_tui.networks import NETWORKS, Mlp, Network
from psa_tui.networks.modules.names import names_code
from psa_tui.networks.modules.recorded import RecordedNetwork, recorded_sizes
from psa_tui.outside import is_plain_name
from psa_tui.studies.seeds import Seeding, TrialSeeds, trial_seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySpec:
    """A study. Two studies of one name are the same study exactly when their specs agree (``differences``)."""

    name: str
    networks: tuple[Network, ...]
    """All of one family, for the images of ``dataset``."""
    variants: tuple[Variant, ...]
    trials: int
    """Trials of each network and variant; they count from 1."""
    earlier: tuple[int, ...] = ()
    """How many trials it had before more were added, each time, ascending."""
    meta_loops: int
    seed: int
    seeding: Seeding = Seeding.PAIRED
    dataset: str
    """What the data set is called."""
    dataset_path: str | None = None
    """Where data of one's own is; another place makes no other study."""
    dataset_fingerprint: str
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    quick: bool = False
    """Cut short on purpose: it must never be shown as a reproduction."""

    @property
    def family(self) -> str:
        """The family of its networks."""
        return self.networks[0].family

    @property
    def data_source(self) -> str:
        """What is loaded: the data set's name, or its path."""
        return self.dataset_path or self.dataset

    def parse(self, text: str) -> Network:
        """Return the network that ``text`` describes in the notation of its family, for its images.

        Raises:
            ConfigError: it describes none.
        """
        first = self.networks[0]
        if isinstance(first, RecordedNetwork):
            return next((known for known in self.networks if str(known) == text), replace(first, architecture=text))
        return _parsed(text, self.family, self.networks[0].input_shape, self.networks[0].classes)

    def seeds(self, network: Network, variant: Variant, trial: int) -> TrialSeeds:
        """Return the seeds of one trial."""
        return trial_seeds(self.seeding, self.seed, network, variant, trial)

    def with_trials(self, trials: int) -> StudySpec:
        """Return the study with so many trials in all, those it has among them.

        Raises:
            ConfigError: it has more already.
        """
        if trials < self.trials:
            raise ConfigError(f"study {self.name} has {self.trials} trials of each; expected at least as many")
        return self if trials == self.trials else replace(self, trials=trials, earlier=(*self.earlier, self.trials))

    def as_settings(self) -> dict[str, Any]:
        """Return the spec as JSON-ready values; what is as in the published study is left out where it came later."""
        later: dict[str, Any] = {} if self.family == Mlp.family else {"network": self.family}
        later |= {} if self.seeding is Seeding.PAIRED else {"seeding": str(self.seeding)}
        later |= {"earlier": list(self.earlier)} if self.earlier else {}
        if self.dataset_path is not None:
            # Without the file nothing else says of what form its images are.
            shape, classes = self.networks[0].input_shape, self.networks[0].classes
            later |= {"dataset_path": self.dataset_path, "input_shape": list(shape), "classes": classes}
        return {
            "name": self.name,
            **later,
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

    def as_recorded(self) -> dict[str, Any]:
        """Return ``as_settings`` for the database, with what shows networks of code that nobody names."""
        if not names_code(self.family):
            return self.as_settings()
        return self.as_settings() | {"sizes": [recorded_sizes(network) for network in self.networks]}

    @classmethod
    def from_settings(cls, values: Mapping[str, Any], *, to_show: bool = False) -> StudySpec:
        """Return the spec of ``as_recorded``, or of ``as_settings``; hyperparameters it lacks take their defaults.

        What is only ``to_show`` has networks of code that this command does not name, too, as far as recorded.

        Raises:
            ConfigError: a plug-in that the study needs is not installed here, or code that nobody named.
        """
        dataset, family, path = values["dataset"], values.get("network", Mlp.family), values.get("dataset_path")
        if path is None:
            data = dataset_spec(dataset)
            shape, classes = data.input_shape, data.classes
        else:
            shape, classes = tuple(values["input_shape"]), values["classes"]
        networks: Iterable[Network]
        if to_show and names_code(family) and family not in NETWORKS:
            recorded = zip(values["shapes"], values.get("sizes", repeat({})), strict=False)
            networks = (RecordedNetwork(family, text, shape, classes, sizes) for text, sizes in recorded)
        else:
            networks = (_parsed(text, family, shape, classes) for text in values["shapes"])
        return cls(
            name=values["name"],
            networks=tuple(networks),
            variants=tuple(_installed_variant(values["name"], mode) for mode in values["modes"]),
            trials=values["trials"],
            meta_loops=values["meta_loops"],
            earlier=_earlier(values),
            seed=values["seed"],
            seeding=_seeding(values),
            dataset=dataset,
            dataset_path=path,
            dataset_fingerprint=values["dataset_fingerprint"],
            hyperparameters=Hyperparameters.from_json(values),
            quick=values["quick"],
        )

    def differences(self, other: StudySpec) -> list[str]:
        """Return what makes ``other`` another study under this name, in words; empty when it is the same."""
        mine, theirs = (
            {"network": spec.family, "seeding": str(spec.seeding), "earlier": list(spec.earlier)} | spec.as_settings()
            for spec in (self, other)
        )
        return [
            f"{name.replace('_', ' ')} {_brief(mine[name])}, not {_brief(theirs[name])}"
            for name in mine
            if name != "dataset_path" and mine[name] != theirs.get(name)
        ]


def _parsed(text: str, family: str, input_shape: tuple[int, ...], classes: int) -> Network:
    return NETWORKS.find(family).parse(text, input_shape, classes)


def check_name(name: str, origin: str = "--study ") -> str:
    """Return ``name``, if it can name a study: it becomes the name of a folder.

    Raises:
        ConfigError: it cannot.
    """
    if not is_plain_name(name):
        raise ConfigError(
            f"{origin}{name[:80]!r}: expected letters, digits, dots, dashes and underscores, 64 at most, "
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


def _earlier(values: Mapping[str, Any]) -> tuple[int, ...]:
    found = tuple(values.get("earlier", ()))
    if any(before >= after for before, after in pairwise((0, *found, values["trials"]))):
        raise ConfigError(f"study {values['name']} had {found} trials before its {values['trials']}: no study grows so")
    return found


def _seeding(values: Mapping[str, Any]) -> Seeding:
    text = values.get("seeding", Seeding.PAIRED)
    if text not in tuple(Seeding):
        raise ConfigError(
            f"study {values['name']} has the seeding {text[:40]!r}, which this psa-tui does not know; update it"
        )
    return Seeding(text)


def _brief(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(value) <= 6 else f"{len(value)}: {value[0]}, {value[1]}, ..."
    return str(value)
