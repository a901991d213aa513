"""Whole screens; after a wanted change, write the expected ones anew with REGENERATE_SCREENS=1 and read the diff."""

import os
from itertools import product
from pathlib import Path

import pytest

from psa_tui.studies.events import CellFinished, StudyFinished, StudyOutcome
from psa_tui.studies.grids import parse_grid
from psa_tui.views.display import DisplayOptions
from psa_tui.views.glyphs import ASCII, UNICODE
from psa_tui.views.study.design_map import design_map, legend

SCREENS = Path(__file__).parent / "screens"


@pytest.mark.parametrize(
    ("size", "options", "name"),
    [
        ((80, 24), DisplayOptions(), "80x24"),
        ((140, 45), DisplayOptions(), "140x45"),
        ((80, 24), DisplayOptions(ascii=True), "80x24-ascii"),
        ((50, 12), DisplayOptions(), "50x12"),
    ],
)
def test_the_screens_of_a_study_are_as_they_were_approved(study, size, options, name):
    state, now = study.replay(study.story())
    file = SCREENS / f"{name}.txt"
    lines = [line.rstrip() for line in study.picture(state, *size, now + 2, options, color_system=None)]
    if "REGENERATE_SCREENS" in os.environ:
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == file.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("width", "height"), list(product((40, 59, 60, 80, 120, 160), (8, 15, 16, 24, 38, 50))))
def test_every_line_fits_whatever_the_size(study, width, height):
    state, now = study.replay(study.story())
    for options in (DisplayOptions(), DisplayOptions(ascii=True)):
        lines = study.picture(state, width, height, now, options, color_system=None)
        assert len(lines) == height
        assert max(map(len, lines)) <= width
        assert lines[-1].startswith("q stop now")
        if options.ascii:
            assert "".join(lines).isascii()


def marks(state, width, height):
    text = design_map(state, width, height, UNICODE).plain.split("\n")
    return [line[5:] for line in text[:-1]], text


def test_every_shape_of_the_published_grid_has_a_mark_of_its_own_even_in_a_small_map(study):
    state, _ = study.replay([(0.0, study.started())])
    for width, height in ((45, 14), (80, 30)):
        rows, _ = marks(state, width, height)
        assert sum(row.count("·") for row in rows) == 98


def test_depth_runs_upwards_and_width_to_the_right_on_log_axes_as_in_the_figures(study):
    shapes = ("1*1", "1000*1", "1*1000", "32*1", "1*32")
    started = study.started(grid=",".join(shapes))
    state, _ = study.replay([(0.0, started)])
    state.groups["1*1000"].complete.update(study.trials)
    state.groups["1*1000"].means = (0.75,)
    rows, text = marks(state, 66, 32)
    assert rows[30][0] == "·"
    assert rows[0][0] == "·"
    assert rows[15][0] == "·"
    assert rows[30][60] == "7"
    assert rows[30][30] == "·"
    assert [line.split()[0] for line in text if line[:4].strip()][-3:] == ["4", "2", "1"]
    assert text[-1].split()[:3] == ["1", "2", "4"]


@pytest.mark.parametrize("width", [25, 45, 80])
def test_the_legend_cuts_no_word(width):
    shown = legend(width, UNICODE)
    assert len(shown) <= width
    assert shown.startswith("◆ running × failed 9=90 %" if width < 45 else "· waiting ◆ running ○ begun × failed ")


def test_marks_tell_what_is_waiting_running_begun_failed_and_done_without_any_colour(study):
    state, _ = study.replay(study.story())
    for glyphs in (UNICODE, ASCII):
        shown = design_map(state, 80, 30, glyphs).plain
        assert shown.count(glyphs.running) == 2
        assert shown.count(glyphs.begun) == 1
        assert shown.count(glyphs.failed) == 1
        assert shown.count(glyphs.waiting) == 98 - 39 - 1 - 1 - 2


def test_a_quick_study_is_marked_and_an_ended_one_says_how_it_ended(study):
    events = [(0.0, study.started(grid="8*8", quick=True))]
    state, now = study.replay(events)
    assert study.picture(state, 80, 24, now, color_system=None)[0].startswith("QUICK, not a reproduction: study ")
    end = StudyFinished(outcome=StudyOutcome.STOPPED, reason="q", complete=0, failed=0, seconds=1, go_on="psa")
    state, now = study.replay([*events, (9.0, end)])
    assert study.picture(state, 80, 24, now, color_system=None)[-1].strip() == "stopped (q)"


def test_more_workers_than_lines_are_counted(study):
    grid = parse_grid("published")
    events = [(0.0, study.started(workers=64))]
    events += [(1.0, study.progressed(network.short_name, f"worker {n + 1}", 1)) for n, network in enumerate(grid[:64])]
    state, now = study.replay(events)
    shown = "\n".join(study.picture(state, 80, 24, now, color_system=None))
    assert "worker 1 " in shown
    assert "and 64 workers in all" in shown


def test_a_mode_with_a_long_name_keeps_its_distance_from_what_its_trials_reached(study):
    events = [(0.0, study.started(grid="8*8", modes=("none", "output+patience")))]
    bounties = ((0.91, 0.93), (0.95, None))
    events.append((1.0, study.progressed("8*8", "worker 1", 3, trials=(1, 2), bounties=bounties)))
    state, now = study.replay(events)
    shown = "\n".join(study.picture(state, 140, 45, now, color_system=None))
    assert "  all             |         █| 93.0 (91-95)" in shown
    assert "  none            |         █| 92.0 (91-93)" in shown
    assert "  output+patience |         █| 95.0 (95-95)" in shown


def test_the_range_of_trials_holds_their_mean(study):
    events = [(0.0, study.started(grid="8*8", modes=("none", "full")))]
    events.append(
        (1.0, study.progressed("8*8", "worker 1", 3, trials=(1, 2), bounties=((0.1088, 0.1092), (0.5, None))))
    )
    state, now = study.replay(events)
    assert "| 10.9 (10-11)" in "\n".join(study.picture(state, 140, 45, now, color_system=None))


def test_what_happened_is_told_to_its_last_word(study):
    state, now = study.replay(study.story())
    state.messages.appendleft(
        "8*8 trials 1-4 failed, will be tried again: it was killed by SIGKILL; the system does so"
    )
    assert [line.rstrip() for line in study.picture(state, 60, 15, now, color_system=None)[-4:-2]] == [
        "8*8 trials 1-4 failed, will be tried again: it was killed by",
        "  SIGKILL; the system does so",
    ]


def test_text_from_outside_is_no_markup(study):
    state, now = study.replay(study.story())
    state.messages.appendleft("[bold]what[/bold] [/nonsense]")
    assert "[bold]what[/bold] [/nonsense]" in "\n".join(study.picture(state, 80, 24, now, color_system=None))


def test_colour_only_repeats_what_shapes_say(study):
    done = CellFinished(shape="8*8", worker=None, trials=study.trials, means=(0.05,) * 6)
    state, now = study.replay([(0.0, study.started(grid="8*8")), (1.0, done)])
    plain = study.picture(state, 80, 24, now, color_system=None)
    coloured = study.picture(state, 80, 24, now, color_system="standard")
    assert "\x1b[31m0" in "".join(coloured)
    assert "     0" in "\n".join(plain)
