import io
import re
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from psa_tui.analysis.figures.robustness import describe_robustness, draw_robustness, robustness_letters
from psa_tui.analysis.figures.style import figure_style, to_bytes
from psa_tui.analysis.robustness import FIGURE_FORMATS
from psa_tui.method.probes import UnitKill, WeightNoise

pytestmark = pytest.mark.slow

KILLS, NOISE = UnitKill((1, 2, 3, 4), 10, 0), WeightNoise((0.01, 0.1, 1.0), 10, 0)


def probed(label, probe, seed, count=50):
    draws = np.random.default_rng(seed)
    record = SimpleNamespace(architecture="[8*8]", mode="full")
    subject = SimpleNamespace(label=label, record=record, images=range(count), majority_class_accuracy=0.12)
    correct = tuple(draws.integers(0, 45 - 5 * place, probe.draws) for place in range(len(probe.levels)))
    return SimpleNamespace(subject=subject, untouched=48, correct=correct, dead_hit=None)


def some(probe, count=8):
    return [probed(f"models/a/run/of/a/long/name/{'x' * 20 * (seed % 3)}{seed}", probe, seed) for seed in range(count)]


def drawn(probe, count=8):
    with figure_style():
        return draw_robustness(some(probe, count), probe)


@pytest.mark.parametrize("probe", [KILLS, NOISE, UnitKill((), 3, 0)], ids=["kill", "noise", "nothing"])
@pytest.mark.parametrize("ending", FIGURE_FORMATS)
def test_the_same_numbers_give_the_same_bytes_whatever_the_users_configuration(probe, ending, monkeypatch):
    import matplotlib

    first = to_bytes(drawn(probe), ending[1:], "in words")
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20)
    monkeypatch.setitem(matplotlib.rcParams, "svg.hashsalt", "another")
    assert to_bytes(drawn(probe), ending[1:], "in words") == first
    assert b"in words" in first
    assert re.search(rb"20\d\d-\d\d-\d\d|D:20", first) is None


@pytest.mark.parametrize("probe", [KILLS, NOISE], ids=["kill", "noise"])
@pytest.mark.parametrize("count", [1, 8])
def test_all_text_lies_inside_the_figure_and_the_legend_below_the_axes(probe, count):
    with figure_style():
        figure = drawn(probe, count)
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        (axes,), (legend,) = figure.axes, figure.legends
        boxes = [one.get_window_extent(renderer) for one in (*figure.texts, legend)]
        boxes.append(axes.get_tightbbox(renderer))
        for box in boxes:
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert not [(a, b) for index, a in enumerate(boxes) for b in boxes[index + 1 :] if a.overlaps(b)]
    assert len(legend.get_texts()) == count


def test_curves_are_told_apart_without_colour():
    lines = [line for line in drawn(KILLS).axes[0].get_lines() if line.get_marker() not in ("", "None")]
    assert len(lines) == 8
    assert len({(line.get_marker(), str(line.get_linestyle()), line._dash_pattern[1] is None) for line in lines}) == 8


def test_a_curve_has_the_untouched_accuracy_and_the_means():
    line = drawn(KILLS, 1).axes[0].get_lines()[0]
    found = probed("x", KILLS, 0)
    assert line.get_xdata().tolist() == [0, 1, 2, 3, 4]
    assert line.get_ydata() == pytest.approx([96, *(2 * correct.mean() for correct in found.correct)])


def test_the_words_have_the_untouched_the_middle_and_the_last_accuracy():
    one = probed("models/x", KILLS, 0)
    middle, last = (2 * one.correct[place].mean() for place in (1, 3))
    words = describe_robustness([one], KILLS)
    assert words.startswith(
        "Robustness: test accuracy after zeroing random hidden units, mean of 10 draws and 10 % to 90 % of them. "
        f"models/x: 96.00 % untouched, {middle:.2f} % ("
    )
    assert f" at 2 zeroed, {last:.2f} % (" in words
    assert words.endswith(" at 4 zeroed.")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("probe", [KILLS, NOISE, UnitKill((), 3, 0)], ids=["kill", "noise", "nothing"])
def test_curves_in_letters_fit_the_terminal_and_need_neither_colour_nor_unicode(probe, width):
    text = robustness_letters(some(probe, 3), probe, width, True).plain
    assert text.isascii()
    assert max(len(line) for line in text.split("\n")[1:]) <= width
    assert {"a", "b", "c"} <= set("".join(text.split("\n")[1:])) or not probe.levels


def test_a_png_is_one_column_wide():
    picture = Image.open(io.BytesIO(to_bytes(drawn(KILLS), "png", "in words")))
    assert (picture.width, picture.text["Description"]) == (1020, "in words")
