import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference

from psa_tui.analysis.statistics.escape import logistic_model, mcnemar


def test_mcnemar_is_that_of_statsmodels_and_knows_only_disagreement():
    a = np.array([True] * 14 + [False] * 26)
    b = np.array([True] * 5 + [False] * 32 + [True] * 3)
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    gained, lost = table[0][1], table[1][0]
    exact = reference(table, exact=True).pvalue
    assert mcnemar(a, b) == pytest.approx(exact - stats.binom.pmf(min(gained, lost), gained + lost, 0.5))
    assert mcnemar(a, a) == mcnemar(np.array([True, False]), np.array([False, True])) == 1
    # Nine against none: two of 2**9 ways, and half of each.
    assert mcnemar(np.ones(9, bool), np.zeros(9, bool)) == pytest.approx(1 / 2**9)


def balanced(chances, trials=10, seed=0):
    drawn = np.random.default_rng(seed)
    escaped = np.concatenate([drawn.random(2 * trials) < chance for chance in chances])
    treated = np.tile(np.repeat([False, True], trials), len(chances))
    return escaped, treated, np.repeat(np.arange(len(chances)), 2 * trials)


def test_in_a_balanced_design_the_odds_ratio_is_that_of_the_rates():
    escaped, treated, shape = balanced([0.1, 0.3, 0.5, 0.2, 0.8, 0.4, 0.6])
    odds = [escaped[rows].mean() / (1 - escaped[rows].mean()) for rows in (treated, ~treated)]
    found = logistic_model(escaped, treated, shape)
    assert found.value == pytest.approx(odds[0] / odds[1], rel=1e-6)
    assert found.low < found.value < found.high
    assert (found.p < 0.05) == (not found.low < 1 < found.high)
    # The order of the rows is nothing.
    mixed = np.random.default_rng(1).permutation(len(escaped))
    assert logistic_model(escaped[mixed], treated[mixed], shape[mixed]).low == pytest.approx(found.low)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda escaped, treated: escaped | treated, "all trials of the mode escaped"),
        (lambda escaped, treated: escaped & treated, "no trial of the control escaped"),
        (lambda escaped, treated: treated, "all trials of the mode escaped"),
    ],
)
def test_separated_modes_are_named_and_not_fitted(change, words):
    escaped, treated, shape = balanced([0.5] * 6)
    assert logistic_model(change(escaped, treated), treated, shape).problem == words


def test_few_shapes_are_not_fitted():
    assert logistic_model(*balanced([0.5] * 4)).problem == "it needs 5 shapes"


def test_shapes_that_all_or_never_escape_are_no_obstacle():
    escaped, treated, shape = balanced([0, 0, 0, 1, 1, 1, 0.5])
    found = logistic_model(escaped, treated, shape)
    assert found.problem == ""
    assert np.isfinite([found.value, found.low, found.high]).all()
