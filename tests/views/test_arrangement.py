"""Which pictures have room, as pure functions and on screens."""

import asyncio

import pytest

from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.arrangement import (
    COLUMNS,
    HUGE,
    LARGE,
    MEDIUM,
    SMALL,
    arrange,
    at_first,
    column_widths,
    size_class,
    toggled,
)
from psa_tui.views.live.run_panels import PICTURES

ROOMS = {SMALL: (60, 11), MEDIUM: (80, 17), LARGE: (116, 26), HUGE: (160, 45)}
LONG = "this is mnist5k, 5000 of 70000 images, NOT the full set: " + "its accuracies do not compare with it, " * 9


@pytest.mark.parametrize("size", [SMALL, MEDIUM, LARGE, HUGE])
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_somebody_asks_for_is_shown_and_every_line_and_column_is_given_to_one(size, name):
    seen = at_first(size, read_only=True)
    shown = seen if name in seen else toggled(size, seen, name)
    arrangement = arrange(size, shown, ROOMS[size])
    assert name in arrangement.spans
    assert sum(arrangement.lines) == ROOMS[size][1]
    cells = sum(columns * rows for columns, rows in arrangement.spans.values())
    assert cells == COLUMNS * len(arrangement.lines)


def test_what_was_chosen_first_goes_where_room_lacks_but_the_chart_of_accuracies_stays():
    shown = at_first(MEDIUM, read_only=False)
    for name, left in (("loss", {"accuracy", "map", "log", "loss"}), ("gap", {"accuracy", "log", "loss", "gap"})):
        shown = toggled(MEDIUM, shown, name)
        assert set(arrange(MEDIUM, shown, ROOMS[MEDIUM]).spans) == left
        shown = tuple(one for one in shown if one in left)
    assert set(arrange(MEDIUM, at_first(MEDIUM, read_only=False), (80, 9)).spans) == {"accuracy"}


@pytest.mark.parametrize("share", [0.3, 0.8, 1.0, 1.25, 1.5625, 3.0])
def test_no_column_of_the_screen_is_given_to_nobody_however_wide_the_left_is_made(share):
    for width in range(70, 220):
        widths = column_widths(width, share)
        assert sum(widths) == width
        assert sum(widths[:4]) / sum(widths[4:]) == pytest.approx(2 * share, rel=0.12)


def test_what_another_process_takes_has_no_place_at_first():
    assert "machine" in at_first(HUGE, read_only=False)
    assert "machine" not in at_first(HUGE, read_only=True)


@pytest.mark.parametrize("size", [(60, 15), (70, 20), (80, 24), (100, 30), (116, 36), (140, 45)])
def test_no_key_leaves_a_chart_without_room_or_a_picture_without_lines(build, size):
    state, now = build.replay(build.story("[2*64, 1*32]", [500 + i for i in range(60)]))

    async def use():
        async with build.stage(state, size, now) as stage:
            for key, name in enumerate(PICTURES, start=1):
                panel = stage.app.screen.query_one(f"#{name}")
                if not panel.display:
                    await stage.press(str(key))
                assert panel.display, name
                assert "no room for a chart" not in stage.text, name
                left, _, width, _ = panel.inner
                assert any(line[left + panel.region.x :][:width].strip() for line in drawn(stage, panel)), name

    asyncio.run(use())


def drawn(stage, panel):
    """The lines of the screen on which a panel draws."""
    top = panel.region.y + panel.inner[1]
    return stage.lines()[top : top + panel.inner[3]]


@pytest.mark.parametrize("size", [(60, 15), (70, 20), (80, 24), (116, 36), (140, 45)])
def test_a_long_warning_is_shown_in_full_or_named_and_never_instead_of_the_chart(build, size):
    state, now = build.replay(build.story("[2*8]", [500 + i for i in range(30)], notices=(LONG.strip(),)))
    lines = build.picture(state, *size, now, DisplayOptions())
    text = " ".join(" ".join(lines).split())
    assert any(line.lstrip("│ ").startswith("└──") for line in lines), "the chart"
    is_full = LONG.strip() in text
    assert is_full != lines[-1].startswith("w 1 warning  ")
    assert is_full == (size_class(*size) != SMALL and size != (70, 20))
    assert lines[-1].rstrip().endswith("? help")


def test_a_warning_that_a_resume_brings_is_seen_by_who_follows(build):
    state, now = build.replay(build.story("[2*8]", [500, 510]))

    async def use():
        async with build.stage(state, (80, 24), now) as stage:
            assert "warning" not in stage.text
            other, _ = build.replay(build.story("[2*8]", [500, 510], notices=("the disk is nearly full",)))
            await stage.show(other, (80, 24))
            assert "warning: the disk is nearly full" in stage.text

    asyncio.run(use())
