from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.method.progress import Progress, check_progress, decode_progress
from psa_tui.method.promotion import Decision

UNITS = ("lkg_dead", "lkg_inactive", "held_inactive")
LOOPS = st.lists(st.tuples(st.integers(0, 200), st.booleans(), st.booleans()), max_size=30)


@given(LOOPS)
def test_the_counters_are_those_of_the_loops_whatever_was_promoted(loops):
    progress = Progress(validation_count=200)
    promoted, finite = [], []
    for number, (correct, is_finite, wanted) in enumerate(loops, 1):
        promotes = is_finite and wanted
        progress = progress.after(number, correct, Decision(promotes, ""), finite=is_finite)
        promoted += [(number, correct)] if promotes else []
        finite += [(correct, -number)] if is_finite else []
    assert progress.meta_loop == len(loops)
    assert progress.promotions == len(promoted)
    assert progress.rollbacks == len(loops) - len(promoted)
    assert progress.non_finite == len(loops) - len(finite)
    assert (progress.lkg_meta_loop, progress.lkg_correct) == (promoted[-1] if promoted else (0, None))
    best, place = max(finite, default=(None, 0))
    assert (progress.best_correct, progress.best_meta_loop) == (best, -place)
    last = promoted[-1][0] if promoted else 0
    assert progress.rollbacks_in_a_row == len(loops) - last


def test_bounty_and_lkg_are_fractions_of_their_own():
    progress = Progress(validation_count=200).after(1, 150, Decision(True, ""), finite=True)
    progress = progress.after(2, 50, Decision(True, ""), finite=True)
    assert (progress.bounty, progress.lkg_accuracy) == (0.75, 0.25)
    assert Progress(validation_count=200).bounty is Progress(validation_count=200).lkg_accuracy is None


def test_counters_of_a_file_that_knows_no_best_have_the_lkgs():
    values = asdict(Progress(meta_loop=7, validation_count=200, lkg_correct=120, lkg_meta_loop=4))
    del values["best_correct"], values["best_meta_loop"]
    found = decode_progress(values)
    assert (found.best_correct, found.best_meta_loop) == (120, 4)
    assert decode_progress(asdict(found)) == found


def test_counters_with_another_field_are_refused():
    with pytest.raises(TypeError):
        decode_progress({**asdict(Progress(validation_count=200)), "luck": 1})


def test_counts_of_units_that_a_file_does_not_know_are_unknown_and_impossible_ones_refused():
    values = asdict(Progress(meta_loop=7, validation_count=200, lkg_correct=120, lkg_meta_loop=4))
    for name in UNITS:
        del values[name]
    found = decode_progress(values)
    assert [getattr(found, name) for name in UNITS] == [None] * 3
    for name in UNITS:
        check_progress(replace(found, **{name: 0}))
        for wrong in (-1, 0.5, "1"):
            with pytest.raises((TypeError, ValueError)):
                check_progress(replace(found, **{name: wrong}))
