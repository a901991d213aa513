"""What holds on every screen of the workbench: help, dialogs, colours, and texts that fit."""

from dataclasses import replace

import numpy as np
import pytest
from rich.color import Color
from rich.console import Console
from rich.style import Style
from textual.events import Key
from textual.widgets import Input

from psa_tui.storage.labels import Labels
from psa_tui.storage.run_store import open_runs
from psa_tui.storage.study_rows import LOCAL
from psa_tui.storage.study_store import open_store
from psa_tui.views.workbench import signs
from psa_tui.views.workbench.ablations_screen import AblationsScreen
from psa_tui.views.workbench.app import LIGHT
from psa_tui.views.workbench.charts import Curve, Group, overlay_chart
from psa_tui.views.workbench.columns import COLUMNS, fitting
from psa_tui.views.workbench.entries import Results
from psa_tui.views.workbench.overlay_screen import setting_of
from psa_tui.views.workbench.palette import LIGHT_THEME
from psa_tui.views.workbench.read_out import read_out
from psa_tui.views.workbench.study_data import View, read_study
from psa_tui.views.workbench.study_map import Shown, draw_map, scale_text
from psa_tui.views.workbench.subjects import read_run
from tests.views.workbench.conftest import RUNS, add_run, add_study

pytestmark = pytest.mark.slow
LONG = "output+effect=reinit+promote=patience:5"
NEWEST = max(RUNS)


def test_help_explains_the_signs_of_its_screen_and_each_key_once(folder, sit):
    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("question_mark")
        await eyes.see(*(meaning for _, meaning in signs.TABLE[:5]), "q     Quit")
        assert "command prompt" not in eyes.text
        await eyes.press("escape", "enter")
        await eyes.see("depth")
        await eyes.press("question_mark")
        await eyes.see(*(meaning for _, meaning in signs.MAP))
        assert signs.TABLE[0][1] not in eyes.text

    sit(acts, (100, 60))


def test_what_was_said_does_not_lie_over_a_dialog(folder, sit):
    async def acts(eyes):
        for keys, seen in ((("n",), "New run"), (("ctrl+p",), "Search for commands")):
            await eyes.see("plane")
            await eyes.press("e")
            await eyes.see("a study has no tags and no note")
            await eyes.press(*keys)
            await eyes.see(seen)
            assert "a study has no tags" not in eyes.text
            await eyes.press("escape")

    sit(acts)


def test_what_is_typed_right_behind_the_key_of_the_filter_is_filtered_by(folder, sit):
    async def acts(eyes):
        await eyes.see(NEWEST)
        for key in "/dx/":  # As fast as a slow machine gets to them.
            eyes.app.post_message(Key("slash" if key == "/" else key, key))
        await eyes.pilot.pause()
        assert eyes.app.query_one("#filter", Input).value == "dx/"
        assert "/ filter" not in eyes.lines[-1]
        await eyes.press("escape")
        assert "/ filter" in eyes.lines[-1]

    sit(acts)


def test_shape_and_loops_stay_where_a_long_mode_gives_way(folder, build):
    add_run(build, folder, "20260102-000001-eeee", "[2*8]", LONG, 1e-3, 1, (500, 610))
    entries = Results(folder / "results").read()
    columns, width = fitting(entries, 78, COLUMNS[0])
    assert {"name", "state", "shape", "mode", "loops", "best %"} <= {column.label for column in columns}
    assert width <= 78
    (mode,) = [column for column in columns if column.label == "mode"]
    assert max(map(mode.cell, entries), key=len) == "output+…"
    columns, _ = fitting(entries, 200, COLUMNS[0])
    assert "output+effect=reinit+…" in [column.cell(one) for column in columns for one in entries]


def test_a_run_with_a_name_is_called_so_in_its_heading(folder, sit, build):
    add_run(build, folder, "20260102-000001-eeee", *RUNS[NEWEST], labels=Labels(name="wide"))

    async def acts(eyes):
        await eyes.see("wide")
        await eyes.press("down", "enter")
        await eyes.see("promoted")
        assert eyes.lines[0].startswith(" wide ")
        assert "mode full" in eyes.lines[0]
        # No command is broken in two lines for a word.
        assert eyes.lines[-2].startswith(" $ psa results show wide")

    sit(acts)


def test_a_run_without_ablations_says_so_and_has_no_key_for_their_measures(folder, sit):
    subject = read_run(folder / "results", NEWEST, "")
    bare = replace(subject, loops=[replace(loop, ablations=()) for loop in subject.loops])

    async def acts(eyes):
        for one, is_empty in ((bare, True), (subject, False)):
            eyes.app.push_screen(AblationsScreen(one, None))
            await eyes.see("what helps, what harms", "Nothing was ablated in 4 meta-loops" if is_empty else "v measure")
            assert ("v measure" in eyes.text) is ("by mean gain" in eyes.text) is not is_empty
            await eyes.press("escape")

    sit(acts)


@pytest.mark.parametrize("width", [56, 76, 120])
def test_the_numbers_of_a_shape_are_whole_beside_modes_of_long_names(folder, width):
    add_study(folder, "long", modes=("none", LONG))
    data = read_study(folder / "results", "long")
    lines = _lines(read_out(data, "1*8", Shown(View.BEST, LONG, "none"), width), width)
    assert lines[1].split() == ["mode", "n", "mean", "%", "sd", "best", "%", "over", "none"]
    assert lines[2].split() == ["none", "2/2", "90.15", "0.07", "90.20"]
    assert lines[3].split()[1:] == ["2/2", "90.15", "0.07", "90.20", "+0.00"]
    parts = [line.split()[0] for line in lines[3:] if line.split()[0:1] and line.split()[0] in LONG]
    assert "".join(parts) == LONG * 2  # In the table and beside its strip.
    (scale,) = [line.split() for line in lines if "trials" in line]
    assert scale == ["trials", "90.1", "90.2", "%"]


def _lines(shown, width):
    console = Console(width=width, force_terminal=False)
    with console.capture() as said:
        console.print(shown)
    return said.get().rstrip().split("\n")


def test_a_shape_without_trials_says_so_and_has_no_empty_chart(folder, sit):
    with open_store(folder / "results") as store:
        settings = {"name": "new", "shapes": ["1*4"], "modes": ["none"], "dataset": "mnist5k"}
        store.enter("new", LOCAL, settings, seed=1, meta_loops=2, trials=2)

    async def acts(eyes):
        await eyes.see("■ begun")
        await eyes.press("enter")
        await eyes.see("waiting", "1 best")
        await eyes.press("enter")
        await eyes.see("no trial has begun yet", "at loop")
        assert "best -" not in eyes.text
        assert "at loop" in eyes.lines[1]

    sit(acts, (100, 30))


def test_a_scale_of_one_value_is_that_value(folder):
    add_study(folder, "one", shapes=("1*4",), modes=("none",))
    shown = Shown(View.BEST, "none", "none")
    assert scale_text(read_study(folder / "results", "one"), shown, 80).plain == "mean of the best mode, %  70.2"


def test_all_trials_have_the_whole_width_and_those_of_a_shape_share_it_with_their_curves(folder, sit):
    add_study(folder, "long", modes=("none", LONG))

    async def acts(eyes):
        await eyes.see("long")
        await eyes.press("enter")
        await eyes.see("depth")
        await eyes.press("l")
        await eyes.see("all shapes", "seed", LONG)
        table = eyes.app.screen.query_one("#trials")
        assert not table.show_horizontal_scrollbar
        assert table.size.width > 130
        await eyes.press("escape", "enter")
        await eyes.see("median", "best %")
        table = eyes.app.screen.query_one("#trials")
        assert not table.show_horizontal_scrollbar
        assert table.size.width < 100

    sit(acts, (140, 45))


def test_in_a_small_terminal_the_form_has_its_buttons_and_trials_their_numbers(folder, sit):
    add_study(folder, "long", modes=("none", LONG))

    async def acts(eyes):
        await eyes.see("long")
        await eyes.press("n")
        await eyes.see("arch", "dataset", "$ psa train", "Start (Enter)", "Back (Esc)")
        await eyes.press("escape", "enter")
        await eyes.see("depth")
        await eyes.press("l")
        await eyes.see("all shapes", "best %", "output+effect=reinit+…")
        assert not eyes.app.screen.query_one("#trials").show_horizontal_scrollbar

    sit(acts, (60, 15))


def test_a_setting_has_the_rates_that_its_mode_uses(folder, build):
    add_run(build, folder, "20260102-000001-eeee", "[2*8]", "dropout", 1e-3, 1, (500, 610))
    found = {entry.mode: setting_of(entry) for entry in Results(folder / "results").read() if entry.run is not None}
    assert found["output"] == "[2*8] output, lr 0.01, batch 256, mnist5k"
    assert found["dropout"] == "[2*8] dropout, lr 0.001, batch 256, dropout 0.1, mnist5k"


@pytest.mark.parametrize("state", ["■ stopped", "◆"])
def test_on_a_light_ground_what_waits_and_what_is_marked_is_read(folder, sit, state):
    with open_runs(folder / "results") as store, store._database.transaction() as connection:
        connection.execute("UPDATE runs SET state = 'stopped'")

    async def acts(eyes):
        eyes.app.theme = LIGHT
        await eyes.see(NEWEST)
        await eyes.press("down", "space")
        await eyes.see(state)
        strips = eyes.app.screen._compositor.render_strips()
        styles = [one.style for strip in strips for one in strip if state.split()[0] in one.text]
        ratios = [_contrast(one.color, one.bgcolor) for one in styles if _luminance(one.bgcolor) > 0.5]
        assert ratios
        assert min(ratios) >= 4.5

    sit(acts)


def _contrast(one: Color, other: Color) -> float:
    """The ratio of two colours by WCAG 2.1."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    parts = [part / 255 for part in colour.get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_each_group_has_its_letter_on_its_line_where_lines_are_the_same_too():
    curve = Curve(np.arange(1, 11), np.full(10, 50.0), np.full(10, 50.0), np.zeros(10, dtype=bool))
    drawn = overlay_chart([Group(name, [curve]) for name in "xyz"], 60, 12, "dim")
    assert [letter for letter in "ABC" if letter in drawn.plain] == ["A", "B", "C"]
    assert "A" not in overlay_chart([Group("x", [curve])], 60, 12, "dim").plain


def test_the_cursor_of_the_map_is_seen_on_every_ground(folder):
    data = read_study(folder / "results", "plane")
    for view in View:
        drawn = draw_map(data, Shown(view, "output", "none"), 60, 16, "1*4")
        ground = {Style.parse(str(span.style)).bgcolor for span in drawn.spans if "bold #000000" in str(span.style)}
        assert len(ground) == 1
        (colour,) = ground
        assert all(_contrast(colour, Color.parse(other)) > 2 for other in ("#121212", LIGHT_THEME.background))
