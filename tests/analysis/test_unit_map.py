import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.analysis.unit_map import UnitMap

counts = st.lists(st.integers(1, 300), min_size=1, max_size=60)
sizes = {"columns": st.integers(3, 120), "rows": st.integers(1, 50), "widest": st.integers(1, 4)}


def every_unit(unit_counts):
    return [(layer, unit) for layer, count in enumerate(unit_counts) for unit in range(count)]


@given(unit_counts=counts, **sizes)
def test_every_unit_has_one_mark_within_the_map_that_says_it_stands_for_it(unit_counts, columns, rows, widest):
    layout = UnitMap.fitting(unit_counts, columns, rows, widest)
    found = {}
    for layer, unit in every_unit(unit_counts):
        column, row = layout.position(layer, unit)
        assert 0 <= column <= columns - layout.mark_width
        assert 0 <= row < rows
        layers, units = layout.marked(column, row)
        assert layer in layers
        assert unit in units
        found.setdefault((column, row), []).append((layer, unit))
    assert {position: len(units) for position, units in found.items()} == {
        position: layout.units_at(*position) for position in found
    }
    assert set(found) == {(column, row) for column, height in layout.heights.items() for row in range(height)}
    marked = {(column, row) for column in range(-1, columns + 1) for row in range(-1, rows + 1)}
    assert {position for position in marked if layout.marked(*position)} == {
        (column + more, row) for column, row in found for more in range(layout.mark_width)
    }


@given(unit_counts=counts, **sizes)
def test_no_map_of_the_same_size_has_fewer_units_a_mark(unit_counts, columns, rows, widest):
    layout = UnitMap.fitting(unit_counts, columns, rows, widest)
    finer = layout.units_a_mark - 1
    if layout.shares_columns:
        assert 2 * len(unit_counts) - 1 > columns
        assert max(unit_counts) <= layout.units_a_mark * rows
    elif finer:
        assert sum(-(-count // (rows * finer)) for count in unit_counts) + len(unit_counts) - 1 > columns


@given(unit_counts=counts, **sizes)
def test_layers_stand_in_order_and_the_output_layer_has_its_own_column(unit_counts, columns, rows, widest):
    starts = UnitMap.fitting(unit_counts, columns, rows, widest).starts
    assert list(starts) == sorted(starts)
    assert starts.count(starts[-1]) == 1


@given(unit_counts=counts, steps=st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3))), data=st.data(), **sizes)
def test_a_cursor_stays_on_the_map_whatever_the_steps(unit_counts, steps, data, columns, rows, widest):
    layout = UnitMap.fitting(unit_counts, columns, rows, widest)
    cursor = data.draw(st.sampled_from(every_unit(unit_counts)))
    for across, down in steps:
        cursor = layout.step(*cursor, across, down)
        assert layout.knows(*cursor)


def test_a_cursor_steps_from_mark_to_mark_and_over_the_gaps():
    layout = UnitMap.fitting((12, 2), 40, 5)
    assert layout.heights == {0: 5, 1: 5, 2: 2, 4: 2}
    assert [layout.step(0, 0, across, down) for across, down in ((1, 0), (2, 1), (3, 1), (9, 9), (0, 1), (-1, -1))] == [
        *((0, 5), (0, 11), (1, 1), (1, 1), (0, 1), (0, 0)),
    ]


@pytest.mark.parametrize(
    ("unit_counts", "columns", "rows", "units_a_mark", "starts"),
    [
        ((8, 8, 6, 10), 43, 11, 1, (0, 2, 4, 6)),
        ((1024, 10), 43, 18, 2, (0, 30)),
        ((4,) * 5, 7, 10, 1, (0, 0, 2, 4, 6)),
        ((100, 10), 3, 4, 25, (0, 2)),
    ],
)
def test_wide_layers_take_several_columns_before_marks_stand_for_several_units(
    unit_counts, columns, rows, units_a_mark, starts
):
    layout = UnitMap.fitting(unit_counts, columns, rows)
    assert (layout.units_a_mark, layout.starts) == (units_a_mark, starts)


@pytest.mark.parametrize(("columns", "width"), [(7, 1), (10, 1), (11, 2), (14, 2), (15, 3), (60, 3)])
def test_marks_are_as_wide_as_there_is_room_for_all_of_them(columns, width):
    layout = UnitMap.fitting((8, 8, 6, 10), columns, 10, 3)
    assert (layout.mark_width, layout.starts) == (width, tuple(range(0, 4 * width + 4, width + 1)))


def test_a_unit_that_the_network_lacks_is_not_known():
    layout = UnitMap.fitting((4, 2), 9, 9)
    assert [layout.knows(*unit) for unit in ((0, 3), (1, 1), (0, 4), (2, 0), (-1, 0), (0, -1))] == [True] * 2 + [
        False
    ] * 4
