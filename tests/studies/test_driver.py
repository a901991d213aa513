import os
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psa_tui.errors import CheckpointError, ConfigError
from psa_tui.method.variants import NONE
from psa_tui.storage.locks import locked
from psa_tui.storage.meta_loops import decode_ablations
from psa_tui.storage.study_rows import TRIAL_LOOP_COLUMNS
from psa_tui.storage.study_store import open_store
from psa_tui.studies.events import CellFailed, CellFinished, CellProgressed, CellStarted, StudyOutcome, WorkerLost
from psa_tui.studies.grids import parse_network
from psa_tui.studies.part_files import study_folder, study_lock
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.work_queue import Limits
from tests.studies.recorded import recorded
from tests.studies.workers import Failing, InProcess


def kinds(events, kind):
    return [event for event in events if isinstance(event, kind)]


@pytest.fixture
def undisturbed(drive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin")
    with open_store(folder) as store:
        drive(store, folder)
        return recorded(store)


def test_an_undisturbed_study_records_every_trial_and_every_loop_exactly_once(drive, tmp_path, small_study):
    with open_store(tmp_path) as store:
        events, hands = drive(store, tmp_path)
        assert events[-1].outcome is StudyOutcome.FINISHED
        assert events[-1].complete == 2 * 3 * 2
        trials = store.trials("small")
        assert Counter((row.architecture, row.mode, row.state) for row in trials) == {
            (network.short_name, variant.name, "complete"): 2
            for network in small_study.networks
            for variant in small_study.variants
        }
        assert all(row.test_accuracy is not None for row in trials)
        assert len(store.loops("small")) == 12 * 3
        assert [row.outcome for row in store.sessions("small")] == ["finished"]
    assert hands.closed
    assert list(study_folder(tmp_path, "small").glob("[0-9]*")) == []


def test_the_bounty_of_a_trial_is_the_best_of_its_recorded_loops_and_means_are_over_trials(drive, tmp_path):
    with open_store(tmp_path) as store:
        events, _ = drive(store, tmp_path)
        best = {}
        for row in store.loops("small"):
            loop = dict(zip(TRIAL_LOOP_COLUMNS, row, strict=True))
            key = (loop["architecture"], loop["mode"], loop["trial"])
            best[key] = max(best.get(key, 0), loop["validation_correct"] / loop["validation_count"])
        assert {(r.architecture, r.mode, r.trial): r.bounty for r in store.trials("small")} == best
        (finished,) = [event for event in kinds(events, CellFinished) if event.shape == "1*4"]
        expected = [(best["1*4", mode, 1] + best["1*4", mode, 2]) / 2 for mode in ("none", "dropout", "hidden")]
        assert finished.means == pytest.approx(tuple(expected))


def test_the_costliest_cells_come_first_unless_the_session_is_short(drive, tmp_path):
    for limits, first in ((Limits(), "1*4"), (Limits(cheapest_first=True), "2*3")):
        folder = tmp_path / first.replace("*", "x")
        with open_store(folder) as store:
            events, _ = drive(store, folder, limits=limits, workers=1)
        assert kinds(events, CellStarted)[0].shape == first


def test_a_lost_worker_is_told_with_its_cause_and_its_cell_goes_on_from_the_last_state(drive, tmp_path, undisturbed):
    with open_store(tmp_path) as store:
        events, hands = drive(store, tmp_path, script=[("1*4", 2)])
        (lost,) = kinds(events, WorkerLost)
        (failed,) = kinds(events, CellFailed)
        assert (lost.cause, failed.final) == ("it was killed by SIGKILL", False)
        assert [(worker, start) for worker, part, start in hands.submitted if part.network.short_name == "1*4"][1][
            1
        ] == 2
        assert events[-1].outcome is StudyOutcome.FINISHED
        assert recorded(store) == undisturbed


def test_after_three_attempts_a_cell_is_marked_failed_and_the_others_go_on(drive, tmp_path):
    with open_store(tmp_path) as store:
        events, _ = drive(store, tmp_path, script=[("1*4", 0), ("1*4", 0), ("1*4", 0)], executor=Failing)
        assert [event.final for event in kinds(events, CellFailed)] == [False, False, True]
        end = events[-1]
        assert (end.outcome, end.complete, end.failed) == (StudyOutcome.INCOMPLETE, 6, 6)
        assert {row.reason for row in store.trials("small") if row.state == "failed"} == {"RuntimeError: no"}
        again, _ = drive(store, tmp_path)
        assert again[-1].outcome is StudyOutcome.FINISHED


def test_what_would_fail_again_is_not_tried_again(drive, tmp_path):
    class Permanently(Failing):
        permanent = True

    with open_store(tmp_path) as store:
        events, _ = drive(store, tmp_path, script=[("2*3", 0)], executor=Permanently)
    assert [(event.attempt, event.final) for event in kinds(events, CellFailed)] == [(1, True)]


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=3))
@pytest.mark.campaign
def test_stopped_and_gone_on_with_at_any_moments_it_ends_as_if_nothing_had_happened(
    drive, tmp_path_factory, undisturbed, moments
):
    folder = tmp_path_factory.mktemp("stopped")
    with open_store(folder) as store:
        for moment, states_lost in moments:
            seen = Counter()

            def is_time(event, moment=moment, seen=seen):
                seen[type(event)] += 1
                return seen[CellProgressed] == moment

            drive(store, folder, stop_when=is_time)
            if states_lost:
                for path in study_folder(folder, "small").glob("[0-9]*"):
                    path.unlink()
        events, _ = drive(store, folder)
        assert events[-1].outcome is StudyOutcome.FINISHED
        assert recorded(store) == undisturbed


def test_a_study_stopped_says_how_to_go_on_and_does_not_read_as_finished(drive, tmp_path):
    with open_store(tmp_path) as store:
        events, _ = drive(store, tmp_path, stop_when=lambda event: isinstance(event, CellProgressed))
        assert (events[-1].outcome, events[-1].reason) == (StudyOutcome.STOPPED, "Ctrl-C")
        assert events[-1].go_on == "psa reproduce run"
        assert "complete" not in {row.state for row in store.trials("small")}
        assert [(row.outcome, row.reason) for row in store.sessions("small")] == [("stopped", "Ctrl-C")]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 6}, "seed"),
        ({"variants": (NONE,)}, "modes"),
        ({"networks": (parse_network("1*4"),)}, "shapes"),
        ({"dataset_fingerprint": "other"}, "dataset fingerprint"),
        ({"meta_loops": 4}, "meta loops"),
    ],
)
def test_a_study_changed_under_its_name_is_refused_and_nothing_is_altered(drive, tmp_path, small_study, changed, said):
    with open_store(tmp_path) as store:
        drive(store, tmp_path)
        before = store.trials("small"), store.studies()
        with pytest.raises(ConfigError, match=f"study small differs in {said}"):
            drive(store, tmp_path, spec=replace(small_study, **changed))
        assert (store.trials("small"), store.studies()) == before


def test_larger_shapes_are_left_out_on_request_and_the_study_is_not_called_finished(drive, tmp_path):
    with open_store(tmp_path) as store:
        events, _ = drive(store, tmp_path, limits=Limits(max_parameters=2500))
        assert {event.shape for event in kinds(events, CellStarted)} == {"2*3"}
        assert (events[-1].outcome, events[-1].reason) == (
            StudyOutcome.STOPPED,
            "--max-params leaves the larger shapes",
        )


def test_time_that_is_over_ends_the_session_with_everything_recorded(drive, tmp_path):
    with open_store(tmp_path) as store:
        events, _ = drive(store, tmp_path, limits=Limits(max_hours=0.0))
    assert (events[-1].outcome, events[-1].reason) == (StudyOutcome.STOPPED, "--max-hours 0 are over")


def test_two_drivers_never_work_on_one_study(drive, tmp_path):
    lock = study_lock(tmp_path, "small")
    lock.parent.mkdir(parents=True)
    with locked(lock), open_store(tmp_path) as store, pytest.raises(ConfigError, match="another process"):
        drive(store, tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign"])
def test_a_damaged_state_is_no_reason_to_begin_anew(drive, tmp_path, damage):
    def first_progress(event):
        return isinstance(event, CellProgressed) and event.meta_loop == 2

    with open_store(tmp_path) as store:
        drive(store, tmp_path, stop_when=first_progress)
        (path, *_) = sorted(study_folder(tmp_path, "small").glob("[0-9]*"))
        content = bytearray(path.read_bytes())
        if damage == "flipped":
            content[-100] ^= 1
        path.write_bytes({"truncated": content[:-50], "flipped": content, "foreign": b"{}"}[damage])
        with pytest.raises(CheckpointError, match=r"damaged.*move it away"):
            drive(store, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into read-only folders")
def test_a_read_only_results_folder_is_said_at_once(drive, tmp_path):
    with open_store(tmp_path) as store:
        study_folder(tmp_path, "small").mkdir(parents=True)
        study_folder(tmp_path, "small").chmod(0o500)
        with pytest.raises(CheckpointError, match="cannot be written"):
            drive(store, tmp_path)


def test_a_trial_trained_in_a_study_is_the_trial_that_psa_train_trains(drive, tmp_path, small_study, psa):
    with open_store(tmp_path / "study") as store:
        drive(store, tmp_path / "study")
        row = next(r for r in store.trials("small") if (r.architecture, r.mode, r.trial) == ("2*3", "hidden", 2))
        rows = [dict(zip(TRIAL_LOOP_COLUMNS, loop, strict=True)) for loop in store.loops("small")]
        loops = [loop for loop in rows if (loop["architecture"], loop["mode"], loop["trial"]) == ("2*3", "hidden", 2)]
    done = psa(
        *("train", "--arch", "[2*3]", "--mode", "hidden", "--seed", row.seed, "--lr", "1e-3", "--meta-loops", 3),
        *("--dataset", "mnist5k", "--threads", 1, "--json"),
    )
    import json

    alone = [json.loads(line) for line in done.stdout.splitlines() if "meta_loop_finished" in line]
    for event, loop in zip(alone, loops, strict=True):
        units = [(unit["layer"], unit["unit"]) for unit in (event["ablation"] or {"units": []})["units"]]
        assert units == [(unit.layer, unit.unit) for unit in decode_ablations(loop["ablations"])]
        assert (event["verdict"], event["reason"] != "") == (loop["verdict"], loop["reason"] != "")
        assert abs(event["validation_correct"] - loop["validation_correct"]) <= 2
        assert event["train_loss"] == pytest.approx(loop["train_loss"], abs=1e-4)
        assert event["train_accuracy"] == pytest.approx(loop["train_accuracy"], abs=1e-3)


def test_in_process_workers_leave_nothing_behind_when_the_view_breaks(small_study, study_data, tmp_path):
    from types import SimpleNamespace

    from psa_tui.studies.driver import Driver

    hands = InProcess(small_study, study_data)
    with open_store(tmp_path) as store:
        stop = SimpleNamespace(reason=None)
        events = Driver(
            small_study,
            store,
            tmp_path,
            lambda: hands,
            cost_s=lambda network: 1.0,
            limits=Limits(),
            stop=stop,
            versions={},
        ).run()
        next(events)
        events.close()
    assert hands.closed


@pytest.mark.parametrize("stopped", [False, True])
def test_added_trials_are_parts_of_their_own_and_leave_the_earlier_ones_to_the_bit(
    drive, tmp_path, small_study, undisturbed, stopped
):
    grown = small_study.with_trials(3).with_trials(5)
    assert (grown.trials, grown.earlier) == (5, (2, 3))
    with open_store(tmp_path) as store:
        drive(store, tmp_path, stop_when=(lambda event: isinstance(event, CellProgressed)) if stopped else None)
        events, hands = drive(store, tmp_path, spec=small_study.with_trials(3))
        assert events[-1].outcome is StudyOutcome.FINISHED
        events, hands = drive(store, tmp_path, spec=grown)
        assert [part.trials for _, part, _ in hands.submitted] == [(4, 5), (4, 5)]
        trials, loops = recorded(store)
        assert len(trials) == 5 * len(small_study.variants) * 2
        assert ([row for row in trials if row.trial <= 2], [row for row in loops if row[2] <= 2]) == undisturbed
        assert StudySpec.from_settings(store.study("small").settings) == grown
        assert store.study("small").trials == 5


def test_a_study_never_loses_trials(drive, tmp_path, small_study):
    with open_store(tmp_path) as store:
        drive(store, tmp_path, spec=small_study.with_trials(3))
        before = recorded(store)
        with pytest.raises(ConfigError, match="study small has 3 trials of each; expected at least as many"):
            drive(store, tmp_path)
        assert recorded(store) == before
