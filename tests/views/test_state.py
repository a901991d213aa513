import json
import os
import random
from dataclasses import replace
from math import isnan
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.event_codec import decode_event, encode_event
from psa_tui.method.events import (
    ControlChanged,
    EarlierLoops,
    EpochProgressed,
    Event,
    MetaLoopFinished,
    Outcome,
    RunFinished,
    UnitsAblated,
    Verdict,
)
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.promotion import Decision
from psa_tui.runs.stored_loops import earlier_loops
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.feed import Feed
from psa_tui.views.log import log
from psa_tui.views.panels import progress_bars
from psa_tui.views.state import RunState, curve_of

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(Hyperparameters, st.builds(Hyperparameters, learning_rate=st.floats(1e-9, 10)))


@pytest.mark.parametrize("kind", get_args(Event))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_event_survives_a_trip_through_json(kind, data):
    event = data.draw(st.from_type(kind))
    assert decode_event(json.loads(json.dumps(encode_event(event), allow_nan=False))) == event


def test_a_loss_that_is_not_finite_is_null_in_json_and_not_a_number_afterwards():
    event = EpochProgressed(meta_loop=1, images=256, image_count=4000, loss=float("inf"), seconds=0.1)
    text = json.dumps(encode_event(event), allow_nan=False)
    assert json.loads(text)["loss"] is None
    back = decode_event(json.loads(text))
    assert isnan(back.loss)
    assert replace(back, loss=0.0) == replace(event, loss=0.0)


@pytest.mark.parametrize(
    ("change", "error"),
    [({"schema": 1}, ValueError), ({"event": "moon_landed"}, KeyError), ({"colour": "red"}, ValueError)],
)
def test_json_that_is_no_event_of_this_schema_is_refused(change, error):
    event = EpochProgressed(meta_loop=1, images=256, image_count=4000, loss=1.0, seconds=0.1)
    with pytest.raises(error):
        decode_event({**encode_event(event), **change})


def test_a_recorded_run_folds_into_what_its_last_event_says(recorded, build):
    state, _ = build.replay(recorded)
    loops = [event for event in recorded if isinstance(event, MetaLoopFinished)]
    finished = recorded[-1]
    assert (state.progress, state.finished) == (finished.progress, finished)
    assert list(state.meta_loops) == list(range(1, 41))
    assert list(state.accuracies) == [loop.validation_accuracy for loop in loops]
    assert (state.promoted.count(True), state.promoted.count(False)) == (
        finished.progress.promotions,
        finished.progress.rollbacks,
    )
    assert [loop.meta_loop for loop in state.recent] == list(range(40, 0, -1))
    assert sum(hits.ablated for hits in state.hits.units.values()) == 39
    assert sum(hits.survived for hits in state.hits.units.values()) == finished.progress.promotions - 1
    gains = [loop.gain for loop in loops if loop.ablation and not loop.ablation.units[0].dead]
    assert sum(hits.gained for hits in state.hits.units.values()) == pytest.approx(sum(gains))
    assert (state.epoch, state.ablation) == (None, None)


def test_the_ablation_and_the_epoch_under_way_last_until_their_loop_ends(build):
    *_, ablation, loop = build.story("[1*8]", [500, 600])
    epoch = EpochProgressed(meta_loop=2, images=256, image_count=4000, loss=1.0, seconds=0.1)
    state = RunState()
    for event in [*build.story("[1*8]", [500]), ablation, epoch]:
        state.fold(event, 0.0)
    assert (state.ablation, state.epoch) == (ablation, epoch)
    state.fold(loop, 1.0)
    assert (state.ablation, state.epoch) == (None, None)


def test_a_resumed_run_shows_its_earlier_loops_and_their_hits_before_its_own(build):
    *_, last = build.story("[1*8]", [500, 400, 600])
    earlier = EarlierLoops(
        meta_loops=(1, 2),
        validation_accuracies=(0.5, 0.4),
        promoted=(True, False),
        ablations=((), (AblatedUnit(layer=1, unit=9, incoming=8, outgoing=0),)),
        train_losses=(0.7, None),
    )
    state = RunState()
    for event in (build.run_started("[1*8]", 3, resumed=True), earlier, replace(last, ablation=None)):
        state.fold(event, 0.0)
    assert list(state.meta_loops) == [1, 2, 3]
    assert list(state.accuracies) == [0.5, 0.4, 0.6]
    assert list(state.promoted) == [True, False, True]
    assert {at: (hits.ablated, hits.survived) for at, hits in state.hits.units.items()} == {(1, 9): (1, 0)}
    assert state.recent[0] == replace(last, ablation=None)
    assert [(loop.meta_loop, loop.validation_accuracy) for loop in state.recent] == [(3, 0.6), (2, 0.4), (1, 0.5)]
    assert [loop.finite for loop in state.recent] == [True, False, True], "the second has no loss"


def test_every_unit_of_an_ablation_is_hit(build):
    state = RunState()
    started = build.run_started("[2*8]")
    ablation = build.units_ablated("[2*8]", 1, (0, 3), (0, 7), (2, 1))
    first = build.finished_loop(started.progress, 500, ablation)
    again = build.units_ablated("[2*8]", 2, (0, 3), (1, 1))
    for event in (started, first, build.finished_loop(first.progress, 400, again)):
        state.fold(event, 0.0)
    assert {at: (hits.ablated, hits.survived) for at, hits in state.hits.units.items()} == {
        (0, 3): (2, 1),
        (0, 7): (1, 1),
        (2, 1): (1, 1),
        (1, 1): (1, 0),
    }


def test_a_hit_on_a_dead_unit_is_no_hit_that_was_survived(build):
    started = build.run_started("[2*8]")
    ablation = build.units_ablated("[2*8]", 1, (0, 3), (1, 2))
    ablation = replace(ablation, units=(replace(ablation.units[0], dead=True), ablation.units[1]))
    loop = build.finished_loop(started.progress, 500, ablation)
    earlier = EarlierLoops(
        meta_loops=(1,),
        validation_accuracies=(0.5,),
        promoted=(True,),
        ablations=(ablation.units,),
        train_losses=(0.7,),
    )
    for events in ((started, loop), (started, earlier), (started, curve_of(earlier))):
        state = RunState()
        for event in events:
            state.fold(event, 0.0)
        assert {at: (hits.ablated, hits.survived) for at, hits in state.hits.units.items()} == {
            (0, 3): (1, 0),
            (1, 2): (1, 1),
        }


def test_earlier_loops_of_any_rule_add_up_to_what_the_loops_themselves_do(build):
    """Rules may take what is worse, or a candidate they held; the first loops of a run may be lost."""
    draws = random.Random(5)
    started, *events = build.story("[2*8, 1*6]", [draws.randrange(300, 900) for _ in range(60)], sick=(1, 9, 30))
    loops, progress = [], started.progress
    for loop in (event for event in events if isinstance(event, MetaLoopFinished)):
        gain = None if progress.lkg_correct is None else (loop.validation_correct - progress.lkg_correct) / 1000
        promoted = loop.finite and draws.random() < 0.4
        decision = Decision(
            promoted, "", hold=loop.finite and not promoted, held=promoted and bool(progress.held_correct)
        )
        progress = progress.after(loop.meta_loop, loop.validation_correct, decision, finite=loop.finite)
        verdict = Verdict.PROMOTED if promoted else Verdict.ROLLED_BACK
        loops.append(replace(loop, gain=gain, verdict=verdict, progress=progress))
    promoted = next(at for at, loop in enumerate(loops) if at > 4 and loop.verdict is Verdict.PROMOTED)
    rolled_back = next(at for at, loop in enumerate(loops) if at > 4 and loop.verdict is Verdict.ROLLED_BACK)
    # What the first loop that is left gained is not known where it made an LKG itself.
    lost = [replace(loops[promoted], gain=None), *loops[promoted + 1 :]]
    for known in (loops, loops[rolled_back:], lost):
        expected = RunState()
        for event in (started, *known):
            expected.fold(event, 0.0)
        rows = [MetaLoopRow.of(loop) for loop in known]
        for size in (1, 7, 100):
            state = RunState()
            for first in range(0, len(rows), size):
                before = rows[first - 1] if first else None
                curve = curve_of(earlier_loops(rows[first : first + size], before))
                state.fold(decode_event(json.loads(json.dumps(encode_event(curve)))), 0.0)
            assert rounded(state.hits) == rounded(expected.hits)


def rounded(statistics):
    """Its numbers; sums in another order differ in their last digits."""
    return sorted(tuple(round(number, 9) for number in row) for row in statistics.as_rows())


def test_the_dead_units_are_those_of_the_last_lkg_that_was_told(build):
    started = build.run_started("[2*8]", dead_units=((0, 1),))
    earlier = EarlierLoops(meta_loops=(), validation_accuracies=(), promoted=(), ablations=(), train_losses=())
    promoted = build.finished_loop(started.progress, 500, dead_units=((0, 1), (1, 7)))
    rolled_back = build.finished_loop(promoted.progress, 400)
    last = build.finished_loop(promoted.progress, 600, dead_units=())
    seen = []
    state = RunState()
    for event in (started, earlier, replace(earlier, dead_units=((1, 1),)), promoted, rolled_back, last):
        state.fold(event, 0.0)
        seen.append(sorted(state.dead_units))
    assert seen == [[(0, 1)], [(0, 1)], [(1, 1)], [(0, 1), (1, 7)], [(0, 1), (1, 7)], []]


def test_notices_of_a_run_are_its_first_messages(build):
    state = RunState()
    state.fold(build.run_started(notices=("embedded digits",)), 0.0)
    assert list(state.messages) == ["embedded digits"]


def asked(*, paused):
    return ControlChanged(paused=paused, stop_after_loop=False, next_mode=None, log_level="warning")


@pytest.mark.parametrize("pace_s", [0.05, 3.0, 400.0])
@pytest.mark.parametrize("paused_s", [0.0, 7.0, 5000.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_time_left_is_right_within_a_tenth_after_five_loops(build, pace_s, paused_s, seed):
    draws = random.Random(seed)
    count = 60
    seconds = [pace_s * draws.uniform(0.9, 1.1) for _ in range(count)]
    started, *loops = [e for e in build.story("[1*8]", [500] * count) if not isinstance(e, UnitsAblated)]
    state, now = RunState(), 500.0
    state.fold(started, now)
    assert state.seconds_left(now) is None
    for done, loop in enumerate(loops):
        if paused_s and done in (3, 20):
            now += seconds[done] / 3
            state.fold(asked(paused=True), now)
            now += paused_s
            state.fold(asked(paused=False), now)
            now += seconds[done] * 2 / 3
        else:
            now += seconds[done]
        state.fold(loop, now)
        if 5 <= done + 1 < count:
            left = sum(seconds[done + 1 :])
            assert state.seconds_left(now) == pytest.approx(left, rel=0.1, abs=0.1 * pace_s)
    assert state.seconds_left(now) == 0.0


def test_loops_that_come_all_at_once_took_the_time_that_they_took(build):
    # So they do when the screen is ready long after training began.
    reading, writing = os.pipe()
    feed = Feed(reading, writing)
    events = [e for e in build.story("[1*8]", [500] * 5) if not isinstance(e, UnitsAblated)]
    for second, event in enumerate(events):
        os.write(writing, json.dumps({**encode_event(event), "happened_at": 100.0 + second}).encode() + b"\n")
    assert feed.read()
    os.close(reading)
    os.close(writing)
    assert list(feed.state.loop_seconds) == [1.0] * 5


@pytest.mark.parametrize(
    ("seconds", "rate"), [(0.06, "833,333 images/s"), (0.05, "1.0 M images/s"), (0.0145, "3.4 M images/s")]
)
def test_any_rate_has_room_beside_the_loss(build, seconds, rate):
    state = RunState()
    started, *_ = build.story("[1*8]", [500])
    state.fold(replace(started, train_count=50_000), 0.0)
    state.fold(EpochProgressed(meta_loop=1, images=100, image_count=50_000, loss=0.25, seconds=0.1), 0.0)
    state.loop_seconds.append(seconds)
    lines = [line.plain for line in progress_bars(state, 80, 0.0, DisplayOptions(), lines=2).renderables]
    assert lines[1].endswith(f"loss 0.2500   {rate}")
    assert max(map(len, lines)) <= 80


def test_the_time_left_runs_down_within_a_loop_and_stands_still_when_a_loop_takes_longer(build):
    state = RunState()
    for now, event in enumerate(build.story("[1*8]", [500, 400], last_meta_loop=10)):
        state.fold(event, 10.0 * now if not isinstance(event, UnitsAblated) else 15.0)
    state.loop_seconds.clear()
    state.loop_seconds.extend([10.0, 10.0])
    at = state.loop_started_at
    assert [state.seconds_left(at + s) for s in (0, 4, 10, 60)] == [80.0, 76.0, 70.0, 70.0]


def test_the_mode_in_force_is_the_one_of_the_last_loop(build):
    state, _ = build.replay(build.story("[1*8]", [500, 400]))
    assert state.mode == "full"
    loop = replace(build.finished_loop(state.progress, 300), mode="output")
    state.fold(loop, 2000.0)
    assert state.mode == "output"


def test_the_end_takes_the_epoch_under_way_away(build):
    events = build.story("[1*8]", [500])
    state, now = build.replay(events)
    state.fold(EpochProgressed(meta_loop=2, images=256, image_count=4000, loss=1.0, seconds=0.1), now)
    state.fold(
        RunFinished(
            run="20260101-000000-abcd",
            outcome=Outcome.STOPPED,
            reason="the key q",
            last_meta_loop=5,
            progress=state.progress,
            test_accuracy=None,
            seconds=1.0,
        ),
        now,
    )
    assert state.epoch is None
    assert state.finished.reason == "the key q"


def test_the_time_left_stands_still_while_paused(build):
    state = RunState()
    started, *loops = [e for e in build.story("[1*8]", [500] * 20) if not isinstance(e, UnitsAblated)]
    state.fold(started, 0.0)
    for now, loop in enumerate(loops[:4], start=1):
        state.fold(loop, float(now))
    state.fold(asked(paused=True), 4.5)
    assert state.seconds_left(4.5) == state.seconds_left(4.9) == state.seconds_left(400.0)


def test_the_log_of_a_resumed_run_goes_back_before_it(build):
    events = build.story("[2*8]", [500, 400, 600])
    units = [
        () if loop.ablation is None else loop.ablation.units for loop in events if isinstance(loop, MetaLoopFinished)
    ]
    earlier = EarlierLoops(
        meta_loops=(1, 2, 3),
        validation_accuracies=(0.5, 0.4, 0.6),
        promoted=(True, False, True),
        ablations=tuple(units),
        train_losses=(1.0, 1.0, 1.0),
        gains=(None, -0.1, 0.1),
    )
    state, _ = build.replay([events[0], earlier])
    lines = log(state, 100, 10, DisplayOptions()).plain.split("\n")
    assert [line.split()[:3] for line in lines] == [
        ["3", "▲", "promoted"],
        ["2", "○", "rolled"],
        ["1", "▲", "promoted"],
    ]
    assert "promoted +10.00" in lines[0]
    assert "rolled back -10.00" in lines[1]
    layer = units[1][0].layer
    assert ("output" if layer == 2 else f"layer {layer}") in lines[1]
