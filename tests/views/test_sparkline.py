import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.views.sparkline import sparkline


def test_the_least_value_is_the_lowest_bar_and_the_greatest_the_highest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.9, 0.1], 8, ascii_only=True) == "#_"


def test_several_neighbours_share_a_character_by_their_mean():
    assert sparkline([0, 0, 4, 2, 3, 9], 3) == "▁▅█"


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5]])
def test_values_that_are_all_the_same_are_a_level_line(values):
    assert sparkline(values, 8) == "▁" * len(values)


def test_nothing_gives_nothing():
    assert sparkline([], 8) == ""


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(1, 90), st.booleans())
def test_a_sparkline_never_exceeds_its_width(values, width, ascii_only):
    line = sparkline(values, width, ascii_only=ascii_only)
    assert len(line) == min(len(values), width)
    assert line.isascii() == ascii_only
