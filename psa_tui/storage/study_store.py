"""The tables of studies in the results database: trials, their meta-loops, and sessions of work on them.

A row of a trial or of a loop is written again rather than twice, so work that a kill made undone, and that
is done once more to the same bits, leaves the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

from psa_tui.networks.modules.recorded import SIZES
from psa_tui.outside import outside_json
from psa_tui.storage.database import Database, checked_row, now, open_database, read_database
from psa_tui.storage.meta_loops import NAMES, MetaLoopRow
from psa_tui.storage.statements import named
from psa_tui.storage.study_rows import (
    FETCHED,
    TRIAL_COLUMNS,
    TRIAL_LOOP_COLUMNS,
    JobRow,
    SessionRow,
    StudyRow,
    TrialLoop,
    TrialRow,
)


class StudyStore:
    """The studies of an open database. Every method raises ``HistoryError`` when the database refuses."""

    def __init__(self, database: Database) -> None:
        """Use ``open_store`` or ``read_store`` instead."""
        self._database = database

    def studies(self) -> list[StudyRow]:
        """All studies, by name."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM studies ORDER BY study").fetchall()
            return [_study_row(dict(zip(StudyRow.__dataclass_fields__, row, strict=True))) for row in rows]

    def study(self, name: str) -> StudyRow | None:
        """The study called ``name``, or None."""
        return next((row for row in self.studies() if row.study == name), None)

    def enter(
        self,
        name: str,
        source: str,
        settings: dict[str, Any],
        quick: bool = False,
        seed: int | None = None,
        meta_loops: int | None = None,
        trials: int | None = None,
    ) -> None:
        """Enter a study, or what an earlier one of its name has become."""
        text = json.dumps(settings, sort_keys=True)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO studies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (study) "
                "DO UPDATE SET trials = excluded.trials, settings = excluded.settings",
                (name, source, now(), now(), quick, seed, meta_loops, trials, text),
            )

    def begin_session(self, study: str, workers: int, machine: str, versions: dict[str, str]) -> int:
        """Open a session of work and return its number."""
        with self._database.transaction() as connection:
            (session,) = connection.execute(
                "SELECT coalesce(max(session), 0) + 1 FROM study_sessions WHERE study = ?", (study,)
            ).fetchone()
            connection.execute(
                "INSERT INTO study_sessions VALUES (?, ?, ?, ?, NULL, '', ?, ?, ?)",
                (study, session, now(), now(), workers, machine, json.dumps(versions, sort_keys=True)),
            )
        return int(session)

    def end_session(self, study: str, session: int, outcome: str, reason: str) -> None:
        """Record how a session ended."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE study_sessions SET ended_at = ?, outcome = ?, reason = ? WHERE study = ? AND session = ?",
                (now(), outcome, reason, study, session),
            )

    def sessions(self, study: str) -> list[SessionRow]:
        """The sessions of a study, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT session, started_at, ended_at, outcome, reason, workers, machine, versions "
                f"FROM study_sessions WHERE {_of(study)} ORDER BY session",
                (study,),
            ).fetchall()
            found = [dict(zip(SessionRow.__dataclass_fields__, row, strict=True)) for row in rows]
            return [checked_row(SessionRow, row | {"versions": outside_json(row["versions"])}) for row in found]

    def put(
        self, study: str, trials: Iterable[TrialRow], loops: Iterable[TrialLoop] = (), session: int | None = None
    ) -> None:
        """Write trials, and loops of them, in place of earlier rows of the same ones: one transaction."""
        with self._database.transaction() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO trial_loops (study, architecture, trial, {', '.join(NAMES)}) "
                f"VALUES ({_marks(3 + len(NAMES))})",
                ((study, row.architecture, row.trial, *row.loop.values()) for row in loops),
            )
            connection.executemany(f"INSERT OR REPLACE {_INTO_TRIALS}", ((study, *astuple(row)) for row in trials))
            connection.execute("UPDATE studies SET updated_at = ? WHERE study = ?", (now(), study))
            if session is not None:
                connection.execute(
                    "UPDATE study_sessions SET ended_at = ? WHERE study = ? AND session = ?", (now(), study, session)
                )

    def trials(self, study: str) -> list[TrialRow]:
        """Every trial of a study that was begun, by architecture, mode and number."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(TRIAL_COLUMNS)} FROM trials WHERE {_of(study)} ORDER BY architecture, mode, trial",
                (study,),
            ).fetchall()
            return [checked_row(TrialRow, dict(zip(TRIAL_COLUMNS, row, strict=True))) for row in rows]

    def loops(self, study: str) -> list[tuple[Any, ...]]:
        """Return every loop of a study, by architecture, mode, trial and loop, in ``TRIAL_LOOP_COLUMNS``."""
        with self._database.reading() as connection:
            return connection.execute(
                f"SELECT {', '.join(TRIAL_LOOP_COLUMNS)} FROM trial_loops WHERE {_of(study)} "
                "ORDER BY architecture, mode, trial, meta_loop",
                (study,),
            ).fetchall()

    def loops_of_trial(self, study: str, architecture: str, mode: str, trial: int) -> list[MetaLoopRow]:
        """Return the loops of one trial, in order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(NAMES)} FROM trial_loops "
                f"WHERE {_of(study)} AND {named('architecture', architecture, 'trials')} "
                f"AND {named('mode', mode, 'trials')} AND trial = ? ORDER BY meta_loop",
                (study, architecture, mode, trial),
            )
            return [MetaLoopRow.from_columns(row) for row in rows]

    def put_fetched(
        self, study: str, settings: dict[str, Any], trials: int, rows: Sequence[TrialRow], jobs: Iterable[JobRow]
    ) -> None:
        """Write what a fetch brought, one transaction: trials in place of all of their shape and mode, and jobs.

        Args:
            settings: the study's from now on.
            trials: of each shape and mode, from now on.
        """
        text = json.dumps(settings, sort_keys=True)
        cells = {(study, row.architecture, row.mode) for row in rows}
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO studies VALUES (?, ?, ?, ?, 0, NULL, NULL, ?, ?) ON CONFLICT (study) "
                "DO UPDATE SET updated_at = excluded.updated_at, trials = excluded.trials, "
                "settings = excluded.settings",
                (study, FETCHED, now(), now(), trials, text),
            )
            connection.executemany("DELETE FROM trials WHERE study = ? AND architecture = ? AND mode = ?", cells)
            connection.executemany(f"INSERT {_INTO_TRIALS}", ((study, *astuple(row)) for row in rows))
            connection.executemany(
                f"INSERT OR REPLACE INTO jobs VALUES ({_marks(8)})", ((study, *astuple(row)) for row in jobs)
            )

    def jobs(self, study: str) -> list[JobRow]:
        """The jobs known of a study, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT job, architecture, mode, etag, state, reason, fetched_at FROM jobs "
                f"WHERE {_of(study)} ORDER BY job",
                (study,),
            ).fetchall()
        return [JobRow(*row) for row in rows]


@contextmanager
def open_store(folder: Path) -> Iterator[StudyStore]:
    """Open the studies in the results ``folder`` for reading and writing.

    Raises:
        HistoryError: the database is damaged, foreign, from a newer version, or cannot be written.
    """
    with open_database(folder) as database:
        yield StudyStore(database)


@contextmanager
def read_store(folder: Path) -> Iterator[StudyStore | None]:
    """Open the studies in the results ``folder`` for reading only; None when there are none yet.

    Raises:
        HistoryError: the database is damaged, foreign or from a newer version.
    """
    with read_database(folder, needed=2) as database:
        yield None if database is None else StudyStore(database)


def study_names(folder: Path) -> list[str]:
    """Return the names of the studies in ``folder``, trained there or fetched.

    Raises:
        HistoryError: the database cannot be read.
    """
    with read_store(folder) as store:
        return [] if store is None else [row.study for row in store.studies()]


def shape_names(folder: Path) -> list[str]:
    """Return the shapes of the studies in ``folder``, as far as the studies say them.

    Raises:
        HistoryError: the database cannot be read.
    """
    with read_store(folder) as store:
        studies = [] if store is None else store.studies()
        return list(dict.fromkeys(shape for row in studies for shape in row.settings.get("shapes", [])))


def _study_row(values: dict[str, Any]) -> StudyRow:
    settings = outside_json(values["settings"])
    lists = {name: settings.get(name, []) for name in ("shapes", "modes")}
    if not all(isinstance(found, list) and all(isinstance(one, str) for one in found) for found in lists.values()):
        raise TypeError("settings without lists of shapes and modes")
    texts = [settings.get(name) for name in ("dataset", "dataset_path", "network", "seeding")]
    if not all(isinstance(text, str | None) for text in texts):
        raise TypeError("settings without a data set's or a network's name")
    earlier = settings.get("earlier", [])
    if not (isinstance(earlier, list) and all(type(trials) is int for trials in earlier)):
        raise TypeError("settings without earlier numbers of trials")
    form = [*settings.get("input_shape", [1]), settings.get("classes", 1)]
    if not all(type(number) is int and number > 0 for number in form):
        raise TypeError("settings without a form of images")
    sizes = settings.get("sizes", [])
    if not (isinstance(sizes, list) and all(map(_are_sizes, sizes)) and len(sizes) in (0, len(lists["shapes"]))):
        raise TypeError("settings without sizes of networks")
    return checked_row(StudyRow, values | {"quick": bool(values["quick"]), "settings": settings})


def _are_sizes(values: object) -> bool:
    named = isinstance(values, dict) and values.keys() == set(SIZES)
    return isinstance(values, dict) and named and all(type(size) is int and size >= 0 for size in values.values())


def _of(study: str) -> str:
    return named("study", study, "studies")


def _marks(count: int) -> str:
    return ", ".join("?" * count)


_INTO_TRIALS = f"INTO trials (study, {', '.join(TRIAL_COLUMNS)}) VALUES ({_marks(1 + len(TRIAL_COLUMNS))})"
