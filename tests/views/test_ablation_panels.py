"""The table by layer and the histogram of gains, as they stand beside the network map."""

import random
import re

import pytest

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.layer_names import LayerNames
from psa_tui.runs.ablation_statistics import GAIN_BINS, AblationStatistics, NetworkAblations, Tally
from psa_tui.views.display import DisplayOptions
from psa_tui.views.gain_histogram import gain_histogram
from psa_tui.views.glyphs import ASCII, UNICODE
from psa_tui.views.layer_table import beside_chance, layer_table
from psa_tui.views.network_map import network_map
from psa_tui.views.unit_marks import Measure

SIZES = [(width, height) for width in (30, 37, 54, 80) for height in (6, 7, 9, 24)]
WORDS = """
    layer layers out all none hits promoted mean gain survived interval chance dead of above below like more how
    often candidates are whatever was ablated rolled back at most in a bin points validation accuracy gained on the LKG
    harms even helps by now never few promotions units mark hit kept neuron share columns under way output neurons
"""


def run_of(counts, loops, *, untouched=0.0, dead=(), seed=0):
    """What a run of ``loops`` that ablated a unit at random did; the output layer harms most."""
    draws, statistics = random.Random(seed), AblationStatistics()
    every = [(layer, unit) for layer, count in enumerate(counts) for unit in range(count)]
    for loop in range(loops):
        layer, unit = draws.choice(every)
        gain = round(draws.gauss(-0.05 * (layer == len(counts) - 1), 0.1 / (1 + loop / 8)), 3)
        hit = AblatedUnit(layer=layer, unit=unit, incoming=1, outgoing=1, dead=(layer, unit) in dead)
        statistics.fold([] if draws.random() < untouched else [hit], gain > 0, gain)
    return NetworkAblations(statistics=statistics, unit_counts=counts, names=LayerNames(len(counts)), dead_units=dead)


SMALL = run_of((8, 8, 6, 10), 200, untouched=0.2, dead=[(0, 3), (2, 1)])

SHAPES = (8, 8, 6, 10), (1024, 10), (4,) * 40 + (10,), (50,) * 60 + (10,)
RUNS = [run_of(counts, 120, untouched=0.2, dead=[(0, 1)]) for counts in SHAPES]


def lines_of(text):
    return text.plain.split("\n")


def test_a_table_has_a_row_a_layer_all_together_and_what_was_not_ablated():
    assert lines_of(layer_table(SMALL, 80, 12, UNICODE, (2, 5))) == [
        " layer  hits  promoted  mean gain  survived  95 % interval  chance     dead",
        " 0        45        23      +0.15      50 %        36-64 %    like   1 of 8",
        " 1        36        19      +0.08      53 %        37-68 %    like   0 of 8",
        "▸2        35        18      +0.31      50 %        34-66 %    like   1 of 6",
        " out      43         0      -5.69       0 %          0-8 %   below        -",
        " all     159        60      -1.47      37 %        29-44 %          2 of 22",
        " none     41         9      -2.18      22 %        12-37 %                -",
        " chance 38 %: how often candidates are promoted, whatever was ablated",
    ]


def test_a_few_promotions_among_many_loops_are_not_told_as_none():
    statistics = AblationStatistics()
    for loop in range(10_000):
        hit = AblatedUnit(layer=loop % 2, unit=0, incoming=1, outgoing=1, dead=False)
        statistics.fold([hit], loop % 500 == 1, -0.1)
    rare = NetworkAblations(statistics=statistics, unit_counts=(1, 1), names=LayerNames(2), dead_units=())
    lines = lines_of(layer_table(rare, 80, 12, UNICODE))
    assert re.search(r"^ 0 +5,000 +0 .* 0 % ", lines[1])
    assert re.search(r"^ out +5,000 +20 .* 0\.4 % ", lines[2])
    assert lines[-1].startswith(" chance 0.2 %: ")
    statistics.fold([AblatedUnit(layer=0, unit=0, incoming=1, outgoing=1, dead=False)], True, 0.1)
    assert re.search(r"^ 0 +5,001 +1 .* <0\.1 % ", lines_of(layer_table(rare, 80, 12, UNICODE))[1])


def test_the_histogram_has_bars_of_the_promoted_and_of_the_rolled_back():
    assert lines_of(gain_histogram(SMALL.statistics, 80, 12, UNICODE)) == [
        "▲ 69 promoted, at most 21 in a bin",
        "                                                   ██",
        "                                                ▃▃ ██ ▆▆",
        "                                                ██ ██ ██ ▆▆ ▆▆",
        "                                                ██ ██ ██ ██ ██ ▇▇",
        "○ 131 rolled back, at most 38 in a bin",
        "         ██",
        "         ██ ██",
        "         ██ ██ ▄▄ ██ ▃▃ ▁▁",
        "      ▃▃ ██ ██ ██ ██ ██ ██          ▆▆",
        "     -10       -1     -0.1          0           0.1      1        10",
        "points of validation accuracy gained on the LKG",
    ]
    assert lines_of(gain_histogram(SMALL.statistics, 30, 6, ASCII)) == [
        "^ 69 promoted",
        "                +%*==:",
        "o 131 rolled back",
        "  .%*-=--   :",
        "-10 -1      0      1  10",
    ]


def test_columns_are_dropped_and_the_layer_of_the_cursor_stays_in_sight():
    deep = run_of((4,) * 40 + (10,), 300)
    assert lines_of(layer_table(deep, 30, 6, ASCII, (20, 1))) == [
        " layer  hits   gain  survived",
        " 19        7  +0.89      43 %",
        ">20        9  +0.06      56 %",
        " 21        7  -0.27      43 %",
        " 38 more layers",
        " all     300  -0.19      44 %",
    ]
    shown = {
        layer: [line.split()[0] for line in lines_of(layer_table(deep, 44, 9, ASCII, (layer, 0))) if line[0] == ">"]
        for layer in range(41)
    }
    assert shown == {layer: [">out" if layer == 40 else f">{layer}"] for layer in range(41)}


def test_layers_that_were_never_hit_leave_the_room_to_those_that_were():
    statistics = AblationStatistics()
    for unit in range(10):
        statistics.fold([AblatedUnit(layer=8, unit=unit, incoming=8, outgoing=0)], unit < 4, 0.01)
    output_only = NetworkAblations(statistics=statistics, unit_counts=(8,) * 8 + (10,), names=LayerNames(9))
    assert lines_of(layer_table(output_only, 50, 8, UNICODE)) == [
        " layer  hits   gain  survived  chance     dead",
        " out      10  +1.00      40 %    like        -",
        " 8 more layers",
        " all      10  +1.00      40 %          0 of 64",
        " chance 40 %, whatever was ablated",
    ]
    lines = lines_of(layer_table(output_only, 50, 8, UNICODE, (2, 0)))
    assert [line.split()[0] for line in lines] == ["layer", "▸2", "out", "7", "all", "chance"]


def test_the_numbers_of_the_table_are_those_of_the_tallies():
    rows = {line.split()[0]: line.split() for line in lines_of(layer_table(SMALL, 100, 12, ASCII))}
    for layer, tally in SMALL.statistics.layers.items():
        low, high = tally.survival_interval
        row = rows["out" if layer == 3 else str(layer)]
        assert row[1:4] == [str(tally.ablated), str(tally.promoted), f"{100 * tally.gained / tally.compared:+.2f}"]
        assert row[4:8] == [f"{100 * tally.survived / tally.alive:.0f}", "%", f"{100 * low:.0f}-{100 * high:.0f}", "%"]
    assert rows["0"][-3:] == ["1", "of", "8"]
    assert rows["all"][-3:] == ["2", "of", "22"]


@pytest.mark.parametrize(
    ("survived", "of", "said"),
    [(0, 0, "-"), (0, 1, "like"), (1, 1, "like"), (0, 30, "below"), (20, 30, "above"), (9, 30, "like")],
)
def test_few_hits_are_like_chance_and_many_are_not(survived, of, said):
    assert beside_chance(Tally(ablated=of, promoted=survived, survived=survived), 0.25) == said


def test_a_run_without_a_gain_says_so_and_one_without_ablations_has_no_chance():
    empty = NetworkAblations(statistics=AblationStatistics(), unit_counts=(8, 10), names=LayerNames(2))
    assert gain_histogram(empty.statistics, 60, 8, UNICODE).plain == (
        "no gain yet: the first candidate has nothing to gain on"
    )
    assert lines_of(layer_table(empty, 60, 8, UNICODE)) == [
        " layer  hits  promoted  gain  survived  chance    dead",
        " 0         0         0     -         -       -  0 of 8",
        " out       0         0     -         -       -       -",
        " all       0         0     -         -          0 of 8",
    ]


def test_the_layers_of_a_network_that_is_not_known_here_are_those_that_were_hit():
    unknown = NetworkAblations(statistics=run_of((3, 2), 50).statistics, unit_counts=(), names=LayerNames())
    lines = lines_of(layer_table(unknown, 80, 12, UNICODE))
    assert [line.split()[0] for line in lines] == ["layer", "0", "1", "all", "chance"]
    assert {line.split()[-1] for line in lines[1:4]} == {"-"}


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_panels_fit_any_size_and_cut_no_word(width, height, glyphs):
    for ablations in RUNS:
        counts = ablations.unit_counts
        panels = [gain_histogram(ablations.statistics, width, height, glyphs)]
        for cursor in (None, (0, 2), (len(counts) - 1, 9)):
            panels.append(layer_table(ablations, width, height, glyphs, cursor))
            panels += [network_map(ablations, width, height, glyphs, measure, cursor) for measure in Measure]
        for panel in panels:
            lines = lines_of(panel)
            assert len(lines) <= height
            assert max(len(line.rstrip()) for line in lines) <= width
            assert panel.plain.isascii() or glyphs is UNICODE
            marks = [line for line in lines if not re.fullmatch(r"[>o@x.O ]*", line)]
            assert set(re.findall(r"[A-Za-z]{2,}", "\n".join(marks))) <= set(WORDS.split())


def test_panels_say_the_same_without_colour():
    """Each style belongs to a shape or a word: no two marks or cells differ by their style alone."""
    for panel in (
        network_map(SMALL, 60, 14, UNICODE, Measure.GAIN),
        network_map(SMALL, 60, 14, UNICODE, Measure.HITS),
        network_map(SMALL, 60, 14, UNICODE),
    ):
        styles = {}
        for span in panel.spans:
            for character in panel.plain[span.start : span.end].strip():
                styles.setdefault(character, set()).add(str(span.style))
        marks = {character: found for character, found in styles.items() if character in UNICODE.strip + "○●×◆"}
        assert all(len(found) == 1 for found in marks.values()), marks


def test_the_fullest_bin_is_full_and_a_single_candidate_is_seen():
    statistics = AblationStatistics()
    statistics.rolled_back_gains[0], statistics.rolled_back_gains[1], statistics.promoted_gains[-1] = 1, 10_000, 1
    lines = lines_of(gain_histogram(statistics, GAIN_BINS, 7, UNICODE))
    assert lines[0] == "▲ 1 promoted"
    assert [line[-1:] for line in lines[1:3]] == ["█", "█"]
    assert lines[3] == "○ 10,001 rolled back"
    assert lines[4:6] == [" █", "▁█"]


def test_controls_without_ablation_or_rollback_say_so_in_place_of_signs_that_mean_nothing(build):
    started = build.run_started("[2*8]", mode="plain")
    events, progress = [started], started.progress
    for correct in (100, 200, 150):
        events.append(build.finished_loop(progress, correct, promoted=True, mode="plain"))
        progress = events[-1].progress
    state, now = build.replay(events)
    for size, words in (((140, 45), "no unit was ablated yet"), ((80, 24), "no unit was ablated yet")):
        shown = "\n".join(build.picture(state, *size, now, DisplayOptions()))
        assert words in shown
        assert "every candidate is kept" in shown
        assert "in a row" not in shown
        assert "survived" not in shown.split("ablations and verdicts")[0].split("network:")[1]
