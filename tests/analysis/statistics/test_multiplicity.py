import numpy as np
import pytest

from psa_tui.analysis.statistics.multiplicity import benjamini_hochberg, holm

BENJAMINI_HOCHBERG_1995 = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
    *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]


def test_holm_steps_down():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_the_example_of_1995_finds_four_where_a_family_finds_three():
    found = np.array(BENJAMINI_HOCHBERG_1995)
    assert (benjamini_hochberg(found) < 0.05).sum() == 4
    assert (holm(found) < 0.05).sum() == 3


def test_what_was_not_tested_is_not_counted():
    assert holm(np.array([0.02, np.nan, 0.03]))[[0, 2]] == pytest.approx([0.04, 0.04])
    assert np.isnan(holm(np.array([np.nan]))).all()
