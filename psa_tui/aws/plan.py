"""What a launch would do, before anything is done: which jobs, on what, for how long and for how much at most."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sized
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal

from psa_tui.aws.bucket import Archive
from psa_tui.aws.jobs import Cell, newest
from psa_tui.aws.launch_journal import AgainOrder
from psa_tui.aws.pricing import cost_usd
from psa_tui.aws.settings import LONGEST_RUN_S, AwsSettings
from psa_tui.aws.training_jobs import COMPLETED, TrainingJob
from psa_tui.errors import ConfigError
from psa_tui.formatting import count, duration
from psa_tui.studies.spec import StudySpec

WIND_DOWN_S = 300
"""Allowed on top of a job's maximum seconds: SageMaker sends TERM when they are over, waits two minutes, uploads."""
COMPLETE = "complete"
_MICRO = Decimal("0.000001")
_NAMED = 8
"""Cells that are named with their jobs, a line each; more are named by mode."""


@dataclass(frozen=True, slots=True)
class Existing:
    """Why a cell needs no job: the one that is there already."""

    job: str
    state: str
    """``complete``, SageMaker's word for a job that is active, or why it counts although it is neither."""


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
    replaces: Mapping[Cell, str] = field(default_factory=dict)
    """The complete jobs of cells to launch, by cell: what was paid before."""
    order: AgainOrder | None = None
    """The open order that this goes on with."""

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
        return self.cost_usd(len(self.cells))

    @property
    def summary(self) -> str:
        """The plan in a few words: ``6 jobs on ml.g4dn.xlarge, at most 12.34 USD, 2 of them for complete cells``."""
        kind = f"{self.instance_type} spot" if self.spot else self.instance_type
        again = f", {len(self.replaces)} of them for complete cells" if self.replaces else ""
        return f"{counted(self.cells, 'job')} on {kind}, at most {money(self.max_cost_usd)}{again}"

    def cost_usd(self, jobs: int) -> Decimal:
        """Return what the instances of ``jobs`` of them can cost at the very most."""
        return cost_usd(self.max_billed_s * jobs, self.price_usd_per_hour).quantize(_MICRO, rounding=ROUND_UP)

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
    cells: Collection[Cell],
    existing: Mapping[Cell, Existing],
    settings: AwsSettings,
    price: Decimal,
    again: bool = False,
    order: AgainOrder | None = None,
) -> LaunchPlan:
    """Return the plan for ``cells``; ``price`` is in US dollars an hour, all else as ``divide`` takes it."""
    to_do, done = divide(cells, existing, again, order)
    return LaunchPlan(
        cells=tuple(to_do),
        existing=tuple(done.items()),
        instance_type=settings.instance_type,
        spot=settings.use_spot,
        max_run_s=settings.max_run_s,
        price_usd_per_hour=price,
        again=again,
        replaces={cell: job for cell, job in to_do.items() if job is not None},
        order=order,
    )


def existing_jobs(listed: Collection[TrainingJob], archives: Iterable[Archive]) -> dict[Cell, Existing]:
    """Return the active job, or else the newest complete one, of each cell that has any.

    ``listed`` are SageMaker's jobs. ``archives`` are the results in the bucket; where SageMaker does not know
    such a job any more, the results alone count as complete.
    """
    known = {job.job.name for job in listed}
    complete = [job.job for job in listed if job.status == COMPLETED]
    complete += [archive.job for archive in archives if archive.job.name not in known]
    found = {cell: Existing(job.name, COMPLETE) for cell, job in newest(complete).items()}
    return found | {job.job.cell: Existing(job.job.name, job.status) for job in listed if job.active}


def divide(
    cells: Iterable[Cell], existing: Mapping[Cell, Existing], again: bool = False, order: AgainOrder | None = None
) -> tuple[dict[Cell, str | None], dict[Cell, Existing]]:
    """Return ``cells`` to launch, each with its complete job if it has one, and those passed over, with why.

    A cell is launched when it has no job; with ``again`` also when it has a complete one. While an ``order`` is open,
    that holds for the cells left in it, and those launched under it are passed over, whatever became of their jobs.
    """
    to_do: dict[Cell, str | None] = {}
    done: dict[Cell, Existing] = {}
    launched = order.launched if order else {}
    for cell in cells:
        there = existing.get(cell)
        complete = there is not None and there.state == COMPLETE
        if cell in launched and (there is None or complete):
            done[cell] = Existing(launched[cell], "launched by this --again")
        elif there is None or (complete and again and (order is None or cell in order.left)):
            to_do[cell] = there.job if there else None
        else:
            done[cell] = there
    return to_do, done


def plan_rows(plan: LaunchPlan) -> list[tuple[str, str, str]]:
    """Return a row for each cell: shape, mode, and what becomes of it."""
    return [
        (*cell, f"launch again, complete: {plan.replaces[cell]}" if cell in plan.replaces else "launch")
        for cell in plan.cells
    ] + [(*cell, f"{existing.state}: {existing.job}") for cell, existing in plan.existing]


def plan_lines(plan: LaunchPlan, spec: StudySpec) -> list[str]:
    """Return the plan for people, a fact a line, and what is paid again or no more cell by cell."""
    cells = len(plan.cells) + len(plan.existing)
    market = "spot, priced as on demand" if plan.spot else "on demand"
    there = "complete, running or launched by this --again" if plan.order else "complete or running"
    facts = {
        "study": f"{spec.name}: {count(len(spec.networks), 'shape')} x {count(len(spec.variants), 'mode')}, "
        f"{count(spec.trials, 'trial')} of {count(spec.meta_loops, 'meta-loop')}, seed {spec.seed}",
        "jobs": f"{len(plan.cells)} to launch; {len(plan.existing)} of {cells} are {there}",
        "instance": f"{plan.instance_type}, {market}, {plan.price_usd_per_hour.normalize():f} USD an hour",
        "each job": f"at most {plan.max_billed_s:,} s ({duration(plan.max_billed_s)}), winding down included",
        "at most": f"{money(plan.max_cost_usd)} for the instances; what S3 stores is extra",
    }
    lines = [f"{name:<10}{value}" for name, value in facts.items()]
    if plan.replaces:
        paid = (
            f"{counted(plan.replaces, 'complete cell')} paid again, at most {money(plan.cost_usd(len(plan.replaces)))}"
        )
        lines += _named(f"again     {paid}", plan.replaces)
    if plan.order:
        jobs = plan.order.launched
        lines += _named(
            f"order     goes on with --again of {plan.order.since}; not paid again: {counted(jobs, 'cell')}", jobs
        )
    return lines


def _named(fact: str, jobs: Mapping[Cell, str]) -> list[str]:
    """Name the cells of a fact: with their jobs where they are few, else in a line for each set of modes."""
    if not jobs:
        return [fact]
    if len(jobs) <= _NAMED:
        return [f"{fact}:", *(f"{'':<10}{shape} {mode}: {job}" for (shape, mode), job in jobs.items())]
    modes: dict[str, list[str]] = {}
    for shape, mode in jobs:
        modes.setdefault(shape, []).append(mode)
    shapes: dict[str, list[str]] = {}
    for shape, names in modes.items():
        shapes.setdefault(", ".join(names), []).append(shape)
    return [
        f"{fact} (--dry-run names the jobs):",
        *(f"{'':<10}{names}: {', '.join(found)}" for names, found in shapes.items()),
    ]


def counted(things: Sized, word: str) -> str:
    """Return how many there are: ``1 job``, ``2 jobs``."""
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"


def money(usd: Decimal) -> str:
    """Return an amount as people write it, rounded up to the cent: ``1,234.57 USD``."""
    return f"{usd.quantize(Decimal('0.01'), rounding=ROUND_UP):,} USD"
