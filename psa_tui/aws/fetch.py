"""From the results bucket into the results database: only what is new or changed, all in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from psa_tui import __version__
from psa_tui.aws.archive import ArchiveRefused, TrialResult, read_archive
from psa_tui.aws.bucket import Archive, Listing
from psa_tui.aws.download import MOST_ARCHIVE_BYTES, download
from psa_tui.aws.jobs import Cell, architecture_of, cell_of, newest
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import AwsError, ConfigError, RetryableError
from psa_tui.method.variants import Variant, ordered
from psa_tui.networks import Mlp, Network
from psa_tui.storage.database import now
from psa_tui.storage.study_rows import FETCHED, JobRow, StudyRow, TrialRow
from psa_tui.storage.study_store import open_store, read_store

ACCEPTED, REFUSED = "accepted", "refused"
MOST_FAILURES = 20
"""Downloads that may fail before the rest is not tried any more: the service is down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOrder:
    """What to fetch, and what for."""

    study: str
    networks: tuple[Network, ...]
    variants: tuple[Variant, ...]
    trials: int
    """Trials that every job must have."""
    workers: int
    """Downloads at a time."""

    def cells(self) -> tuple[Cell, ...]:
        """Return every network with every variant."""
        return tuple(cell_of(network, variant) for network in self.networks for variant in self.variants)

    @property
    def family(self) -> str:
        """The family of the networks."""
        return self.networks[0].family

    def parameters(self, architecture: str) -> int:
        """Return the parameters of the network called ``architecture``."""
        return next(network.parameters for network in self.networks if network.short_name == architecture)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPlan:
    """The newest complete job of each cell, by what there is to do about it."""

    download: tuple[Archive, ...]
    unchanged: tuple[Archive, ...]
    refused: tuple[JobRow, ...]
    """Refused before, and not changed since."""
    absent: tuple[Cell, ...]
    """Cells without a complete job."""


@dataclass(slots=True)
class Fetched:
    """What the downloads gave; failed ones are in neither list of jobs."""

    trials: list[TrialRow] = field(default_factory=list)
    accepted: list[JobRow] = field(default_factory=list)
    refused: list[JobRow] = field(default_factory=list)
    failed: list[tuple[Archive, str]] = field(default_factory=list)
    worth_a_retry: bool = False
    """Whether the same command may succeed later with any of those that failed."""


def plan_fetch(order: FetchOrder, settings: AwsSettings, listing: Listing, results_dir: Path) -> FetchPlan:
    """Compare the bucket's newest complete jobs with what the database in ``results_dir`` has.

    Raises:
        ConfigError: the study holds something else.
        HistoryError: the database cannot be read.
    """
    with read_store(results_dir) as store:
        study = store.study(order.study) if store else None
        jobs = {row.job: row for row in store.jobs(order.study)} if store and study else {}
        trials = store.trials(order.study) if store and study else []
    if study is not None:
        _check_study(order, settings, study, bool(trials))
    counts: dict[tuple[str, str, str], int] = {}
    for row in trials:
        origin = (row.architecture, row.mode, row.origin)
        counts[origin] = counts.get(origin, 0) + 1
    # A refusal holds as long as nothing that led to it has changed.
    same_rules = study is not None and study.trials == order.trials and study.settings.get("reader") == __version__
    by_job = {archive.job: archive for archive in listing.archives}
    chosen = newest(by_job)
    wanted, unchanged, refused = [], [], []
    for cell in order.cells():
        if cell not in chosen:
            continue
        archive = by_job[chosen[cell]]
        known = jobs.get(archive.job.name)
        is_known = known is not None and known.etag == archive.etag
        if known and is_known and known.state == REFUSED and same_rules:
            refused.append(known)
        elif is_known and counts.get((*_in_table(cell), archive.job.name)) == order.trials:
            unchanged.append(archive)
        else:
            wanted.append(archive)
    return FetchPlan(
        download=tuple(wanted),
        unchanged=tuple(unchanged),
        refused=tuple(refused),
        absent=tuple(cell for cell in order.cells() if cell not in chosen),
    )


def fetch(
    s3: Any, settings: AwsSettings, order: FetchOrder, plan: FetchPlan, progress: Callable[[], None] = lambda: None
) -> Fetched:
    """Download and read the archives of ``plan``, several at a time; nothing is stored yet.

    A job whose archive cannot be accepted, or did not arrive, is set aside with the reason; the others go on.

    Args:
        progress: called after each archive.

    Raises:
        AwsError: AWS refuses a download, as it would the others.
    """
    fetched = Fetched()
    waiting = iter(plan.download)
    pool = ThreadPoolExecutor(order.workers, thread_name_prefix="psa-fetch")
    running: dict[Future[tuple[TrialResult, ...]], Archive] = {}
    try:
        while True:
            if len(fetched.failed) < MOST_FAILURES:
                for archive in islice(waiting, order.workers - len(running)):
                    running[pool.submit(_fetch_one, s3, settings, archive, order.trials)] = archive
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                _sort_in(order, running.pop(future), future, fetched)
                progress()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    fetched.failed += [(archive, "not tried, too many others failed") for archive in waiting]
    return fetched


def store_fetch(order: FetchOrder, settings: AwsSettings, fetched: Fetched, results_dir: Path) -> None:
    """Write what was fetched into the database in ``results_dir``; cells of which nothing came stay as they are.

    Raises:
        HistoryError: it cannot be written; nothing of this fetch is.
    """
    with open_store(results_dir) as store:
        study = store.study(order.study)
        if study is not None:
            _check_study(order, settings, study, bool(store.trials(order.study)))
        store.put_fetched(
            order.study,
            _study_settings(order, settings, study),
            order.trials,
            fetched.trials,
            fetched.accepted + fetched.refused,
        )


def missing_cells(order: FetchOrder, results_dir: Path) -> tuple[Cell, ...]:
    """Return the cells of ``order`` that have no trials in the database.

    Raises:
        HistoryError: it cannot be read.
    """
    with read_store(results_dir) as store:
        there = {(row.architecture, row.mode) for row in store.trials(order.study)} if store else set()
    return tuple(cell for cell in order.cells() if _in_table(cell) not in there)


def _in_table(cell: Cell) -> tuple[str, str]:
    """Return architecture and mode as trials have them, whose study says the family."""
    shape, mode = cell
    return architecture_of(shape), mode


def _fetch_one(s3: Any, settings: AwsSettings, archive: Archive, trials: int) -> tuple[TrialResult, ...]:
    if archive.size_bytes > MOST_ARCHIVE_BYTES:
        raise ArchiveRefused(f"{archive.size_bytes} bytes, expected at most {MOST_ARCHIVE_BYTES}")
    with download(s3, settings, archive) as content:
        return read_archive(content, archive.size_bytes, trials)


def _sort_in(order: FetchOrder, archive: Archive, future: Future[tuple[TrialResult, ...]], fetched: Fetched) -> None:
    job = archive.job
    try:
        results = future.result()
    except ArchiveRefused as error:
        fetched.refused.append(_job_row(archive, REFUSED, str(error)))
    except (AwsError, RetryableError) as error:
        fetched.failed.append((archive, str(error)))
        fetched.worth_a_retry |= isinstance(error, RetryableError)
    else:
        fetched.accepted.append(_job_row(archive, ACCEPTED))
        fetched.trials += [
            TrialRow(
                architecture=architecture_of(job.shape),
                mode=job.mode,
                trial=trial,
                parameters=order.parameters(architecture_of(job.shape)),
                bounty=result.best_validation_accuracy,
                bounty_meta_loop=result.best_meta_loop,
                test_accuracy=result.test_accuracy,
                origin=job.name,
            )
            for trial, result in enumerate(results, start=1)
        ]


def _job_row(archive: Archive, state: str, reason: str = "") -> JobRow:
    job = archive.job
    return JobRow(job.name, job.shape, job.mode, archive.etag, state, reason, now())


def _study_settings(order: FetchOrder, settings: AwsSettings, study: StudyRow | None) -> dict[str, Any]:
    """Return the study's settings: shapes and modes of this fetch, after those of earlier ones."""
    before = study.settings if study else {}
    return {
        "shapes": list(dict.fromkeys([*before.get("shapes", []), *(network.short_name for network in order.networks)])),
        "modes": list(ordered([*before.get("modes", []), *(variant.name for variant in order.variants)])),
        **({} if order.family == Mlp.family else {"network": order.family}),
        "place": _digest(settings),
        "reader": __version__,
    }


def _digest(settings: AwsSettings) -> str:
    """Return the bucket and prefix as a digest: a bucket's name may hold an account number."""
    return hashlib.sha256(f"{settings.bucket}/{settings.prefix}".encode()).hexdigest()[:16]


def _check_study(order: FetchOrder, settings: AwsSettings, study: StudyRow, has_trials: bool) -> None:
    held = None
    if study.source != FETCHED:
        held = "trials that were trained here"
    elif study.settings.get("place") != _digest(settings):
        held = "the results of another bucket or prefix"
    elif study.settings.get("network", Mlp.family) != order.family:
        held = f"networks of {study.settings.get('network', Mlp.family)}, not {order.family}"
    elif has_trials and study.trials != order.trials:
        held = f"{study.trials} trials of each shape and mode, not {order.trials}"
    if held is not None:
        raise ConfigError(f"study {study.study} holds {held}; choose another name with --study")
