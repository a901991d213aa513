"""Events in words."""

from dataclasses import replace

import pytest

from psa_tui.formatting import loop_time
from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.events import Outcome, RunFinished
from psa_tui.method.layer_names import LayerNames
from psa_tui.views.display import DisplayOptions
from psa_tui.views.panels import title
from psa_tui.views.text import (
    format_ablation,
    format_finished,
    format_lkg,
    format_loop,
    format_session,
    format_started,
    format_units,
    format_variant,
    variant_of,
)

FOUR = LayerNames(4)


def units(*hit, effect="zero"):
    return [AblatedUnit(layer=layer, unit=unit, incoming=8, outgoing=0, effect=effect) for layer, unit in hit]


@pytest.mark.parametrize(
    ("ablated", "text"),
    [
        (units((0, 3)), "layer 0 neuron 3"),
        (units((3, 3)), "output neuron 3"),
        (units((0, 7), (3, 1), (0, 3)), "layer 0 neurons 3, 7; output neuron 1"),
        (units((0, 3), effect="noise"), "noise at layer 0 neuron 3"),
        (
            [*units((0, 3), (1, 2), effect="noise"), *units((2, 5))],
            "layer 2 neuron 5; noise at layer 0 neuron 3; layer 1 neuron 2",
        ),
        ([replace(units((0, 3))[0], dead=True)], "layer 0 neuron 3 (dead)"),
        ([*units((0, 7)), replace(units((0, 3))[0], dead=True)], "layer 0 neurons 3 (dead), 7"),
        ([], "no unit"),
    ],
)
def test_ablated_units_are_named_with_what_was_done_to_them_where_it_was_not_zeroing(ablated, text):
    assert format_units(ablated, FOUR) == text


@pytest.mark.parametrize(
    ("ablated", "width", "text"),
    [
        (units((0, 3)), 5, "layer 0 neuron 3"),
        (units((3, 6), effect="weights"), 33, "weights zeroed at output neuron 6"),
        (units((3, 6), effect="weights"), 32, "weights, output neuron 6"),
        (units((3, 6), effect="weights"), 23, "output neuron 6"),
        (units((3, 6), effect="none"), 21, "sham, output neuron 6"),
        (units((3, 6), effect="scatter"), 40, "scattered as much as output neuron 6"),
        (units((3, 6), effect="scatter"), 30, "scatter, output neuron 6"),
        (units((0, 3), (0, 4)), 20, "layer 0 neurons 3, 4"),
        (units((0, 3), (0, 4)), 19, "2 units of layer 0"),
        (units((3, 3), (3, 4)), 18, "2 output units"),
        (units(*((layer, unit) for layer in range(4) for unit in range(3))), 40, "12 units of 4 layers"),
        (units(*((0, unit) for unit in range(1500))), 40, "1500 units of layer 0"),
        (units((0, 3), (1, 4), effect="noise"), 28, "noise at 2 units of 2 layers"),
        (units((0, 3), (1, 4), effect="noise"), 27, "noise at 2 units"),
        ([*units((0, 3)), *units((1, 4), effect="noise")], 20, "2 units of 2 layers"),
    ],
)
def test_more_units_than_there_is_room_for_are_counted(ablated, width, text):
    assert format_units(ablated, FOUR, width) == text


def test_an_ablation_says_zeroed_unless_something_else_was_done():
    assert format_ablation(units((0, 3)), FOUR) == "zeroed layer 0 neuron 3"
    assert format_ablation(units((0, 3), effect="noise"), FOUR) == "noise at layer 0 neuron 3"
    assert format_ablation(units((0, 3), (0, 4)), FOUR, 26) == "zeroed 2 units of layer 0"


def test_layers_and_units_that_have_names_are_called_by_them_on_one_line():
    names = LayerNames(3, ("conv1", "con\nv2", "output"), ("channel", "channel", "neuron"))
    assert format_units(units((0, 3), (0, 4), (2, 1)), names) == "conv1 channels 3, 4; output neuron 1"
    assert format_units(units((1, 3)), names) == "con\ufffdv2 channel 3"
    assert format_units(units((0, 3), (0, 4)), names, 18) == "2 units of conv1"
    assert format_units(units((2, 3), (2, 4)), names, 14) == "2 output units"


def test_a_line_tells_the_lkg_and_one_of_the_published_modes_fits_into_80_columns(build):
    before = replace(build.run_started().progress, lkg_correct=700, best_correct=700, meta_loop=19)
    ablation = build.units_ablated("[2*8]", 20, (1, 2))
    loop = build.finished_loop(before, 642, ablation, reason="58 fewer correct than the LKG")
    line = format_loop(loop, 40, FOUR)
    assert line == "loop 20/40   64.20 %  rolled back -5.80   LKG  70.00 %  layer 1 neuron 2  1.00 s"
    assert len(line) <= 80


def test_under_another_promotion_rule_its_reason_stands_behind_and_the_lkg_may_be_worse_than_the_bounty(
    build, any_rule
):
    before = replace(build.run_started().progress, lkg_correct=700, best_correct=700, best_meta_loop=3)
    loop = build.finished_loop(before, 642, promoted=True, mode="none+any", reason="anything goes")
    assert format_loop(loop, 40, FOUR).endswith("promoted -5.80      LKG  64.20 %  1.00 s  (anything goes)")


def finished(progress, **changes):
    values = {"run": "r", "outcome": Outcome.FINISHED, "reason": "", "last_meta_loop": 40, "progress": progress}
    return RunFinished(**{**values, "test_accuracy": 0.75, "seconds": 1.0, **changes})


def test_the_result_names_bounty_and_lkg_where_they_differ(build):
    progress = replace(
        build.run_started().progress,
        meta_loop=40,
        lkg_correct=951,
        lkg_meta_loop=12,
        best_correct=951,
        best_meta_loop=12,
    )
    assert format_finished(finished(progress))[-1] == (
        "bounty 95.10 % at meta-loop 12, test accuracy of the LKG 75.00 %"
    )
    better = replace(progress, best_correct=954, best_meta_loop=30)
    assert format_finished(finished(better))[-1] == (
        "bounty 95.40 % at meta-loop 30, LKG 95.10 % since meta-loop 12, test accuracy of the LKG 75.00 %"
    )


@pytest.mark.parametrize(
    ("done", "non_finite", "why"),
    [(0, 0, "the first loop makes it"), (7, 7, "no candidate was finite"), (7, 6, "no candidate was promoted")],
)
def test_a_run_without_an_lkg_says_why(build, done, non_finite, why):
    progress = replace(build.run_started().progress, meta_loop=done, lkg_correct=None, non_finite=non_finite)
    assert format_lkg(progress) == f"no LKG yet: {why}"


def test_what_is_left_of_a_session_names_every_mode_that_was_in_force(build):
    started = build.run_started("[2*8]", mode="full")
    finished = RunFinished(
        run=started.run,
        outcome=Outcome.FINISHED,
        reason="",
        last_meta_loop=40,
        progress=started.progress,
        test_accuracy=None,
        seconds=75.0,
    )
    first, *_ = format_session(started, ["full"], [], finished)
    assert first.endswith(", mode full")
    first, *_ = lines = format_session(started, ["full", "output"], [], finished)
    assert first.endswith(", mode full, then output")
    assert any(line.endswith(" meta-loops, 1:15") for line in lines)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("none", "control: nothing"),
        ("output", "zeroes an output neuron"),
        ("plain", "keeps every candidate, keeps one optimiser"),
        ("restart", "new first weights each loop"),
        ("sham", "draws an output neuron, and leaves it as it is"),
        ("noise", "adds noise to an output neuron"),
        ("scatter", "adds noise anywhere, as much as zeroing an output neuron is"),
        ("output-bias", "zeroes the bias of an output neuron"),
        ("ratchet-free", "zeroes an output neuron, keeps every candidate"),
        ("shuffled-labels", "labels shuffled"),
        ("output+amount=3", "ablates by 3 units of output"),
    ],
)
def test_the_words_for_a_mode_say_what_it_does_and_nothing_else(mode, words):
    assert format_variant(variant_of(mode)) == words


@pytest.mark.parametrize(
    ("family", "words"), [("mlp", "[2*8]"), ("resmlp", "resmlp [2*8]"), ("mine.py:build", "mine.py:build [2*8]")]
)
def test_a_run_says_of_what_family_its_network_is_and_what_it_is_called(build, family, words):
    started = build.run_started("[2*8]", network=family, name="wide")
    assert f": {words}, " in format_started(started)[0]
    state, _ = build.replay([started])
    assert title(state, 100, DisplayOptions()) == f"PSA {words}  mode full  fashion-mnist  run wide"
    assert title(state, len(words) + 30, DisplayOptions()).startswith(f"PSA {words}  mode full")


def test_a_loop_of_milliseconds_does_not_take_no_time():
    assert [loop_time(seconds) for seconds in (0.0057, 0.42)] == ["5.7 ms", "0.42 s"]
