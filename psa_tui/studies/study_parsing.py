"""What a study file's text means, and every fault in it with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from psa_tui.data import DATASETS, dataset_spec, is_own
from psa_tui.data.own import name_and_path
from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.initialisation import INITIALISATIONS
from psa_tui.method.variants import Variant, find_variant, ordered, scheduled, split_list, with_axes
from psa_tui.networks import Mlp, Network
from psa_tui.settings import AXES_OF
from psa_tui.studies.design.parsing import TABLES, read_design
from psa_tui.studies.design.plan import Design
from psa_tui.studies.file_values import (
    OPTIONS,
    data_source_of,
    family_of,
    hyperparameter,
    one_of,
    text_of,
    whole_number,
)
from psa_tui.studies.grids import GRIDS, PUBLISHED_DATASET, parse_grid, parse_modes
from psa_tui.studies.seeds import Seeding
from psa_tui.studies.spec import StudySpec, check_name
from psa_tui.studies.toml_lines import Path, value_lines

_MOST_STUDIES = 1000
_OWN = ("about", "name", "grid", "variants", "trials", "meta_loops", "seed", "seeding", "dataset", "network", "init")
_AXES = {"with" if name == "regularisers" else name: axis for name, axis in AXES_OF.items()}
_VARIANT_KEYS = ("mode", "schedule", *_AXES)


@dataclass(frozen=True, slots=True)
class StudyFile:
    """What a study file says."""

    name: str
    """Its study's, or what the names of its studies begin with."""
    about: str
    """What it asks, in a line."""
    studies: tuple[StudySpec, ...]
    """Several where a hyperparameter or the data set has several values; their fingerprints are empty."""
    design: Design | None = None
    """How each of them is to be analysed, where the file says it."""


def parse_study_file(text: str, where: str, name: str) -> StudyFile:
    """Read a study file's ``text``.

    Args:
        where: what the file is called in messages.
        name: the study's unless the text says another.

    Raises:
        ConfigError: it has faults; all of them are in its detail, with their lines.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: no TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{where}: nested too deeply for a study file") from None
    reader = _Reader(values, name)
    found = reader.read()
    if reader.faults:
        lines = value_lines(text)
        faults = sorted((lines.get(place, 1), fault) for place, fault in reader.faults)
        described = [f"line {line}: {fault}" for line, fault in faults]
        if len(described) == 1:
            raise ConfigError(f"{where}, {described[0]}")
        raise ConfigError(f"{where}: {len(described)} faults, nothing was begun", "\n".join(described))
    return found


class _Reader:
    """Reads a file's values one after another and collects what is wrong with them."""

    def __init__(self, values: dict[str, Any], name: str) -> None:
        self.values = values
        self.faults: list[tuple[Path, str]] = []
        self._name = name
        self._places: dict[str, Path] = {}

    def read(self) -> StudyFile:
        known = (*_OWN, *OPTIONS, *TABLES)
        for key in self.values:
            if key not in known:
                self._fault((key,), f"no key of a study file: {UnknownNameError(key, known)}")
        name = self._one("name", text_of, self._name, lambda text: check_name(text, ""))
        about = self._one("about", text_of, "")
        family = self._one("network", text_of, Mlp.family, family_of)
        trials = self._one("trials", whole_number(1, 10_000), 10)
        meta_loops = self._one("meta_loops", whole_number(1, 1_000_000), 100)
        seed = self._one("seed", whole_number(0, 2**63 - 1), 0)
        seeding = self._one("seeding", text_of, Seeding.PAIRED, lambda text: Seeding(one_of(text, tuple(Seeding))))
        datasets = self._several("dataset", data_source_of, PUBLISHED_DATASET)
        numbers = {
            option: self._several(option, hyperparameter(option), one.default) for option, one in OPTIONS.items()
        }
        variants = self._variants()
        design = read_design(self.values, trials, tuple(variants), self._with_init, self._fault)
        studies = []
        for source in datasets:
            dataset, path = name_and_path(source)
            networks = self._grid(source, family)
            self._check(networks, variants)
            self._check_batches(numbers["batch_size"], source)
            studies += [
                StudySpec(
                    name=self._named(name, dataset if len(datasets) > 1 else None, numbers, chosen),
                    networks=networks,
                    variants=tuple(variants.values()),
                    trials=trials,
                    meta_loops=meta_loops,
                    seed=seed,
                    seeding=seeding,
                    dataset=dataset,
                    dataset_path=path,
                    dataset_fingerprint="",
                    hyperparameters=Hyperparameters(
                        **{OPTIONS[option].name: value for option, value in zip(numbers, chosen, strict=True)}
                    ),
                )
                for chosen in product(*numbers.values())
                if networks and not self.faults
            ]
        return StudyFile(name, about, tuple(studies), design)

    def _check_batches(self, sizes: Iterable[int | None], dataset: str) -> None:
        most = dataset_spec(dataset).train_count if is_own(dataset) or dataset in DATASETS else None
        for size in sizes:
            if size is not None and most is not None and size > most:
                expected = f"expected at most the {most:,} training images of {name_and_path(dataset)[0]}"
                self._fault(("batch_size",), f"batch_size: {expected}, found {size:,}")

    def _fault(self, place: Path, text: str) -> None:
        if (place, text) not in self.faults:
            self.faults.append((place, text))

    def _one(self, key: str, kind: Callable[[Any], Any], default: Any, *more: Callable[[Any], Any]) -> Any:
        if key not in self.values:
            return default
        return self._parsed((key,), self.values[key], default, kind, *more)

    def _several(self, key: str, kind: Callable[[Any], Any], default: Any) -> list[Any]:
        """Return the values of a key that may have a list of them."""
        value = self.values.get(key)
        if not isinstance(value, list):
            return [self._one(key, kind, default)]
        found = [self._parsed((key, place), one, default, kind) for place, one in enumerate(value)]
        if not found or len(found) != len(set(found)) or len(found) > _MOST_STUDIES:
            self._fault((key,), f"{key}: expected different values, 1 to {_MOST_STUDIES}")
        return found

    def _parsed(self, place: Path, value: Any, default: Any, *kinds: Callable[[Any], Any]) -> Any:
        try:
            for kind in kinds:
                value = kind(value)
        except ConfigError as error:
            self._fault(place, f"{place[0]}: {error}")
            return default
        return value

    def _variants(self) -> dict[str, Variant]:
        """Return the variants by name, in the order of all tables."""
        said = self.values.get("variants")
        if said is None:
            grid = self.values.get("grid")
            return self._with_init(parse_modes(None, grid if grid == "first" else None))
        if isinstance(said, str):
            said = split_list(said)
        if not isinstance(said, list) or not said:
            self._fault(("variants",), "variants: expected a list of names and tables")
            return {}
        found: dict[str, Variant] = {}
        for index, one in enumerate(said):
            try:
                ((name, variant),) = self._with_init([_variant(one)]).items()
            except ConfigError as error:
                self._fault(("variants", index), f"variants: {f'{str(one)[:60]!r}: ' * isinstance(one, str)}{error}")
                continue
            if name in found:
                self._fault(("variants", index), f"variants: {name} is there twice")
            found[name] = variant
            self._places[name] = ("variants", index)
        return {name: found[name] for name in ordered(found)}

    def _with_init(self, variants: Sequence[Variant]) -> dict[str, Variant]:
        """Return the variants by name, with the file's law of first weights where they have none of their own."""
        law = self._one("init", text_of, None, lambda text: one_of(text, INITIALISATIONS))
        if law is None:
            return {one.name: one for one in variants}
        usual = Variant(name="").initialisation
        made = [with_axes(one, {"init": law}) if one.initialisation == usual else one for one in variants]
        return {one.name: one for one in made}

    def _grid(self, dataset: str, family: str) -> tuple[Network, ...]:
        said = self.values.get("grid", "published")
        if isinstance(said, str):
            # A file beside this one would be a part of the design that is not in it.
            entries = [said] if said in GRIDS else [said + ","]
            places: Sequence[Path] = [("grid",)]
        elif isinstance(said, list) and said and all(isinstance(one, str) for one in said):
            entries, places = [one + "," for one in said], [("grid", index) for index in range(len(said))]
        else:
            self._fault(("grid",), "grid: expected a list of architectures, or one of " + ", ".join(GRIDS))
            return ()
        found: dict[Network, None] = {}
        for entry, place in zip(entries, places, strict=True):
            try:
                for network in parse_grid(entry, dataset, family):
                    if network in found:
                        raise ConfigError(f"{network.short_name} is there twice")
                    found[network] = None
            except ConfigError as error:
                reason = str(error).removeprefix("--grid, line 1: ")
                self._fault(place, f"grid: {entry.removesuffix(',')[:60]!r}: {reason}")
        return tuple(found)

    def _check(self, networks: Sequence[Network], variants: dict[str, Variant]) -> None:
        """Make sure that every network can be trained in every variant."""
        for network, variant in product(networks, variants.values()):
            for one in variant.all_variants:
                try:
                    one.check_network(network)
                except ConfigError as error:
                    place = self._places.get(variant.name, ("grid",))
                    self._fault(place, f"variants: {variant} at {network.short_name}: {error}")

    def _named(self, name: str, dataset: str | None, numbers: dict[str, list[Any]], chosen: Sequence[Any]) -> str:
        """Return the name of one of several studies: what tells it apart stands behind a dot."""
        apart = [] if dataset is None else [dataset]
        apart += [
            f"{option.replace('_', '-')}-{value:g}"
            for (option, values), value in zip(numbers.items(), chosen, strict=True)
            if len(values) > 1
        ]
        made = ".".join([name, *apart])
        try:
            return check_name(made)
        except ConfigError:
            self._fault(("name",), f"name: {made[:80]!r} is too long for a study's name, or holds other signs")
            return made


def _variant(said: Any) -> Variant:
    if isinstance(said, str):
        return find_variant(said)
    if not isinstance(said, dict) or not said:
        raise ConfigError(f"expected a name or a table, found {str(said)[:40]!r}")
    if unknown := [key for key in said if key not in _VARIANT_KEYS]:
        raise UnknownNameError(unknown[0], _VARIANT_KEYS)
    texts = {key: ",".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in said.items()}
    if "schedule" in texts:
        if len(texts) > 1:
            raise ConfigError("a schedule names all its modes: leave everything else out")
        return scheduled(part.rpartition(":")[::2] for part in split_list(texts["schedule"]))
    return with_axes(
        find_variant(texts.get("mode", "none")), {_AXES[key]: text for key, text in texts.items() if key != "mode"}
    )
