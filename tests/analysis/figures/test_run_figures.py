import io
import random
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from psa_tui.analysis.figures import RUN_FIGURES
from psa_tui.analysis.figures.style import FORMATS, figure_style, to_bytes
from psa_tui.analysis.run_results import RunResults
from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.networks import NETWORKS
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import RunRow

pytestmark = pytest.mark.slow

COUNT = 10_000


def run_row(architecture, mode="full"):
    network = NETWORKS.find("mlp").parse(architecture, (1, 28, 28), 10)
    unknown = dict.fromkeys(name for name in RunRow.__dataclass_fields__)
    known = {"run": "20260101-000000-abcd1234", "network": "mlp", "architecture": architecture, "mode": mode}
    known |= {"parameters": network.parameters, "dataset": "mnist", "dataset_requested": "mnist", "meta_loop": 9}
    return RunRow(**{**unknown, **known, "hyperparameters": Hyperparameters(), "majority_class_accuracy": 0.1135})


def run_of(architecture, loops, *, sick=(), ablates=True, seed=0, batch=700):
    """A run of many loops, some of them not finite, and what the figures see of it."""
    draws, results = random.Random(seed), RunResults(run_row(architecture))
    counts = NETWORKS.find("mlp").parse(architecture, (1, 28, 28), 10).unit_counts
    every = [(layer, unit) for layer, count in enumerate(counts) for unit in range(count)]
    rows, lkg = [], None
    for loop in range(1, loops + 1):
        correct = min(max(int(draws.gauss(9500 - 8500 / (1 + loop / 5), 200 / (1 + loop / 50) + 20)), 0), COUNT)
        promoted = loop not in sick and (lkg is None or correct > lkg)
        lkg = correct if promoted else lkg
        layer, unit = draws.choice(every)
        hit = AblatedUnit(layer=layer, unit=unit, incoming=1, outgoing=1, dead=unit == 1 and layer < len(counts) - 1)
        row = MetaLoopRow(
            meta_loop=loop,
            mode="full",
            ablations=(hit,) if ablates and loop > 1 else (),
            train_loss=None if loop in sick else 2 / (1 + loop / 10),
            validation_correct=correct,
            validation_count=COUNT,
            finite=loop not in sick,
            verdict="promoted" if promoted else "rolled_back",
            reason="",
            seconds=1.0,
            lkg_correct=lkg,
            dead_units=((0, 1),) if promoted else None,
        )
        rows.append(row)
    before = None
    for first in range(0, loops, batch):
        results.fold(rows[first : first + batch], before)
        before = rows[min(first + batch, loops) - 1]
    return results, rows


def drawn(name, results):
    with figure_style():
        return RUN_FIGURES[name].draw(results)


SOME, ROWS = run_of("[2*8, 1*6]", 120, sick=(7, 50))


@pytest.mark.parametrize(
    ("name", "file_format"),
    [*(("ablations", one) for one in FORMATS), *((name, "svg") for name in RUN_FIGURES if name != "ablations")],
)
def test_the_same_run_gives_the_same_bytes_whatever_the_users_configuration(name, file_format, monkeypatch):
    import matplotlib

    words = RUN_FIGURES[name].describe(SOME)
    first = to_bytes(drawn(name, SOME), file_format, words)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20)
    monkeypatch.setitem(matplotlib.rcParams, "svg.hashsalt", "another")
    again, _ = run_of("[2*8, 1*6]", 120, sick=(7, 50), batch=13)
    assert to_bytes(drawn(name, again), file_format, words) == first
    assert re.search(rb"20(?!260101)\d\d-\d\d-\d\d|D:20", first) is None


@pytest.mark.parametrize("name", RUN_FIGURES)
@pytest.mark.parametrize(
    "run",
    [
        {"architecture": "[1*1]", "loops": 1},
        {"architecture": "[1*300]", "loops": 300, "sick": range(1, 9)},
        {"architecture": "[100*20]", "loops": 1600, "sick": (2, 3)},
    ],
    ids=lambda run: run["architecture"],
)
def test_all_text_of_any_run_lies_inside_the_figure_and_not_on_the_axes(name, run):
    results, _ = run_of(**run)
    with figure_style():
        figure = drawn(name, results)
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        boxes = [one.get_window_extent(renderer) for one in (*figure.texts, *figure.legends)]
        boxes += [axes.get_tightbbox(renderer) for axes in figure.axes]
        labels = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
    assert not [(a, b) for index, a in enumerate(boxes) for b in boxes[index + 1 :] if a.overlaps(b)]
    assert not [label for label in labels if "$" in label]


def test_the_curve_has_every_candidate_and_the_staircase_of_the_lkg():
    lines = {line.get_label().partition(" (")[0]: line for line in drawn("curve", SOME).axes[0].get_lines()}
    promoted = [row for row in ROWS if row.verdict == "promoted"]
    assert lines["promoted"].get_xdata().tolist() == [row.meta_loop for row in promoted]
    assert lines["promoted"].get_ydata() == pytest.approx([row.validation_correct / 100 for row in promoted])
    assert len(lines["rolled back"].get_xdata()) == 120 - len(promoted)
    assert lines["LKG"].get_ydata() == pytest.approx([row.lkg_correct / 100 for row in (*ROWS, ROWS[-1])])


def test_the_losses_are_those_that_were_finite_and_the_others_are_counted():
    lines = {line.get_label().partition(" (")[0]: line for line in drawn("loss", SOME).axes[0].get_lines()}
    assert lines["not finite"].get_xdata().tolist() == [7, 50]
    assert len(lines["rolled back"].get_xdata()) + len(lines["promoted"].get_xdata()) == 118


def test_the_map_has_the_mean_gain_of_every_unit_and_the_histogram_all_gains():
    grid = drawn("ablations", SOME).axes[0].get_images()[0].get_array()
    shown = {round(float(value), 6) for value in np.ma.masked_invalid(grid).compressed()}
    assert shown == {
        round(100 * tally.mean_gain, 6) for tally in SOME.statistics.units.values() if tally.mean_gain is not None
    }
    promoted, rolled_back = (sum(bar.get_height() for bar in axes.patches) for axes in drawn("gains", SOME).axes)
    gains = [row for row in ROWS[1:] if row.finite]
    assert (promoted, rolled_back) == (
        sum(row.verdict == "promoted" for row in gains),
        sum(row.verdict == "rolled_back" for row in gains),
    )


def test_a_run_with_a_name_is_called_by_it():
    named = RunResults(replace(SOME.row, name="wide"))
    assert named.name.endswith(", mnist, run wide (20260101-000000-abcd1234)")


def test_figures_are_said_in_words():
    promotions = sum(row.verdict == "promoted" for row in ROWS)
    assert (
        RUN_FIGURES["curve"]
        .describe(SOME)
        .startswith(
            "Validation accuracy by meta-loop of [2*8, 1*6], mode full, mnist, run 20260101-000000-abcd1234. After 120 "
            f"meta-loops, {promotions} of them promoted, the LKG reached {ROWS[-1].lkg_correct / 100:.2f} %"
        )
    )
    assert "120 meta-loops, from 1.818 to 0.1538" in RUN_FIGURES["loss"].describe(SOME)
    assert "layer 2: " in RUN_FIGURES["ablations"].describe(SOME)
    assert f"promoted: {promotions - 1}, of which {promotions - 1} gained" in RUN_FIGURES["gains"].describe(SOME)


def test_a_figure_is_one_column_wide_and_well_formed():
    figure = drawn("ablations", SOME)
    assert Image.open(io.BytesIO(to_bytes(figure, "png"))).width == 1020
    assert ElementTree.fromstring(to_bytes(figure, "svg")).tag.endswith("svg")
    pdf = to_bytes(figure, "pdf")
    assert pdf.startswith(b"%PDF")
    assert b"/TrueType" in pdf or b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf, "publishers refuse such fonts"
