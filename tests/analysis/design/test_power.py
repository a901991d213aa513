import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from psa_tui.analysis.design.power import STUDIES, Aim, Means, Rates, inflation, mcnemar_n, needed, simulated_power
from psa_tui.analysis.design.power_text import power_text, sensitivity_text
from psa_tui.analysis.design.questions import questions_of
from psa_tui.analysis.design.sensitivity import sensitivities
from psa_tui.analysis.sources import load_trials
from psa_tui.errors import ConfigError
from psa_tui.studies.design.plan import Endpoint

ERROR = 4 * np.sqrt(0.2 * 0.8 / STUDIES)


def test_textbook_sizes_of_two_means_and_two_proportions():
    # Half a standard deviation at 80 %: 34 pairs, 64 a group (Cohen 1988); 30 against 60 %: 42 a group (Fleiss 1981).
    half = Means(difference=0.5, std=1, correlation=0.5)
    assert needed(half, Aim(), paired=True).n_by_formula == 34
    assert needed(half, Aim(), paired=False).n_by_formula == 64
    assert needed(Rates(control=0.3, treatment=0.6), Aim(), paired=False).n_by_formula == 42
    assert needed(Rates(control=0.6, treatment=0.3), Aim(), paired=False).n_by_formula == 42


@pytest.mark.parametrize(("paired", "n"), [(True, 34), (False, 64)])
def test_simulated_power_of_means_is_that_of_the_noncentral_t(paired, n):
    effect = Means(difference=0.5, std=1, correlation=0.5)
    solver = TTestPower() if paired else TTestIndPower()
    assert simulated_power(effect, Aim(), n, paired=paired) == pytest.approx(solver.power(0.5, n, 0.05), abs=ERROR)


def test_simulated_power_of_mcnemars_test_is_the_exact_one():
    effect, n = Rates(control=0.3, treatment=0.6, correlation=0.2), 40
    gain, loss = effect.discordant
    assert gain - loss == pytest.approx(0.3)
    pairs = np.arange(n + 1)
    exact = 0.0
    for discordant in pairs:
        better = np.arange(discordant + 1)
        p = 2 * np.minimum(stats.binom.sf(better - 1, discordant, 0.5), stats.binom.cdf(better, discordant, 0.5))
        shown = stats.binom.pmf(better, discordant, gain / (gain + loss))[p <= 0.05].sum()
        exact += stats.binom.pmf(discordant, n, gain + loss) * shown
    assert simulated_power(effect, Aim(), n, paired=True) == pytest.approx(exact, abs=ERROR)
    # The formula promises the aim; the exact test, of whole numbers, needs a few pairs more.
    answer = needed(effect, Aim(), paired=True)
    assert answer.n_by_formula == np.ceil(mcnemar_n(gain, loss, 0.05, 0.8, two_sided=True))
    assert answer.n_by_formula < answer.n < 1.2 * answer.n_by_formula
    assert answer.simulated_power >= 0.8


def test_looks_cost_what_jennison_and_turnbull_say():
    # Table 2.4: an O'Brien-Fleming test of five looks at alpha 0.05 and power 0.8 is 1.028 times as large.
    assert inflation(Aim(looks=5)) == pytest.approx(1.028, abs=0.005)
    assert inflation(Aim()) == 1
    assert needed(Means(difference=0.5, std=1), Aim(looks=5), paired=True).simulated_power >= 0.8


def test_answers_are_the_same_every_time_and_what_has_none_is_told():
    effect = Rates(control=0.1, treatment=0.3)
    assert needed(effect, Aim(looks=2), paired=True) == needed(effect, Aim(looks=2), paired=True)
    # Five pairs that all speak for one side have p = 1/16.
    assert needed(Means(difference=9, std=0.1), Aim(), paired=True).n == 6
    with pytest.raises(ConfigError, match=r"no number of trials shows a difference of 0"):
        needed(Means(difference=0, std=1), Aim(), paired=True)
    with pytest.raises(ConfigError, match=r"more than 1,000,000 trials would be needed"):
        needed(Means(difference=1e-5, std=1), Aim(), paired=False)
    with pytest.raises(ConfigError, match=r"--correlation 0.9: no pairs of the rates 10 and 90 % correlate so"):
        needed(Rates(control=0.1, treatment=0.9, correlation=0.9), Aim(), paired=True)


def test_an_answer_in_words_says_what_it_assumed():
    effect, aim = Rates(control=0.3, treatment=0.6, correlation=0.2), Aim(looks=2, alpha=0.025)
    head, table, *notes = power_text(effect, aim, {"paired": needed(effect, aim, paired=True)}, shapes=4)
    assert head == "escape rates of 30 and 60 %; power 80 %, alpha 0.025 two-sided a contrast, 2 looks (obrien-fleming)"
    (row,) = table.rows
    assert int(row[-1]) == -(-int(row[4]) // 4)
    assert "a pair correlates by 0.2" in notes[0]
    assert "the same in every shape" in notes[1]


@pytest.fixture
def trials():
    """Twelve pairs at each of two shapes, all measured."""
    draws = np.random.default_rng(4)
    rows = [
        (shape, mode, trial, trial, *draws.uniform(0.1, 0.5, 2))
        for shape in ("1*2", "1*3")
        for mode in ("none", "output")
        for trial in range(1, 13)
    ]
    columns = ["architecture", "mode", "trial", "seed", "best_validation_accuracy", "test_accuracy"]
    table = pd.DataFrame(rows, columns=columns)
    table.attrs = {"source": "a file", "study": "mine", "dataset": "mnist5k"}
    return table


def test_the_smallest_effect_is_the_one_that_is_seen_with_the_power_asked_for(trials):
    ask = [("output", "none")], tuple(Endpoint), Aim()  # without meta-loops there is no gain and no harm
    escape, validation, test = sensitivities(trials, *ask, escape_above=0.3)
    assert [one.endpoint for one in (escape, validation, test)] == [Endpoint.ESCAPE, Endpoint.VALIDATION, Endpoint.TEST]
    assert (escape.n, escape.paired) == (24, True)
    gain = (escape.spread + escape.smallest) / 2
    assert mcnemar_n(gain, escape.spread - gain, 0.05, 0.8, two_sided=True) == pytest.approx(24, abs=1e-3)
    assert TTestPower().power(test.smallest / test.spread, 24, 0.05) == pytest.approx(0.8, abs=1e-4)
    wide = trials.pivot(index=["architecture", "trial"], columns="mode", values="test_accuracy")
    gains = (wide["output"] - wide["none"]).groupby("architecture")
    assert test.spread == pytest.approx(np.sqrt(gains.var(ddof=1).mean()))

    (harm,) = sensitivities(
        trials.assign(harm_rate=trials["test_accuracy"]), ask[0], [Endpoint.HARM], Aim(), escape_above=None
    )
    assert (harm.spread, harm.smallest) == (test.spread, test.smallest)

    unpaired = trials.assign(seed=range(len(trials)))
    escape, validation, _ = sensitivities(unpaired, *ask, escape_above=0.3)
    assert not validation.paired
    assert TTestIndPower().power(validation.smallest / validation.spread, 24, 0.05) == pytest.approx(0.8, abs=1e-4)
    sides = np.arcsin(np.sqrt([escape.spread + escape.smallest, escape.spread])) * 2
    assert stats.norm.sf(1.959964 - (sides[0] - sides[1]) * np.sqrt(12)) == pytest.approx(0.8, abs=1e-3)


def test_each_shape_alone_and_what_tells_nothing(trials):
    ask = [("output", "none")], [Endpoint.TEST], Aim()
    by_shape = list(sensitivities(trials, *ask, escape_above=None, by_shape=True))
    assert [(one.shape, one.n) for one in by_shape] == [("1*2", 12), ("1*3", 12)]
    (still,) = sensitivities(trials.assign(test_accuracy=0.1), *ask, escape_above=None)
    assert (still.spread, still.smallest) == (0, None)
    (one_pair,) = sensitivities(trials[trials["trial"] == 1].iloc[[0, 1]], *ask, escape_above=None)
    assert (one_pair.n, one_pair.smallest) == (1, None)
    assert list(sensitivities(trials.assign(test_accuracy=np.nan), *ask, escape_above=None)) == []
    text = list(sensitivity_text("study mine", [still, *by_shape], Aim()))
    assert text[1].rows[0][-1] == "-"


def test_published_trials_are_independent_and_have_no_test_accuracy(tmp_path):
    published = load_trials("published")
    asked = questions_of(published, tmp_path, ["output - none"])
    assert asked.escape_above == pytest.approx(0.2602)
    (found,) = sensitivities(published, asked.contrasts, asked.endpoints, Aim(), escape_above=asked.escape_above)
    assert (found.endpoint, found.n, found.paired) == (Endpoint.VALIDATION, 980, False)
    assert len(questions_of(published, tmp_path).contrasts) == 5
    for text, said in (("output", "expected two modes with"), ("output - nune", "did you mean 'none'")):
        with pytest.raises(ConfigError, match=said):
            questions_of(published, tmp_path, [text])
    with pytest.raises(ConfigError, match=r"no mode none to compare with; say --contrast"):
        questions_of(published[published["mode"] == "output"], tmp_path)
