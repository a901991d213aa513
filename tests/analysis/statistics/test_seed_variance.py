import numpy as np
import pytest

from psa_tui.analysis.statistics.seed_variance import split_variance


def test_effects_without_a_rest_are_found_exactly():
    rows, columns = np.array([0.1, 0.4, 0.2]), np.array([0.0, 0.3, 0.1])
    found = split_variance(0.5 + rows[:, None] + columns[None, :])
    assert found == pytest.approx((rows.var(ddof=1), columns.var(ddof=1), 0))


def test_many_grids_come_to_the_variances_they_were_drawn_with():
    drawn = np.random.default_rng(4)
    grids = drawn.normal(0, 3, (400, 8, 1)) + drawn.normal(0, 2, (400, 1, 8)) + drawn.normal(0, 1, (400, 8, 8))
    mean = np.mean([split_variance(grid) for grid in grids], axis=0)
    assert mean == pytest.approx([9, 4, 1], rel=0.08)


def test_no_component_is_negative():
    drawn = np.random.default_rng(5)
    assert min(min(split_variance(drawn.normal(size=(2, 2)))) for _ in range(50)) == 0
