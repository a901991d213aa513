import re

import pytest

from psa_tui.views.chart import chart
from psa_tui.views.glyphs import ASCII, UNICODE
from psa_tui.views.state import RunState


def cells(text):
    """The plotted area: rows of characters, axis labels and frame taken off."""
    lines = text.plain.split("\n")[1:]
    inside = [line[1 : line.rindex("│")] for line in lines if line.startswith("│")]
    assert len({len(line) for line in inside}) == 1
    return inside


def draw(build, corrects, width=90, height=20, glyphs=UNICODE, **changes):
    state, _ = build.replay(build.story("[1*8]", corrects, **changes))
    return chart(state, width, height, glyphs)


def rows_of(area, glyph):
    """For each column that has ``glyph``, its uppermost row."""
    return {
        column: min(row for row, line in enumerate(area) if line[column] == glyph)
        for column in range(len(area[0]))
        if any(line[column] == glyph for line in area)
    }


def is_rising(rows):
    ordered = [rows[column] for column in sorted(rows)]
    return ordered == sorted(ordered, reverse=True)


def test_the_staircase_of_a_recorded_run_never_falls_and_ends_at_the_right(recorded, build):
    for count in range(8, len(recorded), 9):
        state, _ = build.replay(recorded[:count])
        area = cells(chart(state, 90, 20, UNICODE))
        stairs = rows_of(area, UNICODE.lkg)
        assert is_rising(stairs)
        if len(state.accuracies) >= 10:
            column_of_a_loop = len(area[0]) / len(state.accuracies)
            assert max(stairs | rows_of(area, UNICODE.promoted)) >= len(area[0]) - column_of_a_loop


@pytest.mark.parametrize("count", [30, 400, 2000])
def test_the_staircase_never_falls_however_many_loops_there_are(build, count):
    corrects = [200 + min(i, 600) - (i * 37 % 90) for i in range(count)]
    stairs = rows_of(cells(draw(build, corrects)), UNICODE.lkg)
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
    stairs = rows_of(cells(chart(state, 90, 20, UNICODE)), UNICODE.lkg)
    columns = sorted(stairs)
    height = {column: 20 - row for column, row in stairs.items()}
    assert height[columns[len(columns) // 4]] > height[columns[0]] > height[columns[-1]]
    assert len({height[column] for column in columns[-20:]}) == 1


def test_a_promotion_and_a_rollback_are_different_marks_at_their_accuracy(build):
    area = cells(draw(build, [200, 600, 400, 300, 150, 500, 450, 350, 250, 700]))
    promoted = rows_of(area, UNICODE.promoted)
    rolled_back = rows_of(area, UNICODE.rolled_back)
    assert len(promoted) == 3
    assert len(rolled_back) == 7
    assert list(promoted.values()) == sorted(promoted.values(), reverse=True)
    assert min(promoted.values()) < min(rolled_back.values())
    lowest = max(rolled_back.values())
    assert [row == lowest for _, row in sorted(rolled_back.items())].index(True) == 2  # the loop with 150 correct


def test_the_majority_line_is_drawn_where_it_is_in_range(build):
    text = draw(build, [200, 300, 400, 500, 550])
    assert text.plain.split("\n")[0] == "▲ promoted  · rolled back  ━ LKG  ┄ majority 11.36 %"
    line = rows_of(cells(text), UNICODE.majority)
    assert len(line) > 60
    assert len(set(line.values())) == 1
    assert min(line.values()) > max(rows_of(cells(text), UNICODE.promoted).values())


def test_a_run_far_above_the_majority_says_that_its_line_is_below(build):
    text = draw(build, [900 + i % 7 for i in range(40)])
    assert text.plain.split("\n")[0] == "▲ promoted  · rolled back  ━ LKG  ┄ majority 11.36 % (below)"
    assert rows_of(cells(text), UNICODE.majority) == {}


def test_more_loops_than_columns_are_binned_to_least_mean_and_greatest(build):
    corrects = [500] + [(300, 400, 350)[i % 3] for i in range(899)]
    text = draw(build, corrects)
    assert text.plain.split("\n")[0].startswith("• mean · least, greatest  ━ LKG")
    area = cells(text)
    columns = ["".join(line[column] for line in area) for column in range(len(area[0]))]
    marks = [re.sub(f"[^{UNICODE.mean}{UNICODE.extreme}]", "", column) for column in columns]
    assert marks.count(UNICODE.extreme + UNICODE.mean + UNICODE.extreme) >= len(area[0]) - 5
    levels = [min(rows_of(area, glyph).values()) for glyph in (UNICODE.lkg, UNICODE.extreme, UNICODE.mean)]
    assert levels == sorted(levels)
    assert not rows_of(area, UNICODE.promoted)


def test_a_dip_of_one_loop_among_two_thousand_stays_visible(build):
    corrects = [600] + [500] * 1999
    corrects[1000] = 460
    area = cells(draw(build, corrects))
    dip = set(rows_of(area[-6:], UNICODE.extreme))
    assert len(dip) == 1
    assert abs(dip.pop() - len(area[0]) // 2) <= 2


def test_as_many_loops_as_fit_are_not_binned(build):
    fits = 90 - 11
    assert draw(build, [500] * fits).plain.startswith("▲ promoted")
    assert draw(build, [500] * (fits + 1)).plain.startswith("• mean")


@pytest.mark.parametrize("count", [1, 40, 2000])
def test_the_ascii_chart_is_ascii_and_tells_the_same(build, count):
    corrects = [200 + min(i, 600) - (i * 37 % 90) for i in range(count)]
    ascii_text = draw(build, corrects, glyphs=ASCII).plain
    assert ascii_text.isascii()
    table = {
        getattr(UNICODE, name): getattr(ASCII, name) for name in UNICODE.__slots__ if name not in ("frame", "strip")
    }
    frame = dict(zip("│┌┐└┘─", "|++++-", strict=True))
    unicode_text = draw(build, corrects).plain
    assert ascii_text.split("\n")[1:] == [
        re.sub(".", lambda found: {**table, **frame}.get(found[0], found[0]), line)
        for line in unicode_text.split("\n")[1:]
    ]


@pytest.mark.parametrize("size", [(31, 6), (40, 10), (90, 20), (200, 50)])
@pytest.mark.parametrize("count", [1, 2, 10, 90, 2000])
def test_the_chart_fits_its_room(build, size, count):
    lines = draw(build, [500 + i % 50 for i in range(count)], *size).plain.split("\n")
    assert len(lines) <= size[1]
    assert max(map(len, lines[1:])) <= size[0]
    assert all(line.startswith("│") for line in lines[1:-2])


def test_candidates_of_equal_or_no_accuracy_are_drawn_too(build):
    assert "▲" in draw(build, [0, 0, 0]).plain
    assert "▲" in draw(build, [1000] * 20).plain


def test_a_run_whose_first_candidates_were_not_finite_has_no_staircase_yet(build):
    text = draw(build, [98, 98, 98], sick=(1, 2, 3))
    assert rows_of(cells(text), UNICODE.lkg) == {}
    assert rows_of(cells(text), UNICODE.promoted) == {}
    assert len(rows_of(cells(text), UNICODE.rolled_back)) == 3


def test_before_the_first_loop_there_are_words_instead_of_a_chart(build):
    state = RunState()
    state.fold(build.run_started(), 0.0)
    assert chart(state, 90, 20, UNICODE).plain == "no loop yet"
