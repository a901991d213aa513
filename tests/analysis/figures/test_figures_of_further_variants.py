import json
import re

import pandas as pd
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from matplotlib.collections import PolyCollection

from psa_tui import load_trials
from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.study_results import StudyResults, load_study_results
from psa_tui.analysis.figures.style import figure_style, to_bytes
from psa_tui.analysis.frames import PUBLISHED_MODES
from psa_tui.analysis.report.builder import build_page

pytestmark = pytest.mark.slow

OF_THE_PUBLISHED_SIX = (
    "design-space",
    "baseline-accuracy",
    "ablation-effect",
    "instability",
    "parameter-matching",
    "regimes",
)
FURTHER = ("calm", "three")


@pytest.fixture(scope="module")
def published():
    """The published trials, without and with a further baseline and a further ablative mode that wins everywhere."""
    trials = load_trials("published")
    trials = trials[trials["architecture"].isin([*trials["architecture"].unique()[::12], "8*8", "18*18", "1*2048"])]
    some = trials[trials["mode"].isin(["none", "output"]) & trials["architecture"].isin(["8*8", "18*18", "1*2048"])]
    more = some.assign(mode=some["mode"].map({"none": "calm", "output": "three"}))
    both = pd.concat([trials, more], ignore_index=True)
    both["best_validation_accuracy"] = both["best_validation_accuracy"].where(both["mode"] != "three", 0.991)
    trials.attrs = both.attrs = {"source": "published", "study": "published", "dataset": "mnist"}
    return StudyResults(trials, None), StudyResults(both, None)


@pytest.fixture
def study(make_study):
    return load_study_results("local", None, make_study(further=FURTHER, trials=4))


def drawn(name, results, file_format="svg"):
    with figure_style():
        return to_bytes(FIGURES[name].draw(results), file_format)


@pytest.mark.parametrize("name", OF_THE_PUBLISHED_SIX)
def test_figures_of_the_published_six_are_the_same_bytes_with_further_modes(published, name):
    without, with_further = published
    assert drawn(name, with_further) == drawn(name, without)
    assert FIGURES[name].describe(with_further) == FIGURES[name].describe(without)
    if FIGURES[name].terminal is not None:
        assert FIGURES[name].terminal(with_further, 80, True) == FIGURES[name].terminal(without, 80, True)


def test_a_further_mode_can_win_a_shape_on_the_map_with_its_own_letter(published):
    without, with_further = published
    assert "three: 3; several alike" not in FIGURES["winning-mode"].describe(without)
    assert "none above majority: 28; three: 3." in re.sub(
        r"majority: \d+", "majority: 28", FIGURES["winning-mode"].describe(with_further)
    )
    assert "T three (3)" in FIGURES["winning-mode"].terminal(with_further, 80, True).plain
    assert drawn("winning-mode", with_further) != drawn("winning-mode", without)


def test_curves_of_further_modes_are_in_the_figure_its_words_and_the_terminal(study):
    with figure_style():
        figure = FIGURES["convergence"].draw(study)
        legend = figure.legends[0]
        box = legend.get_window_extent(figure.canvas.get_renderer())
        label = figure._supxlabel.get_window_extent(figure.canvas.get_renderer())
    names = [text.get_text() for text in legend.get_texts()]
    assert names[-2:] == ["calm", "three"]
    assert len({handle.get_color() for handle in legend.legend_handles}) == len(names) == 8
    assert not box.overlaps(label)
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert re.search(r"calm [\d.]+ %, three [\d.]+ %", FIGURES["convergence"].describe(study))
    text = FIGURES["convergence"].terminal(study, 80, True).plain
    assert "O output  C calm  T three" in text
    assert re.search(r"\|.*T", text)


def test_late_breakthroughs_of_further_modes_are_marked_and_counted(make_study):
    results = load_study_results("local", None, make_study(further=FURTHER, trials=5, meta_loops=30))
    with figure_style():
        figure = FIGURES["late-breakthroughs"].draw(results)
        legend = figure.legends[0]
        box = legend.get_window_extent(figure.canvas.get_renderer())
        label = figure.axes[0].xaxis.label.get_window_extent(figure.canvas.get_renderer())
    shown = " ".join(text.get_text() for text in legend.get_texts())
    assert re.search(r"calm \(\d+\) three \(\d+\)", shown)
    assert not box.overlaps(label)
    assert re.search(r"three \d+", FIGURES["late-breakthroughs"].describe(results))


def test_the_page_shows_further_modes_in_curves_tables_and_method(study, tmp_path):
    text = build_page(study, tmp_path).decode()
    data = json.loads(re.search(r'id="chart-data">(.*?)</script>', text, re.DOTALL)[1])
    assert [mode["name"] for mode in data["modes"]][-2:] == ["calm", "three"]
    assert len({(mode["colour"], mode["dash"]) for mode in data["modes"]}) == 8
    assert set(FURTHER) <= set(data["shapes"]["8*8"])
    assert "<dt>three</dt><dd>a further mode, none of the published study</dd>" in text
    assert "Ablative and further modes against none" in text
    assert '<th scope="col" class="n">three</th>' in text


def test_the_dashes_of_published_curves_on_the_page_are_what_they_were(make_study, tmp_path):
    results = load_study_results("local", None, make_study())
    text = build_page(results, tmp_path).decode()
    data = json.loads(re.search(r'id="chart-data">(.*?)</script>', text, re.DOTALL)[1])
    assert {mode["name"]: mode["dash"] for mode in data["modes"]} == {
        "none": "",
        "decay": "7 3",
        "dropout": "2 2",
        "full": "14 2",
        "hidden": "9 2 2 2",
        "output": "4 2",
    }


@pytest.mark.parametrize(("modes", "bands"), [(("none", "full"), True), (PUBLISHED_MODES, False)])
def test_curves_of_two_shapes_have_words_apart_and_no_more_bands_than_can_be_told_apart(make_study, modes, bands):
    study = load_study_results("local", None, make_study(modes=modes, trials=4))
    with figure_style():
        figure = FIGURES["convergence"].draw(study)
        renderer = figure.canvas.get_renderer()
        boxes = [text.get_window_extent(renderer) for text in figure.texts]
    texts = {text.get_text() for text in figure.texts}
    assert ("bands: 10 % to 90 % of the trials" in texts) == bands
    assert ("bars, after the last loop: 10 % to 90 % of the trials" in texts) != bands
    assert not [(a, b) for place, a in enumerate(boxes) for b in boxes[place + 1 :] if a.overlaps(b)]
    for axes in figure.axes:
        filled = [found for found in axes.collections if isinstance(found, PolyCollection)]
        assert len(filled) == (len(modes) if bands else 0)
