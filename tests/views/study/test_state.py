import pytest

from psa_tui.studies.events import CellFailed, CellFinished, CellStarted, StudyFinished, StudyOutcome, WorkerLost
from psa_tui.views.study.state import GroupStatus, StudyState
from psa_tui.views.study.text import format_finished, format_progress, format_rates

GRID = "1*10,2*10,3*10"


def started_study(study, **changes):
    """Three shapes at a second a trial's meta-loop, one trial and mode of ten loops each."""
    values = {"modes": ("none",), "trials": 1, "meta_loops": 10, "costs_s": (1.0, 1.0, 1.0), "workers": 1}
    state = StudyState()
    state.fold(study.started(grid=GRID, **{**values, **changes}), 0.0)
    return state


def at(study, state, shape, loop, now, loop_s=None, share=0.0, worker="w", trials=(1,)):
    bounties = ((0.5,) * len(trials),)
    state.fold(study.progressed(shape, worker, loop, loop_s, share, trials, bounties), now)


def finish(state, shape, now, worker="w", trials=(1,), mean=0.5):
    state.fold(CellFinished(shape=shape, worker=worker, trials=trials, means=(mean,)), now)


def test_there_is_no_time_left_before_a_loop_was_timed(study):
    state = started_study(study)
    state.fold(CellStarted(shape="1*10", worker="w", trials=(1,), meta_loop=0), 0.0)
    at(study, state, "1*10", 0, 0.5, share=0.5)
    assert state.seconds_left(0.5) is None


def test_the_time_left_is_the_remaining_work_at_the_pace_that_was_seen(study):
    state = started_study(study)
    state.fold(CellStarted(shape="1*10", worker="w", trials=(1,), meta_loop=0), 0.0)
    at(study, state, "1*10", 1, 3.0, loop_s=3.0)
    # Three times slower than predicted: 29 loops are left.
    assert state.seconds_left(3.0) == pytest.approx(29 * 3)
    assert state.seconds_left(5.0) == pytest.approx(29 * 3 - 2)
    at(study, state, "1*10", 1, 4.5, loop_s=3.0, share=0.5)
    assert state.seconds_left(4.5) == pytest.approx(28.5 * 3)


def test_cells_are_weighed_by_their_cost_not_counted(study):
    state = started_study(study, costs_s=(1.0, 1.0, 8.0))
    at(study, state, "1*10", 0, 0.0)
    at(study, state, "1*10", 1, 1.0, loop_s=1.0)
    assert state.seconds_left(1.0) == pytest.approx(9 + 10 + 80)
    assert state.share_done == pytest.approx(0.01)


def test_what_was_only_guessed_is_no_prediction(study):
    """A short study is not worth a measurement: its costs weigh shapes against each other and say nothing of a pace."""
    for measured, predicted, said in (
        (True, 1.0, "20 meta-loops/s, 20 times the plan"),
        (False, None, "20 meta-loops/s"),
    ):
        state = started_study(study, costs_measured=measured)
        at(study, state, "1*10", 0, 0.0)
        at(study, state, "1*10", 1, 0.05, loop_s=0.05)
        assert state.rates == (pytest.approx(20), predicted)
        assert format_rates(*state.rates) == said
        assert f"  {said}  " in format_progress(state, 1.0)


def test_two_workers_halve_the_time_until_only_one_has_work(study):
    state = started_study(study, workers=2)
    for worker, shape in (("v", "1*10"), ("w", "2*10")):
        at(study, state, shape, 0, 0.0, worker=worker)
        at(study, state, shape, 1, 1.0, loop_s=1.0, worker=worker)
    assert state.seconds_left(1.0) == pytest.approx((9 + 9 + 10) / 2)
    finish(state, "1*10", 9.0, worker="v")
    finish(state, "2*10", 9.0)
    at(study, state, "3*10", 2, 10.0, loop_s=1.0)
    assert state.seconds_left(10.0) == pytest.approx(8)


def test_throughput_is_compared_with_the_prediction_for_what_is_running(study):
    state = started_study(study, costs_s=(2.0, 1.0, 1.0))
    assert state.rates is None
    at(study, state, "1*10", 0, 0.0)
    at(study, state, "1*10", 1, 1.0, loop_s=2.5)
    assert state.rates == pytest.approx((0.4, 0.5))


def test_a_loop_is_timed_once_however_often_it_is_told(study):
    state = started_study(study)
    at(study, state, "1*10", 0, 0.0)
    for now in (1.0, 1.5, 2.0):
        at(study, state, "1*10", 1, now, loop_s=1.0)
    assert list(state.groups["1*10"].loop_s) == [1.0]


def test_a_shape_goes_from_waiting_over_running_and_begun_to_done(study):
    state = started_study(study, trials=2)
    assert state.status("1*10") is GroupStatus.WAITING
    state.fold(CellStarted(shape="1*10", worker="w", trials=(1,), meta_loop=0), 0.0)
    assert state.status("1*10") is GroupStatus.RUNNING
    finish(state, "1*10", 1.0)
    assert state.status("1*10") is GroupStatus.BEGUN
    finish(state, "1*10", 2.0, trials=(2,))
    assert state.status("1*10") is GroupStatus.DONE
    assert state.trial_counts == (2, 0, 6)
    assert state.messages[0] == "1*10 done, best mean 50.00 %"


def test_a_failure_is_retried_unless_it_is_final_and_a_later_success_mends_it(study):
    state = started_study(study)
    failed = {"shape": "1*10", "worker": "w", "trials": (1,), "cause": "killed"}
    state.fold(CellFailed(**failed, attempt=1, final=False), 1.0)
    assert state.status("1*10") is GroupStatus.WAITING
    assert "will be tried again: killed" in state.messages[0]
    state.fold(CellFailed(**failed, attempt=3, final=True), 2.0)
    assert state.status("1*10") is GroupStatus.FAILED
    assert state.trial_counts == (0, 1, 3)
    finish(state, "2*10", 3.0)
    finish(state, "3*10", 3.0)
    assert state.share_done == pytest.approx(2 / 3), "what failed was not done"
    end = StudyFinished(
        outcome=StudyOutcome.INCOMPLETE, reason="", complete=2, failed=1, seconds=3, go_on="psa study run s"
    )
    assert format_finished(end, state)[:3] == [
        "incomplete: 2 of 3 trials complete, 1 failed, 0:03",
        "failed: 1*10 trial 1: killed",
        "go on with: psa study run s",
    ]
    finish(state, "1*10", 3.0)
    assert state.status("1*10") is GroupStatus.DONE


def test_a_lost_worker_runs_nothing_and_the_end_empties_all(study):
    state = started_study(study)
    at(study, state, "1*10", 1, 1.0)
    state.fold(WorkerLost(worker="w", cause="killed by SIGKILL"), 2.0)
    assert (state.tasks, state.messages[0]) == ({}, "w lost: killed by SIGKILL")
    at(study, state, "1*10", 1, 3.0)
    end = StudyFinished(outcome=StudyOutcome.STOPPED, reason="q", complete=0, failed=0, seconds=3, go_on="psa")
    state.fold(end, 4.0)
    assert state.tasks == {}


def test_rates_are_written_without_powers_of_ten():
    assert format_rates(1234.5, 0.0123) == "1,230 meta-loops/s, 100,000 times the plan"
    assert format_rates(0.03, 12) == "0.03 meta-loops/s, 0.0025 times the plan"
    assert format_rates(12, 12.5) == format_rates(12, 11.5) == "12 meta-loops/s, as planned"
    assert format_rates(2_345_678.0, None) == "2,350,000 meta-loops/s"
