"""A study on SageMaker: what all its jobs train, and one job's part of it as the text its entry script reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from psa_tui.aws.jobs import Cell
from psa_tui.data import AUTO, is_own, load_dataset
from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import HYPERPARAMETERS, Hyperparameters
from psa_tui.method.variants import find_variant
from psa_tui.networks import Mlp
from psa_tui.studies.grids import PUBLISHED_DATASET, parse_grid, parse_modes, parse_network
from psa_tui.studies.parts import Part
from psa_tui.studies.seeds import Seeding
from psa_tui.studies.spec import StudySpec, check_name

_OF_THE_WHOLE_STUDY = ("name", "shapes", "modes", "dataset_fingerprint", "quick", "earlier")


def sagemaker_study(
    name: str | None, grid: str | None, modes: str | None, trials: int | None, meta_loops: int | None, seed: int | None
) -> StudySpec:
    """Return the study that is meant; what is not said is as in the published one.

    Raises:
        ConfigError: a name, grid or mode is none.
    """
    return StudySpec(
        name=check_name(name or "sagemaker"),
        networks=parse_grid(grid or "published"),
        variants=parse_modes(modes, grid),
        trials=trials or 10,
        meta_loops=meta_loops or 100,
        seed=seed or 0,
        dataset=PUBLISHED_DATASET,
        dataset_fingerprint="",
    )


def job_parameters(spec: StudySpec, cell: Cell) -> dict[str, str]:
    """Return what SageMaker passes to the job of ``cell`` as its hyperparameters; ``read_job`` is the inverse.

    Raises:
        ConfigError: its data set is one's own.
    """
    if spec.dataset_path is not None:
        raise ConfigError(f"{spec.dataset} is a file or a folder of this machine, and does not travel to SageMaker")
    shape, mode = cell
    settings = {name: str(value) for name, value in spec.as_settings().items() if name not in _OF_THE_WHOLE_STUDY}
    return {"study": spec.name, "shape": shape, "mode": mode} | settings


def read_job(values: Mapping[str, str], dataset_dir: Path) -> tuple[StudySpec, Part]:
    """Return the study of ``job_parameters``, with the job's shape and mode alone, and all its trials as one part.

    Raises:
        KeyError, ValueError, ConfigError: the values make no sense.
        DataError, RetryableError: the data set cannot be had.
    """
    dataset = values["dataset"]
    if dataset == AUTO or is_own(dataset):
        raise ConfigError("a job must not choose its data set; name one")
    network = parse_network(values["shape"], dataset, values.get("network", Mlp.family))
    numbers = {one.name: one.kind(values[one.name]) for one in HYPERPARAMETERS if one.name in values}
    spec = StudySpec(
        name=check_name(values["study"]),
        networks=(network,),
        variants=(find_variant(values["mode"]),),
        trials=int(values["trials"]),
        meta_loops=int(values["meta_loops"]),
        seed=int(values["seed"]),
        seeding=Seeding(values.get("seeding", Seeding.PAIRED)),
        dataset=dataset,
        dataset_fingerprint=load_dataset(dataset, dataset_dir).fingerprint,
        hyperparameters=Hyperparameters.from_json(numbers),
    )
    return spec, Part(network, tuple(range(1, spec.trials + 1)))
