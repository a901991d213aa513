import re
from dataclasses import replace

import pandas as pd
import pytest

pytest.importorskip("matplotlib")

from matplotlib.patches import Polygon

from psa_tui import load_trials
from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.study_results import StudyResults, load_study_results
from psa_tui.analysis.figures.style import figure_style, legend_columns, to_bytes
from psa_tui.method.variants import PUBLISHED, describe_variant

pytestmark = pytest.mark.slow

NAMES = ("contrasts", "profiles", "chance", "survival")


@pytest.fixture(scope="module")
def squares():
    trials = load_trials("published")
    return StudyResults(trials[trials["architecture"].isin([f"{side}*{side}" for side in range(4, 20)])], None)


def words_of(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_the_forest_has_a_row_a_shape_and_a_diamond_for_all(squares):
    with figure_style():
        figure = FIGURES["contrasts"].draw(squares)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["full - none", "hidden - none", "output - none"]
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == [*squares.shapes.index, "pooled", "A/A"]
    diamond = figure.axes[2].findobj(Polygon)[0].get_xy()
    assert diamond[:3, 0].tolist() == pytest.approx([6.94, 10.89, 14.84], abs=0.01)
    assert "output - none +10.89 (+6.94 to +14.84)" in FIGURES["contrasts"].describe(squares)


def test_chance_counts_what_is_found_where_nothing_is(squares):
    words = FIGURES["chance"].describe(squares)
    assert re.search(r": decay - none [01] of 16; none: odd - even \d of 16; ", words)
    with figure_style():
        figure = FIGURES["chance"].draw(squares)
    assert {"decay - none", "none: odd - even"} <= set(words_of(figure))


def test_chance_draws_no_more_lines_than_can_be_told_apart(squares):
    further = [squares.trials.assign(mode=f"none+promote=patience:{patience}") for patience in range(2, 5)]
    trials = pd.concat([squares.trials, *(one[squares.trials["mode"] == "none"] for one in further)])
    trials.attrs = squares.trials.attrs
    with figure_style():
        figure = FIGURES["chance"].draw(StudyResults(trials.reset_index(drop=True), None))
    assert len(figure.legends[0].get_texts()) == 8
    assert any("grey: 95 % of chance; 8 of 10" in text for text in words_of(figure))


def test_a_legend_of_long_names_has_fewer_columns_and_of_many_no_more_rows_than_there_is_room_for():
    long = [describe_variant(f"output+effect=noise+promote=patience:{patience}") for patience in range(2, 22)]
    assert legend_columns(PUBLISHED, 6) == (6, 0)
    assert legend_columns([*PUBLISHED, describe_variant("sham")], 6) == (3, 2)
    assert legend_columns(long[:4], 6) == (1, 3)
    assert legend_columns(long, 6) == (3, 6)


def test_the_band_of_escapes_is_within_the_axes(make_study):
    results = load_study_results("local", None, make_study(trials=4))
    results = replace(results, loops=results.loops.assign(lkg_accuracy=results.loops["lkg_accuracy"] * 0.3))
    with figure_style():
        (axes,) = FIGURES["survival"].draw(results).axes
    assert axes.get_ylim()[1] >= max(band.get_datalim(axes.transData).y1 for band in axes.collections)
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_no_word_of_a_figure_is_cut_off(squares):
    for name in NAMES[:3]:
        with figure_style():
            figure = FIGURES[name].draw(squares)
            renderer = figure.canvas.get_renderer()
            boxes = {text.get_text(): text.get_window_extent(renderer) for text in figure.texts}
        width = figure.get_figwidth() * figure.dpi
        assert [text for text, box in boxes.items() if box.x1 > width] == [], name


def test_figures_of_a_study_with_loops_are_the_same_bytes_each_time(make_study):
    results = load_study_results("local", None, make_study(trials=4))
    for name in NAMES:
        with figure_style():
            first, again = (to_bytes(FIGURES[name].draw(results), "svg", name) for _ in range(2))
        assert first == again, name
    assert FIGURES["survival"].describe(results).startswith("Escapes over the meta-loops: ")


@pytest.mark.parametrize("modes", [("none", "output"), ("decay",), ("dropout", "full")])
def test_what_a_small_study_lacks_is_said(make_study, modes):
    results = load_study_results("local", None, make_study(trials=1, modes=modes))
    for name in NAMES:
        with figure_style():
            assert FIGURES[name].draw(results).axes or name == "contrasts"
        assert FIGURES[name].describe(results).startswith(FIGURES[name].title)
