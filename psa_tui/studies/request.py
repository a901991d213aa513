"""From what a user said to the study that is meant: a new one, or the one that already has the name."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from psa_tui.data import load_dataset
from psa_tui.data.own import name_and_path
from psa_tui.errors import ConfigError
from psa_tui.networks.modules.names import names_code
from psa_tui.settings import Settings
from psa_tui.storage.study_rows import LOCAL
from psa_tui.storage.study_store import read_store
from psa_tui.studies.grids import PUBLISHED_DATASET, parse_grid, parse_modes, parse_network
from psa_tui.studies.spec import StudySpec, check_name

DEFAULT_NAME = "reproduction"
QUICK_NAME = "quick"
_QUICK_GRID = "1*4,4*4,8*8"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRequest:
    """What was said of a study; None is not said."""

    name: str | None = None
    grid: str | None = None
    modes: str | None = None
    trials: int | None = None
    meta_loops: int | None = None
    seed: int | None = None
    quick: bool = False

    @property
    def study(self) -> str:
        """The study's name.

        Raises:
            ConfigError: the one that was said cannot be a study's.
        """
        return check_name(self.name or (QUICK_NAME if self.quick else DEFAULT_NAME))


def new_study(request: StudyRequest, settings: Settings) -> StudySpec:
    """Return the study that ``request`` and ``settings`` mean where none was begun: by default the published one.

    The data set is not loaded, and the fingerprint empty. Full MNIST is never replaced by the embedded digits unless
    they are asked for.

    Raises:
        ConfigError: a grid or a mode is none.
    """
    source = settings.get("dataset") if settings.is_explicit("dataset") else PUBLISHED_DATASET
    dataset, path = name_and_path(source)
    grid = request.grid or (_QUICK_GRID if request.quick else "published")
    return StudySpec(
        name=request.study,
        networks=parse_grid(grid, source, settings.get("network")),
        variants=parse_modes(request.modes, request.grid),
        trials=request.trials or (2 if request.quick else 10),
        meta_loops=request.meta_loops or (3 if request.quick else 100),
        seed=request.seed or 0,
        dataset=dataset,
        dataset_path=path,
        dataset_fingerprint="",
        hyperparameters=settings.hyperparameters(),
        quick=request.quick,
    )


def resolve(request: StudyRequest, settings: Settings, say: Callable[[str], None]) -> StudySpec:
    """Return the study that ``request`` and ``settings`` mean; one that was begun keeps whatever they do not say.

    The data set is loaded, for its fingerprint.

    Raises:
        ConfigError: the study was begun as another one; its differences are named.
        DataError, RetryableError: the data set is damaged, or cannot be downloaded.
    """
    known = known_study(settings.get("results_dir"), request.study)
    asked = new_study(request, settings) if known is None else _changed(known, request, settings)
    _check_variants(asked)
    return agreed(known, with_data(asked, settings, say))


def with_data(asked: StudySpec, settings: Settings, say: Callable[[str], None]) -> StudySpec:
    """Return ``asked`` with the fingerprint of its data set, which is loaded.

    Raises:
        DataError, RetryableError: the data set is damaged, or cannot be downloaded.
    """
    data = load_dataset(asked.data_source, settings.get("dataset_dir"), say)
    return replace(asked, dataset=data.name, dataset_fingerprint=data.fingerprint)


def agreed(known: StudySpec | None, asked: StudySpec) -> StudySpec:
    """Return ``asked`` as it goes on with ``known``, the study that has its name, and may have more trials.

    Raises:
        ConfigError: ``known`` is another one; its differences are named.
    """
    if known is None:
        return asked
    grown = known.with_trials(asked.trials)
    asked = replace(asked, earlier=grown.earlier)
    if differences := grown.differences(asked):
        raise ConfigError(
            f"study {known.name} was begun with {'; '.join(differences)}: leave that out to go on with it, "
            "or begin a new one with another name (--study NAME, or name = in its file)"
        )
    return asked


def _check_variants(spec: StudySpec) -> None:
    """Make sure that every network can be trained in every variant.

    Raises:
        ConfigError: one cannot.
    """
    for variant in spec.variants:
        for network, one in itertools.product(spec.networks, variant.all_variants):
            try:
                one.check_network(network)
            except ConfigError as error:
                raise ConfigError(f"--modes: {variant} at {network.short_name}: {error}") from None


def resume_command(settings: Settings, spec: StudySpec) -> str:
    """Return the command that goes on with the study."""
    parts = ["psa", "reproduce", "run"] if spec.name == DEFAULT_NAME else ["psa", "study", "run", spec.name]
    if names_code(spec.networks[0].source):
        parts += ["--network", spec.networks[0].source]
    for name in ("dataset_dir", "results_dir", "backend"):
        found = settings.find(name)
        if found is not None and found.origin.startswith("--"):
            parts += [found.origin, str(found.value)]
    return shlex.join(parts)


def _changed(known: StudySpec, request: StudyRequest, settings: Settings) -> StudySpec:
    """Return ``known`` with whatever was said."""
    source = settings.get("dataset") if settings.is_explicit("dataset") else known.data_source
    dataset, path = name_and_path(source)
    family = settings.get("network") if settings.is_explicit("network") else known.family
    if request.grid is not None:
        networks = parse_grid(request.grid, source, family)
    else:
        networks = tuple(parse_network(network.short_name, source, family) for network in known.networks)
    says_variants = request.modes is not None or request.grid == "first"
    return replace(
        known,
        networks=networks,
        variants=parse_modes(request.modes, request.grid) if says_variants else known.variants,
        trials=request.trials or known.trials,
        meta_loops=request.meta_loops or known.meta_loops,
        seed=known.seed if request.seed is None else request.seed,
        dataset=dataset,
        dataset_path=path,
        hyperparameters=replace(known.hyperparameters, **settings.explicit_hyperparameters()),
        quick=request.quick or known.quick,
    )


def known_study(results_dir: Path, name: str, *, to_show: bool = False) -> StudySpec | None:
    """Return the study of that name that was begun in ``results_dir``; None where there is none.

    Raises:
        ConfigError: its trials were fetched from S3, or what it needs is not here, as ``StudySpec.from_settings``.
    """
    with read_store(results_dir) as store:
        row = None if store is None else store.study(name)
    if row is None:
        return None
    if row.source != LOCAL:
        raise ConfigError(f"study {name} holds trials fetched from S3; choose another --study to train here")
    return StudySpec.from_settings(row.settings, to_show=to_show)
