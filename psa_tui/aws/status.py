"""How the jobs are: counts, and the ones that need attention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psa_tui.aws.jobs import newest
from psa_tui.aws.settings import AwsSettings
from psa_tui.aws.training_jobs import COMPLETED, FAILED, TrainingJob, describe_jobs, training_jobs

_ORDER = ("InProgress", "Stopping", FAILED, "Stopped", COMPLETED)


@dataclass(frozen=True, slots=True)
class JobsStatus:
    """All jobs at one moment."""

    jobs: tuple[TrainingJob, ...]
    """Newest first."""
    failures: dict[str, str]
    """Why a failed job failed, by name; for jobs in ``notable`` only."""
    now: datetime

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs there are of each status."""
        found = Counter(job.status for job in self.jobs)
        return {status: found[status] for status in sorted(found, key=_rank)}

    @property
    def active(self) -> bool:
        """Whether any job holds, or waits for, an instance."""
        return any(job.active for job in self.jobs)

    @property
    def notable(self) -> list[TrainingJob]:
        """Active jobs, then failed and stopped ones whose shape and mode has no newer job."""
        return notable(self.jobs)

    def seconds(self, job: TrainingJob) -> float:
        """Return how long ``job`` has been there, or took."""
        return ((job.ended or self.now) - job.created).total_seconds()


def notable(jobs: Sequence[TrainingJob]) -> list[TrainingJob]:
    """Return the jobs that somebody might want to do something about."""
    last = {job.name for job in newest(job.job for job in jobs).values()}
    found = [job for job in jobs if job.active or (job.status != COMPLETED and job.job.name in last)]
    return sorted(found, key=lambda job: _rank(job.status))


def _rank(status: str) -> tuple[int, str]:
    return (_ORDER.index(status) if status in _ORDER else len(_ORDER)), status


@dataclass(slots=True)
class JobWatcher:
    """Asks for the jobs again and again, and for the reason of a failure once."""

    client: Any
    settings: AwsSettings
    failures: dict[str, str] = field(default_factory=dict)

    def poll(self, now: datetime) -> JobsStatus:
        """Return how the jobs are at this moment.

        Raises:
            AwsError, RetryableError, ConfigError: SageMaker cannot be asked.
        """
        jobs = training_jobs(self.client, self.settings)
        failed = [job.job.name for job in notable(jobs) if job.status == FAILED and job.job.name not in self.failures]
        self.failures |= {found.name: found.failure for found in describe_jobs(self.client, self.settings, failed)}
        return JobsStatus(tuple(jobs), dict(self.failures), now)
