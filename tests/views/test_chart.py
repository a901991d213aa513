import re
from dataclasses import replace

import pytest
from rich.text import Text

from psa_tui.method.events import MetaLoopFinished, SettingChange
from psa_tui.views.braille import LABEL_WIDTH
from psa_tui.views.chart import (
    CHANGE,
    LKG,
    MAJORITY,
    OFF_SCALE,
    PROMOTED,
    ROLLED_BACK,
    accuracy_chart,
    gap_chart,
    loop_at,
    loss_chart,
)
from psa_tui.views.display import ChartWindow, DisplayOptions
from psa_tui.views.glyphs import UNICODE
from psa_tui.views.state import RunState

pytestmark = pytest.mark.slow

WIDTH, HEIGHT = 90, 20


def draw(build, corrects, width=WIDTH, height=HEIGHT, options=None, draws=accuracy_chart, **changes):
    state, _ = build.replay(build.story("[1*8]", corrects, **changes))
    return draws(state, width, height, options or DisplayOptions())


def rows_of(text, style):
    """For each column of the plot that has something in ``style``, its uppermost row."""
    rows = {}
    for row, line in enumerate(text.split("\n")[1:-2]):
        for span in line.spans:
            if span.style == style:
                for column in range(span.start, span.end):
                    rows.setdefault(column - 1, row)
    return rows


def is_rising(rows):
    ordered = [rows[column] for column in sorted(rows)]
    return ordered == sorted(ordered, reverse=True)


def test_the_staircase_of_a_recorded_run_never_falls_and_ends_at_the_right(recorded, build):
    for count in range(8, len(recorded), 9):
        state, _ = build.replay(recorded[:count])
        drawn = accuracy_chart(state, WIDTH, HEIGHT, DisplayOptions())
        stairs = rows_of(drawn, LKG)
        assert is_rising(stairs)
        if len(state.accuracies) >= 10:
            columns = drawn.split("\n")[1].plain.rindex("│") - 1
            assert max(stairs | rows_of(drawn, PROMOTED)) >= columns - columns / len(state.accuracies) - 1


@pytest.mark.parametrize("count", [30, 400, 2000, 10_000])
def test_the_staircase_never_falls_however_many_loops_there_are(build, count):
    corrects = [200 + min(i * 30 // count, 30) * 20 - (i * 37 % 90) for i in range(count)]
    stairs = rows_of(draw(build, corrects), LKG)
    assert len(stairs) > 5
    assert is_rising(stairs)


def test_the_staircase_falls_where_a_rule_promotes_what_is_worse(build):
    state = RunState()
    state.fold(build.run_started("[1*8]", 40), 0.0)
    progress = build.run_started().progress
    for correct, promoted in [(500, True), (800, True), *[(600, False)] * 8, (300, True), *[(500, False)] * 9]:
        loop = build.finished_loop(progress, correct, promoted=promoted)
        state.fold(loop, 0.0)
        progress = loop.progress
    stairs = rows_of(accuracy_chart(state, WIDTH, HEIGHT, DisplayOptions()), LKG)
    columns = sorted(stairs)
    height = {column: 20 - row for column, row in stairs.items()}
    assert height[columns[len(columns) // 4]] > height[columns[0]] > height[columns[-1]]
    assert len({height[column] for column in columns[-20:]}) == 1


@pytest.mark.parametrize("is_ascii", [False, True])
def test_a_promotion_and_a_rollback_are_different_marks_at_their_accuracy(build, is_ascii):
    options = DisplayOptions(ascii=is_ascii)
    drawn = draw(build, [200, 600, 400, 300, 150, 500, 450, 350, 250, 700], options=options)
    marks = {style: rows_of(drawn, style) for style in (PROMOTED, ROLLED_BACK)}
    plain = [line.plain for line in drawn.split("\n")[1:]]
    for style, glyph in ((PROMOTED, options.glyphs.promoted), (ROLLED_BACK, options.glyphs.dot)):
        assert {plain[row][column + 1] for column, row in marks[style].items()} == {glyph}
    assert [len(rows) for rows in marks.values()] == [3, 7]
    assert is_rising(marks[PROMOTED])
    assert min(marks[PROMOTED].values()) < min(marks[ROLLED_BACK].values())
    lowest = max(marks[ROLLED_BACK].values())
    assert [row == lowest for _, row in sorted(marks[ROLLED_BACK].items())].index(True) == 2


def test_a_promotion_stays_visible_among_ten_thousand_loops(build):
    corrects = [500] * 10_000
    corrects[5000] = 600
    rows = rows_of(draw(build, corrects), PROMOTED)
    assert len(rows) == 2, "the first one and that in the middle"
    assert rows[max(rows)] < rows[min(rows)]
    assert abs(max(rows) - 40) <= 1


def test_every_loop_is_a_dot_however_many_there_are(build):
    corrects = [600] + [500] * 1999
    corrects[1000] = 470
    drawn = draw(build, corrects)
    lowest = max(row for row, line in enumerate(drawn.split("\n")[1:-2]) if re.search("[⠁-⣿]", line.plain))
    (dip,) = re.finditer("[⠁-⣿]", drawn.split("\n")[1 + lowest].plain)
    assert abs(dip.start() - 40) <= 2


def test_the_majority_line_is_drawn_where_it_is_in_range(build):
    drawn = draw(build, [200, 300, 400, 500, 550])
    assert drawn.plain.split("\n")[0] == "▲ promoted  • rolled back  ━ LKG  ┄ majority 11.36 %"
    line = rows_of(drawn, MAJORITY)
    assert len(line) > 60
    assert len(set(line.values())) == 1
    assert min(line.values()) > max(rows_of(drawn, PROMOTED).values())


def test_the_axes_have_the_majority_line_even_where_loops_cover_it(build):
    lines = draw(build, [110 + n % 9 for n in range(10_000)]).plain.split("\n")[1:-2]
    edges = [(line[0], line[WIDTH - LABEL_WIDTH - 1]) for line in lines]
    assert edges.count((UNICODE.majority, UNICODE.majority)) == 1


def test_a_narrow_legend_says_what_is_in_the_chart_before_what_is_not(build):
    corrects = [100, 200, *[900 + n % 50 for n in range(60)]]
    legend = draw(build, corrects, width=60).plain.split("\n")[0]
    assert legend == "▲ promoted  • rolled back  ━ LKG  ▾ 2 below"
    wide = draw(build, corrects).plain.split("\n")[0]
    assert wide == f"{legend}  ┄ majority 11.36 % (below)"


def test_a_run_far_above_the_majority_says_that_its_line_is_below(build):
    drawn = draw(build, [900 + i % 7 for i in range(40)])
    assert drawn.plain.split("\n")[0] == "▲ promoted  • rolled back  ━ LKG  ┄ majority 11.36 % (below)"
    assert rows_of(drawn, MAJORITY) == {}


def test_candidates_below_the_scale_are_marked_and_counted_until_the_whole_scale_is_asked_for(build):
    corrects = [900 + i % 7 for i in range(40)]
    corrects[20] = corrects[30] = 300
    drawn = draw(build, corrects)
    assert "▾ 2 below" in drawn.plain.split("\n")[0]
    marks = rows_of(drawn, OFF_SCALE)
    assert len(marks) == 2
    assert set(marks.values()) == {HEIGHT - 4}
    whole = draw(build, corrects, options=DisplayOptions(chart=ChartWindow(whole_scale=True)))
    assert "▾" not in whole.plain
    assert rows_of(whole, OFF_SCALE) == {}


def test_the_cursor_reads_out_its_loop(build):
    options = DisplayOptions(chart=ChartWindow(cursor=3))
    drawn = draw(build, [200, 600, 400, 300, 700], options=options)
    assert re.match(r"loop 3: 40\.00 %  rolled back -20\.00  (layer 0|output) neuron \d  loss 0\.5000$", first(drawn))
    assert len(rows_of(drawn, "reverse")) == 1
    options = DisplayOptions(chart=ChartWindow(cursor=1))
    assert first(draw(build, [200, 600], options=options)).startswith("loop 1: 20.00 %  promoted")
    assert len(first(draw(build, [200, 600, 400], 40, options=options))) <= 40


def test_a_change_of_settings_is_a_line_that_the_cursor_explains(build):
    changes = (SettingChange(meta_loop=3, name="lr", before="0.01", after="0.001"),)
    events = build.story("[1*8]", [200, 600, 400, 300, 700], setting_changes=changes)
    events[-1] = replace(events[-1], mode="output")
    state, _ = build.replay(events)
    drawn = accuracy_chart(state, WIDTH, HEIGHT, DisplayOptions())
    assert "┊ other settings" in first(drawn)
    assert len(rows_of(drawn, CHANGE)) == 2
    for loop, what in ((3, "lr 0.01 -> 0.001"), (5, "mode full -> output")):
        options = DisplayOptions(chart=ChartWindow(cursor=loop))
        assert what in first(accuracy_chart(state, WIDTH, HEIGHT, options))


def first(text):
    return text.plain.split("\n")[0]


def test_a_zoomed_chart_shows_its_loops_only(build):
    corrects = [500 + i for i in range(100)]
    drawn = draw(build, corrects, options=DisplayOptions(chart=ChartWindow(span=20, last=60)))
    labels = [int(number) for number in re.findall(r"\d+", drawn.plain.split("\n")[-1])]
    assert 40 < min(labels) < max(labels) <= 60
    assert len(rows_of(drawn, PROMOTED)) == 20


def test_a_column_that_is_pointed_at_is_the_loop_that_is_drawn_there(build):
    state, _ = build.replay(build.story("[1*8]", [500] * 39 + [600]))
    (column,) = [
        column
        for column, row in rows_of(accuracy_chart(state, WIDTH, HEIGHT, DisplayOptions()), PROMOTED).items()
        if row < 5
    ]
    assert loop_at(state, column + 1, WIDTH, DisplayOptions()) == 40
    assert loop_at(state, 1, WIDTH, DisplayOptions()) == 1
    assert loop_at(state, 0, WIDTH, DisplayOptions()) is None
    assert loop_at(state, WIDTH, WIDTH, DisplayOptions()) is None


@pytest.mark.parametrize("count", [1, 40, 2000])
def test_the_ascii_chart_is_ascii_and_marks_the_same_columns(build, count):
    corrects = [200 + min(i, 600) - (i * 37 % 90) for i in range(count)]
    plain, dots = draw(build, corrects, options=DisplayOptions(ascii=True)), draw(build, corrects)
    assert plain.plain.isascii()
    for style in (PROMOTED, OFF_SCALE):
        assert rows_of(plain, style).keys() == rows_of(dots, style).keys()


@pytest.mark.parametrize("size", [(31, 6), (40, 10), (90, 20), (200, 50)])
@pytest.mark.parametrize("count", [1, 2, 10, 90, 2000])
def test_the_charts_fit_their_room(build, size, count):
    for draws, above in ((accuracy_chart, 1), (loss_chart, 0)):
        lines = draw(build, [500 + i % 50 for i in range(count)], *size, draws=draws).plain.split("\n")
        assert len(lines) <= size[1]
        assert max(map(len, lines)) <= size[0]
        assert all(line.startswith("│") for line in lines[above:-2])


def test_candidates_of_equal_or_no_accuracy_are_drawn_too(build):
    assert "▲" in draw(build, [0, 0, 0]).plain
    assert "▲" in draw(build, [1000] * 20).plain


def test_a_run_whose_first_candidates_were_not_finite_has_no_staircase_and_no_loss_yet(build):
    drawn = draw(build, [98, 98, 98], sick=(1, 2, 3))
    assert rows_of(drawn, LKG) == {}
    assert rows_of(drawn, PROMOTED) == {}
    assert len(rows_of(drawn, ROLLED_BACK)) == 3
    assert draw(build, [98, 98, 98], sick=(1, 2, 3), draws=loss_chart).plain == "no loss was finite"


def test_before_the_first_loop_there_are_words_instead_of_a_chart(build):
    state = RunState()
    state.fold(build.run_started(), 0.0)
    for draws in (accuracy_chart, loss_chart):
        assert draws(state, WIDTH, HEIGHT, DisplayOptions()).plain == "no loop yet"


def test_a_loss_far_above_the_others_is_marked_at_the_edge_and_leaves_them_the_room(build):
    events = build.story("[1*8]", [500 + i for i in range(40)])
    losses = iter([90.0, *(1.0 + i / 100 for i in range(39))])
    state, _ = build.replay([build.with_loss(event, losses) for event in events])
    drawn = loss_chart(state, WIDTH, HEIGHT, DisplayOptions())
    assert list(rows_of(Text("\n") + drawn, OFF_SCALE)) == [1]
    assert len(set(rows_of(Text("\n") + drawn, PROMOTED).values())) > 10
    whole = loss_chart(state, WIDTH, HEIGHT, DisplayOptions(chart=ChartWindow(whole_scale=True)))
    assert rows_of(Text("\n") + whole, OFF_SCALE) == {}


def test_the_gap_is_training_accuracy_less_validation_accuracy_in_points(build):
    events = build.story("[1*8]", [500, 600, 550])
    accuracies = iter((0.40, 0.65, 0.75))
    events = [
        replace(event, train_accuracy=next(accuracies)) if isinstance(event, MetaLoopFinished) else event
        for event in events
    ]
    state, _ = build.replay(events)
    drawn = gap_chart(state, WIDTH, HEIGHT, DisplayOptions()).plain.split("\n")
    rows = {glyph: [row for row, line in enumerate(drawn) if glyph in line] for glyph in "▲•"}
    assert rows["•"][0] < min(rows["▲"]) < max(rows["▲"]), "20, 5 and -10 points"
    uncounted, _ = build.replay(build.story("[1*8]", [500, 600]))
    assert gap_chart(uncounted, WIDTH, HEIGHT, DisplayOptions()).plain == "training accuracy was not counted"


def test_the_loss_is_drawn_at_its_height(build):
    events = build.story("[1*8]", [500, 600, 400])
    losses = iter((2.0, 1.0, 1.5))
    events = [build.with_loss(event, losses) for event in events]
    drawn = loss_chart(build.replay(events)[0], WIDTH, HEIGHT, DisplayOptions())
    plain = drawn.plain.split("\n")
    heights = {
        glyph: [row for row, line in enumerate(plain) if glyph in line] for glyph in (UNICODE.promoted, UNICODE.dot)
    }
    (high, low), (middle,) = heights.values()
    assert high < middle < low


WINDOWS = ChartWindow()


def test_zooming_keeps_the_cursor_in_sight_and_out_again_shows_all():
    window = WINDOWS.with_cursor(1, 1000, 300)
    for _ in range(4):
        window = window.zoomed(1, 1000, 0.5)
        start, end = window.bounds(1, 1000)
        assert start <= 300 <= end
    assert end - start + 1 == 62
    assert window.zoomed(1, 1000, 0.01).zoomed(1, 1000, 0.5).bounds(1, 1000)[1] - 300 < 10
    for _ in range(5):
        window = window.zoomed(1, 1000, 2.0)
    assert window.bounds(1, 1000) == (1, 1000)


def test_a_window_at_the_newest_loop_follows_it_and_one_that_was_panned_stays():
    window = WINDOWS.zoomed(1, 100, 0.2)
    assert window.bounds(1, 100) == (81, 100)
    assert window.bounds(1, 150) == (131, 150)
    panned = window.panned(1, 100, -0.5)
    assert panned.bounds(1, 100) == panned.bounds(1, 150) == (71, 90)
    assert panned.panned(1, 150, -9.0).bounds(1, 150) == (1, 20)
    assert panned.panned(1, 150, 9.0).bounds(1, 160) == (141, 160)


def test_a_cursor_moves_the_window_no_further_than_it_must():
    window = WINDOWS.zoomed(1, 100, 0.2)
    assert window.with_cursor(1, 100, 90).bounds(1, 100) == (81, 100)
    assert window.with_cursor(1, 100, 70).bounds(1, 100) == (70, 89)
    assert window.with_cursor(1, 100, -5).cursor == 1
    assert window.with_cursor(1, 100, 500).cursor == 100
