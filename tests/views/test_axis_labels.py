import re

import numpy as np
import pytest

from psa_tui.views.axis_labels import x_labels, y_labels
from psa_tui.views.braille import LABEL_WIDTH, plot


def number(label):
    return float(label.replace(",", "").removesuffix(" %"))


@pytest.mark.parametrize("rows", [3, 5, 7, 11, 30])
@pytest.mark.parametrize(
    ("low", "high"),
    [(96.2, 97.9), (97.1, 97.31), (0.03, 0.105), (-6.2, 0.4), (0.0, 100.4), (1e-6, 9e-5), (-3.0, 3e6), (97.18, 97.19)],
)
def test_labels_of_the_y_axis_say_what_is_there_to_the_last_digit(low, high, rows):
    labels = y_labels(low, high, rows, LABEL_WIDTH - 1, " %")
    assert labels
    for value, label in labels.items():
        assert low <= value <= high
        assert number(label) == pytest.approx(value, rel=1e-9, abs=1e-12)
        assert len(label) <= LABEL_WIDTH - 1


@pytest.mark.parametrize("rows", range(3, 40))
def test_each_label_has_a_line_for_itself(rows):
    picture = plot([], 40, rows + 2, (0.5, 60.5), (95.97, 98.43), y_unit=" %")
    labels = [line.plain[33:].strip() for line in picture.lines[:-2] if line.plain[33:].strip()]
    assert len(labels) == len(y_labels(95.97, 98.43, rows, LABEL_WIDTH - 1, " %")) >= 1
    assert all(re.fullmatch(r"9\d(\.\d+)? %", label) for label in labels)


@pytest.mark.parametrize("loops", [10, 27, 99, 300, 10_000, 1_234_567])
@pytest.mark.parametrize("width", [30, 51, 79, 130, 190])
def test_labels_of_the_x_axis_are_whole_loops_below_their_columns(loops, width):
    picture = plot([], width, 6, (0.5, loops + 0.5), (0.0, 1.0))
    line = picture.lines[-1].plain
    assert len(line) <= width
    found = list(re.finditer(r"[\d,]+", line))
    assert found
    assert [one[0] for one in found] == [label for label in x_labels(0.5, loops + 0.5, picture.columns).values()]
    for one in found:
        middle = picture.column(number(one[0])) + 1
        assert one.start() <= middle <= one.end() or one.end() == width
    steps = np.diff([number(one[0]) for one in found])
    assert len(set(steps)) <= 1
