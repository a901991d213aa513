import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.method.ablation import AblatedUnit
from psa_tui.runs.ablation_statistics import (
    GAIN_BINS,
    GAIN_EDGES,
    AblationStatistics,
    Tally,
    gain_bin,
    wilson_interval,
)

LAYERS, UNITS = 3, 4
one_unit = st.builds(
    AblatedUnit,
    layer=st.integers(0, LAYERS - 1),
    unit=st.integers(0, UNITS - 1),
    incoming=st.just(1),
    outgoing=st.just(1),
    dead=st.booleans(),
)
loops = st.lists(
    st.tuples(
        st.lists(one_unit, max_size=5, unique_by=lambda unit: (unit.layer, unit.unit)),
        st.booleans(),
        st.none() | st.integers(-1000, 1000).map(lambda correct: correct / 1000),
    ),
    max_size=40,
)


def statistics_of(run):
    statistics = AblationStatistics()
    for units, promoted, gain in run:
        statistics.fold(units, promoted, gain)
    return statistics


def numbers(tally):
    counts = (tally.ablated, tally.promoted, tally.dead, tally.survived, tally.compared)
    return (*counts, pytest.approx(tally.gained, abs=1e-9))


def expected(hit, alive, promoted, gain):
    """The numbers of a tally by NumPy: ``hit`` and ``alive`` [loops], of the place; None where it was never hit."""
    known = alive & np.isfinite(gain)
    columns = (hit, hit & promoted, hit & ~alive, hit & alive & promoted, known)
    return (*(int(column.sum()) for column in columns), float(gain[known].sum())) if hit.any() else None


@given(run=loops, seed=st.integers(0, 99), cut=st.integers(0, 40))
def test_any_order_and_any_division_of_the_loops_gives_the_sums_that_numpy_gives(run, seed, cut):
    shuffled = random.Random(seed).sample(run, len(run))
    statistics = statistics_of(shuffled[:cut])
    rows = json.loads(json.dumps(statistics_of(shuffled[cut:]).as_rows()))
    statistics.merge(AblationStatistics.from_rows(rows))

    hit, alive = np.zeros((2, len(run), LAYERS, UNITS), dtype=bool)
    for loop, (units, _, _) in enumerate(run):
        for unit in units:
            hit[loop, unit.layer, unit.unit] = True
            alive[loop, unit.layer, unit.unit] = not unit.dead
    promoted = np.array([promoted for _, promoted, _ in run], dtype=bool)
    gain = np.array([np.nan if gain is None else gain for _, _, gain in run], dtype=float)

    for layer in range(LAYERS):
        for unit in range(UNITS):
            found = statistics.units.get((layer, unit))
            assert (found and numbers(found)) == expected(hit[:, layer, unit], alive[:, layer, unit], promoted, gain)
        found = statistics.layers.get(layer)
        assert (found and numbers(found)) == expected(hit[:, layer].any(1), alive[:, layer].any(1), promoted, gain)
    every = expected(hit.any((1, 2)), alive.any((1, 2)), promoted, gain)
    assert numbers(statistics.every) == (every or numbers(Tally()))
    untouched = ~hit.any((1, 2)) & np.isfinite(gain)
    assert numbers(statistics.untouched) == (
        expected(untouched, untouched, promoted, gain) if untouched.any() else numbers(Tally())
    )
    edges = np.array([-np.inf, *(-edge for edge in GAIN_EDGES[::-1]), *GAIN_EDGES, np.inf])
    for bins, chosen in ((statistics.promoted_gains, promoted), (statistics.rolled_back_gains, ~promoted)):
        points = np.round(100 * gain[chosen & np.isfinite(gain)], 6)
        # A loss that lies on an edge belongs to the bin further down, a gain to the one further up.
        assert bins == np.histogram(points + 1e-7 * np.sign(points), edges)[0].tolist()


@given(st.floats(0, 1))
def test_bins_of_gains_are_the_same_up_and_down(gain):
    assert gain_bin(gain) + gain_bin(-gain) == GAIN_BINS - 1
    assert gain_bin(gain) >= gain_bin(0.0) == len(GAIN_EDGES)


def test_a_gain_that_is_an_edge_but_for_rounding_belongs_to_the_bin_that_begins_there():
    assert 0.29 - 0.28 < 0.01
    assert gain_bin(0.29 - 0.28) == gain_bin(0.01) == len(GAIN_EDGES) + 1 + GAIN_EDGES.index(1.0)


def test_the_size_depends_on_the_units_and_not_on_the_loops():
    unit = AblatedUnit(layer=0, unit=3, incoming=1, outgoing=1)
    few, many = (statistics_of([((unit,), False, 0.001 * (loop % 7))] * loop) for loop in (10, 5000))
    assert [len(row) for row in few.as_rows()] == [len(row) for row in many.as_rows()]


def test_survival_is_that_of_loops_that_ablated_something_alive_and_chance_that_of_all_that_ablated():
    alive, dead = (AblatedUnit(layer=0, unit=1, incoming=1, outgoing=1, dead=dead) for dead in (False, True))
    run = [
        ((alive,), True, 0.1),
        ((alive,), False, -0.2),
        ((alive,), False, 0.0),
        ((dead,), True, 0.3),
        ((), True, 0.1),
    ]
    statistics = statistics_of([*run, ((), True, None)])
    unit = statistics.units[0, 1]
    assert (unit.ablated, unit.alive, unit.survival, unit.mean_gain) == (4, 3, 1 / 3, pytest.approx(-0.1 / 3))
    assert statistics.chance == 2 / 4
    assert (statistics.untouched.ablated, statistics.untouched.promoted) == (1, 1)
    assert (Tally().survival, Tally().survival_interval, Tally().mean_gain, AblationStatistics().chance) == (None,) * 4


@given(trials=st.integers(1, 5000), data=st.data())
def test_the_interval_of_a_rate_ends_where_the_rate_is_as_far_away_as_chance_leads(trials, data):
    """Wilson's interval has the rates whose own standard error the observed one is at most 1.96 of away."""
    successes = data.draw(st.integers(0, trials))
    interval = wilson_interval(successes, trials)
    for end, outermost in ((interval.low, 0), (interval.high, trials)):
        away = abs(successes / trials - end)
        assert away**2 == pytest.approx(1.959964**2 * end * (1 - end) / trials, rel=1e-6, abs=1e-12)
        assert away > 1e-9 or successes == outermost
    assert 0 <= interval.low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= interval.high <= 1


def test_the_interval_of_few_trials_is_that_of_the_tables():
    assert wilson_interval(1, 1) == pytest.approx((0.2065, 1), abs=5e-5)
    assert wilson_interval(0, 10) == pytest.approx((0, 0.2775), abs=5e-5)
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)
