"""Whole screens; after a wanted change, write the expected ones anew with REGENERATE_SCREENS=1 and read the diff."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from psa_tui.formatting import duration
from psa_tui.method.events import ControlChanged, EpochProgressed, MetaLoopFinished, Outcome, RunFinished
from psa_tui.views.display import DisplayOptions
from psa_tui.views.footer import KEYS
from psa_tui.views.glyphs import ASCII, UNICODE
from psa_tui.views.state import RunState

SCREENS = Path(__file__).parent / "screens"
SIZES = [(width, height) for width in range(40, 161, 15) for height in range(10, 51, 8)]
MORE_SIZES = [(79, 24), (80, 24), (80, 23), (119, 38), (120, 37), (120, 38), (140, 45), (160, 50)]
ROOMY = [size for size in (*SIZES, *MORE_SIZES) if size >= (80,) and size[1] >= 24]
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
    ("name", "size", "options"),
    [
        *((name, size, DisplayOptions()) for name in ("early", "middle", "finished") for size in ((80, 24), (140, 45))),
        *((name, (80, 24), DisplayOptions(ascii=True)) for name in ("early", "middle", "finished")),
        ("middle", (80, 24), DisplayOptions(help=True)),
    ],
)
def test_the_screens_of_a_recorded_run_are_as_they_were_approved(recorded, build, name, size, options):
    variant = "-ascii" if options.ascii else "-help" if options.help else ""
    state, now = moment(recorded, build, name)
    assert_is_approved(build.picture(state, *size, now, options), f"{name}-{size[0]}x{size[1]}{variant}.txt")


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


def test_the_help_says_which_other_rule_promotes(build, any_rule):
    state, now = other_rules(build)
    shown = "\n".join(build.picture(state, 80, 24, now, DisplayOptions(help=True)))
    assert "The mode full+any promotes by the rule any instead." in shown


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


@pytest.mark.slow
@pytest.mark.parametrize("name", HARD_CASES)
def test_every_size_is_filled_to_its_last_line_and_no_further(cases, build, name):
    state, now = cases[name]
    for index, (width, height) in enumerate((*SIZES, *MORE_SIZES)):
        options = DisplayOptions(ascii=index % 3 == 0, help=index % 7 == 0, scroll=index % 5)
        lines = build.picture(state, width, height, now, options)
        assert (len(lines), {len(line) for line in lines}) == (height, {width})
        assert not options.ascii or "".join(lines).isascii()


@pytest.mark.slow
@pytest.mark.parametrize("name", HARD_CASES[1:])
def test_nothing_is_cut_where_there_is_room(cases, build, name):
    state, now = cases[name]
    progress = state.progress
    lkg = "no LKG yet"
    if progress.lkg_correct is not None:
        lkg = f"LKG {100 * progress.lkg_accuracy:.2f} % since meta-loop {progress.lkg_meta_loop} "
    for width, height in ROOMY:
        lines = build.picture(state, width, height, now, DisplayOptions())
        text = "\n".join(lines)
        assert re.search(rf"meta-loop +[━╌]+ +{progress.meta_loop}/{state.started.last_meta_loop} ", text)
        assert lkg in text
        assert re.search(rf"\b{progress.rollbacks_in_a_row} rollbacks? in a row\b", text)
        assert f"{progress.promotions} promoted, {progress.rollbacks} rolled back" in text
        assert not progress.non_finite or f", {progress.non_finite} not finite" in text
        assert progress.lkg_correct is None or re.search(rf"bounty {100 * progress.bounty:.2f} %", text)
        assert all(key in lines[-1] for key in FOOTER_KEYS)
        assert "majority 11.36 %" in text or not state.accuracies
        assert "now" in text
        for meta_loop in state.meta_loops[:-4:-1]:
            assert re.search(rf"^(│ )? *{meta_loop} [▲○] (promoted|rolled back|not finite)", text, re.MULTILINE)
        assert not re.search(r"[▲○] (promoted|rolled back|not finite)[^│\n]*…", text)


def test_a_small_screen_has_the_progress_the_lkg_the_newest_loops_and_the_keys(recorded, build):
    state, now = moment(recorded, build, "middle")
    lines = build.picture(state, 60, 12, now, DisplayOptions())
    assert [line.split()[0] for line in lines] == [
        *("meta-loop", "epoch", "LKG", "10"),
        *(str(meta_loop) for meta_loop in range(20, 13, -1)),
        "space",
    ]


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
        network = "".join(line[95:-1] for line in lines[top + 1 : top + 11])
        assert all(mark in network for mark in words)
        assert network.count(glyphs.now) == 1


def test_the_log_scrolls(recorded, build):
    state, now = moment(recorded, build, "middle")
    lines = build.picture(state, 80, 24, now, DisplayOptions(scroll=5))
    text = "\n".join(lines)
    assert "ablations and verdicts, newest first (5 scrolled)" in text
    assert re.search(r"^ +15 ▲ promoted", text, re.MULTILINE)
    assert not re.search(r"^ +16 [▲○]", text, re.MULTILINE)


def test_the_help_names_every_key_and_tells_the_story(recorded, build):
    state, now = moment(recorded, build, "middle")
    text = "\n".join(build.picture(state, 80, 24, now, DisplayOptions(help=True)))
    for key, meaning in KEYS:
        assert re.search(rf"^│ {re.escape(key)} +{re.escape(meaning)} ", text, re.MULTILINE)
    assert "is promoted and becomes the LKG" in " ".join(text.replace("│", " ").split())


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
            "space pause  m mode  s stop after loop  q stop now  l log (warning)  ? help",
        ),
        ({"log_level": "debug"}, "log debug: the newest message"),
    ],
)
def test_the_footer_acknowledges_what_was_asked_for(build, asked, footer):
    state, now = build.replay(build.story("[1*8]", [500, 400]))
    state.messages.extendleft(["an older message", "the newest message"])
    nothing = {"paused": False, "stop_after_loop": False, "next_mode": None, "log_level": "warning"}
    state.fold(ControlChanged(**{**nothing, **asked}), now)
    for size in ((80, 24), (120, 38)):
        assert build.picture(state, *size, now, DisplayOptions())[-1].rstrip() == footer.rstrip()


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
        assert any("\x1b[32m" in line for line in colourful)
        assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in colourful] == plain


@pytest.mark.parametrize("name", ["early", "middle", "finished"])
def test_only_the_sixteen_colours_that_every_theme_sets_are_used(recorded, build, name):
    state, now = moment(recorded, build, name)
    text = "\n".join(build.picture(state, 140, 45, now, DisplayOptions(), color_system="truecolor"))
    codes = {code for found in re.findall(r"\x1b\[([0-9;]*)m", text) for code in found.split(";")}
    assert codes <= {"0", "1", "2", "7", "31", "32", "35"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "0:00"), (6.6, "0:07"), (754.0, "12:34"), (3599.6, "1:00:00"), (3723.0, "1:02:03"), (4e5, "111:06:40")],
)
def test_a_duration_is_written_like_a_clock(seconds, text):
    assert duration(seconds) == text


def test_before_the_run_begins_the_screen_says_that_it_loads(build):
    assert build.picture(RunState(), 80, 24, 0.0, DisplayOptions())[0].rstrip() == "loading"


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 45)])
def test_the_longest_mode_leaves_the_title_its_data_and_run(build, width, height):
    mode = "output+amount=10%+effect=noise+promote=anneal:1,0.95+optimizer=lkg+init=orthogonal+dropout+decay"
    state, now = build.replay([build.run_started(mode=mode)])
    first = build.picture(state, width, height, now, DisplayOptions())[0]
    assert "mode output+amount" in first
    assert first.rstrip("─╮ ").endswith("...  fashion-mnist  run 20260101-000000-abcd")
