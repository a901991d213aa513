import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.studies.cost_model import CostModel, makespan_s, representatives, transfer
from psa_tui.studies.grids import Shape, parse_grid


def true_cost(shape):
    """A machine whose cost is made of the model's own terms."""
    return 0.002 + 3e-7 * 784 * shape.width + 6e-7 * (shape.parameters - 784 * shape.width) + 4e-4 * shape.depth


def test_a_machine_that_is_as_the_model_says_is_predicted_exactly():
    grid = parse_grid("published")
    model = CostModel({shape: true_cost(shape) for shape in representatives(grid, 12)})
    assert [model.predict(shape) for shape in grid] == pytest.approx([true_cost(shape) for shape in grid], rel=1e-6)
    assert model.errors == pytest.approx((0, 0), abs=1e-6)


def test_a_measured_shape_costs_what_was_measured_and_colours_its_neighbours():
    grid = parse_grid("published")
    costs = {shape: true_cost(shape) for shape in representatives(grid, 12)}
    odd = max(costs, key=lambda shape: shape.depth)
    model = CostModel({**costs, odd: 3 * costs[odd]})
    assert model.predict(odd) == 3 * costs[odd]
    median, worst = model.errors
    assert 0 <= median < worst
    assert worst > 0.5


def test_few_measurements_state_no_error_and_still_predict():
    model = CostModel({Shape(1, 8): 0.01})
    assert math.isnan(model.errors[0])
    assert 0 < model.predict(Shape(2, 8)) < 0.1


@given(
    st.dictionaries(
        st.builds(Shape, st.integers(1, 3000), st.integers(1, 3000)), st.floats(1e-4, 1e3), min_size=1, max_size=6
    ),
    st.builds(Shape, st.integers(1, 3000), st.integers(1, 3000)),
)
def test_every_prediction_is_positive_and_finite(measured, shape):
    predicted = CostModel(measured).predict(shape)
    assert 0 < predicted < math.inf


def test_a_ratio_moves_to_the_shapes_that_are_near():
    ratios = {Shape(1, 1000): 1.0, Shape(1000, 1): 4.0}
    assert transfer(ratios, Shape(1, 1000)) == pytest.approx(1, rel=1e-6)
    assert transfer(ratios, Shape(30, 30)) == pytest.approx(2, rel=1e-6)
    assert 3 < transfer(ratios, Shape(800, 1)) < 4


def test_the_representatives_are_far_apart_and_the_largest_comes_first():
    grid = parse_grid("published")
    chosen = representatives(grid, 5)
    assert chosen[0] == max(grid, key=lambda shape: shape.parameters)
    assert {Shape(2048, 1), Shape(1, 1)} <= set(chosen)
    assert len(representatives(grid[:3], 5)) == 3


def test_free_workers_take_the_longest_cell_that_is_left():
    assert makespan_s([1, 5, 2, 2], 1) == 10
    assert makespan_s([1, 5, 2, 2], 2) == 5
    assert makespan_s([1, 5, 2, 2], 9) == 5
