import pytest

from psa_tui.views.workbench.palette import DARK
from psa_tui.views.workbench.parallel import RESULT, Record, axes_of, described, parallel_chart

RECORDS = [
    Record("a", {"mode": "output", "lr": 0.01, "batch": 256.0}, 0.9),
    Record("b", {"mode": "none", "lr": 0.001, "batch": 256.0}, 0.5),
    Record("c", {"mode": "none", "lr": 0.0001, "batch": 256.0}, 0.1),
]


def test_only_what_differs_has_an_axis_and_rates_go_by_octaves():
    mode, rate, result = axes_of(RECORDS)
    assert (mode.name, rate.name, result.name) == ("mode", "lr", RESULT)
    assert mode.places == {"output": 1.0, "none": 0.0}
    assert rate.places == pytest.approx({0.0001: 0.0, 0.001: 0.5, 0.01: 1.0})
    assert result.places == pytest.approx({90.0: 1.0, 50.0: 0.5, 10.0: 0.0})


def test_a_line_goes_through_its_values_and_the_chosen_one_lies_above_all():
    drawn = parallel_chart(RECORDS, 0, 50, 8)
    head, *lines = [line.rstrip() for line in drawn.plain.split("\n")]
    assert head.split() == ["mode", "lr", "best", "%"]
    assert [line.split("│")[1].strip("⠤⠒⠉⣀⡠⢄⠢⠔⠑⠊⡰⢆ ") for line in (lines[0], lines[-1])] == ["output", "none"]
    assert lines[0].endswith("│90.00")
    assert lines[3].endswith("│50.00")
    assert lines[-1].endswith("│10.00")
    assert max(map(len, lines)) <= 50
    # The best stays level at the top, from its mode to its rate to its result; it alone is yellow.
    yellow = "".join(drawn.plain[span.start : span.end] for span in drawn.spans if span.style == f"bold {DARK.lkg}")
    assert yellow == lines[0].replace("output", "").replace("0.01", "").replace("90.00", "").replace("│", "")


@pytest.mark.parametrize(
    ("records", "size", "said"),
    [
        ([], (50, 8), "nothing has a result yet"),
        (RECORDS[:1], (50, 8), "no setting differs"),
        (RECORDS, (50, 3), "no room for the axes"),
    ],
)
def test_what_cannot_be_drawn_is_said(records, size, said):
    assert said in parallel_chart(records, 0, *size).plain


def test_axes_without_room_are_named_below():
    assert parallel_chart(RECORDS, 0, 30, 9).plain.split("\n")[-1] == "no room for lr"


def test_the_chosen_line_is_told_in_words():
    assert described(RECORDS, 2) == "3 of 3: 10.00 %  c  mode none, lr 0.0001"


@pytest.mark.slow
def test_runs_and_cells_are_drawn_and_the_next_line_is_chosen_by_a_key(folder, sit):
    async def acts(eyes):
        await eyes.see("4 runs")
        await eyes.press("p")
        await eyes.see("parallel coordinates", "mode", "learning rate", "1 of 4")
        await eyes.press("down")
        await eyes.see("2 of 4")
        await eyes.press("escape", "slash", *"plane", "enter", "enter")
        await eyes.see("depth ↑")
        await eyes.press("p")
        await eyes.see("8 cells", "depth", "width", "mode", "$ psa results importance --study=plane")

    sit(acts)
