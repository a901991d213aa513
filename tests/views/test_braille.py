import math
import re

import numpy as np
import pytest

from psa_tui.views.braille import Series, plot

X = np.array([0.0, 10.0])


def drawn(series, **options):
    picture = plot(series, 60, 12, (0.0, 10.0), (0.0, 4.0), **options)
    assert picture is not None
    return picture


def test_a_series_keeps_its_style_where_it_is_drawn_and_the_later_lies_above():
    flat = Series(X, np.array([2.0, 2.0]), "blue", ".", line=True)
    rising = Series(X, np.array([0.0, 4.0]), "bold green", "=", line=True)
    picture = drawn([flat, rising])
    column, row = picture.cell(5.0, 2.0)
    styles = {str(span.style) for line in picture.lines for span in line.spans}
    assert styles == {"dim", "blue", "bold green"}
    above = [str(span.style) for span in picture.lines[row].spans if span.start <= column + 1 < span.end]
    assert above == ["bold green"]


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (10.0, 4.0), (0.0, 4.0), (10.0, 0.0), (3.3, 1.7), (7.9, 2.2)])
def test_the_cell_of_a_point_is_where_its_dot_is(x, y):
    picture = drawn([Series(np.array([x]), np.array([y]), "green", "o")])
    column, row = picture.cell(x, y)
    marked = [
        (number, span.start - 1)
        for number, line in enumerate(picture.lines)
        for span in line.spans
        if span.style == "green"
    ]
    assert marked == [(row, column)]


@pytest.mark.parametrize("is_ascii", [False, True])
def test_a_point_and_the_character_that_is_put_on_it_are_in_one_cell(is_ascii):
    draws = np.random.default_rng(1)
    for x, y in zip(draws.uniform(0.0, 10.0, 300), draws.uniform(0.0, 4.0, 300), strict=True):
        picture = drawn([Series(np.array([x]), np.array([y]), "green", "o")], ascii_only=is_ascii)
        picture.put(*picture.cell(x, y), "^", "red")
        assert not any(
            span.style == "green" and line.plain[span.start] != "^" for line in picture.lines for span in line.spans
        )


def test_nothing_to_draw_leaves_the_axes():
    for nothing in ([], [Series(X, np.full(2, math.nan), "green", "o")], [Series(X[:0], X[:0], "green", "o")]):
        assert drawn(nothing).lines[-2].plain.startswith("└")


def test_ascii_is_ascii_and_nothing_is_wider_than_asked():
    picture = drawn([Series(X, np.array([0.0, 4.0]), "green", "=", line=True)], ascii_only=True, y_unit=" %")
    assert picture.text.plain.isascii()
    assert "=" in picture.text.plain
    assert all(line.cell_len <= 60 for line in picture.lines)


def test_a_character_is_put_on_the_plot_with_its_style():
    picture = drawn([Series(X, np.array([2.0, 2.0]), "dim", ".", line=True)])
    column, row = picture.cell(5.0, 2.0)
    picture.put(column, row, "x", "red", over=False)
    assert "x" not in picture.text.plain
    picture.put(column, row, "x", "red")
    assert picture.lines[row].plain[column + 1] == "x"
    picture.put(column, 0, "y", "red", over=False)
    assert picture.lines[0].plain[column + 1] == "y"


@pytest.mark.parametrize("low", np.linspace(-0.02, 0.0, 40))
def test_no_label_says_minus_zero(low):
    picture = plot([], 40, 7, (0.0, 10.0), (low, 0.19))
    assert not re.search(r"-0(\.0*)?(?![\d.])", picture.text.plain)


@pytest.mark.parametrize("last", [2.0, 6.0, 12.0])
def test_the_axis_of_loops_has_whole_numbers_only(last):
    labels = plot([], 120, 12, (1.0, last), (0.0, 1.0)).text.plain.split("\n")[-1].split()
    assert labels[0] in ("1", "2")
    assert all(label.isdecimal() for label in labels)


def test_without_room_there_is_no_plot():
    assert plot([], 28, 12, (0.0, 1.0), (0.0, 1.0)) is None
    assert plot([], 60, 4, (0.0, 1.0), (0.0, 1.0)) is None
