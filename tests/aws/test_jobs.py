import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.aws.jobs import MOST_CHARACTERS, architecture_of, by_size, cell_of, job_name, newest, parse_job
from psa_tui.errors import ConfigError
from psa_tui.method.variants import NONE, PUBLISHED
from psa_tui.studies.grids import parse_network

WHEN = datetime(2025, 8, 1, 12, 34, 56, tzinfo=UTC)


@given(st.integers(1, 999_999), st.integers(1, 999_999), st.sampled_from(PUBLISHED), st.datetimes(datetime(1000, 1, 1)))
def test_a_name_that_is_made_is_read_back_and_fits(depth, width, variant, when):
    when = when.replace(microsecond=0, tzinfo=UTC)
    cell = (f"{depth}*{width}", variant.name)
    name = job_name(cell, when)
    found = parse_job(name)
    assert len(name) <= MOST_CHARACTERS
    assert (found.cell, found.created, found.name) == (cell, when, name)


def test_a_further_variant_and_a_network_of_several_groups_have_jobs_too():
    cell = (parse_network("[4*4, 2*8]").short_name, "every-third")
    name = job_name(cell, WHEN)
    assert name == "psa-4x4-2x8-every-third-20250801-123456"
    assert parse_job(name).cell == cell == ("[4*4,2*8]", "every-third")


@pytest.mark.parametrize(
    "cell",
    [
        *(("8*8", mode) for mode in ("output+2nd", "output/x", "output--x", "output-", "x" * 50, "third-1", "a+" * 19)),
        ("blocks=2", "none"),
        ("mine.py:build é", "none"),
        ("mine.py:build \x1b[2J", "none"),
        ("mine.py:build " + "x" * 40, "none"),
    ],
)
def test_what_cannot_stand_in_a_name_is_refused_in_a_line(cell):
    with pytest.raises(ConfigError, match="a job's name cannot hold that") as refused:
        job_name(cell, WHEN)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("network", "written"),
    [
        ("resmlp 8*8", "0resmlp-8--2a8"),
        ("resmlp [4*4,2*8]", "0resmlp---5b4--2a4--2c2--2a8--5d"),
        ("resmlp-published 8*8", "0resmlp--2dpublished-8--2a8"),
        ("convnet 16,32", "0convnet-16--2c32"),
        ("m_1.py:b deep-2 x", "0m--5f1--2epy--3ab-deep--2d2--20x"),
    ],
)
def test_a_network_of_another_family_is_in_the_name_with_its_family(network, written):
    for mode in ("full", "a+b"):
        cell = (network, mode)
        name = job_name(cell, WHEN)
        assert name == f"psa-{written}-{mode.replace('+', '--')}-20250801-123456"
        assert re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
        assert parse_job(name).cell == cell
        assert architecture_of(parse_job(name).shape) == network.split(" ", 1)[1]


def test_a_cell_has_the_family_of_its_network_where_there_are_several():
    shapes = [cell_of(parse_network("8*8", family=family), NONE)[0] for family in ("mlp", "resmlp", "resmlp-published")]
    assert shapes == ["8*8", "resmlp 8*8", "resmlp-published 8*8"]
    assert [architecture_of(shape) for shape in shapes] == ["8*8"] * 3


@pytest.mark.parametrize("stem", ["0mine--1b-4", "0mine-4--0a", "0mi--20ne-4", "0mine--ff-4", "0mine4", "0mine-4--2"])
def test_a_strangers_name_never_brings_what_drives_a_terminal(stem):
    assert parse_job(f"psa-{stem}-none-20250801-123456") is None


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        ("output+dropout", "output--dropout"),
        ("output+with=dropout,decay", "output--with--1dropout--3decay"),
        ("full+amount=10%", "full--amount--110--5"),
        ("output+promote=patience:2", "output--promote--1patience--22"),
        ("every-third+ablate=unit:2.3", "every-third--ablate--1unit--22--43"),
        ("my_own+anneal:0.1,0.5", "my--6own--anneal--20--41--30--45"),
    ],
)
def test_a_mode_with_signs_is_written_with_dashes_and_digits_and_read_back(mode, written):
    name = job_name(("8*8", mode), WHEN)
    assert name == f"psa-8x8-{written}-20250801-123456"
    # What SageMaker allows.
    assert re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert parse_job(name).cell == ("8*8", mode)


@given(st.lists(st.sampled_from(["a", "9", "b-c", *"+=:,.%_"]), max_size=14).map("".join))
def test_no_two_modes_have_one_name(tail):
    cell = ("8*8", f"m{tail}")
    try:
        name = job_name(cell, WHEN)
    except ConfigError:
        return
    assert parse_job(name).cell == cell


def test_cells_are_sorted_by_the_numbers_in_their_shapes():
    cells = [("18*18", "none"), ("[2*3,1*4]", "full"), ("2*3", "output"), ("2*3", "full"), ("8*8", "none")]
    assert sorted(cells, key=by_size) == [cells[3], cells[2], cells[1], cells[4], cells[0]]


@pytest.mark.parametrize(
    "stamp",
    [
        "20250801-123456",
        "20250801123456",
        "2025-08-01-12-34-56",
        "2025-08-01-12-34-56-000",
        "1754051696",
        "1754051696000",
    ],
)
def test_a_time_is_read_in_every_form_it_has(stamp):
    assert parse_job(f"psa-18x18-none-{stamp}").created == WHEN


@pytest.mark.parametrize(
    "name",
    [
        "psa-18x18-none",
        "psa-18x18-none-",
        "psa-18x18-none-yesterday",
        "psa-18x18-none-20251301-000000",
        "psa-18x18-none-20250801-250000",
        "psa-018x18-none-20250801-123456",
        "psa-0x18-none-20250801-123456",
        "psa-18x18-pruned!-20250801-123456",
        "psa-18x18-1none-20250801-123456",
        "xpsa-18x18-none-20250801-123456",
        "psa-18x18-none-20250801-123456\n",
        "psa-١٨x18-none-20250801-123456",
        "psa-18x18-none-20250801-123456" + "0" * 40,
    ],
)
def test_other_names_are_no_jobs(name):
    assert parse_job(name) is None


@given(st.text(max_size=80))
def test_any_text_is_read_or_is_no_job(text):
    assert parse_job(text) is None
    parse_job(f"psa-2x2-none-{text}")


def test_the_newest_job_of_a_cell_is_by_time_not_by_text():
    names = [
        "psa-2x2-none-9999999999",
        "psa-2x2-none-20250801-000000",
        "psa-2x2-none-2025-08-02-00-00-00",
        "psa-2x2-full-1754049600",
    ]
    jobs = [parse_job(name) for name in names[1:]]
    assert {job.name for job in newest(jobs).values()} == {names[2], names[3]}
    assert newest([*jobs, parse_job(names[0])])[jobs[0].cell].name == names[0]
