"""The runs and studies of a results folder as rows of one table: read, filtered and sorted. No screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from psa_tui.formatting import count, network_words, percent
from psa_tui.outside import is_plain_name
from psa_tui.storage.database import FILE_NAME
from psa_tui.storage.locks import holder
from psa_tui.storage.run_store import RunRow, read_runs
from psa_tui.storage.study_rows import COMPLETE, FAILED, LOCAL, StudyRow, TrialRow
from psa_tui.storage.study_store import read_store
from psa_tui.studies.part_files import study_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run or a study in the table; texts are as the database has them, without control characters."""

    name: str
    """What the history calls it."""
    said: str
    """What commands call it: a run's own name where no later run has it."""
    label: str
    """What people call it."""
    state: str
    architecture: str
    mode: str
    learning_rate: float | None
    done: int
    last: int
    """Of meta-loops, or of a study's trials."""
    bounty: float | None
    test_accuracy: float | None
    tags: str
    note: str = ""
    updated_at: str
    is_there: bool = True
    """Whether something is where its checkpoint was."""
    run: RunRow | None = None
    study: StudyRow | None = None

    @property
    def key(self) -> str:
        """What names it among all runs and studies."""
        return f"{'run' if self.run else 'study'} {self.name}"

    @property
    def version(self) -> str:
        """What tells a later state of it from an earlier."""
        return f"{self.updated_at} {self.state}"

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do of it."""
        return self.state in ("finished", "complete")

    def age_s(self, now: datetime) -> float | None:
        """Return how long ago it was worked on; None where the history has no time."""
        try:
            return max((now - datetime.fromisoformat(self.updated_at)).total_seconds(), 0.0)
        except (TypeError, ValueError):
            return None

    @property
    def searched(self) -> str:
        """What a filter looks through."""
        rate = "" if self.learning_rate is None else f"lr:{self.learning_rate:g}"
        who = f"{'run' if self.run else 'study'}:{self.name} {self.label}"
        return (
            f"{who} {self.state} arch:{self.architecture} mode:{self.mode} {rate} tag:{self.tags} {self.note}".lower()
        )

    def fits(self, words: Sequence[str]) -> bool:
        """Whether it has every one of ``words``, in lower case, in one of its texts."""
        return all(word in self.searched for word in words)


class Results:
    """Reads the entries of a results folder; trials of a study that rests are read once."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self.folder = folder
        self._known: list[Entry] = []
        self._known_at: object = None
        self._trials: dict[tuple[str, str], list[TrialRow]] = {}

    def read(self) -> list[Entry]:
        """Return every run and study, those worked on last first.

        Raises:
            HistoryError: the history cannot be read.
        """
        moment = [_moment(self.folder / f"{FILE_NAME}{end}") for end in ("", "-wal")]
        # What claims to run may have ended without a word.
        if moment == self._known_at and not any(entry.state == "running" for entry in self._known):
            return self._known
        self._known, self._known_at = self._read(), moment
        return self._known

    def forget(self) -> None:
        """Read all anew the next time: files that the history tells of may have changed."""
        self._known_at = None

    def _read(self) -> list[Entry]:
        # It loads NumPy, which the first frame does not wait for.
        from psa_tui.runs.status import with_actual_state

        with read_runs(self.folder) as runs:
            rows = [] if runs is None else [with_actual_state(row) for row in runs.latest(-1)]
        latest = {row.name: row.run for row in reversed(rows)}
        entries = [_of_run(row, is_called_so=latest[row.name] == row.run) for row in rows]
        with read_store(self.folder) as store:
            studies = [] if store is None else store.studies()
            for row in studies:
                assert store is not None
                version = row.study, row.updated_at
                if version not in self._trials:
                    self._trials[version] = store.trials(row.study)
                entries.append(_of_study(row, self._trials[version], self.folder))
        known = {(row.study, row.updated_at) for row in studies}
        self._trials = {version: trials for version, trials in self._trials.items() if version in known}
        return sorted(entries, key=lambda entry: entry.updated_at, reverse=True)


def _moment(path: Path) -> tuple[int, int] | None:
    """Return what changes with a file."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _of_run(row: RunRow, *, is_called_so: bool) -> Entry:
    return Entry(
        name=row.run,
        said=row.name if row.name and is_called_so else row.run,
        label=row.name or row.run,
        state=row.state,
        architecture=network_words(row.network, row.architecture),
        mode=row.mode,
        learning_rate=row.hyperparameters.learning_rate,
        done=row.meta_loop,
        last=row.last_meta_loop,
        bounty=row.bounty,
        test_accuracy=row.test_accuracy,
        tags=" ".join(row.tags),
        note=row.note or "",
        is_there=Path(row.checkpoint).exists(),
        updated_at=row.updated_at,
        run=row,
    )


def _of_study(row: StudyRow, trials: Sequence[TrialRow], folder: Path) -> Entry:
    shapes = row.settings.get("shapes") or list(dict.fromkeys(trial.architecture for trial in trials))
    modes = row.settings.get("modes") or list(dict.fromkeys(trial.mode for trial in trials))
    complete = [trial for trial in trials if trial.state == COMPLETE]
    rate = row.settings.get("learning_rate")
    wanted = len(shapes) * len(modes) * (row.trials or 0) if row.source == LOCAL else len(trials)
    best = max(complete, key=lambda trial: trial.bounty or 0.0, default=None)
    return Entry(
        name=row.study,
        said=row.study,
        label=row.study,
        state=_state(row, trials, len(complete) >= wanted, folder),
        architecture=network_words(row.settings.get("network") or "", shapes[0])
        if len(shapes) == 1
        else f"{len(shapes)} shapes",
        mode=modes[0] if len(modes) == 1 else f"{len(modes)} modes",
        learning_rate=rate if isinstance(rate, float) else None,
        done=len(complete),
        last=wanted,
        bounty=None if best is None else best.bounty,
        test_accuracy=None if best is None else best.test_accuracy,
        tags="quick" if row.quick else "",
        updated_at=row.updated_at,
        study=row,
    )


def _state(row: StudyRow, trials: Sequence[TrialRow], is_complete: bool, folder: Path) -> str:
    if row.source != LOCAL:
        return row.source
    if is_plain_name(row.study) and holder(study_lock(folder, row.study)) is not None:
        return "running"
    if any(trial.state == FAILED for trial in trials):
        return "failed"
    return "complete" if is_complete else "begun"


def counted(entries: Sequence[Entry]) -> list[str]:
    """Return how many runs and studies there are, and how many of them are worked on, for a heading."""
    if not entries:
        return []
    runs, running = sum(one.run is not None for one in entries), sum(one.state == "running" for one in entries)
    return [count(runs, "run"), of_studies(len(entries) - runs), f"{running} running" if running else ""]


def of_studies(number: int) -> str:
    """Return so many studies in words."""
    return count(number, "study").replace("studys", "studies")


def age(seconds: float | None) -> str:
    """Return how long ago something was, in one unit: now, 3 min, 5 h, 12 d; a dash where it is not known."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


def now() -> datetime:
    """Return the time that ages are reckoned from."""
    return datetime.now(UTC)


def accuracy(fraction: float | None) -> str:
    """Return a percentage without its sign, for a column whose heading has it."""
    return percent(fraction).removesuffix(" %")
