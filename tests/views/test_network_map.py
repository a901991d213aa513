from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.runs.ablation_statistics import Tally
from psa_tui.views.glyphs import ASCII, UNICODE
from psa_tui.views.network_map import _first_layer, _position, map_title, network_map
from psa_tui.views.state import RunState


def state_of(build, architecture, hits=(), now=()):
    state = RunState()
    state.fold(build.run_started(architecture), 0.0)
    for layer, neuron, ablated, survived in hits:
        state.hits.units[layer, neuron] = Tally(ablated=ablated, promoted=survived, survived=survived)
    if now:
        state.fold(build.units_ablated(architecture, 5, *now), 0.0)
    return state


def test_every_neuron_has_a_mark_where_there_is_room(build):
    state = state_of(build, "[2*4, 1*3]", hits=[(0, 1, 2, 0), (1, 3, 2, 1), (3, 9, 1, 1)], now=[(2, 2)])
    assert network_map(state, 44, 14, UNICODE).plain.split("\n") == [
        "○ rolled back ● survived ◆ now · never ",
        "· · · · ",
        "○ · · · ",
        "· · ◆ · ",
        "· ●   · ",
        "      · ",
        "      · ",
        "      · ",
        "      · ",
        "      · ",
        "      ● ",
        "0     out",
    ]


def test_every_unit_of_the_ablation_under_way_is_marked(build):
    state = state_of(build, "[2*4, 1*3]", hits=[(0, 1, 2, 0)], now=[(0, 1), (0, 3), (2, 2), (3, 9)])
    lines = network_map(state, 44, 14, UNICODE).plain.split("\n")[1:-1]
    assert [(row, line.index("◆") // 2, line.count("◆")) for row, line in enumerate(lines) if "◆" in line] == [
        *((1, 0, 1), (2, 2, 1), (3, 0, 1), (9, 3, 1)),
    ]


def test_dead_units_are_marked_above_all_but_the_unit_of_this_loop(build):
    state = state_of(build, "[2*4, 1*3]", hits=[(0, 1, 2, 1), (1, 3, 2, 0)], now=[(0, 2)])
    state.dead_units = frozenset({(0, 1), (0, 2), (2, 0), (7, 0), (0, 99)})
    assert network_map(state, 44, 14, UNICODE).plain.split("\n")[:5] == [
        "○ hit ● survived × dead ◆ now · never ",
        "· · × · ",
        "× · · · ",
        "◆ · · · ",
        "· ○   · ",
    ]
    assert network_map(state, 45, 14, ASCII).plain.startswith("o rolled back O survived x dead @ now . never ")
    assert network_map(state, 26, 14, UNICODE).plain.startswith("○ hit ● kept × dead ◆ now \n")


@pytest.mark.parametrize(
    ("counts", "width", "title"),
    [
        ((4, 9), 40, "network: 4 dead, 9 never active"),
        ((4, 9), 22, "network: 4 dead"),
        ((4, 9), 10, "plain"),
        ((0, 0), 40, "network: 0 dead, 0 never active"),
        ((4, None), 40, "network: 4 dead"),
        ((None, None), 40, "plain"),
    ],
)
def test_the_title_says_what_is_known_of_the_units_of_the_lkg(build, counts, width, title):
    state = state_of(build, "[1*16]")
    state.progress = replace(state.progress, lkg_dead=counts[0], lkg_inactive=counts[1])
    assert map_title(state, "plain", width) == title


def test_the_same_without_unicode(build):
    state = state_of(build, "[1*2]", hits=[(0, 0, 1, 0), (1, 0, 1, 1)], now=[(0, 1)])
    assert network_map(state, 44, 6, ASCII).plain.split("\n") == [
        "o rolled back O survived @ now . never ",
        "o O ",
        "@ . ",
        "  . ",
        "  . ",
        "0 out",
    ]


def test_a_narrow_map_still_explains_what_was_hit_what_survived_and_what_is_under_way(build):
    legend = network_map(state_of(build, "[1*8]"), 26, 10, UNICODE).plain.split("\n")[0]
    assert legend.split() == ["○", "hit", "●", "survived", "◆", "now"]


def test_wide_layers_share_marks_and_the_strongest_that_happened_is_shown(build):
    # 100 neurons in 4 rows: 25 a mark.
    state = state_of(build, "[1*100]", hits=[(0, 0, 9, 0), (0, 24, 1, 1), (0, 1, 9, 0), (0, 25, 3, 0)], now=[(0, 99)])
    lines = network_map(state, 40, 6, UNICODE).plain.split("\n")
    assert [line[0] for line in lines[1:-1]] == ["●", "○", "·", "◆"]


def test_deep_networks_share_columns_and_the_output_layer_keeps_its_own(build):
    state = state_of(build, "[2048*1]", hits=[(0, 0, 1, 0), (2047, 0, 1, 1), (2048, 9, 1, 0)])
    lines = network_map(state, 41, 12, UNICODE).plain.split("\n")
    assert lines[1].split() == ["○", *["·"] * 17, "●", "·"]
    assert lines[10].split() == ["○"]
    assert lines[10].rstrip().index("○") == 2 * 19
    assert lines[-1].rstrip().endswith("out")


ARCHITECTURES = ["[1*1]", "[2048*1]", "[1*2048]", "[40*4]", "[2*8, 1*6]", "[3*100, 2*5, 1*1]"]


@given(architecture=st.sampled_from(ARCHITECTURES), rows=st.integers(1, 40), columns=st.integers(2, 60), data=st.data())
def test_every_neuron_has_a_position_on_the_map_in_a_column_of_its_layer(build, architecture, rows, columns, data):
    widths = build.network_of(architecture).unit_counts
    layer = data.draw(st.integers(0, len(widths) - 1))
    neuron = data.draw(st.integers(0, widths[layer] - 1))
    column, row = _position(layer, neuron, widths, rows, columns)
    assert 0 <= row < min(rows, widths[layer])
    assert 0 <= column < columns
    assert _first_layer(column, len(widths), columns) <= layer
    if column < min(len(widths), columns) - 1:
        assert layer < _first_layer(column + 1, len(widths), columns)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("size", [(5, 3), (26, 7), (26, 12), (45, 25), (100, 60)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_the_map_fits_its_room_and_marks_the_neuron_of_this_loop_once(build, architecture, size, glyphs):
    widths = build.network_of(architecture).unit_counts
    for now in {(0, 0), (len(widths) - 1, 9), (len(widths) - 2, widths[-2] - 1)}:
        lines = network_map(state_of(build, architecture, now=[now]), *size, glyphs).plain.split("\n")
        assert len(lines) <= size[1]
        assert all(len(line.rstrip()) <= size[0] for line in lines)
        assert sum(line.count(glyphs.now) for line in lines[1:-1]) == 1
        assert "".join(lines).isascii() == (glyphs is ASCII)


def test_there_is_no_map_before_the_run_begins():
    assert network_map(RunState(), 40, 10, UNICODE).plain == ""
