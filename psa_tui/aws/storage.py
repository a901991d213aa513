"""What lies in the bucket under the prefix: bytes by kind and by job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from psa_tui.aws.bucket import place
from psa_tui.aws.client import aws_errors, safe
from psa_tui.aws.jobs import parse_job
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import RetryableError

ARCHIVE = "output/model.tar.gz"
KINDS = ("results", "other output", "checkpoints", "sources", "other")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object; ``name`` is its key without the prefix."""

    name: str
    size_bytes: int


@dataclass(slots=True)
class Usage:
    """Bytes and objects, in sum and by kind, job and cell."""

    objects: int = 0
    size_bytes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Bytes of each of ``KINDS`` that has any."""
    jobs: Counter[str] = field(default_factory=Counter)
    """Bytes by job; checkpoints belong to a study's cell, and go by ``checkpoints/<study>/<L>x<W>-<mode>-<digest>``."""


def key_under(settings: AwsSettings, *parts: str) -> str:
    """Return the key of ``parts`` under the prefix."""
    return "/".join(part for part in (settings.prefix, *parts) if part)


def stored_objects(client: Any, settings: AwsSettings) -> Iterator[StoredObject]:
    """Go through every object under the prefix, over all pages.

    Raises:
        AwsError, RetryableError, ConfigError: the bucket cannot be listed.
    """
    start = f"{settings.prefix}/" if settings.prefix else ""
    with aws_errors(f"listing {place(settings)}", settings):
        pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket, Prefix=start))
    # An answer without a body reads as an empty page.
    if not pages or pages[-1].get("IsTruncated") is not False:
        raise RetryableError(f"listing {place(settings)}: the list breaks off; repeat the command")
    for page in pages:
        for entry in page.get("Contents", ()):
            yield StoredObject(entry["Key"].removeprefix(start), entry["Size"])


def measure(client: Any, settings: AwsSettings) -> Usage:
    """Measure how much is stored."""
    usage = Usage()
    for stored in stored_objects(client, settings):
        usage.objects += 1
        usage.size_bytes += stored.size_bytes
        kind, owner = _classify(stored.name)
        usage.kinds[kind] += stored.size_bytes
        if owner:
            usage.jobs[owner] += stored.size_bytes
    return usage


def _classify(name: str) -> tuple[str, str]:
    """Return the kind of the object called ``name``, and the job or cell it belongs to, or nothing."""
    folder, _, rest = name.partition("/")
    if parse_job(folder) is not None:
        return ("results" if rest == ARCHIVE else "other output"), folder
    if folder == "checkpoints":
        return "checkpoints", safe("/".join(name.split("/")[:3]))
    return ("sources" if folder == "source" else "other"), ""
