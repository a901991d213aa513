from dataclasses import replace

import pytest
from torch import nn

from psa_tui.method.variants import FULL, NONE
from psa_tui.networks.modules.code import Code
from psa_tui.networks.modules.names import UnnamedCodeError
from psa_tui.networks.modules.network import ModuleFamily
from psa_tui.storage.study_rows import COMPLETE, FAILED, RUNNING, SessionRow, TrialRow
from psa_tui.studies.grids import parse_network
from psa_tui.studies.progress import Failure, study_progress
from psa_tui.studies.spec import StudySpec
from psa_tui.views.study.text import format_cell, format_status, format_unbegun

SPEC = StudySpec(
    name="s",
    networks=(parse_network("2*4"), parse_network("1*4"), parse_network("3*3")),
    variants=(NONE, FULL),
    trials=2,
    meta_loops=10,
    seed=0,
    dataset="mnist",
    dataset_fingerprint="",
)


def trial(shape, mode, number, state=COMPLETE, meta_loop=10, bounty=0.5, seconds=20.0, reason=""):
    return TrialRow(
        architecture=shape,
        mode=mode,
        trial=number,
        parameters=1,
        state=state,
        meta_loop=meta_loop,
        bounty=bounty,
        seconds=seconds,
        reason=reason,
    )


def session(number, outcome="stopped", reason="Ctrl-C", workers=2):
    return SessionRow(number, "2026-01-01", None, outcome, reason, workers, "a machine", {})


ROWS = [
    trial("1*4", "none", 1, bounty=0.4),
    trial("1*4", "none", 2, bounty=0.6),
    trial("1*4", "full", 1, bounty=None),
    trial("1*4", "full", 2, RUNNING, meta_loop=5, seconds=10.0),
    trial("2*4", "none", 1, FAILED, meta_loop=0, bounty=None, seconds=0.0, reason="out of memory"),
    trial("2*4", "none", 2, FAILED, meta_loop=0, bounty=None, seconds=0.0, reason="out of memory"),
]


def test_progress_is_counted_by_shape_and_mode_in_the_order_of_the_study():
    progress = study_progress(SPEC, ROWS, [session(1)])
    cells = {(cell.shape, cell.mode): cell for cell in progress.cells}
    assert list(cells) == [(shape, mode) for shape in ("2*4", "1*4", "3*3") for mode in ("none", "full")]
    both, one = cells["1*4", "none"], cells["1*4", "full"]
    assert (both.complete, both.mean, both.meta_loops) == (2, pytest.approx(0.5), 20)
    assert (one.complete, one.mean, one.meta_loops) == (1, None, 15)
    assert cells["2*4", "none"].failed == 2
    assert (progress.complete, progress.failed, progress.trials) == (3, 2, 12)
    assert progress.failures == (Failure(shape="2*4", trials=(1, 2), cause="out of memory"),)


def test_where_nothing_is_left_but_what_failed_no_time_is_promised():
    alone = StudySpec.from_settings({**SPEC.as_settings(), "shapes": ["1*4"]})
    rows = [*ROWS[:3], replace(ROWS[3], state=FAILED, reason="out of memory")]
    lines = format_status(study_progress(alone, rows, [session(1, "incomplete", "")]), None)
    assert lines[2:] == ["3 of 4 trials complete, 1 failed; 35 of 40 meta-loops", "failed: 1*4 trial 2: out of memory"]


def test_the_time_left_is_that_of_the_longest_part_when_workers_run_out_of_parts():
    alone = StudySpec.from_settings({**SPEC.as_settings(), "shapes": ["1*4"]})
    # 35 of 40 loops are done at 2 s each, and one part is one worker's.
    assert [study_progress(alone, ROWS[:4], [session(1, workers=n)]).seconds_left for n in (1, 2)] == [10.0, 10.0]
    one, two, many = (study_progress(SPEC, ROWS, [session(1, workers=n)]).seconds_left for n in (1, 2, 9))
    assert one > two >= many > 40 * 2.0 * 0.5
    assert study_progress(SPEC, [], []).seconds_left is None


def test_the_time_left_of_large_shapes_is_not_told_from_tiny_ones():
    spec = StudySpec.from_settings({**SPEC.as_settings(), "shapes": ["1*4", "1*1024"]})
    progress = study_progress(spec, ROWS[:4], [session(1)])
    assert (progress.seconds_left, progress.untimed) == (None, "1*1024")
    assert "time left: not known before a shape about as large as 1*1024 was timed" in format_status(progress, None)
    large = trial("1*1024", "full", 1, RUNNING, meta_loop=1, seconds=1.0)
    timed = study_progress(spec, [*ROWS[:4], large], [session(1)])
    assert (timed.seconds_left, timed.untimed) == (pytest.approx(39.0), None)


def test_failed_trials_are_not_waited_for():
    alone = StudySpec.from_settings({**SPEC.as_settings(), "shapes": ["1*4"]})
    *done, half = ROWS[:4]
    failed = [*done, replace(half, state=FAILED, reason="out of memory")]
    assert study_progress(alone, failed, [session(1)]).seconds_left == 0.0


def test_cells_are_told_by_their_mean_and_by_what_they_lack():
    cells = {(cell.shape, cell.mode): cell for cell in study_progress(SPEC, ROWS, []).cells}
    assert format_cell(cells["1*4", "none"], 10) == "50.00"
    assert format_cell(cells["1*4", "full"], 10) == "1/2"
    assert format_cell(cells["2*4", "none"], 10) == "2 failed"
    assert format_cell(cells["2*4", "full"], 10) == "-"
    running = study_progress(SPEC, [trial("3*3", "full", 1, RUNNING, meta_loop=5)], [])
    assert format_cell(running.cells[-1], 10) == "25 %"


@pytest.mark.parametrize(
    ("sessions", "process", "said"),
    [
        ([session(1)], None, "stopped (Ctrl-C)"),
        ([session(1), session(2, None, "")], None, "interrupted"),
        ([session(1, None, "")], "77", "running, process 77"),
        ([], None, "interrupted"),
    ],
)
def test_status_says_who_works_on_the_study_or_how_it_ended(sessions, process, said):
    lines = format_status(study_progress(SPEC, ROWS, sessions), process)
    assert lines[0] == f"study s: {said}"
    assert "3 of 12 trials complete, 2 failed; 35 of 120 meta-loops" in lines
    assert "failed: 2*4 trials 1-2: out of memory" in lines


def test_a_complete_study_is_finished_and_a_quick_one_says_what_it_is_not():
    spec = StudySpec.from_settings({**SPEC.as_settings(), "shapes": ["1*4"], "modes": ["none"], "quick": True})
    lines = format_status(study_progress(spec, ROWS[:2], [session(1, "finished", "")]), None)
    assert lines[0] == "study s (quick, not a reproduction): finished"
    assert not [line for line in lines if "time left" in line]


def test_shapes_nobody_has_begun_are_named():
    assert format_unbegun(study_progress(SPEC, ROWS, []))[-1] == "not begun: 1 of 3 shapes (3*3)"
    done = [trial(network.short_name, "none", 1) for network in SPEC.networks]
    assert format_unbegun(study_progress(SPEC, done, [])) == []


def small_module(architecture, input_shape, classes):
    width = int(architecture)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, classes))


def test_a_study_of_code_that_nobody_names_is_shown_as_recorded_and_the_code_is_asked_for_by_all_else():
    family = ModuleFamily(Code("mine.py:build", "mine.py:build", "ab", small_module))
    spec = replace(SPEC, networks=tuple(family.parse(text, (1, 28, 28), 10) for text in ("9", "5")))
    values = spec.as_recorded()
    with pytest.raises(UnnamedCodeError, match=r"--network PATH/mine.py:build"):
        StudySpec.from_settings(values)
    shown = StudySpec.from_settings(values, to_show=True)
    assert shown.as_recorded() == values
    # What a study is has no sizes in it: states, registrations and names of before are those of now.
    assert spec.as_settings() == {name: value for name, value in values.items() if name != "sizes"}
    rows = [replace(row, architecture="9") for row in ROWS if row.architecture == "1*4"]
    one, other = (study_progress(each, rows, [session(1)]) for each in (shown, spec))
    assert one.cells == other.cells
    assert one.seconds_left == other.seconds_left > 0
    nine = shown.parse("9")
    assert nine in shown.networks
    assert shown.parse("7") not in shown.networks
    for needs in (nine.blocks, lambda: nine.tensors, lambda: nine.unit_counts, lambda: nine.unit_parameters(0, 0)):
        with pytest.raises(UnnamedCodeError):
            needs()
    # Earlier versions recorded no sizes.
    del values["sizes"]
    assert study_progress(StudySpec.from_settings(values, to_show=True), rows, []).seconds_left is None
