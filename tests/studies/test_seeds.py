from itertools import product

import numpy as np
import pytest
import torch

from psa_tui.engine.population import initial_population_row
from psa_tui.method.variants import NONE, OUTPUT
from psa_tui.studies.grids import parse_network
from psa_tui.studies.seeds import Seeding, crossed, trial_seed, trial_seeds

NETWORK = parse_network("8*8")
TRIALS = range(1, 17)


def seeds(seeding, variant=NONE):
    return [trial_seeds(seeding, 3, NETWORK, variant, trial) for trial in TRIALS]


def test_paired_trials_share_one_seed_over_all_variants():
    assert seeds(Seeding.PAIRED) == seeds(Seeding.PAIRED, OUTPUT)
    assert [tuple(one) for one in seeds(Seeding.PAIRED)] == [(trial_seed(3, NETWORK, trial),) * 2 for trial in TRIALS]


def test_independent_trials_share_no_seed():
    every = [*seeds(Seeding.INDEPENDENT), *seeds(Seeding.INDEPENDENT, OUTPUT), *seeds(Seeding.PAIRED)]
    assert len({one.draws for one in every}) == 3 * len(TRIALS)
    assert all(one.draws == one.initialisation for one in every)


def test_a_square_number_of_separate_trials_crosses_all_first_weights_with_all_orders():
    assert seeds(Seeding.SEPARATE) == seeds(Seeding.SEPARATE, OUTPUT)
    for side in (1, 2, 3, 4):
        found = seeds(Seeding.SEPARATE)[: side * side]
        orders, weights = {one.draws for one in found}, {one.initialisation for one in found}
        assert (len(orders), len(weights)) == (side, side)
        assert {tuple(one) for one in found} == set(product(orders, weights))
        assert not orders & weights
    assert [crossed(trial) for trial in range(1, 6)] == [(1, 1), (1, 2), (2, 2), (2, 1), (1, 3)]


@pytest.mark.parametrize("seeding", Seeding)
def test_a_trial_begins_with_the_first_weights_of_its_seed(seeding, small_study, study_data):
    from dataclasses import replace

    from psa_tui.studies.parts import Part
    from psa_tui.studies.training import PartRun

    spec = replace(small_study, seeding=seeding)
    part = Part(spec.networks[0], (1, 2, 3, 4))
    run = PartRun(spec, part, study_data)
    members = list(part.members(spec))
    for (trial, variant), row in zip(members, run._population.lkg, strict=True):
        seed = spec.seeds(part.network, variant, trial)
        assert torch.equal(row, torch.from_numpy(initial_population_row(part.network, seed.initialisation)))
    assert [one.seed for one in run._population.trials] == [
        spec.seeds(part.network, variant, trial).draws for trial, variant in members
    ]
    # Two first weights of two orders each, or one of each trial, or of each trial and variant.
    distinct = {"separate": 2, "paired": 4, "independent": 4 * len(spec.variants)}
    assert len(np.unique(run._population.lkg.numpy(), axis=0)) == distinct[seeding]
