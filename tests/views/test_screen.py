"""Whole screens; after a wanted change, write the expected ones anew with REGENERATE_SCREENS=1 and read the diff."""

import asyncio
import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from psa_tui.formatting import duration
from psa_tui.method.event_codec import encode_event
from psa_tui.method.events import ControlChanged, EpochProgressed, MetaLoopFinished, Outcome, RunFinished
from psa_tui.views.display import DisplayOptions
from psa_tui.views.footer import keys_help
from psa_tui.views.glyphs import ASCII, UNICODE
from psa_tui.views.live import app
from psa_tui.views.live.arrangement import LEAST
from psa_tui.views.live.run_panels import PICTURES
from psa_tui.views.live.run_screen import RunScreen
from psa_tui.views.state import RunState

pytestmark = pytest.mark.slow

SCREENS = Path(__file__).parent / "screens"
SIZES = [(40, 10), (60, 15), (69, 24), (70, 19), (80, 24), (115, 40), (116, 36), (140, 45), (200, 60)]
ROOMY = [size for size in SIZES if size >= (80,) and size[1] >= 24]
FOOTER_KEYS = ("space pause", "m mode", "s stop after loop", "q stop now", "l log", "? help")


def moment(recorded, build, name):
    """The state and clock early, in the middle and at the end of the recorded run."""
    finished = [index for index, event in enumerate(recorded) if isinstance(event, MetaLoopFinished)]
    count = {"early": finished[0] + 3, "middle": finished[19] + 3, "finished": len(recorded)}[name]
    state, now = build.replay(recorded[:count])
    if name != "finished":
        assert state.epoch is not None
        state.epoch = replace(state.epoch, images=2304, seconds=0.0256)
    return state, now


@pytest.mark.parametrize(
    ("name", "size", "variant"),
    [
        *((name, size, "") for name in ("early", "middle", "finished") for size in ((60, 15), (80, 24), (140, 45))),
        ("middle", (200, 60), ""),
        ("middle", (80, 24), "ascii"),
        ("middle", (140, 45), "ascii"),
        ("middle", (80, 24), "follow"),
    ],
)
def test_the_screens_of_a_recorded_run_are_as_they_were_approved(recorded, build, name, size, variant):
    options = DisplayOptions(ascii=variant == "ascii", read_only=variant == "follow")
    state, now = moment(recorded, build, name)
    suffix = f"-{variant}" if variant else ""
    assert_is_approved(build.picture(state, *size, now, options), f"{name}-{size[0]}x{size[1]}{suffix}.txt")


@pytest.mark.parametrize(("name", "keys"), [("help", ["?"]), ("facts", ["w"]), ("modes", ["m"]), ("loss", ["3"])])
def test_what_keys_bring_up_is_as_it_was_approved(recorded, build, name, keys):
    state, now = moment(recorded, build, "middle")
    assert_is_approved(build.picture(state, 80, 24, now, DisplayOptions(), keys=keys), f"middle-80x24-{name}.txt")


def assert_is_approved(picture, name):
    """Compare a screen with the file of that name."""
    file, lines = SCREENS / name, [line.rstrip() for line in picture]
    if "REGENERATE_SCREENS" in os.environ:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == file.read_text(encoding="utf-8").splitlines()


def other_rules(build):
    """The state and clock of a run that ablates several units a loop, and promotes what is worse now and then."""
    arch, mode = "[2*8, 1*6]", "full+any"
    hits = [
        [(0, 3)],
        [(0, 3), (0, 7), (3, 1)],
        [(0, 1), (1, 2), (1, 3), (2, 5), (3, 8)],
        [(layer, unit) for layer in range(4) for unit in range(3)],
        [(3, 2), (3, 5)],
        [(1, 1), (2, 0)],
        [],
    ]
    corrects = [500, 640, 610, 700, 650, 655, 640]
    effects = ["zero", "zero", "zero", "noise", "noise", "zero", "zero"]
    events = [build.run_started(arch, 40, mode=mode)]
    progress = events[0].progress
    for n, (units, effect, correct) in enumerate(zip(hits, effects, corrects, strict=True), start=1):
        ablation = build.units_ablated(arch, n, *units, effect=effect, mode=mode)
        reason = f"{correct} is more than chance"
        loop = build.finished_loop(progress, correct, ablation, promoted=n % 3 > 0, mode=mode, reason=reason)
        progress = loop.progress
        events += [ablation, loop]
    return build.replay([*events, build.units_ablated(arch, 8, (0, 1), (0, 2), (2, 1), mode=mode)])


@pytest.mark.parametrize("size", [(80, 24), (140, 45), (200, 45)])
def test_the_screens_of_a_run_with_other_rules_are_as_they_were_approved(build, any_rule, size):
    state, now = other_rules(build)
    assert state.progress.best_correct > state.progress.lkg_correct
    assert_is_approved(build.picture(state, *size, now, DisplayOptions()), f"other-rules-{size[0]}x{size[1]}.txt")


@pytest.mark.parametrize(
    ("size", "title"), [((80, 24), "network: 2 dead "), ((140, 45), "network: 2 dead, 5 never active ")]
)
def test_dead_units_are_on_the_map_and_counted_above_it(build, size, title):
    events = build.story("[2*8]", [500, 400])
    progress = replace(events[-1].progress, lkg_dead=2, lkg_inactive=5)
    events.append(build.finished_loop(progress, 600, dead_units=((0, 1), (1, 6))))
    state, now = build.replay(events)
    shown = "\n".join(build.picture(state, *size, now, DisplayOptions()))
    assert title in shown
    assert shown.count("×") == 3, "two units and the legend"


def in_lines(page, width=1000):
    """A page as text of that width."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(page)
    return console.file.getvalue()


def test_the_help_says_which_other_rule_promotes(build, any_rule):
    state, _ = other_rules(build)
    help_text = in_lines(keys_help(state.mode, DisplayOptions()))
    assert "The mode full+any: zeroes a neuron of a layer drawn first, promotes by any." in help_text
    assert "training accuracy may lie below validation accuracy" in help_text
    assert "The mode" not in in_lines(keys_help("full", DisplayOptions()))
    assert "The mode sham: draws an output neuron, and leaves it as it is." in in_lines(
        keys_help("sham", DisplayOptions())
    )


def hard_cases(build):
    """States that are hard to draw, by name."""
    many = [400 + min(i, 500) - (i * 37 % 90) for i in range(2000)]
    cases = {
        "not started": [],
        "first loop": build.story("[1*8]", []),
        "no LKG": build.story("[1*8]", [98, 98, 98], sick=(1, 2, 3)),
        "not finite": build.story("[2*8]", [500, 98, 600, 98], sick=(2, 4)),
        "2,000 loops": build.story("[2*8, 1*6]", many),
        "deep": build.story("[2048*1]", [200 + i for i in range(30)]),
        "wide": build.story("[1*2048]", [200 + i for i in range(30)]),
        "tiny": build.story("[1*1]", [200, 100]),
        "long names": build.story(
            "[12*123, 4*1234, 2*12, 1*123, 3*1024, 2*999, 1*1, 1*2, 1*3, 1*4]",
            [200 + i for i in range(300)],
            run="20260101-000000-abcdef012345",
            dataset="a-data-set-with-a-long-name",
            last_meta_loop=123456,
            notices=("the history in results lacks 12 earlier meta-loops of this run, which cannot be shown here",),
        ),
    }
    for name, events in cases.items():
        yield name, *build.replay(events)
    state, now = build.replay(build.story("[1*8]", [500] * 12))
    huge = replace(
        state.progress,
        meta_loop=123456,
        lkg_meta_loop=123399,
        best_meta_loop=123399,
        promotions=1234,
        rollbacks=122222,
        rollbacks_in_a_row=57,
        non_finite=1234,
    )
    state.progress = huge
    state.started = replace(state.started, last_meta_loop=999999)
    state.epoch = EpochProgressed(meta_loop=123457, images=50_000, image_count=50_000, loss=12.3456, seconds=1e-3)
    yield "huge counts", state, now
    yield "other rules", *other_rules(build)


HARD_CASES = (
    "not started",
    "first loop",
    "no LKG",
    "not finite",
    "2,000 loops",
    "deep",
    "wide",
    "tiny",
    "long names",
    "huge counts",
    "other rules",
)


@pytest.fixture(scope="module")
def cases(build):
    return {name: (state, now) for name, state, now in hard_cases(build)}


def at_sizes(build, cases, sizes, options):
    """Each case's name, state, size and lines, on one stage."""

    async def take():
        shown = []
        state, now = cases["first loop"]
        async with build.stage(state, SIZES[0], now, options) as stage:
            for number, (name, (state, _)) in enumerate(cases.items()):
                # Every size comes with several cases, every case in several sizes.
                for size in sizes[number % 3 :: 3]:
                    await stage.show(state, size)
                    shown.append((name, state, size, stage.lines()))
        return shown

    return asyncio.run(take())


@pytest.mark.campaign
@pytest.mark.parametrize("is_ascii", [False, True])
def test_every_size_is_filled_to_its_last_line_and_no_further(cases, build, is_ascii):
    started = {name: case for name, case in cases.items() if case[0].started is not None}
    for name, _, (width, height), lines in at_sizes(build, started, SIZES, DisplayOptions(ascii=is_ascii)):
        assert (len(lines), {cell_len(line) for line in lines}) == (height, {width}), name
        assert not is_ascii or "".join(lines).isascii()


@pytest.mark.slow
def test_nothing_is_cut_where_there_is_room(cases, build):
    started = {name: case for name, case in cases.items() if case[0].started is not None}
    for _, state, size, lines in at_sizes(build, started, ROOMY, DisplayOptions()):
        progress = state.progress
        lkg = "no LKG yet"
        if progress.lkg_correct is not None:
            lkg = f"LKG {100 * progress.lkg_accuracy:.2f} % since meta-loop {progress.lkg_meta_loop} "
        text = "\n".join(lines)
        assert re.search(rf"meta-loop +[━╌]+ +{progress.meta_loop}/{state.started.last_meta_loop} ", text)
        assert lkg in text
        assert re.search(rf"\b{progress.rollbacks_in_a_row} rollbacks? in a row\b", text)
        assert f"{progress.promotions} promoted, {progress.rollbacks} rolled back" in text
        assert not progress.non_finite or f", {progress.non_finite} not finite" in text
        assert progress.lkg_correct is None or re.search(rf"bounty {100 * progress.bounty:.2f} %", text)
        assert all(key in lines[-1] for key in FOOTER_KEYS)
        assert all(notice in text for notice in state.started.notices) or size[0] < 110
        assert "majority 11.36 %" in text or not state.accuracies
        assert "now" in text
        for meta_loop in state.meta_loops[:-4:-1]:
            assert re.search(rf"^(│ )?.* {meta_loop} [▲○] (promoted|rolled back|not finite)", text, re.MULTILINE)
        assert not re.search(r"[▲○] (promoted|rolled back|not finite)[^│\n]*…", text)


def test_a_small_screen_has_the_progress_the_lkg_the_chart_and_the_keys(recorded, build):
    state, now = moment(recorded, build, "middle")
    lines = build.picture(state, 60, 15, now, DisplayOptions())
    assert [line.split()[0] for line in lines[:5]] == ["PSA", "meta-loop", "LKG", "──", "▲"]
    assert lines[-1].startswith("space pause  q stop now  m mode  ")


def test_without_colour_the_verdicts_and_the_map_tell_themselves_apart(build):
    for options, glyphs in ((DisplayOptions(), UNICODE), (DisplayOptions(ascii=True), ASCII)):
        events = build.story("[2*8]", [500, 400, 600, 300, 700, 650])
        state, now = build.replay([*events, build.units_ablated("[2*8]", 7, (1, 7))])
        lines = build.picture(state, 140, 45, now, options)
        log = [line.split()[1:5] for line in lines if re.search(r" (promoted|rolled back) [+-]\d", line)]
        assert log[:3] == [
            ["6", glyphs.hit, "rolled", "back"],
            ["5", glyphs.promoted, "promoted", "+10.00"],
            ["4", glyphs.hit, "rolled", "back"],
        ]
        words = {
            glyphs.hit: "rolled back",
            glyphs.survived: "survived",
            glyphs.now: "now",
            glyphs.untouched: "never",
        }
        assert len({*words, glyphs.promoted}) == 5
        legend = " ".join(f"{mark} {word}" for mark, word in words.items())
        (top,) = [index for index, line in enumerate(lines) if legend in line]
        network = "".join(line[94:-1] for line in lines[top + 1 : top + 11])
        assert all(mark in network for mark in words)
        assert network.count(glyphs.now) == 1


@pytest.mark.slow
def test_the_log_scrolls_and_is_filtered_as_somebody_types(recorded, build):
    state, now = moment(recorded, build, "middle")

    async def use():
        async with build.stage(state, (80, 24), now) as stage:
            await stage.press(*["down"] * 6, "up")
            assert "ablations and verdicts, newest first (5 scrolled)" in stage.text
            assert re.search(r" 15 ▲ promoted", stage.text)
            assert not re.search(r" 16 [▲○]", stage.text)
            state.fold(build.finished_loop(state.progress, 0), now)
            assert "newest first (6 scrolled)" in (await stage.show()).text
            assert not re.search(r" 16 [▲○]", stage.text), "what is read does not run away"
            await stage.press("slash", *"prom")
            assert "ablations and verdicts with prom, newest first" in stage.text
            shown = re.findall(r" (\d+) ([▲○]) (\w+)", stage.text)
            assert {verdict for _, _, verdict in shown} == {"promoted"}
            await stage.press("enter")
            await stage.press("q")
            assert stage.asked == ["quit"], "keys are keys again"
            await stage.press("escape")
            assert "ablations and verdicts, newest first " in stage.text
            assert "rolled back" in stage.text.split("newest first")[1]

    asyncio.run(use())


@pytest.mark.slow
def test_keys_and_mouse_move_the_chart(recorded, build):
    state, now = build.replay(build.story("[2*8]", [500 + i for i in range(200)]))

    async def use():
        async with build.stage(state, (140, 45), now) as stage:
            assert labels(stage.text)[-1] == 200
            await stage.press("plus", "plus")
            assert labels(stage.text)[0] > 150
            await stage.press("[")
            assert labels(stage.text)[-1] < 200
            await stage.press("0", "left")
            assert "loop 200: 69.90 %  promoted +0.10" in stage.text
            await stage.press(*["left"] * 3)
            assert re.search(r"loop 19[67]: ", stage.text)
            await stage.pilot.click("#accuracy", offset=(4, 8))
            assert re.search(r"loop [1-9]: ", stage.text)
            await stage.press("escape")
            assert "▲ promoted" in stage.text

    asyncio.run(use())


def labels(text):
    """The loops at the x axis of the chart."""
    axis = next(line for line in text.split("\n") if re.match(r"│ +(\d+ +)+(│|$)", line))
    return [int(number) for number in re.findall(r"\d+", axis)]


def test_the_clock_does_not_run_ahead_of_what_the_next_frame_shows(build, monkeypatch):
    state, now = build.replay(build.story("[2*8]", [500] * 3))
    monkeypatch.setattr(app, "_leave_what_is_gone", lambda: None)

    async def use():
        async with build.stage(state, (80, 24), now) as stage:
            line = json.dumps({**encode_event(build.finished_loop(state.progress, 500)), "happened_at": now})
            stage.feed.events, more = os.pipe()
            os.write(more, line.encode() + b"\n")
            stage.app._read()
            assert stage.feed.state.progress.meta_loop == 4
            stage.app._tick()
            await stage.pilot.pause()
            assert re.search(r" 3/\d+ ", stage.text), "the loop is in no chart yet"
            assert re.search(r" 4/\d+ ", (await stage.show()).text)

    asyncio.run(use())


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_its_whole_name_where_it_has_the_least_room(build, name):
    state, _ = build.replay(build.story("[8*8]", [500] * 3))
    title = PICTURES[name].title
    for width in range(LEAST[name][0] - 6, 60):
        for options in (DisplayOptions(), DisplayOptions(log_top=2, log_filter="promoted")):
            assert 3 <= len(title(state, width, options)) <= width


@pytest.mark.slow
def test_panels_are_hidden_shown_and_resized_by_keys(recorded, build):
    state, now = moment(recorded, build, "middle")

    async def use():
        async with build.stage(state, (140, 45), now) as stage:
            heights = [stage.app.screen.query_one(f"#{name}").size for name in ("accuracy", "loss", "map")]
            await stage.press("}", ">")
            after = [stage.app.screen.query_one(f"#{name}").size for name in ("accuracy", "loss", "map")]
            assert after[0].height > heights[0].height
            assert after[1].height < heights[1].height
            assert after[2].width < heights[2].width
            for key, title in enumerate(
                ("validation acc", "network", "training loss", "training - ", "ablations and", "what helps"), 1
            ):
                assert f"─ {title}" in stage.text
                await stage.press(str(key))
                if key < 6:
                    assert f"─ {title}" not in stage.text
            assert "─ what helps" in stage.text, "the last one stays"

    asyncio.run(use())


@pytest.mark.slow
def test_the_mode_is_picked_from_a_list_and_nothing_changes_until_enter(recorded, build):
    state, now = moment(recorded, build, "middle")

    async def use():
        async with build.stage(state, (80, 24), now) as stage:
            await stage.press("m")
            assert re.search(r"\* hidden +zeroes a hidden neuron", stage.text)
            await stage.press("down", "escape")
            await stage.press("m", "up", "down", "enter")
            assert stage.asked == []
            await stage.press("m", "down", "enter")
            assert stage.asked == ["mode output"]
            await stage.press("space", "s", "l")
            assert stage.asked[1:] == ["pause", "stop", "log"]

    asyncio.run(use())


def test_a_run_of_another_process_hears_no_key_but_q(recorded, build):
    state, now = moment(recorded, build, "middle")

    async def use():
        async with build.stage(state, (80, 24), now, DisplayOptions(read_only=True)) as stage:
            await stage.press("space", "s", "l", "m", "q")
            assert stage.asked == ["quit"]

    asyncio.run(use())


def test_whoever_follows_a_run_sees_the_way_out_at_any_size_and_no_time_that_nobody_knows(recorded, build):
    state, now = moment(recorded, build, "middle")
    assert build.picture(state, 60, 15, now, DisplayOptions(read_only=True))[-1].startswith("q leave  read-only: ")
    for usual_s, since_s, told in (
        (0.002, 0.4, "usually 2.0 ms"),
        (0.002, 30.0, "30.0 s  usually"),
        (4.0, 0.4, "0.4 s"),
    ):
        state.loop_seconds.clear()
        state.loop_seconds.append(usual_s)
        state.loop_started_at = now - since_s
        (line,) = [
            line for line in build.picture(state, 80, 24, now, DisplayOptions(read_only=True)) if "this loop" in line
        ]
        assert told in line
        assert since_s != 0.4 or usual_s > 1 or "0.4 s" not in line


SIGNS = {
    **{"escape": "Esc", "plus": "+", "minus": "-", "slash": "/", "question_mark": "?"},
    **{"less_than_sign": "<", "greater_than_sign": ">", "left_curly_bracket": "{", "right_curly_bracket": "}"},
    **{f"shift+{way}": "shift+arrows" for way in ("left", "right", "up", "down")},
    **{"left_square_bracket": "[", "right_square_bracket": "]", **dict.fromkeys("23456789", "1 to 9")},
}
SECOND_KEYS = {"pageup", "pagedown", "f1", "equals_sign"}


def test_the_help_names_every_key_and_tells_the_story():
    lines = in_lines(keys_help("full", DisplayOptions())).split("\n")
    keys = {key for binding in RunScreen.BINDINGS for key in binding.key.split(",")}
    named = " ".join(line[:14] for line in lines)
    assert [key for key in keys - SECOND_KEYS if SIGNS.get(key, key) not in named] == []
    assert "is promoted and becomes the LKG" in " ".join(lines)
    for word in ("bounty", "never active", "chance", "like", UNICODE.untouched, "▂ to █"):
        assert any(line.startswith(f"{word:<14}") for line in lines), word


@pytest.mark.parametrize("width", [58, 78, 138])
def test_the_help_is_in_two_columns_at_any_width(width):
    lines = in_lines(keys_help("full", DisplayOptions()), width).split("\n")
    page = lines[: next(number for number, line in enumerate(lines) if line.startswith("Every meta-loop"))]
    assert {line[12:14] for line in page if line.strip()} == {"  "}
    assert all(len(line.rstrip()) <= width for line in lines)


@pytest.mark.parametrize(
    ("asked", "footer"),
    [
        ({"paused": True}, " PAUSED: space goes on "),
        ({"stop_after_loop": True}, " stopping after this loop: s takes it back "),
        ({"next_mode": "output"}, " mode output from the next loop on: m chooses another "),
        ({"paused": True, "stop_after_loop": True}, " PAUSED; stopping after this loop "),
        (
            {"paused": True, "stop_after_loop": True, "next_mode": "dropout"},
            " PAUSED; stopping after this loop; mode dropout from the next loop on ",
        ),
        (
            {"log_level": "warning"},
            "space pause  q stop now  m mode  s stop after loop  l log (warning)  ? help",
        ),
        ({"log_level": "debug"}, "log debug: the newest message"),
    ],
)
def test_the_footer_acknowledges_what_was_asked_for(build, asked, footer):
    state, now = build.replay(build.story("[1*8]", [500, 400]))
    state.messages.extendleft(["an older message", "the newest message"])
    nothing = {"paused": False, "stop_after_loop": False, "next_mode": None, "log_level": "warning"}
    state.fold(ControlChanged(**{**nothing, **asked}), now)
    assert build.picture(state, 80, 24, now, DisplayOptions())[-1].rstrip().startswith(footer.rstrip())


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
def test_a_run_that_is_over_has_its_test_accuracy_and_its_pace_right_below_its_bar(recorded, build, size):
    state, now = moment(recorded, build, "finished")
    state.loop_seconds.clear()
    state.loop_seconds.append(0.00232)
    lines = build.picture(state, *size, now, DisplayOptions(read_only=True))
    (bar,) = [number for number, line in enumerate(lines) if "40/40" in line]
    below = " ".join(lines[bar + 1 : bar + (2 if size[0] == 80 else 3)])
    assert re.search(r"test accuracy of the LKG 75\.00 % .*images/s  2\.3 ms/loop", below)


def ended(build, outcome, reason):
    """The state and clock of a run that ended early."""
    state, now = build.replay(build.story("[1*8]", [500, 400], last_meta_loop=10))
    end = RunFinished(
        run="r",
        outcome=outcome,
        reason=reason,
        last_meta_loop=10,
        progress=state.progress,
        test_accuracy=None,
        seconds=1.0,
    )
    state.fold(end, now)
    return state, now


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (140, 45)])
def test_why_a_run_failed_is_never_cut(build, size):
    reason = "models/lkg.safetensors: cannot be written (No space left on device); see to space and permissions"
    state, now = ended(build, Outcome.FAILED, reason)
    last = build.picture(state, *size, now, DisplayOptions(read_only=True))[-1].rstrip()
    if size[0] < 140:
        assert last.startswith(" failed   w says why  q leave  ? help")
    else:
        assert last.startswith(f" failed: {reason}   q leave  ? help")
    page = "\n".join(build.picture(state, *size, now, DisplayOptions(read_only=True), keys=["w", *["down"] * 12]))
    assert f"failure: {reason}" in " ".join(page.split())


def test_a_filter_is_typed_beside_the_log_on_a_small_screen_too(recorded, build):
    state, now = moment(recorded, build, "middle")

    async def use():
        async with build.stage(state, (60, 15), now) as stage:
            assert "ablations and verdicts" not in stage.text
            await stage.press("slash", *"prom")
            assert "ablations and verdicts with prom, newest first" in stage.text
            await stage.press("enter")
            assert "Esc no filter  space pause" in stage.text
            await stage.press("escape")
            assert "validation accuracy by meta-loop" in stage.text
            assert "no filter" not in stage.text

    asyncio.run(use())


@pytest.mark.parametrize("reason", ["the key q", "an interruption", "the signal TERM", "a database that is locked"])
@pytest.mark.parametrize("width", [60, 80])
def test_the_last_line_of_a_run_that_was_stopped_cuts_no_word(build, reason, width):
    state, now = ended(build, Outcome.STOPPED, reason)
    last = build.picture(state, width, 20 if width == 80 else 15, now, DisplayOptions(read_only=True))[-1].rstrip()
    assert last.startswith(f" stopped by {reason}   q leave  ? help")
    assert last.endswith(("? help", "  read-only: a resume shows here"))


def test_the_end_is_on_the_screen(build):
    state, now = build.replay(build.story("[1*8]", [500, 400], last_meta_loop=10))
    state.fold(
        RunFinished(
            run="20260101-000000-abcd",
            outcome=Outcome.STOPPED,
            reason="the key s",
            last_meta_loop=10,
            progress=state.progress,
            test_accuracy=None,
            seconds=1.0,
        ),
        now,
    )
    lines = build.picture(state, 80, 24, now, DisplayOptions())
    assert lines[2].endswith("2/10  stopped" + " " * 23)
    assert lines[-1].rstrip() == " stopped"


def test_colour_only_repeats_what_is_written(recorded, build):
    state, now = moment(recorded, build, "middle")
    for size in ((80, 24), (140, 45)):
        plain = build.picture(state, *size, now, DisplayOptions())
        colourful = build.picture(state, *size, now, DisplayOptions(), color_system="truecolor")
        assert any("\x1b[32;" in line for line in colourful)
        assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in colourful] == plain


@pytest.mark.parametrize("name", ["early", "middle", "finished"])
def test_only_the_sixteen_colours_that_every_theme_sets_are_used(recorded, build, name):
    state, now = moment(recorded, build, name)
    text = "\n".join(build.picture(state, 140, 45, now, DisplayOptions(), color_system="truecolor"))
    codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", text) for code in found.split(";")}
    default = {"39", "49"}
    assert codes <= {"0", "1", "2", "7", "31", "32", "33", "34", "35", "92"} | default


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "0:00"), (6.6, "0:07"), (754.0, "12:34"), (3599.6, "1:00:00"), (3723.0, "1:02:03"), (4e5, "111:06:40")],
)
def test_a_duration_is_written_like_a_clock(seconds, text):
    assert duration(seconds) == text


def test_before_the_run_begins_the_screen_says_what_it_waits_for(build):
    async def use():
        async with build.stage(RunState(), (80, 24)) as stage:
            stage.feed.waits_for = "loading PyTorch"
            stage.feed.state.messages.appendleft("[bold]a note")
            assert "loading PyTorch ..." in (await stage.show()).text
            assert "[bold]a note" in stage.text

    asyncio.run(use())


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 45)])
def test_the_longest_mode_leaves_the_title_its_data_and_run(build, width, height):
    mode = "output+amount=10%+effect=noise+promote=anneal:1,0.95+optimizer=lkg+init=orthogonal+dropout+decay"
    state, now = build.replay([build.run_started(mode=mode)])
    first = build.picture(state, width, height, now, DisplayOptions())[0]
    assert "mode output+amount" in first
    assert re.search(r"(\.\.\.|decay)  fashion-mnist(  run 20260101-000000-abcd)?$", first.rstrip("─╮ "))
