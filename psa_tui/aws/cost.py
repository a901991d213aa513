"""What jobs have cost: billable seconds, as SageMaker counts them, times the price of their instance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from psa_tui.aws.jobs import Cell, by_size, parse_job
from psa_tui.aws.pricing import cost_usd
from psa_tui.aws.training_jobs import JobDetails


@dataclass(frozen=True, slots=True)
class JobCost:
    """One job's part of the bill; spot savings are in the billable seconds already."""

    name: str
    cell: Cell
    status: str
    instance_type: str
    spot: bool
    training_s: int | None
    billable_s: int | None
    """None while the job runs: SageMaker counts at the end."""
    usd: Decimal
    """0 while the job runs."""


@dataclass(frozen=True, slots=True)
class CostReport:
    """What a number of jobs cost."""

    jobs: tuple[JobCost, ...]

    @property
    def usd(self) -> Decimal:
        """The sum over all jobs that have ended."""
        return sum((job.usd for job in self.jobs), Decimal(0))

    @property
    def billable_s(self) -> int:
        """The seconds charged for, of all jobs that have ended."""
        return sum(job.billable_s or 0 for job in self.jobs)

    @property
    def uncounted(self) -> list[str]:
        """The jobs whose cost is not known yet."""
        return [job.name for job in self.jobs if job.billable_s is None]

    def by_cell(self) -> dict[Cell, Decimal]:
        """Return the cost of each shape and mode that has a job that ended, all of those together, ordered by shape."""
        sums: dict[Cell, Decimal] = {}
        for job in (job for job in self.jobs if job.billable_s is not None):
            sums[job.cell] = sums.get(job.cell, Decimal(0)) + job.usd
        return dict(sorted(sums.items(), key=lambda entry: by_size(entry[0])))


def cost_report(details: Sequence[JobDetails], prices: Callable[[str], Decimal]) -> CostReport:
    """Return the cost of the jobs in ``details``; ``prices`` gives the US dollars an hour of an instance type."""
    return CostReport(tuple(_costs(details, prices)))


def _costs(details: Iterable[JobDetails], prices: Callable[[str], Decimal]) -> Iterable[JobCost]:
    for found in details:
        job = parse_job(found.name)
        assert job is not None, "only jobs with a name of this program are described"
        usd = cost_usd(found.billable_s, prices(found.instance_type)) if found.billable_s else Decimal(0)
        yield JobCost(
            found.name, job.cell, found.status, found.instance_type, found.spot, found.training_s, found.billable_s, usd
        )
