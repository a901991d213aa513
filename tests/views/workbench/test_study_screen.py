from dataclasses import replace

import pytest

from psa_tui.storage.study_rows import COMPLETE, FAILED, TrialRow
from psa_tui.storage.study_store import open_store
from psa_tui.views.workbench.plane import place
from psa_tui.views.workbench.read_out import brief, strip
from psa_tui.views.workbench.study_data import Cell, Shape, StudyData, View, read_study
from psa_tui.views.workbench.study_map import Shown, draw_map, scale_text
from psa_tui.views.workbench.subjects import read_trial
from tests.views.workbench.conftest import add_study

pytestmark = pytest.mark.slow


def drawn(folder, view=View.BEST, width=60, height=16, cursor=None):
    data = read_study(folder / "results", "plane")
    return draw_map(data, Shown(view, "output", "none"), width, height, cursor).plain.splitlines()


def test_the_map_is_oriented_as_the_figures_depth_upwards_width_to_the_right(folder):
    lines = drawn(folder)
    rows = [number for number, line in enumerate(lines) if "71." in line or "91." in line]
    assert len(rows) == 2
    for number, depth in zip(rows, ("2", "1"), strict=True):
        near = "\n".join(lines[number - 2 : number + 3])
        assert any(line.split()[:1] == [depth] for line in near.splitlines())
    assert lines[rows[0]].index("71.") < lines[rows[0]].index("91.")
    axis = lines[-1].split()
    assert axis.index("4") < axis.index("8")
    assert lines[0].startswith("depth ↑")


def test_a_row_that_two_depths_share_is_labelled_by_that_of_a_shape():
    placed = place((("8*8", 8, 8.0), ("4*4", 4, 4.0), ("1*16", 1, 16.0)), 72, 8)
    middle = (placed.block[1] - 1) // 2
    assert dict(placed.y_ticks)[placed.spots["4*4"][1] + middle] == "4"
    assert [label for _, label in placed.y_ticks] == ["8", "4", "1"]


def test_each_view_shows_its_number_and_explains_it(folder):
    assert "71.2" in "".join(drawn(folder, View.BEST))
    assert "91.1✗" in "".join(drawn(folder, View.BEST)), "one of its trials has failed"
    assert "70.2" in "".join(drawn(folder, View.MODE)).replace("71.2", "70.2")
    assert "+1.0" in "".join(drawn(folder, View.EFFECT))
    assert "3/4" in "".join(drawn(folder, View.COUNT))
    assert "failed" in "".join(drawn(folder, View.STATE))
    data = read_study(folder / "results", "plane")
    legend = scale_text(data, Shown(View.EFFECT, "output", "none"), 80).plain
    assert legend.startswith("effect of output over none, points  -1.")
    assert len(legend) <= 80


def test_blocks_never_cover_one_another_however_small_the_map():
    shapes = tuple((f"{depth}*{width}", depth, width) for depth in range(1, 13) for width in range(1, 9))
    for columns, rows in ((54, 11), (74, 18), (130, 40), (10, 3)):
        layout = place(shapes, columns, rows)
        wide, high = layout.block
        taken = [(x + a, y + b) for x, y in layout.spots.values() for a in range(wide) for b in range(high)]
        assert len(taken) == len(set(taken))
        assert all(0 <= x < columns and 0 <= y < rows for x, y in taken)
        assert len(layout.spots) == min(len(shapes), columns // 2 * rows)


def test_from_the_map_to_the_trials_of_a_shape_to_the_curve_and_log_of_one(folder, sit):
    async def acts(eyes):
        await eyes.see("plane")
        await eyes.press("enter")
        await eyes.see(
            "study plane", "1 best", "15 of 16 trials  1 failed", "mean of the best mode", "$ psa study status plane"
        )
        await eyes.see("1*4")
        await eyes.press("right", "up")
        await eyes.see("2*8", "91.15", "+1.05", "1 failed: out of memory")
        await eyes.press("3")
        await eyes.see("effect of output over none")
        await eyes.press("enter")
        await eyes.see("2*8  4 trials  1 failed", "42")
        await eyes.press("down", "enter")
        await eyes.see("plane: 2*8 none 2 ", "failed before its first loop was done: out of memory")
        await eyes.press("escape", "up", "s", "enter")
        await eyes.see("plane: 2*8 output 2", "91.20 %", "$ psa study show plane '2*8' output 2")
        await eyes.press("left")
        await eyes.see("loop 2: 91.20 %  promoted  +1.00  layer 0 neuron 2")
        await eyes.press("left")
        await eyes.see("loop 1: 90.20 %  promoted  layer 0 neuron 1")
        await eyes.press("0")
        await eyes.see("2 promoted")
        await eyes.press("tab")
        await eyes.see("verdict", "promoted", "layer 0 neuron 2")
        await eyes.press("w")
        await eyes.see("what helps, what harms", "by mean gain", "survived", "promoted")
        await eyes.press("escape", "escape", "escape", "escape")
        await eyes.see("4 runs")

    sit(acts, (120, 30))


def test_a_trial_or_run_that_did_not_come_to_its_end_says_after_which_loop(folder):
    failed = TrialRow(architecture="1*8", mode="none", trial=1, parameters=100, state=FAILED, meta_loop=1, reason="why")
    subject = read_trial(folder / "results", "plane", failed, None)
    facts = dict(subject.facts)
    assert subject.heading(["meta-loops", "test accuracy"]) == ["failed after loop 1 of 2", "test accuracy -"]
    assert (subject.state, facts["reason"], facts["meta-loops"]) == ("failed after loop 1 of 2", "why", "1 of 2")
    assert read_trial(folder / "results", "plane", replace(failed, state=COMPLETE), None).state == ""


def test_a_shape_of_which_all_trials_failed_is_not_one_that_waits():
    shape = Shape("2*8", 2, 8.0, 100)
    lost = TrialRow(architecture="2*8", mode="none", trial=1, parameters=100, state=FAILED, reason="why")
    data = StudyData("s", [shape], ["none"], 1, {("2*8", "none"): Cell([lost])}, False, None, "mlp")
    drawn = draw_map(data, Shown(), 40, 10, None).plain
    assert ("failed" in drawn, "0/1" in drawn) == (True, True)
    assert brief(data, "2*8", Shown()).plain == "2*8  0/1  1 failed"


def test_a_click_moves_the_cursor_and_a_second_one_opens_the_shape(folder, sit):
    async def acts(eyes):
        await eyes.see("plane")
        await eyes.press("enter")
        await eyes.see("91.1", "1*4  4/4")
        await eyes.click("91.1")
        await eyes.see("2*8  3/4")
        await eyes.click("91.1")
        await eyes.see("2*8", "4 trials", "output")

    sit(acts, (60, 15))


def test_the_map_follows_a_study_that_goes_on(folder, sit):
    add_study(folder, "growing", shapes=("1*4", "1*8"), trials=1)

    async def acts(eyes):
        await eyes.see("growing")
        await eyes.press("enter")
        await eyes.see("4 of 4 trials")
        with open_store(folder / "results") as store:
            store.enter("growing", "local", store.study("growing").settings, trials=2)
        add_study(folder, "growing", shapes=("1*4", "1*8"), trials=2)
        await eyes.see("8 of 8 trials")

    sit(acts)


def test_shapes_of_unknown_size_are_counted_and_listed(folder, sit):
    from psa_tui.storage.study_rows import LOCAL, TrialRow

    with open_store(folder / "results") as store:
        store.enter("odd", LOCAL, {"shapes": ["ring of 5"], "modes": ["none"], "network": "torus"}, trials=1)
        store.put("odd", [TrialRow(architecture="ring of 5", mode="none", trial=1, parameters=5, bounty=0.5)])

    async def acts(eyes):
        await eyes.see("odd")
        await eyes.press("enter")
        await eyes.see("no shape of known depth and width", "1 of unknown size: l lists them")
        await eyes.press("l")
        await eyes.see("ring of 5", "50.00")

    sit(acts)


def test_every_trial_has_its_dot_on_one_scale():
    assert strip([0.0, 0.5, 0.5, 1.0, 1.0, 1.0], 0.0, 1.0, 5) == "· • ●"
    assert strip([0.7], 0.7, 0.7, 3) == "·  "


def test_the_list_of_commands_tells_how_the_axes_of_a_study_are_weighed(folder, sit):
    async def acts(eyes):
        await eyes.see("plane")
        await eyes.press("enter")
        await eyes.see("depth ↑")
        await eyes.press("ctrl+p")
        await eyes.write("Importance")
        await eyes.see("$ psa results importance --study=plane")

    sit(acts)
