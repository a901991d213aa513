import math

import numpy as np
import pytest
from scipy import stats

from psa_tui.analysis.design.evidence import measured, strata_of, weigh
from psa_tui.storage.study_rows import FAILED, TrialRow
from psa_tui.studies.design.plan import Direction, Endpoint, Hypothesis


def claim(direction=Direction.DIFFERENT, margin=0.0, endpoint=Endpoint.TEST):
    return Hypothesis(treatment="output", control="none", direction=direction, endpoint=endpoint, margin=margin)


@pytest.fixture
def draw():
    return np.random.default_rng(7)


def test_yes_or_no_of_pairs_is_mcnemars_exact_test(draw):
    strata = [(draw.random(20) < 0.7, draw.random(20) < 0.4) for _ in range(3)]
    strata = [(a.astype(float), b.astype(float)) for a, b in strata]
    differences = np.concatenate([a - b for a, b in strata])
    better, discordant = int((differences > 0).sum()), int((differences != 0).sum())
    for direction, alternative in ((Direction.DIFFERENT, "two-sided"), (Direction.GREATER, "greater")):
        found = weigh(strata, claim(direction), paired=True)
        assert found.p == pytest.approx(stats.binomtest(better, discordant, alternative=alternative).pvalue, rel=1e-12)
        assert (found.test, found.n) == ("McNemar, exact", 60)
    assert found.estimate == pytest.approx(differences.mean())


def test_few_pairs_are_tested_by_all_sign_patterns_as_scipy_does(draw):
    a, b = draw.random(9), draw.random(9) - 0.2
    for direction, alternative in ((Direction.LESS, "less"), (Direction.GREATER, "greater")):
        expected = stats.permutation_test(
            (a, b), lambda x, y: (x - y).sum(), permutation_type="samples", alternative=alternative, n_resamples=np.inf
        ).pvalue
        assert weigh([(a, b)], claim(direction), paired=True).p == pytest.approx(expected, rel=1e-12)


def test_many_pairs_have_the_p_value_of_the_paired_t_test_and_independent_trials_that_of_students(draw):
    a, b = draw.normal(0.5, 0.1, 40), draw.normal(0.46, 0.1, 40)
    assert weigh([(a, b)], claim(), paired=True).p == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-9)
    assert weigh([(a, b[:30])], claim(), paired=False).p == pytest.approx(stats.ttest_ind(a, b[:30]).pvalue, rel=1e-9)
    shifted = stats.ttest_rel(a - 0.02, b, alternative="greater").pvalue
    assert weigh([(a, b)], claim(Direction.GREATER, 0.02), paired=True).p == pytest.approx(shifted, rel=1e-9)
    se = weigh([(a, b)], claim(), paired=False).standard_error
    assert se == pytest.approx(math.sqrt(a.var(ddof=1) / 40 + b.var(ddof=1) / 40))


def test_equivalence_is_two_one_sided_tests(draw):
    a, b = draw.normal(0.50, 0.03, 50), draw.normal(0.505, 0.03, 50)
    sides = (
        stats.ttest_rel(a + 0.02, b, alternative="greater").pvalue,
        stats.ttest_rel(a - 0.02, b, alternative="less").pvalue,
    )
    found = weigh([(a, b)], claim(Direction.EQUIVALENT, 0.02), paired=True)
    assert found.p == pytest.approx(max(sides), rel=1e-9)


def test_independent_yes_or_no_over_shapes_is_the_test_of_cochran_mantel_and_haenszel(draw):
    from statsmodels.stats.contingency_tables import StratifiedTable

    strata = [((draw.random(200) < p + 0.06).astype(float), (draw.random(200) < p).astype(float)) for p in (0.2, 0.6)]
    tables = [[[a.sum(), 200 - a.sum()], [b.sum(), 200 - b.sum()]] for a, b in strata]
    expected = StratifiedTable([np.array(one) for one in tables]).test_null_odds(correction=False).pvalue
    # The t distribution of 797 degrees of freedom in place of the normal one.
    assert weigh(strata, claim(), paired=False).p == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("n", [1, 5, 20])
def test_what_never_differs_is_evidence_of_nothing_and_what_always_does_cannot_be_more_than_certain(paired, n):
    same = [(np.full(n, 0.1), np.full(n, 0.1))]
    assert weigh(same, claim(), paired=paired).p == 1
    apart = weigh([(np.ones(n), np.zeros(n))], claim(), paired=paired)
    assert 0 < apart.p <= 1
    assert apart.estimate == 1


def test_failed_trials_are_no_data_and_those_without_a_promotion_have_not_escaped():
    row = TrialRow(architecture="1*2", mode="none", trial=1, parameters=9, bounty=0.5, test_accuracy=0.4)
    rows = [
        row,
        TrialRow(architecture="1*2", mode="none", trial=2, parameters=9, bounty=0.5, test_accuracy=0.2),
        TrialRow(architecture="1*2", mode="none", trial=3, parameters=9),
        TrialRow(architecture="1*2", mode="none", trial=4, parameters=9, state=FAILED, test_accuracy=0.9, bounty=0.9),
        TrialRow(architecture="1*2", mode="none", trial=5, parameters=9, bounty=0.5),
        TrialRow(architecture="1*2", mode="output", trial=1, parameters=9, bounty=0.6, test_accuracy=0.5),
        TrialRow(architecture="1*2", mode="output", trial=3, parameters=9, bounty=0.6, test_accuracy=0.5),
    ]
    values = measured(rows, Endpoint.ESCAPE, 0.26, {})
    assert {trial: value for (_, mode, trial), value in values.items() if mode == "none"} == {1: 1, 2: 0, 3: 0}
    assert {key[2] for key in measured(rows, Endpoint.VALIDATION, 0.26, {}) if key[1] == "none"} == {1, 2, 5}
    assert {key[2] for key in measured(rows, Endpoint.TEST, 0.26, {}) if key[1] == "none"} == {1, 2}
    ((a, b),) = strata_of(values, ["1*2", "9*9"], claim(), paired=True, trials=10)
    assert (a.tolist(), b.tolist()) == ([1, 1], [1, 0])
    ((a, b),) = strata_of(values, ["1*2"], claim(), paired=False, trials=2)
    assert (a.tolist(), b.tolist()) == ([1], [1, 0])
