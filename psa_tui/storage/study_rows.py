"""The rows of the tables of studies in the results database, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psa_tui.storage.meta_loops import NAMES, MetaLoopRow

LOCAL, FETCHED = "local", "fetched"
RUNNING, COMPLETE, FAILED = "running", "complete", "failed"


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study as the database has it; the fields are the columns of ``studies``, ``settings`` decoded."""

    study: str
    source: str
    created_at: str
    updated_at: str
    quick: bool
    seed: int | None
    meta_loops: int | None
    trials: int | None
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One trial; the fields are the columns of ``trials`` after ``study``."""

    architecture: str
    mode: str
    trial: int
    parameters: int
    seed: int | None = None
    state: str = COMPLETE
    reason: str = ""
    meta_loop: int | None = None
    bounty: float | None = None
    bounty_meta_loop: int | None = None
    test_accuracy: float | None = None
    seconds: float = 0.0
    origin: str = ""
    lkg_dead: int | None = None
    lkg_inactive: int | None = None


TRIAL_COLUMNS = tuple(TrialRow.__dataclass_fields__)
"""After ``study``."""


@dataclass(frozen=True, slots=True)
class TrialLoop:
    """One meta-loop of one trial."""

    architecture: str
    trial: int
    loop: MetaLoopRow
    """Its mode is the trial's."""


TRIAL_LOOP_COLUMNS = (
    "architecture",
    "mode",
    "trial",
    *(name for name in NAMES if name != "mode"),
)
"""What ``StudyStore.loops`` gives of each loop, in this order; ``ablations`` is JSON text (``meta_loops``)."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session of work on a study; the fields are the columns of ``study_sessions`` after ``study``."""

    session: int
    started_at: str
    ended_at: str | None
    outcome: str | None
    reason: str
    workers: int
    machine: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class JobRow:
    """One SageMaker job seen by a fetch; the fields are the columns of ``jobs`` after ``study``."""

    job: str
    architecture: str
    mode: str
    etag: str
    state: str
    reason: str
    fetched_at: str
