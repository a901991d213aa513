"""Against published tables: Jennison and Turnbull (2000), tables 2.1 and 2.3, and the R package gsDesign's sfLDOF."""

import numpy as np
import pytest
from scipy import stats

from psa_tui.analysis.design.boundaries import HIGHEST, boundaries, crossing_probabilities, nominal_level, spent
from psa_tui.studies.design.plan import Spending

OBF, POCOCK = Spending


def even(looks):
    return [look / looks for look in range(1, looks + 1)]


@pytest.mark.parametrize(
    ("looks", "published"),
    [
        (1, (1.960,)),
        (2, (2.9626, 1.9686)),
        (3, (3.7103, 2.5114, 1.9930)),
        (4, (4.3326, 2.9631, 2.3590, 2.0141)),
        (5, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)),
    ],
)
def test_boundaries_of_the_spending_function_are_those_of_gsdesign(looks, published):
    two_sided = boundaries(even(looks), 0.05, OBF, two_sided=True)
    assert two_sided == pytest.approx(published, abs=2e-4)
    # Nobody crosses to both sides: one side of half the risk is the same to five digits.
    assert boundaries(even(looks), 0.025, OBF, two_sided=False) == pytest.approx(two_sided, abs=1e-5)


@pytest.mark.parametrize(
    "published",
    [
        (2.797, 1.977),
        (3.471, 2.454, 2.004),
        (4.049, 2.863, 2.337, 2.024),
        (4.562, 3.226, 2.634, 2.281, 2.040),
        (2.178, 2.178),
        (2.413, 2.413, 2.413, 2.413, 2.413),
    ],
)
def test_classical_boundaries_of_obrien_and_fleming_and_of_pocock_keep_the_risk_they_are_published_with(published):
    found = crossing_probabilities(published, even(len(published)), two_sided=True)
    # Three digits of a boundary are 1e-4 of risk.
    assert sum(found) == pytest.approx(0.05, abs=1.2e-4)


@pytest.mark.parametrize("spending", Spending)
@pytest.mark.parametrize("two_sided", [True, False])
def test_uneven_looks_spend_what_the_function_allows_at_each(spending, two_sided):
    fractions = [0.1, 0.15, 0.5, 0.501, 0.9, 1.0]
    bounds = boundaries(fractions, 0.04, spending, two_sided=two_sided)
    crossed = np.cumsum(crossing_probabilities(bounds, fractions, two_sided=two_sided))
    sides = 2 if two_sided else 1
    allowed = [sides * spent(spending, 0.04 / sides, fraction) for fraction in fractions]
    assert crossed == pytest.approx(allowed, rel=1e-6, abs=1e-15)
    assert allowed[-1] == 0.04


def test_a_look_at_almost_nothing_has_a_boundary_nobody_reaches():
    first, last = boundaries([0.0005, 1], 0.05, OBF, two_sided=True)
    assert 30 < first <= HIGHEST
    assert last == pytest.approx(1.959964, abs=1e-5)
    assert nominal_level(last, two_sided=True) == pytest.approx(0.05, abs=1e-6)
    assert nominal_level(last, two_sided=False) == pytest.approx(0.025, abs=1e-6)


def test_power_of_one_look_is_that_of_the_normal_distribution_and_of_three_that_of_simulated_paths():
    (power,) = crossing_probabilities((1.96,), (1.0,), two_sided=True, drift=2.8)
    assert power == pytest.approx(stats.norm.sf(1.96 - 2.8) + stats.norm.cdf(-1.96 - 2.8), abs=1e-12)
    fractions = np.array([0.2, 0.6, 1.0])
    bounds = np.array(boundaries(fractions, 0.05, OBF, two_sided=True))
    steps = np.diff(fractions, prepend=0)
    paths = np.random.default_rng(1).normal(2 * steps, np.sqrt(steps), (200_000, 3)).cumsum(axis=1) / np.sqrt(fractions)
    beyond = np.abs(paths) > bounds
    found = [(beyond[:, k] & ~beyond[:, :k].any(axis=1)).mean() for k in range(3)]
    assert crossing_probabilities(bounds, fractions, two_sided=True, drift=2) == pytest.approx(found, abs=0.004)
