import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.studies.cost_model import CostModel, makespan_s, representatives, transfer
from psa_tui.studies.grids import parse_grid, parse_network


def true_cost(network):
    """A machine whose cost is made of the model's own terms."""
    first = 784 * network.width
    return 0.002 + 3e-7 * first + 6e-7 * (network.parameters - first) + 4e-4 * network.depth


def networks():
    return st.builds(lambda depth, width: parse_network(f"{depth}*{width}"), st.integers(1, 3000), st.integers(1, 3000))


def test_a_machine_that_is_as_the_model_says_is_predicted_exactly():
    grid = parse_grid("published")
    model = CostModel({network: true_cost(network) for network in representatives(grid, 12)})
    assert [model.predict(network) for network in grid] == pytest.approx(
        [true_cost(network) for network in grid], rel=1e-6
    )
    assert model.errors == pytest.approx((0, 0), abs=1e-6)


def test_a_measured_network_costs_what_was_measured_and_colours_its_neighbours():
    grid = parse_grid("published")
    costs = {network: true_cost(network) for network in representatives(grid, 12)}
    odd = max(costs, key=lambda network: network.depth)
    model = CostModel({**costs, odd: 3 * costs[odd]})
    assert model.predict(odd) == 3 * costs[odd]
    median, worst = model.errors
    assert 0 <= median < worst
    assert worst > 0.5


def test_few_measurements_state_no_error_and_still_predict():
    model = CostModel({parse_network("1*8"): 0.01})
    assert math.isnan(model.errors[0])
    assert 0 < model.predict(parse_network("2*8")) < 0.1


@given(
    st.dictionaries(networks(), st.floats(1e-4, 1e3), min_size=1, max_size=6),
    networks(),
)
def test_every_prediction_is_positive_and_finite(measured, network):
    predicted = CostModel(measured).predict(network)
    assert 0 < predicted < math.inf


def test_a_ratio_moves_to_the_shapes_that_are_near():
    ratios = {(1, 1000): 1.0, (1000, 1): 4.0}
    assert transfer(ratios, (1, 1000)) == pytest.approx(1, rel=1e-6)
    assert transfer(ratios, (30, 30)) == pytest.approx(2, rel=1e-6)
    assert 3 < transfer(ratios, (800, 1)) < 4


def test_the_representatives_are_far_apart_and_the_largest_comes_first():
    grid = parse_grid("published")
    chosen = representatives(grid, 5)
    assert chosen[0] == max(grid, key=lambda network: network.parameters)
    assert {parse_network("2048*1"), parse_network("1*1")} <= set(chosen)
    assert len(representatives(grid[:3], 5)) == 3


def test_free_workers_take_the_longest_cell_that_is_left():
    assert makespan_s([1, 5, 2, 2], 1) == 10
    assert makespan_s([1, 5, 2, 2], 2) == 5
    assert makespan_s([1, 5, 2, 2], 9) == 5
