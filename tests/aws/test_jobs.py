from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.aws.jobs import MOST_CHARACTERS, job_name, newest, parse_job
from psa_tui.method.variants import AblationMode
from psa_tui.studies.grids import Shape

WHEN = datetime(2025, 8, 1, 12, 34, 56, tzinfo=UTC)


@given(
    st.integers(1, 999_999), st.integers(1, 999_999), st.sampled_from(AblationMode), st.datetimes(datetime(1000, 1, 1))
)
def test_a_name_that_is_made_is_read_back_and_fits(depth, width, mode, when):
    when = when.replace(microsecond=0, tzinfo=UTC)
    name = job_name(Shape(depth, width), mode, when)
    found = parse_job(name)
    assert len(name) <= MOST_CHARACTERS
    assert (found.shape, found.mode, found.created, found.name) == (Shape(depth, width), mode, when, name)


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
        "psa-18x18-pruned-20250801-123456",
        "psa-18x18-NONE-20250801-123456",
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
