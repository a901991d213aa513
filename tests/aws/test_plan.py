from datetime import UTC, datetime
from decimal import Decimal

import pytest

from psa_tui.aws.bucket import Archive
from psa_tui.aws.jobs import parse_job
from psa_tui.aws.plan import LaunchPlan, divide, existing_jobs, money
from psa_tui.aws.training_jobs import TrainingJob
from psa_tui.errors import ConfigError

CELL = ("8*8", "none")
NAME = "psa-8x8-none-2026010{}-000000"


def listed(day, status):
    return TrainingJob(parse_job(NAME.format(day)), status, "", datetime(2026, 1, day, tzinfo=UTC), None)


def archive(day):
    return Archive(parse_job(NAME.format(day)), "key", 1, "etag")


def plan(spot=False, cells=3):
    return LaunchPlan(
        cells=(CELL,) * cells,
        existing=(),
        instance_type="ml.g4dn.xlarge",
        spot=spot,
        max_run_s=3300,
        price_usd_per_hour=Decimal("0.7"),
    )


def test_the_most_a_plan_can_cost_counts_every_job_to_its_last_second():
    assert plan().max_billed_s == 3600
    assert plan().max_cost_usd == Decimal("2.1")
    assert plan(spot=True).max_billed_s == 6900
    assert money(Decimal("1234.561")) == "1,234.57 USD"


def test_a_limit_refuses_a_plan_that_can_cost_more_and_only_that():
    plan().check_cost(None)
    plan().check_cost(Decimal("2.1"))
    with pytest.raises(
        ConfigError, match=r"3 jobs can cost 2\.10 USD, above --max-cost 2\.09 USD; nothing was launched"
    ):
        plan().check_cost(Decimal("2.09"))


@pytest.mark.parametrize(
    ("jobs", "archives", "state"),
    [
        ([], [], None),
        ([listed(1, "Completed")], [], "complete"),
        ([listed(1, "InProgress")], [], "InProgress"),
        ([listed(1, "Stopping")], [], "Stopping"),
        ([listed(1, "Failed"), listed(2, "Stopped")], [], None),
        ([listed(2, "Failed"), listed(1, "Completed")], [], "complete"),
        ([listed(2, "Completed"), listed(1, "InProgress")], [], "InProgress"),
        ([], [archive(1)], "complete"),
        ([listed(1, "Stopped")], [archive(1)], None),
        ([listed(1, "Stopped")], [archive(1), archive(2)], "complete"),
    ],
)
def test_a_complete_or_active_job_stands_for_its_cell_and_no_other_does(jobs, archives, state):
    existing = existing_jobs(jobs, archives)
    assert (existing[CELL].state if existing else None) == state
    other = ("8*8", "full")
    to_do, done = divide([CELL, other], existing)
    assert to_do == ((other,) if state else (CELL, other))
    assert [cell for cell, _ in done] == ([CELL] if state else [])
