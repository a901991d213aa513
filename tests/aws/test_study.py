from dataclasses import replace

import pytest

from psa_tui.aws.study import job_parameters, read_job, sagemaker_study
from psa_tui.errors import ConfigError
from psa_tui.studies.grids import parse_grid
from psa_tui.studies.seeds import Seeding


def test_a_job_is_told_all_that_its_trials_depend_on(tmp_path):
    spec = sagemaker_study("mine", "8*8,18*18", "none,output", 3, 4, 5)
    spec = replace(spec, seeding=Seeding.SEPARATE, dataset="mnist5k", networks=parse_grid("8*8,18*18", "mnist5k"))
    found, part = read_job(job_parameters(spec.with_trials(7), ("18*18", "output")), tmp_path)
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
        read_job({**told, "dataset": str(tmp_path / "own.npz")}, tmp_path)
