from dataclasses import replace

import pytest

from psa_tui.method.layer_names import LayerNames
from psa_tui.runs.ablation_statistics import AblationStatistics, NetworkAblations, Tally
from psa_tui.views.glyphs import ASCII, UNICODE
from psa_tui.views.network_map import ablations_of, layout_of, map_title, network_map, unit_at
from psa_tui.views.state import RunState
from psa_tui.views.unit_marks import Measure


def hit(ablated, survived=0, gain=0.0):
    """The tally of a unit whose hits had a mean gain of ``gain`` points."""
    return Tally(ablated=ablated, promoted=survived, survived=survived, compared=ablated, gained=ablated * gain / 100)


def ablations(unit_counts, units=(), dead=(), now=(), named=()):
    statistics = AblationStatistics(units=dict(units))
    names = LayerNames(len(unit_counts), *named)
    return NetworkAblations(statistics=statistics, unit_counts=unit_counts, names=names, dead_units=dead, under_way=now)


SMALL = (4, 4, 3, 10)


def drawn(what, width, height, *arguments, glyphs=UNICODE):
    return network_map(what, width, height, glyphs, *arguments).plain.split("\n")


def test_every_neuron_has_a_mark_where_there_is_room():
    units = {(0, 1): hit(2), (1, 3): hit(2, 1), (3, 9): hit(1, 1)}
    assert drawn(ablations(SMALL, units, now=[(2, 2)]), 44, 14) == [
        "○ rolled back ● survived ◆ now · never",
        " ·   ·   ·   · ",
        " ○   ·   ·   · ",
        " ·   ·   ◆   · ",
        " ·   ●       · ",
        *["             · "] * 5,
        "             ● ",
        "0   1   2   out",
    ]
    assert drawn(ablations(SMALL, units), 10, 14)[1:5] == ["· · · ·", "○ · · ·", "· · · ·", "· ●   ·"]


def test_layers_that_have_names_are_called_by_them_where_there_is_room_for_all():
    named = ("conv1", "conv2", "output"), ("channel", "channel", "neuron")
    shown = ablations((12, 12, 10), {(1, 9): hit(2, 1)}, named=named)
    assert drawn(shown, 40, 6)[-1] == "conv1     conv2     out"
    assert drawn(shown, 16, 6)[-1] == "0   1   out"
    assert drawn(shown, 60, 6, Measure.FATE, (1, 9))[-1].startswith("conv2 channel 9: 2 hits")
    assert drawn(shown, 44, 6, Measure.FATE, (1, 9))[-1] == "conv2.9: 2 hits, 1 promoted, mean +0.00"
    unnamed = replace(shown, names=LayerNames(3))
    assert drawn(unnamed, 44, 8, Measure.HITS, (2, 1))[-1].startswith("output neuron 1: ")


def test_every_unit_of_the_ablation_under_way_is_marked_and_dead_ones_above_all_others():
    units = {(0, 1): hit(2, 1), (1, 3): hit(2)}
    dead = {(0, 1), (0, 2), (2, 0), (7, 0), (0, 99)}
    shown = ablations(SMALL, units, dead, now=[(0, 2), (3, 9), (9, 9)])
    assert drawn(shown, 44, 14) == [
        "○ hit ● survived × dead ◆ now · never",
        " ·   ·   ×   · ",
        " ×   ·   ·   · ",
        " ◆   ·   ·   · ",
        " ·   ○       · ",
        *["             · "] * 5,
        "             ◆ ",
        "0   1   2   out",
    ]
    assert drawn(shown, 45, 14, glyphs=ASCII)[0] == "o rolled back O survived x dead @ now . never"
    assert drawn(shown, 26, 14)[0] == "○ hit ● kept × dead ◆ now"
    assert drawn(shown, 20, 14)[0] == "○ hit ● kept × dead"
    assert drawn(shown, 12, 14)[0] == "○ hit ● kept"
    assert drawn(shown, 8, 14)[0] == ""


def test_a_mean_gain_is_a_height_around_that_of_none_in_steps_of_a_tenth_one_and_ten_points():
    gains = (-31, -10, -9.9, -1, -0.99, -0.1, -0.09, 0, 0.09, 0.1, 0.99, 1, 9.9, 10, 44)
    units = {(0, unit): hit(3, 1, gain) for unit, gain in enumerate(gains)}
    unknown = Tally(ablated=1)
    shown = ablations((17, 1), {**units, (0, 15): unknown}, dead=[(0, 3)])
    for glyphs, column in ((UNICODE, "▂▂▃×▄▄▅▅▅▆▆▇▇██··"), (ASCII, "::-x==+++**##%%..")):
        assert "".join(line[1] for line in drawn(shown, 60, 20, Measure.GAIN, glyphs=glyphs)[1:-1]) == column
    assert drawn(shown, 70, 20, Measure.GAIN)[0] == (
        "▂▃▄ harms ▅ even ▆▇█ helps by 0.1, 1, 10 points × dead ◆ now · never"
    )
    styles = network_map(shown, 60, 20, UNICODE, Measure.GAIN).spans
    text = network_map(shown, 60, 20, UNICODE, Measure.GAIN).plain
    by_mark = {text[span.start]: span.style for span in styles if span.start > text.index("\n")}
    assert (by_mark["█"], by_mark["▂"]) == ("bold blue", "bold red")


def test_hits_and_promotions_are_heights_beside_the_most():
    units = {(0, unit): hit(number, number // 7) for unit, number in enumerate((1, 2, 7, 13, 14))}
    shown = ablations((6, 1), units)
    assert "".join(line[1] for line in drawn(shown, 60, 20, Measure.HITS)[1:-1]) == "▂▂▅██·"
    assert drawn(shown, 60, 20, Measure.HITS)[0] == "▂ few █ 14 hits ◆ now · never"
    assert "".join(line[1] for line in drawn(shown, 60, 20, Measure.PROMOTIONS)[1:-1]) == "··▅▅█·"
    assert drawn(shown, 60, 20, Measure.PROMOTIONS)[0] == "▂ few █ 2 promotions ◆ now · never"
    assert drawn(ablations((6, 1)), 60, 20, Measure.HITS)[0] == "◆ now · never"


def test_marks_of_several_units_add_hits_up_and_take_the_mean_of_all_gains():
    units = {(0, 0): hit(9, 0, -2), (0, 24): hit(1, 1, 8), (0, 25): hit(3), (0, 30): hit(7, 2)}
    shown = ablations((100, 10), units, dead=[(0, 26), *((0, unit) for unit in range(50, 75))], now=[(0, 99)])
    assert [line[0] for line in drawn(shown, 5, 6)[1:-1]] == ["●", "×", "×", "◆"]
    assert [line[0] for line in drawn(shown, 5, 6, Measure.HITS)[1:-1]] == ["█", "█", "×", "◆"]
    assert [line[0] for line in drawn(shown, 5, 6, Measure.GAIN)[1:-1]] == ["▃", "▅", "×", "◆"]
    assert [line[0] for line in drawn(shown, 5, 6, Measure.PROMOTIONS)[1:-1]] == ["▅", "█", "×", "◆"]
    assert drawn(shown, 20, 7, Measure.GAIN, (0, 26)) == [
        "▂▃▄ harms ▆▇█ helps",
        " ▃··▇···×××··· ··",
        "▸······×××···◆ ·",
        " ······×××···  ·",
        " ···▅··×××···  ·",
        " 0  ▴ 2 a mark out",
        "0.26-27: 0 hits",
    ]
    assert drawn(shown, 26, 6, Measure.GAIN, (0, 26))[-1] == "0.26-27: 0 hits, 1 dead"


def test_a_wide_layer_goes_on_in_further_columns_and_the_axis_says_for_how_many_units_a_mark_stands():
    shown = ablations((1024, 10), {(0, 1023): hit(1, 1)})
    lines = drawn(shown, 45, 20)
    assert lines[-1] == "0              2 units a mark out"
    assert sum(line.count("·") for line in lines[1:-1]) == 512 - 1 + 5
    assert lines[8][28] == "●"


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (70, "layer 1 neuron 3: 12 hits, 3 promoted, mean gain -0.31 points, dead"),
        (66, "layer 1 neuron 3: 12 hits, 3 promoted, mean -0.31, dead"),
        (54, "1.3: 12 hits, 3 promoted, mean -0.31, dead"),
        (41, "1.3: 12 hits, -0.31, dead"),
        (24, "1.3: 12 hits, -0.31"),
        (18, "1.3: 12 hits"),
        (11, "1.3"),
    ],
)
def test_the_line_of_the_cursor_drops_whole_words_as_the_width_shrinks(width, words):
    shown = ablations(SMALL, {(1, 3): hit(12, 3, -0.31)}, dead=[(1, 3)])
    lines = drawn(shown, width, 14, Measure.GAIN, (1, 3))
    assert lines[-1] == words
    assert [lines[4], lines[-2]] == (
        ["▸ ·   ×       · ", " 0   ▴   2   out"] if width >= 18 else ["▸· ×   ·", " 0 ▴ 2 out"]
    )


def test_the_cursor_names_the_output_layer_and_the_unit_under_way_and_begins_again_where_there_is_no_such_unit():
    shown = ablations(SMALL, {(3, 0): hit(1, 1, 0.5)}, now=[(3, 0)])
    assert drawn(shown, 80, 14, Measure.HITS, (3, 0))[-1] == (
        "output neuron 0: 1 hit, 1 promoted, mean gain +0.50 points, under way"
    )
    assert drawn(shown, 80, 14, Measure.HITS, (3, 10))[-1] == "layer 0 neuron 0: 0 hits, 0 promoted"


def test_deep_networks_share_columns_and_the_output_layer_keeps_its_own():
    shown = ablations((1,) * 2048 + (10,), {(0, 0): hit(1), (2047, 0): hit(1, 1), (2048, 9): hit(1)})
    lines = drawn(shown, 41, 12)
    assert lines[1].split() == ["○", *["·"] * 17, "●", "·"]
    assert lines[10] == " " * 38 + "○"
    assert lines[-1] == "0" + " " * 16 + "layers share columns out"
    assert drawn(shown, 60, 12, Measure.HITS, (2047, 0))[-1] == (
        "layers 1975-2047 neuron 0: 1 hit, 1 promoted, mean +0.00"
    )


ARCHITECTURES = ["[1*1]", "[2048*1]", "[1*2048]", "[40*4]", "[100*100]", "[2*8, 1*6]", "[3*100, 2*5, 1*1]"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("size", [(5, 4), (26, 7), (30, 6), (45, 25), (198, 14)])
@pytest.mark.parametrize("measure", [Measure.FATE, Measure.GAIN])
def test_the_map_fits_its_room_and_marks_the_neuron_of_this_loop_once(build, architecture, size, measure):
    counts = build.network_of(architecture).unit_counts
    for now in {(0, 0), (len(counts) - 1, 9), (len(counts) - 2, counts[-2] - 1)}:
        units = {now: hit(3, 1, 2.0), (0, counts[0] - 1): hit(1)}
        for glyphs in (UNICODE, ASCII):
            for cursor in (None, now):
                lines = drawn(ablations(counts, units, [(0, 0)], [now]), *size, measure, cursor, glyphs=glyphs)
                assert len(lines) <= size[1]
                assert all(len(line.rstrip()) <= size[0] for line in lines)
                if cursor is not None and size == (5, 4):
                    continue
                body = lines[1:-1] if cursor is None else lines[1:-2]
                assert sum(line.count(glyphs.now) for line in body) == 1
                assert "".join(lines).isascii() == (glyphs is ASCII)


@pytest.mark.parametrize("cursor", [None, (0, 0)])
@pytest.mark.parametrize("size", [(40, 12), (90, 40), (30, 6)])
def test_the_unit_under_the_mouse_is_one_of_the_mark_that_is_drawn_there(cursor, size):
    counts = (100, 30, 10)
    for now in ((0, 57), (1, 29), (2, 0)):
        shown = ablations(counts, now=[now])
        lines = drawn(shown, *size, Measure.GAIN, cursor)
        ((y, x),) = [(y, line.index("◆")) for y, line in enumerate(lines) if y and "◆" in line]
        unit = unit_at(counts, *size, x, y, with_cursor=cursor is not None)
        if cursor is not None:
            assert drawn(shown, *size, Measure.GAIN, unit)[-1].endswith("under way") or size[0] < 80
        layout = layout_of(counts, *size, with_cursor=cursor is not None)
        assert layout.position(*unit) == layout.position(*now)
        nowhere = [
            unit_at(counts, *size, *at, with_cursor=cursor is not None) for at in ((x, 0), (x, 99), (-1, y), (99, y))
        ]
        assert nowhere == [None] * 4


def test_what_is_pointed_at_need_not_be_hit():
    def pointed(x, y):
        return unit_at((4, 2, 10), 40, 12, x, y, with_cursor=False)

    lines = drawn(ablations((4, 2, 10)), 40, 12)
    assert lines[1].rstrip() == " ·   ·   ·"
    assert [pointed(x, 1) for x in range(13)] == [(0, 0)] * 4 + [(1, 0)] * 4 + [(2, 0)] * 5
    assert pointed(5, 9) == (1, 1), "below the units of a short layer"
    assert pointed(20, 1) is None


@pytest.mark.parametrize(
    ("counts", "width", "title"),
    [
        ((4, 9), 40, "network: 4 dead, 9 never active"),
        ((4, 9), 22, "network: 4 dead"),
        ((4, 9), 10, "ablations"),
        ((0, 0), 40, "network: 0 dead, 0 never active"),
        ((4, None), 40, "network: 4 dead"),
        ((None, None), 40, "network: ablations"),
    ],
)
def test_the_title_says_what_is_known_of_the_units_of_the_lkg(build, counts, width, title):
    state, _ = build.replay([build.run_started("[1*16]")])
    state.progress = replace(state.progress, lkg_dead=counts[0], lkg_inactive=counts[1])
    assert map_title(state, Measure.FATE, width) == title
    assert map_title(state, Measure.GAIN, 40) == "network: mean gain"


def test_a_run_has_its_units_its_dead_ones_and_its_ablation_under_way(build):
    state = RunState()
    assert network_map(ablations_of(state), 60, 9, UNICODE).plain == (
        "its family or its data set is not installed here"
    )
    started, _, *events = build.story("[1*8]", [500, 600, 400])
    for event in (replace(started, dead_units=((0, 5),)), *events[:-1], build.units_ablated("[1*8]", 4, (1, 2))):
        state.fold(event, 0.0)
    shown = ablations_of(state)
    assert (tuple(shown.unit_counts), shown.dead_units, shown.under_way) == ((8, 10), {(0, 5)}, [(1, 2)])
    assert shown.statistics is state.hits
