"""What a launch would do, before anything is done: which jobs, on what, for how long and for how much at most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from typing import Any

from psa_tui.aws.bucket import Archive, list_archives
from psa_tui.aws.jobs import Cell, job_name
from psa_tui.aws.pricing import cost_usd
from psa_tui.aws.settings import LONGEST_RUN_S, AwsSettings
from psa_tui.aws.training_jobs import COMPLETED, TrainingJob, training_jobs
from psa_tui.errors import ConfigError
from psa_tui.formatting import duration
from psa_tui.studies.spec import StudySpec

WIND_DOWN_S = 300
"""Allowed on top of a job's maximum seconds: SageMaker sends TERM when they are over, waits two minutes, uploads."""
_MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Existing:
    """Why a cell needs no job: the one that is there already."""

    job: str
    state: str
    """``complete``, or SageMaker's word for a job that is active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """Cells to launch, one job each, and the bounds of what that can cost."""

    cells: tuple[Cell, ...]
    existing: tuple[tuple[Cell, Existing], ...]
    instance_type: str
    spot: bool
    max_run_s: int
    price_usd_per_hour: Decimal
    again: bool = False
    """Whether cells with a complete job are launched too."""

    @property
    def max_wait_s(self) -> int | None:
        """The longest a spot job may take, waiting for instances included; None without spot."""
        return min(2 * self.max_run_s, LONGEST_RUN_S) if self.spot else None

    @property
    def max_billed_s(self) -> int:
        """The seconds one job is charged for at the very most."""
        return (self.max_wait_s or self.max_run_s) + WIND_DOWN_S

    @property
    def max_cost_usd(self) -> Decimal:
        """What all jobs' instances can cost at the very most; spot at the on-demand price, which it never exceeds."""
        cost = cost_usd(self.max_billed_s * len(self.cells), self.price_usd_per_hour)
        return cost.quantize(_MICRO, rounding=ROUND_UP)

    @property
    def summary(self) -> str:
        """The plan in a few words: ``6 jobs on ml.g4dn.xlarge, at most 12.34 USD``."""
        kind = f"{self.instance_type} spot" if self.spot else self.instance_type
        return (
            f"{len(self.cells)} job{'' if len(self.cells) == 1 else 's'} on {kind}, at most {money(self.max_cost_usd)}"
        )

    def check_cost(self, limit_usd: Decimal | None) -> None:
        """Refuse to go on above ``limit_usd``.

        Raises:
            ConfigError: the plan can cost more.
        """
        if limit_usd is not None and self.max_cost_usd > limit_usd:
            raise ConfigError(
                f"{len(self.cells)} jobs can cost {money(self.max_cost_usd)}, above --max-cost {money(limit_usd)}; "
                "nothing was launched: choose fewer shapes or modes, a smaller --max-run-seconds, or a higher limit"
            )


def make_plan(
    cells: Sequence[Cell], sagemaker: Any, s3: Any, settings: AwsSettings, price: Decimal, again: bool = False
) -> LaunchPlan:
    """Return the plan for ``cells``, once it is known which of them have a job; ``price`` is in US dollars an hour.

    With ``again`` a complete job does not keep its cell from being launched.

    Raises:
        ConfigError: a cell cannot stand in the name of a job.
        AwsError, RetryableError, ConfigError: the jobs cannot be listed.
    """
    for cell in cells:
        job_name(cell, datetime.now(UTC))
    existing = existing_jobs(training_jobs(sagemaker, settings), list_archives(s3, settings).archives, again)
    to_do, done = divide(cells, existing)
    return LaunchPlan(
        cells=to_do,
        existing=done,
        instance_type=settings.instance_type,
        spot=settings.use_spot,
        max_run_s=settings.max_run_s,
        price_usd_per_hour=price,
        again=again,
    )


def existing_jobs(
    listed: Iterable[TrainingJob], archives: Iterable[Archive], again: bool = False
) -> dict[Cell, Existing]:
    """Return the cells that have a complete or active job.

    ``listed`` are SageMaker's jobs. ``archives`` are the results in the bucket; where SageMaker does not know
    such a job any more, the results alone count as complete. With ``again`` only active jobs count.
    """
    found: dict[Cell, Existing] = {}
    known = set()
    for job in listed:
        known.add(job.job.name)
        if job.active:
            found[job.job.cell] = Existing(job.job.name, job.status)
        elif job.status == COMPLETED and not again:
            found.setdefault(job.job.cell, Existing(job.job.name, "complete"))
    for archive in archives:
        if archive.job.name not in known and not again:
            found.setdefault(archive.job.cell, Existing(archive.job.name, "complete"))
    return found


def divide(
    cells: Sequence[Cell], existing: Mapping[Cell, Existing]
) -> tuple[tuple[Cell, ...], tuple[tuple[Cell, Existing], ...]]:
    """Return ``cells`` to launch, and those that have a job already, each in the order given."""
    return (
        tuple(cell for cell in cells if cell not in existing),
        tuple((cell, existing[cell]) for cell in cells if cell in existing),
    )


def plan_rows(plan: LaunchPlan) -> list[tuple[str, str, str]]:
    """Return a row for each cell: shape, mode, and what becomes of it."""
    return [(*cell, "launch") for cell in plan.cells] + [
        (*cell, f"{existing.state}: {existing.job}") for cell, existing in plan.existing
    ]


def plan_lines(plan: LaunchPlan, spec: StudySpec) -> list[str]:
    """Return the plan for people, a fact a line."""
    cells = len(plan.cells) + len(plan.existing)
    market = "spot, priced as on demand" if plan.spot else "on demand"
    facts = {
        "study": f"{spec.name}: {len(spec.networks)} shapes x {len(spec.variants)} modes, {spec.trials} trials of "
        f"{spec.meta_loops} meta-loops, seed {spec.seed}",
        "jobs": f"{len(plan.cells)} to launch; {len(plan.existing)} of {cells} are complete or running",
        "instance": f"{plan.instance_type}, {market}, {plan.price_usd_per_hour.normalize():f} USD an hour",
        "each job": f"at most {plan.max_billed_s:,} s ({duration(plan.max_billed_s)}), winding down included",
        "at most": f"{money(plan.max_cost_usd)} for the instances; what S3 stores is extra",
    }
    return [f"{name:<10}{value}" for name, value in facts.items()]


def money(usd: Decimal) -> str:
    """Return an amount as people write it, rounded up to the cent: ``1,234.57 USD``."""
    return f"{usd.quantize(Decimal('0.01'), rounding=ROUND_UP):,} USD"
