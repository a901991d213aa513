import re

import numpy as np
import pytest

pytest.importorskip("pandas")

from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.figures.study_results import load_study_results
from psa_tui.analysis.figures.terminal import letter_curves
from psa_tui.analysis.frames import PUBLISHED_MODES
from psa_tui.method.variants import distinct_variants


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return load_study_results("published", None, tmp_path_factory.mktemp("none"))


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize(
    "name", [name for name, figure in FIGURES.items() if figure.terminal and not figure.needs_loops]
)
def test_maps_fit_the_terminal_and_need_neither_colour_nor_unicode(published, name, width):
    text = FIGURES[name].terminal(published, width, True).plain
    assert text.isascii()
    assert max(len(line) for line in text.split("\n")) <= width or width == 40


def test_the_square_shapes_stand_in_a_row_with_the_letters_of_their_regimes(published):
    lines = FIGURES["regimes"].terminal(published, 80, True).plain.split("\n")
    start = next(index for index, line in enumerate(lines) if line.startswith("square "))
    squares = published.shapes[published.shapes["depth"] == published.shapes["width"]].sort_values("depth")
    letters = {"untrainable": "u", "optimal": "O", "chaotic": "C", "beneficial": "B"}
    expected = "".join(letters[published.regimes.at[name, "regime"]] for name in squares.index)
    assert lines[start + 1].strip() == expected


def test_a_shape_stands_at_its_depth_and_width(published):
    lines = FIGURES["regimes"].terminal(published, 80, True).plain.split("\n")
    row = next(line for line in lines if line.startswith("    1 |"))
    assert row[7] == "C"  # 1*1 is chaotic
    assert row[7 + 6 * 11] == "B"  # 1*2048 is beneficial, eleven octaves to the right
    deepest = next(line for line in lines if "|" in line and line.split("|")[1].strip())
    assert deepest.split("|")[1] == "u"  # 2048*1


def style_of(text, place):
    return next((str(span.style) for span in text.spans if span.start <= place < span.end), "")


def test_every_letter_of_curves_has_the_colour_of_the_legend():
    """Also where letters of several curves stand side by side, as in nr."""
    x = np.arange(1, 101)
    variants = distinct_variants(("none", "dropout", "decay", "output"))
    series = {variant.name: (x, 10 + place + 0 * x) for place, variant in enumerate(variants)}
    text = letter_curves("8*8", variants, series, 80, False)
    legend = text.plain.partition("\n")[0]
    for variant in variants:
        style = variant.style or "magenta"
        start = legend.index(f"{variant.letter} {variant.name}")
        assert {style_of(text, place) for place in range(start, start + len(variant.name) + 2)} == {style}
        marks = [found.start() for found in re.finditer(variant.letter, text.plain[len(legend) :])]
        assert len(marks) > 50
        assert {style_of(text, len(legend) + place) for place in marks} == {style}
    assert all(style_of(text, found.start()) == "" for found in re.finditer(r"[0-9%]", text.plain[len(legend) :]))


def test_every_letter_of_a_map_has_the_colour_of_the_legend(published):
    text = FIGURES["regimes"].terminal(published, 80, True)
    head = text.plain.index("\n")
    for letter, words in {"u": "untrainable", "O": "optimally sized", "C": "chaotic", "B": "beneficial"}.items():
        entry = text.plain.index(f"{letter} {words}"[:8], head)
        style = style_of(text, entry)
        assert style
        rows = re.finditer(r"^ *\d* \|(.*)$|^ {7}([uOCB]+)$", text.plain, re.MULTILINE)
        marks = [row.start() + place for row in rows for place, found in enumerate(row[0]) if found == letter]
        assert len(marks) > 5
        assert {style_of(text, place) for place in marks} == {style}


def test_curves_are_drawn_with_the_letters_of_their_modes_rising_to_the_right():
    x = np.arange(1, 101)
    text = letter_curves(
        "8*8", distinct_variants(PUBLISHED_MODES), {"none": (x, 10 + 0 * x), "full": (x, 10 + 0.5 * x)}, 80, True
    ).plain
    assert text.split("\n")[0] == "8*8: n none  F full"
    assert text.isascii()
    assert max(map(len, text.split("\n"))) <= 80
    rows = [(index, line.index("F")) for index, line in enumerate(text.split("\n")[1:]) if re.search("F", line)]
    assert [column for _, column in rows] == sorted((column for _, column in rows), reverse=True)
