import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.errors import ConfigError
from psa_tui.studies.grids import Shape, parse_grid, parse_shape

SHAPES = st.builds(Shape, st.integers(1, 999_999), st.integers(1, 999_999))


@given(SHAPES)
def test_a_shape_reads_back_what_it_writes_and_counts_its_parameters_by_the_formula(shape):
    assert parse_shape(str(shape)) == shape
    depth, width = shape.depth, shape.width
    assert shape.parameters == 784 * width + width + (depth - 1) * (width**2 + width) + 10 * width + 10


@pytest.mark.parametrize(
    "text", ["", "8", "8*", "*8", "8x8", "0*8", "8*08", "8*-1", "[8*8]", "８*8", "8*8*8", "1000000*1"]
)
def test_anything_else_is_no_shape(text):
    with pytest.raises(ConfigError, match="LAYERS\\*NEURONS"):
        parse_shape(text)


def test_the_grids_of_both_studies_ship_with_the_package():
    first, published = parse_grid("first"), parse_grid("published")
    assert (len(first), len(published)) == (59, 98)
    assert set(first) < set(published)
    assert Shape(1, 2048) in first


def test_a_grid_is_an_inline_list_or_a_file_with_comments(tmp_path):
    file = tmp_path / "grid.txt"
    file.write_text("# square\n8*8, 18*18  # both chaotic\n\n1*4\n")
    expected = (Shape(8, 8), Shape(18, 18), Shape(1, 4))
    assert parse_grid(str(file)) == parse_grid("8*8,18*18, 1*4") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("8*8,8*8", "there twice"),
        ("8*8,x*1", "line 1: shape"),
        ("no/such/file", "cannot be read"),
        (",*", "shape"),
    ],
)
def test_a_bad_grid_is_named(text, said):
    with pytest.raises(ConfigError, match=said):
        parse_grid(text)


def test_a_file_without_shapes_is_no_grid(tmp_path):
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(ConfigError, match="no shapes"):
        parse_grid(str(tmp_path / "empty"))
