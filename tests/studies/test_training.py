import math
from dataclasses import replace

import numpy as np
import pytest

from psa_tui.errors import CheckpointError, ConfigError, DataError
from psa_tui.method.variants import find_variant
from psa_tui.studies.executors.base import PartFailed
from psa_tui.studies.part_state import decode_state
from psa_tui.studies.parts import Part, parts_of
from psa_tui.studies.training import PartRun


@pytest.fixture
def part(small_study):
    return parts_of(small_study, small_study.networks[1])[0]


def finished(steps):
    return [step for step in steps if step.loops or step.done]


def test_every_loop_is_a_message_and_the_last_one_is_done_with_test_accuracies(small_study, study_data, part):
    steps = finished(PartRun(small_study, part, study_data, origin="here").run("me", save_every_s=math.inf))
    assert [(step.worker, step.meta_loop, step.done, step.state) for step in steps] == [
        ("me", 1, False, None),
        ("me", 2, False, None),
        ("me", 3, True, None),
    ]
    assert all(len(step.loops) == len(step.trials) == 6 for step in steps)
    assert [row.test_accuracy is None for row in steps[1].trials] == [True] * 6
    assert all(0 < row.test_accuracy < 1 and row.origin == "here" for row in steps[2].trials)
    assert {(row.loop.reason != "", row.loop.seconds > 0) for row in steps[2].loops} == {(True, True)}
    hit = {row.loop.mode for row in steps[1].loops if row.loop.ablations}
    assert hit == {"hidden"}


def test_states_come_as_often_as_is_asked_for_and_what_goes_on_from_one_ends_alike(small_study, study_data, part):
    steps = finished(PartRun(small_study, part, study_data).run("me", save_every_s=0))
    assert [step.state is not None for step in steps] == [True, True, False]
    later = PartRun(small_study, part, study_data, steps[1].state)
    assert later.meta_loop == 2
    (last,) = finished(later.run("me", save_every_s=0))
    assert [row.loop.validation_correct for row in last.loops] == [
        row.loop.validation_correct for row in steps[2].loops
    ]
    (again,) = PartRun(small_study, part, study_data, later.state()).run("me", save_every_s=0)
    assert (again.done, again.loops, len(again.trials)) == (True, (), 6)


def test_a_part_left_in_the_middle_of_a_loop_is_where_the_last_one_ended(small_study, study_data, part):
    run = PartRun(small_study, part, study_data)
    steps = run.run("me", save_every_s=math.inf)
    next(step for step in steps if step.loops)
    before = decode_state(small_study, part, run.state(), "before")
    steps.close()
    after = decode_state(small_study, part, run.progress("me", saves=True).state, "after")
    assert (after.progress, after.seconds) == (before.progress, before.seconds)
    assert np.array_equal(after.lkg, before.lkg)


def test_a_backend_that_is_none_is_refused_before_training(small_study, study_data, part):
    with pytest.raises(ConfigError, match="no backend 'abacus'"):
        PartRun(small_study, part, study_data, backend="abacus")


@pytest.mark.parametrize(
    ("error", "permanent", "cause"),
    [
        (CheckpointError("damaged"), True, "damaged"),
        (ConfigError("no such\nbackend"), True, "no such backend"),
        (DataError("no file"), False, "no file"),
        (RuntimeError("no  memory"), False, "RuntimeError: no memory"),
    ],
)
def test_a_failure_says_whether_trying_again_would_end_alike(small_study, error, permanent, cause):
    failed = PartFailed.of("me", Part(small_study.networks[0], (1,)), error)
    assert (failed.permanent, failed.cause) == (permanent, cause)


def test_trials_that_promote_on_half_of_the_images_report_the_other_half_and_go_on_alike(small_study, study_data):
    spec = replace(small_study, variants=(find_variant("none"), find_variant("none+promote=half")))
    part = parts_of(spec, spec.networks[1])[0]
    steps = finished(PartRun(spec, part, study_data).run("me", save_every_s=0))
    rows = [[row.loop for step in steps for row in step.loops if row.loop.mode == v.name] for v in spec.variants]
    assert {row.validation_count for row in rows[0]} == {500}
    assert {row.validation_count for row in rows[1]} == {250}
    # All variants of a trial begin alike: in the first loop the halves are those of one candidate.
    whole, half = ([row.validation_correct for row in some if row.meta_loop == 1] for some in rows)
    assert whole == [row.validation_correct + row.promoting_correct for row in rows[1] if row.meta_loop == 1]
    assert half != whole
    (last,) = finished(PartRun(spec, part, study_data, steps[1].state).run("me", save_every_s=0))
    assert [row.loop.values()[:9] for row in last.loops] == [row.loop.values()[:9] for row in steps[2].loops]
    assert [replace(row, seconds=0.0) for row in last.trials] == [replace(row, seconds=0.0) for row in steps[2].trials]
    for trial in last.trials:
        own = [r.loop for s in steps for r in s.loops if (r.trial, r.loop.mode) == (trial.trial, trial.mode)]
        best = max(own, key=lambda row: (row.promoting_correct or row.validation_correct, -row.meta_loop))
        assert (trial.bounty, trial.bounty_meta_loop) == (best.validation_accuracy, best.meta_loop)
        assert trial.lkg_dead is not None
        assert trial.lkg_inactive is not None
