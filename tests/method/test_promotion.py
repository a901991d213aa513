import pytest

from psa_tui.method.progress import Progress
from psa_tui.method.promotion import PROMOTIONS, Decision, judge
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
