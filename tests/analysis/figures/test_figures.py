import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.text import Text
from PIL import Image

from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.late_breakthroughs import breakthroughs
from psa_tui.analysis.figures.study_results import load_study_results
from psa_tui.analysis.figures.style import COLUMN_WIDTH_IN, FORMATS, figure_style, to_bytes
from psa_tui.analysis.figures.winning_mode import WINNING_MODE

pytestmark = pytest.mark.slow

MAPS = [name for name, figure in FIGURES.items() if figure.terminal and not figure.needs_loops]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return load_study_results("published", None, tmp_path_factory.mktemp("none"))


def drawn(figure, results):
    with figure_style():
        return figure.draw(results)


def texts(figure, label):
    return [text for text in figure.findobj(Text) if text.get_label() == label]


def overlapping(boxes):
    return [(a, b) for index, a in enumerate(boxes) for b in boxes[index + 1 :] if a.overlaps(b)]


@pytest.mark.parametrize("name", MAPS)
def test_no_label_of_a_published_map_covers_another_label_a_shape_or_the_frame(published, name):
    with figure_style():
        figure = FIGURES[name].draw(published)
        renderer = figure.canvas.get_renderer()
        plane = figure.axes[0]
        labels = texts(figure, "label")
        boxes = [label.get_window_extent(renderer).padded(-0.5) for label in labels]
        centres = plane.transData.transform(published.shapes[["width", "depth"]].to_numpy(dtype=float))
        frame = plane.get_window_extent(renderer).padded(1)
        legend = plane.get_legend().get_window_extent(renderer)
        strip = [text.get_window_extent(renderer) for text in texts(figure, "square")]
    assert overlapping(boxes) == []
    assert overlapping(strip) == []
    for label, box in zip(labels, boxes, strict=True):
        inside = [tuple(c) for c in centres if box.x0 < c[0] < box.x1 and box.y0 < c[1] < box.y1]
        assert inside == [], label.get_text()
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1
        assert not box.overlaps(legend)
    assert not [tuple(c) for c in centres if legend.x0 < c[0] < legend.x1 and legend.y0 < c[1] < legend.y1]


def test_the_design_space_names_every_published_shape_on_the_plane_or_in_the_strip(published):
    figure = drawn(FIGURES["design-space"], published)
    named = {text.get_text() for text in texts(figure, "label")}
    named |= {f"{text.get_text()}*{text.get_text()}" for text in texts(figure, "square")}
    assert set(published.shapes.index) - named == set()


@pytest.mark.slow
@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_data_give_the_same_bytes_whatever_the_users_configuration(published, file_format, monkeypatch):
    import matplotlib

    first = to_bytes(drawn(FIGURES["regimes"], published), file_format)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20)
    monkeypatch.setitem(matplotlib.rcParams, "svg.hashsalt", "another")
    fresh = load_study_results("published", None, "nowhere")
    assert to_bytes(drawn(FIGURES["regimes"], fresh), file_format) == first
    assert re.search(rb"20\d\d-\d\d-\d\d", first) is None


def test_figures_are_one_column_wide_on_white_and_the_svg_is_well_formed(published):
    figure = drawn(FIGURES["baseline-accuracy"], published)
    picture = Image.open(io.BytesIO(to_bytes(figure, "png"))).convert("RGB")
    assert picture.width == round(COLUMN_WIDTH_IN * 300)
    assert {picture.getpixel(corner) for corner in ((0, 0), (picture.width - 1, picture.height - 1))} == {(255,) * 3}
    assert ElementTree.fromstring(to_bytes(figure, "svg")).tag.endswith("svg")


@pytest.mark.slow
def test_drawing_does_not_touch_pyplot():
    import subprocess
    import sys

    code = (
        "import sys; from psa_tui.analysis.figures import FIGURES; from psa_tui.analysis.figures.style import *;"
        "from psa_tui.analysis.figures.study_results import load_study_results\n"
        "results = load_study_results('published', None, 'x')\n"
        "with figure_style(): to_bytes(FIGURES['regimes'].draw(results), 'png')\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_the_published_regimes_are_46_24_17_and_11_in_words(published):
    words = FIGURES["regimes"].describe(published)
    assert "untrainable: 46; optimally sized: 24; chaotic: 17; beneficial: 11." in words


def test_kinds_of_a_map_are_told_apart_without_colour(published):
    for name in MAPS:
        figure = drawn(FIGURES[name], published)
        handles = figure.axes[0].get_legend().legend_handles
        markers = [handle.get_marker() for handle in handles]
        assert len(set(markers)) == len(markers), name


def test_the_effect_and_spread_of_a_shape_are_those_of_its_trials(published):
    trials = published.trials[published.trials["architecture"] == "18*18"]
    accuracies = {mode: group["best_validation_accuracy"].to_numpy() for mode, group in trials.groupby("mode")}
    means = {mode: np.mean(values) for mode, values in accuracies.items()}
    row = published.shapes.loc["18*18"]
    effect = (means["full"] + means["hidden"] + means["output"] - means["none"] - means["decay"] - means["dropout"]) / 3
    assert row["effect"] == pytest.approx(effect, abs=1e-12)
    assert row["instability"] == pytest.approx(max(np.std(values) for values in accuracies.values()), abs=1e-12)


def test_a_shape_whose_modes_print_the_same_best_mean_has_no_single_winner(make_study):
    results = load_study_results("local", None, make_study(shapes=("8*8",), trials=1, modes=("none", "full")))
    results.trials["best_validation_accuracy"] = 0.5
    assert "several alike: 1." in WINNING_MODE.describe(results)


def test_late_breakthroughs_are_the_large_gains_of_second_halves_only(make_study):
    loops = load_study_results("local", None, make_study(meta_loops=30, trials=5)).loops
    expected = []
    for key, trial in loops.groupby(["architecture", "mode", "trial"]):
        best = None
        for row in trial.sort_values("meta_loop").itertuples():
            if best is None or row.validation_accuracy > best:
                gain = None if best is None else row.validation_accuracy - best
                best = row.validation_accuracy
                if gain is not None and gain >= 0.01 - 1e-12 and row.meta_loop > 15:
                    expected.append((*key, row.meta_loop))
    found = breakthroughs(loops)
    assert expected
    assert sorted(found[["architecture", "mode", "trial", "meta_loop"]].itertuples(index=False, name=None)) == sorted(
        expected
    )
    assert found["lkg_gain"].is_monotonic_decreasing


@pytest.mark.slow
@pytest.mark.parametrize(
    "study",
    [
        {"shapes": ("8*8",), "trials": 1, "meta_loops": 1},
        {"shapes": ("1*1",), "modes": ("none",), "trials": 1},
        {"modes": ("full",), "trials": 2},
        {"shapes": ("512*512", "1024*1024", "300*700"), "modes": ("none", "hidden")},
        {"dataset": "kmnist", "quick": True},
        {"left_out": (("8*8", "none", 1), ("8*8", "none", 2), ("8*8", "none", 3))},
    ],
)
def test_every_figure_is_drawn_and_described_from_partial_studies(make_study, study):
    results = load_study_results("local", None, make_study(**study))
    for figure in FIGURES.values():
        assert drawn(figure, results).axes
        assert figure.describe(results).startswith(figure.title)


def test_a_quick_study_says_so_in_its_figures(make_study):
    results = load_study_results("local", None, make_study(quick=True))
    for figure in FIGURES.values():
        shown = " ".join(text.get_text() for text in drawn(figure, results).findobj(lambda a: hasattr(a, "get_text")))
        assert "quick, not a reproduction" in shown, figure.name
