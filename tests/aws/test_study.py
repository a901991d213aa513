import hashlib
import io
import tarfile
from dataclasses import replace

import pytest

from psa_tui.aws.jobs import cell_of
from psa_tui.aws.source_archive import USER_CODE, build_source_archive, source_root
from psa_tui.aws.study import job_parameters, read_job, sagemaker_study, travelling_code
from psa_tui.errors import ConfigError
from psa_tui.networks import NETWORKS
from psa_tui.networks.modules.code import run_named_code
from psa_tui.studies.grids import parse_grid
from psa_tui.studies.seeds import Seeding


def test_a_job_is_told_all_that_its_trials_depend_on(tmp_path):
    spec = sagemaker_study("mine", "8*8,18*18", "none,output", 3, 4, 5)
    spec = replace(spec, seeding=Seeding.SEPARATE, dataset="mnist5k", networks=parse_grid("8*8,18*18", "mnist5k"))
    found, part = read_job(job_parameters(spec.with_trials(7), ("18*18", "output")), tmp_path, tmp_path)
    assert part.trials == tuple(range(1, 8))
    (network,), (variant,) = found.networks, found.variants
    assert [found.seeds(network, variant, trial) for trial in part.trials] == [
        spec.seeds(spec.networks[1], spec.variants[1], trial) for trial in part.trials
    ]
    assert found.hyperparameters == spec.hyperparameters


def test_data_of_ones_own_does_not_travel(tmp_path):
    spec = replace(sagemaker_study("mine", "8*8", "none", 3, 4, 5), dataset="own.npz", dataset_path="/data/own.npz")
    with pytest.raises(ConfigError, match=r"own\.npz is a file or a folder of this machine"):
        job_parameters(spec, ("8*8", "none"))
    told = job_parameters(replace(spec, dataset="mnist5k", dataset_path=None), ("8*8", "none"))
    with pytest.raises(ConfigError, match="must not choose its data set"):
        read_job({**told, "dataset": str(tmp_path / "own.npz")}, tmp_path, tmp_path)


CODE = """
from torch import nn


def build(architecture, input_shape, classes):
    width = int(architecture)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, classes))
"""


@pytest.fixture
def own(tmp_path):
    """A study of a file of the user's, and the folder of a job whose archive was unpacked there."""
    (tmp_path / "mine.py").write_text(CODE)
    before = dict(NETWORKS._items)
    name = run_named_code(f"{tmp_path / 'mine.py'}:build")
    yield sagemaker_study("mine", "4,6", "none,hidden", 2, 3, 5, name), tmp_path / "job"
    NETWORKS._items.clear()
    NETWORKS._items.update(before)


def test_a_file_that_was_named_travels_and_runs_in_the_job_as_it_was(own):
    spec, job = own
    told = job_parameters(replace(spec, dataset="mnist5k"), cell_of(spec.networks[1], spec.variants[1]))
    assert told["code"] == f"sha256:{hashlib.sha256(CODE.encode()).hexdigest()}"
    assert (told["network"], told["shape"], told["mode"]) == ("mine.py:build", "6", "hidden")
    assert all(isinstance(value, str) for value in told.values())
    with tarfile.open(fileobj=io.BytesIO(build_source_archive(source_root(), travelling_code(spec)))) as archive:
        archive.extract(USER_CODE, job, filter="data")
    NETWORKS._items.pop("mine.py:build")
    found, part = read_job(told, job, job)
    assert str(part.network) == "6"
    assert part.network.tensors == spec.networks[1].tensors
    assert found.seeds(part.network, found.variants[0], 1) == spec.seeds(spec.networks[1], spec.variants[1], 1)
    assert travelling_code(found) == CODE.encode()
    NETWORKS._items.pop("mine.py:build")
    (job / USER_CODE).write_text(CODE + "#")
    with pytest.raises(ConfigError, match="the file that came along is not the one that was launched"):
        read_job(told, job, job)
    assert NETWORKS.get("mine.py:build") is None


def test_only_a_file_that_was_named_travels(own, monkeypatch):
    _, job = own
    assert travelling_code(sagemaker_study("mine", "8*8", "none", 3, 4, 5, "resmlp")) is None
    with tarfile.open(fileobj=io.BytesIO(build_source_archive(source_root()))) as archive:
        assert not [name for name in archive.getnames() if "user_code" in name or "mine" in name]
    monkeypatch.syspath_prepend(job.parent)
    name = run_named_code("mine:build")
    with pytest.raises(ConfigError, match="mine:build is a module of this machine, and does not travel"):
        travelling_code(sagemaker_study("mine", "4,6", "none", 2, 3, 5, name))
