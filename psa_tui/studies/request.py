"""From what a user said to the study that is meant: a new one, or the one that already has the name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from psa_tui.data import load_dataset
from psa_tui.errors import ConfigError
from psa_tui.method.variants import AblationMode
from psa_tui.settings import Settings
from psa_tui.storage.study_store import LOCAL, read_store
from psa_tui.studies.grids import Shape
from psa_tui.studies.spec import StudySpec, check_name

DEFAULT_NAME = "reproduction"
QUICK_NAME = "quick"
_QUICK_SHAPES = (Shape(1, 4), Shape(4, 4), Shape(8, 8))
_HYPERPARAMETERS = {"lr": "learning_rate", "batch_size": "batch_size", "weight_decay": "weight_decay"} | {
    "dropout": "dropout"
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What was said of a study; None is not said."""

    name: str | None = None
    shapes: tuple[Shape, ...] | None = None
    modes: tuple[AblationMode, ...] | None = None
    trials: int | None = None
    meta_loops: int | None = None
    seed: int | None = None
    quick: bool = False


def resolve(
    wish: Wish, settings: Settings, default_shapes: Callable[[], tuple[Shape, ...]], say: Callable[[str], None]
) -> StudySpec:
    """The study that ``wish`` and ``settings`` mean; one that was begun keeps whatever they do not say.

    The data set is loaded, for its fingerprint. Full MNIST is never replaced by the embedded digits unless they
    are asked for.

    Raises:
        ConfigError: the study was begun as another one; its differences are named.
        DataError, RetryableError: the data set is damaged, or cannot be downloaded.
    """
    name = check_name(wish.name or (QUICK_NAME if wish.quick else DEFAULT_NAME))
    known = _known(settings.get("results_dir"), name)
    dataset = settings.get("dataset") if settings.is_explicit("dataset") else known.dataset if known else "mnist"
    data = load_dataset(dataset, settings.get("dataset_dir"), say)
    base = known or StudySpec(
        name=name,
        shapes=_QUICK_SHAPES if wish.quick else wish.shapes or default_shapes(),
        modes=tuple(AblationMode),
        trials=2 if wish.quick else 10,
        meta_loops=3 if wish.quick else 100,
        seed=0,
        dataset=data.name,
        dataset_fingerprint=data.fingerprint,
        learning_rate=settings.get("lr"),
        batch_size=settings.get("batch_size"),
        weight_decay=settings.get("weight_decay"),
        dropout=settings.get("dropout"),
        quick=wish.quick,
    )
    said = {
        "shapes": wish.shapes,
        "modes": wish.modes,
        "trials": wish.trials,
        "meta_loops": wish.meta_loops,
        "seed": wish.seed,
        "quick": wish.quick or None,
    } | {field: settings.get(key) for key, field in _HYPERPARAMETERS.items() if settings.is_explicit(key)}
    asked = replace(base, dataset=data.name, dataset_fingerprint=data.fingerprint)
    asked = replace(asked, **{field: value for field, value in said.items() if value is not None})
    if known is not None and (differences := known.differences(asked)):
        raise ConfigError(
            f"study {name} was begun with another {'; '.join(differences)}: leave that out to go on with it, "
            "or begin a new one with --study another-name"
        )
    return asked


def _known(results_dir: Path, name: str) -> StudySpec | None:
    with read_store(results_dir) as store:
        row = None if store is None else store.study(name)
    if row is None:
        return None
    if row.source != LOCAL:
        raise ConfigError(f"study {name} holds trials fetched from S3; choose another --study to train here")
    return row.spec()
