import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.study_results import load_study_results
from psa_tui.analysis.figures.style import figure_style
from psa_tui.analysis.report.builder import build_page

pytestmark = pytest.mark.slow

MAPS = [name for name, figure in FIGURES.items() if figure.terminal and not figure.needs_loops]


def shown(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_maps_leave_out_shapes_of_unknown_size_and_say_so(make_study):
    folder = make_study(shapes=("8*8", "b3-c16", "[4*4,2*8]"))
    results = load_study_results("local", None, folder)
    for name in MAPS:
        with figure_style():
            words = shown(FIGURES[name].draw(results))
        assert "left out: 1 of unknown depth and width" in words, name
        assert FIGURES[name].describe(results).endswith("Left out: 1 of unknown depth and width."), name
        text = FIGURES[name].terminal(results, 100, True).plain
        assert "left out: 1 of unknown depth and width" in text, name
    assert b"b3-c16" in build_page(results, folder)


def test_a_study_of_foreign_shapes_alone_has_maps_without_points_and_all_other_figures(make_study):
    folder = make_study(shapes=("b3-c16", "3*16"), network="residual")
    results = load_study_results("local", None, folder)
    for figure in FIGURES.values():
        with figure_style():
            assert figure.draw(results).axes
        assert figure.describe(results).startswith(figure.title)
        if figure.terminal is not None:
            assert figure.terminal(results, 80, True).plain.startswith(figure.title)
    text = build_page(results, folder).decode()
    assert "<dt>network</dt><dd>residual</dd>" in text
    assert "12,345" in text
