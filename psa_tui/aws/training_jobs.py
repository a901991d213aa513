"""SageMaker's training jobs: what there is, one in detail, and asking one to stop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psa_tui.aws.client import aws_errors, safe
from psa_tui.aws.jobs import Job, parse_job
from psa_tui.aws.settings import AwsSettings

IN_PROGRESS = "InProgress"
COMPLETED = "Completed"
FAILED = "Failed"
ACTIVE = (IN_PROGRESS, "Stopping")
DESCRIBING_AT_ONCE = 4
"""Requests for details under way at a time: SageMaker slows down callers that ask faster."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A job of this program as SageMaker lists it."""

    job: Job
    status: str
    """InProgress, Stopping, Completed, Failed or Stopped."""
    step: str
    """What it is doing in SageMaker's words (Starting, Downloading, Training, MaxRuntimeExceeded, ...), or empty."""
    created: datetime
    ended: datetime | None

    @property
    def active(self) -> bool:
        """Whether it holds, or waits for, an instance."""
        return self.status in ACTIVE


@dataclass(frozen=True, slots=True)
class JobDetails:
    """What SageMaker knows about one job."""

    name: str
    status: str
    instance_type: str
    spot: bool
    started: datetime | None
    training_s: int | None
    billable_s: int | None
    """Seconds that are charged, at the on-demand price; None until the job has ended."""
    failure: str


def training_jobs(client: Any, settings: AwsSettings) -> list[TrainingJob]:
    """Return every job that has a name of this program, over all pages, newest first.

    Raises:
        AwsError, RetryableError, ConfigError: SageMaker cannot be asked, see ``aws_errors``.
    """
    with aws_errors("listing training jobs", settings):
        pages = client.get_paginator("list_training_jobs").paginate(
            NameContains="psa-", PaginationConfig={"PageSize": 100}
        )
        found = {job.job.name: job for page in pages for job in _parsed(page["TrainingJobSummaries"])}
    return sorted(found.values(), key=lambda job: (job.created, job.job.name), reverse=True)


def _parsed(summaries: Iterable[dict[str, Any]]) -> Iterator[TrainingJob]:
    for summary in summaries:
        job = parse_job(summary["TrainingJobName"])
        if job is not None:
            yield TrainingJob(
                job,
                safe(summary["TrainingJobStatus"], 40),
                safe(summary.get("SecondaryStatus", ""), 40),
                summary["CreationTime"],
                summary.get("TrainingEndTime"),
            )


def describe_job(client: Any, settings: AwsSettings, name: str) -> JobDetails:
    """Return the details of the job called ``name``.

    Raises:
        AwsError, RetryableError, ConfigError: SageMaker cannot be asked, or there is no such job.
    """
    with aws_errors(f"describing {name}", settings):
        found = client.describe_training_job(TrainingJobName=name)
        return JobDetails(
            name,
            safe(found["TrainingJobStatus"], 40),
            safe(found.get("ResourceConfig", {}).get("InstanceType", ""), 40),
            bool(found.get("EnableManagedSpotTraining")),
            found.get("TrainingStartTime"),
            found.get("TrainingTimeInSeconds"),
            found.get("BillableTimeInSeconds"),
            safe(found.get("FailureReason", ""), 400),
        )


def describe_jobs(client: Any, settings: AwsSettings, names: Sequence[str]) -> list[JobDetails]:
    """Return the details of each job in ``names``, in that order; ``client`` must serve ``DESCRIBING_AT_ONCE`` threads.

    Raises:
        AwsError, RetryableError, ConfigError: one cannot be had.
    """
    with ThreadPoolExecutor(DESCRIBING_AT_ONCE) as pool:
        answers = [pool.submit(describe_job, client, settings, name) for name in names]
        try:
            return [answer.result() for answer in answers]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def stop_job(client: Any, settings: AwsSettings, name: str) -> None:
    """Ask SageMaker to stop a job: it gets TERM and two minutes. To ask twice does no harm.

    Raises:
        AwsError, RetryableError, ConfigError: SageMaker cannot be asked, or refuses.
    """
    with aws_errors(f"stopping {name}", settings):
        client.stop_training_job(TrainingJobName=name)
