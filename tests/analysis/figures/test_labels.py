import pytest

pytest.importorskip("matplotlib")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from psa_tui.analysis.figures.labels import place_labels
from psa_tui.analysis.figures.style import figure_style, new_figure


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=30))
def test_labels_of_any_points_are_apart_and_clear_of_every_point(points):
    with figure_style():
        figure = new_figure(3)
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        axes.set_xlim(-1, 11)
        axes.set_ylim(-1, 11)
        named = [(x, y, f"point {index}") for index, (x, y) in enumerate(points)]
        placed = place_labels(axes, named, np.array(points), 10)
        renderer = figure.canvas.get_renderer()
        boxes = [text.get_window_extent(renderer).padded(-0.6) for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == placed
    assert placed[:1] == ["point 0"] or len(points) > 1
    assert not any(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[index + 1 :])
    for x, y in axes.transData.transform(np.array(points)):
        assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for box in boxes)
