"""Names of training jobs, ``psa-<L>x<W>-<mode>-<timestamp>``: made, read, and the newest of a shape and mode.

A timestamp is read in the forms that such jobs have: ``20250801-123456`` (the one ``job_name`` writes),
``20250801123456``, ``2025-08-01-12-34-56`` with or without a number of milliseconds behind it, and seconds or
milliseconds since 1970. Times are UTC. They are compared as times: the text of one form sorts wrongly beside another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psa_tui.errors import ConfigError
from psa_tui.method.variants import AblationMode
from psa_tui.studies.grids import Shape, parse_shape

MOST_CHARACTERS = 63
"""The longest name SageMaker gives a training job."""
_NAME = re.compile(rf"psa-([0-9]+)x([0-9]+)-({'|'.join(AblationMode)})-([0-9][0-9-]*)", re.ASCII)
_CALENDAR = re.compile(
    r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})-?([0-9]{2})\2([0-9]{2})\2([0-9]{2})(?:-([0-9]{3}))?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Cell = tuple[Shape, AblationMode]
"""A shape and a mode: what one job trains all trials of."""


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """A job as its name tells it; jobs sort by time, and by name where times agree."""

    created: datetime
    name: str
    shape: Shape
    mode: AblationMode

    @property
    def cell(self) -> Cell:
        """The shape and mode of the job."""
        return self.shape, self.mode


def job_name(shape: Shape, mode: AblationMode, created: datetime) -> str:
    """The name of a job; ``parse_job`` reads it back. ``created`` is cut to whole seconds of UTC."""
    return f"psa-{shape.file_stem}-{mode}-{created.astimezone(UTC):%Y%m%d-%H%M%S}"


def parse_job(name: str) -> Job | None:
    """The job called ``name``, or None when no job of this program can have that name."""
    found = _NAME.fullmatch(name) if len(name) <= MOST_CHARACTERS else None
    if found is None:
        return None
    depth, width, mode, stamp = found.groups()
    try:
        return Job(_parse_time(stamp), name, parse_shape(f"{depth}*{width}"), AblationMode(mode))
    except (ConfigError, ValueError, OverflowError):
        return None


def newest(jobs: Iterable[Job]) -> dict[Cell, Job]:
    """The newest job of each shape and mode that has one."""
    found: dict[Cell, Job] = {}
    for job in jobs:
        found[job.cell] = max(job, found.get(job.cell, job))
    return found


def _parse_time(stamp: str) -> datetime:
    calendar = _CALENDAR.fullmatch(stamp)
    if calendar is not None:
        year, _, month, day, hour, minute, second, thousandths = calendar.groups(default="0")
        whole = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        return whole + timedelta(milliseconds=int(thousandths))
    if len(stamp) in (10, 13) and stamp.isdigit():
        return _EPOCH + timedelta(milliseconds=int(stamp.ljust(13, "0")))
    raise ValueError(stamp)
