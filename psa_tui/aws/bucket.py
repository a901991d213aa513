"""The results bucket: which jobs there are, and which of them left an archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psa_tui.aws.client import aws_errors, safe
from psa_tui.aws.jobs import Job, parse_job
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import RetryableError


@dataclass(frozen=True, slots=True)
class Archive:
    """The ``output/model.tar.gz`` of a job, as S3 lists it."""

    job: Job
    key: str
    size_bytes: int
    etag: str
    """Without its quotation marks."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The jobs under the prefix."""

    archives: tuple[Archive, ...]
    """Of the complete jobs, oldest first."""
    without: tuple[Job, ...]
    """Jobs that left something, but no archive (yet), oldest first."""


def place(settings: AwsSettings) -> str:
    """Return where jobs leave their results, as it may be shown: ``s3://bucket/prefix``."""
    return safe(f"s3://{settings.bucket}/{settings.prefix or ''}".rstrip("/"))


def list_archives(s3: Any, settings: AwsSettings) -> Listing:
    """Return every job under the prefix, over all pages of the bucket's listing.

    Raises:
        PsaError: see ``aws_errors``.
    """
    folder = f"{settings.prefix}/" if settings.prefix else ""
    archives: dict[str, Archive] = {}
    jobs: dict[str, Job] = {}
    page: dict[str, Any] = {}
    with aws_errors(f"listing {place(settings)}", settings):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket, Prefix=f"{folder}psa-")
        for page in pages:
            for entry in page.get("Contents", []):
                name, _, rest = entry["Key"].removeprefix(folder).partition("/")
                job = parse_job(name) if rest else None
                if job is not None:
                    jobs[name] = job
                    if rest == "output/model.tar.gz":
                        archives[name] = Archive(job, entry["Key"], entry["Size"], entry["ETag"].strip('"'))
    # An answer without a body reads as an empty page.
    if page.get("IsTruncated") is not False:
        raise RetryableError(f"listing {place(settings)}: the list breaks off; repeat the command")
    without = sorted(job for name, job in jobs.items() if name not in archives)
    return Listing(tuple(sorted(archives.values(), key=lambda archive: archive.job)), tuple(without))
