"""A study on SageMaker: what all its jobs train, and one job's part of it as the text its entry script reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from psa_tui.aws.jobs import Cell, architecture_of
from psa_tui.aws.source_archive import USER_CODE
from psa_tui.data import AUTO, is_own, load_dataset
from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import HYPERPARAMETERS, Hyperparameters
from psa_tui.method.variants import find_variant
from psa_tui.networks import Mlp
from psa_tui.networks.modules.names import names_code
from psa_tui.studies.grids import PUBLISHED_DATASET, parse_grid, parse_modes, parse_network
from psa_tui.studies.parts import Part
from psa_tui.studies.seeds import Seeding
from psa_tui.studies.spec import StudySpec, check_name

_OF_THE_WHOLE_STUDY = ("name", "shapes", "modes", "dataset_fingerprint", "quick", "earlier")


def sagemaker_study(
    name: str | None,
    grid: str | None,
    modes: str | None,
    trials: int | None,
    meta_loops: int | None,
    seed: int | None,
    family: str | None = None,
) -> StudySpec:
    """Return the study that is meant; what is not said is as in the published one.

    Raises:
        ConfigError: a name, grid or mode is none.
    """
    return StudySpec(
        name=check_name(name or "sagemaker"),
        networks=parse_grid(grid or "published", family=family or Mlp.family),
        variants=parse_modes(modes, grid),
        trials=trials or 10,
        meta_loops=meta_loops or 100,
        seed=seed or 0,
        dataset=PUBLISHED_DATASET,
        dataset_fingerprint="",
    )


def travelling_code(spec: StudySpec) -> bytes | None:
    """Return the user's file that makes the networks of ``spec``; None where they are of a family of this package.

    Raises:
        ConfigError: it is a module that is installed here.
    """
    from psa_tui.networks.modules.network import ModuleNetwork

    network = spec.networks[0]
    if not isinstance(network, ModuleNetwork):
        return None
    if network.code.content is None:
        raise ConfigError(
            f"{spec.family} is a module of this machine, and does not travel to SageMaker; name its file, "
            "--network PATH/FILE.py:FACTORY, which does"
        )
    return network.code.content


def job_parameters(spec: StudySpec, cell: Cell) -> dict[str, str]:
    """Return what SageMaker passes to the job of ``cell`` as its hyperparameters; ``read_job`` is the inverse.

    Raises:
        ConfigError: its data set is one's own.
    """
    if spec.dataset_path is not None:
        raise ConfigError(f"{spec.dataset} is a file or a folder of this machine, and does not travel to SageMaker")
    shape, mode = cell
    settings = {name: str(value) for name, value in spec.as_settings().items() if name not in _OF_THE_WHOLE_STUDY}
    told = {"study": spec.name, "shape": architecture_of(shape), "mode": mode} | settings
    if names_code(spec.family):
        (told["code"],) = spec.networks[0].versions.values()
    return told


def read_job(values: Mapping[str, str], dataset_dir: Path, sources: Path) -> tuple[StudySpec, Part]:
    """Return the study of ``job_parameters``, with the job's shape and mode alone, and all its trials as one part.

    Code of the user's is run, which the launch named: it is among ``sources``, the unpacked archive.

    Raises:
        OSError: that code cannot be read.
        KeyError, ValueError, ConfigError: the values make no sense.
        DataError, RetryableError: the data set cannot be had.
    """
    dataset = values["dataset"]
    if dataset == AUTO or is_own(dataset):
        raise ConfigError("a job must not choose its data set; name one")
    family = values.get("network", Mlp.family)
    if names_code(family):
        _run_travelled(family, values["code"], sources / USER_CODE)
    network = parse_network(values["shape"], dataset, family)
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


def _run_travelled(family: str, version: str, path: Path) -> None:
    from psa_tui.networks.modules.code import run_again

    content = path.read_bytes()
    if version != f"sha256:{hashlib.sha256(content).hexdigest()}":
        raise ConfigError(f"{family}: the file that came along is not the one that was launched; launch the job again")
    run_again(str(path.parent / family), content)
