import math
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from psa_tui.errors import ConfigError
from psa_tui.method.progress import Progress
from psa_tui.method.promotion import PROMOTIONS, Decision, find_promotion, judge, splits_validation
from psa_tui.method.randomness import Purpose, generator

STRICT = PROMOTIONS.find("strict")
DRAWS = generator(1, 2, Purpose.PROMOTION)


def lkg(correct):
    return Progress(validation_count=200, lkg_correct=correct, best_correct=correct)


@pytest.mark.parametrize(
    ("before", "correct", "expected"),
    [
        (None, 0, Decision(True, "the first candidate")),
        (100, 101, Decision(True, "1 more correct than the LKG")),
        (100, 100, Decision(False, "no better than the LKG")),
        (100, 97, Decision(False, "3 fewer correct than the LKG")),
    ],
)
def test_the_published_rule_promotes_what_is_strictly_better_and_says_why(before, correct, expected):
    assert STRICT.decide(lkg(before), correct, DRAWS) == expected


def test_a_rule_is_not_asked_about_a_candidate_that_is_not_finite():
    class Never:
        def decide(self, progress, correct, draws):
            raise AssertionError("asked")

    assert judge(Never(), lkg(100), 200, DRAWS, finite=False) == Decision(False, "not finite")
    assert judge(STRICT, lkg(100), 200, DRAWS, finite=True) == Decision(True, "100 more correct than the LKG")


def decide(text, progress, correct, loop=2):
    return find_promotion(text).decide(progress, correct, generator(1, loop, Purpose.PROMOTION))


def test_patience_holds_the_best_and_promotes_it_after_so_many_rollbacks():
    before = lkg(100)
    assert decide("patience:3", before, 101).promoted
    first = decide("patience:3", before, 90)
    assert (first.promoted, first.hold) == (False, True)
    after = before.after(1, 90, first, finite=True)
    worse = decide("patience:3", after, 80)
    assert (worse.promoted, worse.hold) == (False, False)
    after = after.after(2, 80, worse, finite=True)
    assert decide("patience:3", after, 95) == Decision(True, "the best of 3 rolled back")
    last = decide("patience:3", after, 85)
    assert (last.promoted, last.held, last.reason) == (True, True, "the best of 3 rolled back, of meta-loop 1")
    end = after.after(3, 85, last, finite=True)
    assert (end.lkg_correct, end.lkg_meta_loop, end.rollbacks_in_a_row, end.held_correct) == (90, 1, 0, None)
    assert end.accepted_worse == 1
    assert decide("patience:1", before, 3).promoted


def test_annealing_accepts_what_is_worse_as_often_as_metropolis_does():
    before = replace(lkg(100), meta_loop=4)
    accepted = [decide("anneal:2,0.5", before, 99, loop).promoted for loop in range(4000)]
    # Half a point worse, at a temperature of 2 points halved four times.
    chance = math.exp(-0.5 / (2 * 0.5**4))
    assert binomtest(sum(accepted), len(accepted), chance).pvalue > 1e-3
    assert all(decide("anneal:2,0.5", before, 100, loop).promoted for loop in range(20)), "as good is accepted"
    assert decide("anneal:2,0.5", before, 99).reason.startswith("1 fewer correct than the LKG, ")


@pytest.mark.parametrize(
    ("before", "correct", "expected"),
    [
        (None, 0, Decision(True, "the first candidate")),
        (40, 41, Decision(True, "1 more correct than the LKG on the promoting half")),
        (40, 40, Decision(False, "no better than the LKG on the promoting half")),
        (40, 37, Decision(False, "3 fewer correct than the LKG on the promoting half")),
    ],
)
def test_half_compares_what_it_is_told_of_the_promoting_half(before, correct, expected):
    counters = Progress(validation_count=100, lkg_correct=before and 99, lkg_promoting=before, best_promoting=before)
    assert splits_validation(find_promotion("half"))
    assert decide("half", counters.told(), correct) == expected


def test_the_best_is_the_best_on_the_promoting_half_and_its_number_that_of_the_other():
    progress = Progress(validation_count=100)
    counts = [(50, 60), (70, 59), (40, 61), (99, 61), (100, 62)]
    seen = []
    for loop, (correct, promoting) in enumerate(counts, start=1):
        decision = decide("half", progress.told(), promoting)
        progress = progress.after(loop, correct, decision, finite=loop < 5, promoting=promoting)
        seen.append((progress.best_correct, progress.best_promoting, progress.best_meta_loop, progress.lkg_correct))
    assert seen[:4] == [(50, 60, 1, 50), (50, 60, 1, 50), (40, 61, 3, 40), (40, 61, 3, 40)]
    assert seen[4][:3] == (40, 61, 3), "what is not finite is not the best"
    assert progress.accepted_worse == 1
    with pytest.raises(ValueError, match="holds no candidate"):
        progress.after(6, 1, Decision(False, "", hold=True), finite=True, promoting=1)


def test_always_promotes_whatever_is_finite():
    assert decide("always", lkg(100), 0) == Decision(True, "always promoted")
    assert not judge(find_promotion("always"), lkg(100), 0, DRAWS, finite=False).promoted


@pytest.mark.parametrize(
    "text",
    [
        "patience:0",
        "patience:x",
        "patience:-1",
        "anneal:1",
        "anneal:0,1",
        "anneal:1,2",
        "anneal:nan,1",
        "always:1",
        "half:2",
        "no",
    ],
)
def test_arguments_that_make_no_rule_are_refused(text):
    with pytest.raises(ConfigError):
        find_promotion(text)
