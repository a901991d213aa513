from dataclasses import replace

from psa_tui.aws.study import job_parameters, read_job, sagemaker_study
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
