import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.errors import ConfigError
from psa_tui.method.variants import FIRST_STUDY, PUBLISHED
from psa_tui.studies.grids import file_stem, parse_grid, parse_modes, parse_network

GROUPS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=4)


@given(GROUPS)
def test_a_network_reads_back_from_the_name_it_has_in_tables(groups):
    network = parse_network(",".join(f"{count}*{width}" for count, width in groups))
    assert parse_network(network.short_name) == network
    assert parse_grid(network.short_name) == (network,)


@given(GROUPS, GROUPS)
def test_file_names_are_safe_and_tell_networks_apart(one, other):
    names = [",".join(f"{count}*{width}" for count, width in groups) for groups in (one, other)]
    networks = [parse_network(name) for name in names]
    stems = [file_stem(network) for network in networks]
    assert all(re.fullmatch(r"[0-9]+x[0-9]+(-[0-9]+x[0-9]+)*", stem) for stem in stems)
    assert (stems[0] == stems[1]) == (networks[0] == networks[1])


def test_file_names_of_l_by_w_networks_are_as_they_were_and_long_ones_are_cut():
    assert file_stem(parse_network("18*18")) == "18x18"
    assert file_stem(parse_network("[4*4, 2*8]")) == "4x4-2x8"
    long = ",".join(f"1*{width}" for width in range(1, 40))
    assert len(file_stem(parse_network(long))) < 100
    assert file_stem(parse_network(long)) != file_stem(parse_network(f"{long},1*77"))


@pytest.mark.parametrize("text", ["", "8", "8*", "*8", "8x8", "0*8", "8*08", "8*-1", "８*8", "8*8*8", "[8*8"])
def test_anything_else_is_no_network(text):
    with pytest.raises(ConfigError, match="layers\\*neurons"):
        parse_network(text)


def test_the_grids_of_both_studies_ship_with_the_package():
    first, published = parse_grid("first"), parse_grid("published")
    assert (len(first), len(published)) == (59, 98)
    assert set(first) < set(published)
    assert parse_network("1*2048") in first


def test_a_grid_is_an_inline_list_or_a_file_with_comments(tmp_path):
    file = tmp_path / "grid.txt"
    file.write_text("# square\n8*8, 18*18  # both chaotic\n\n1*4\n[4*4, 2*8]\n")
    expected = tuple(map(parse_network, ("8*8", "18*18", "1*4", "[4*4, 2*8]")))
    assert parse_grid(str(file)) == parse_grid("8*8,18*18, 1*4,[4*4, 2*8]") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("8*8,8*8", "8\\*8 is there twice"),
        ("[4*4,4*4],8*4", "8\\*4 is there twice"),
        ("8*8,x*1", "--grid, line 1: architecture"),
        ("no/such/file", "cannot be read"),
        (",*", "architecture"),
        ("8*8,[4*4", "expected ',' or '\\]'"),
    ],
)
def test_a_bad_grid_is_named(text, said):
    with pytest.raises(ConfigError, match=said):
        parse_grid(text)


def test_a_file_without_shapes_is_no_grid(tmp_path):
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(ConfigError, match="no shapes"):
        parse_grid(str(tmp_path / "empty"))


def test_a_family_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="no network 'cathedral', expected one of mlp"):
        parse_grid("8*8", family="cathedral")


def test_modes_are_those_of_the_grid_or_any_that_are_named_published_ones_first():
    assert parse_modes(None, "first") == FIRST_STUDY
    assert parse_modes(None, "8*8") == parse_modes(None, None) == PUBLISHED
    assert [variant.name for variant in parse_modes("output+strict, output,none", "first")] == [
        "none",
        "output",
        "output+strict",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("none,nois", "expected one of none, decay"),
        ("none,none", "'none' is there twice"),
        ("output+nothing", "no promotion rule 'nothing'"),
        ("", "expected one of none, decay"),
    ],
)
def test_bad_modes_are_named(text, said):
    with pytest.raises(ConfigError, match=f"--modes: {said}"):
        parse_modes(text, None)
