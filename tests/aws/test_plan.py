from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from psa_tui.aws.bucket import Archive
from psa_tui.aws.jobs import parse_job
from psa_tui.aws.launch_journal import AgainOrder
from psa_tui.aws.plan import Existing, LaunchPlan, divide, existing_jobs, money, plan_lines
from psa_tui.aws.study import sagemaker_study
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
        ([], [archive(1), archive(2)], "complete"),
        ([listed(1, "Stopped")], [archive(1)], None),
        ([listed(1, "Stopped")], [archive(1), archive(2)], "complete"),
    ],
)
def test_a_complete_or_active_job_stands_for_its_cell_and_no_other_does(jobs, archives, state):
    existing = existing_jobs(jobs, archives)
    assert (existing[CELL].state if existing else None) == state
    other = ("8*8", "full")
    to_do, done = divide([CELL, other], existing)
    assert list(to_do) == ([other] if state else [CELL, other])
    assert list(done) == ([CELL] if state else [])


def test_a_cell_is_launched_once_however_often_it_is_named_and_for_the_newest_of_its_complete_jobs():
    assert divide([CELL, CELL], {}) == ({CELL: None}, {})
    existing = existing_jobs([listed(2, "Completed"), listed(1, "Completed")], [archive(3), archive(1)])
    assert divide([CELL, CELL], existing, again=True) == ({CELL: NAME.format(3)}, {})
    assert divide([CELL], existing_jobs([listed(4, "Stopping"), listed(1, "Completed")], []), again=True)[0] == {}


@pytest.mark.parametrize("jobs", [[], *([listed(2, status)] for status in ("Completed", "Failed", "InProgress"))])
def test_a_cell_launched_under_an_open_order_is_passed_over_whatever_became_of_its_job(jobs):
    left, unasked, new = ("9*9", "none"), ("10*10", "none"), ("11*11", "none")
    order = AgainOrder("command", "here", "2026-01-01T00:00:00+00:00", (left,), (NAME.format(2),))
    existing = existing_jobs(jobs, []) | {cell: Existing("job", "complete") for cell in (left, unasked)}
    to_do, done = divide([CELL, left, unasked, new], existing, again=True, order=order)
    assert to_do == {left: "job", new: None}
    assert (done[CELL].job, done[unasked].state) == (NAME.format(2), "complete")


def test_what_is_paid_again_is_named_cell_by_cell_and_in_few_lines_where_there_are_many():
    spec = sagemaker_study("s", "published", None, 10, 100, 0)
    cells = [(network.short_name, variant.name) for network in spec.networks for variant in spec.variants]
    few = replace(plan(), replaces=dict.fromkeys(cells[:2], "job"))
    assert plan_lines(few, spec)[5:] == [
        "again     2 complete cells paid again, at most 1.40 USD:",
        f"          {cells[0][0]} none: job",
        f"          {cells[0][0]} decay: job",
    ]
    assert few.summary == "3 jobs on ml.g4dn.xlarge, at most 2.10 USD, 2 of them for complete cells"
    many = plan_lines(replace(plan(), replaces=dict.fromkeys(cells[1:], "job")), spec)[5:]
    assert many[0].endswith("587 complete cells paid again, at most 410.90 USD (--dry-run names the jobs):")
    assert len(many) == 3
    named = {
        (shape, mode)
        for line in many[1:]
        for modes, shapes in [line.strip().split(": ")]
        for shape in shapes.split(", ")
        for mode in modes.split(", ")
    }
    assert named == set(cells[1:])
