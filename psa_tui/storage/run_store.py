"""The history of all single runs, in the results database, written before anything is shown.

Three tables: ``runs`` (one row a run, its settings and where it stands), ``sessions`` (one row each time a
process worked on a run: when, on which machine, with what outcome) and ``meta_loops`` (one row a loop).
Writing a loop again replaces its row, so a resume that repeats the loop a kill interrupted repairs the
history. Every write is one durable transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from psa_tui.method.events import MetaLoopFinished, RunFinished
from psa_tui.storage.checkpoint import Record
from psa_tui.storage.database import Database, now, open_database, read_database

_LOOP_COLUMNS = (
    "meta_loop",
    "mode",
    "ablated_layer",
    "ablated_neuron",
    "train_loss",
    "validation_correct",
    "validation_count",
    "finite",
    "verdict",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the history has it; the fields are the columns of ``runs``."""

    run: str
    created_at: str
    updated_at: str
    state: str
    reason: str
    checkpoint: str
    architecture: str
    parameters: int
    mode: str
    seed: int
    dataset: str
    dataset_requested: str
    dataset_fingerprint: str
    learning_rate: float
    batch_size: int
    weight_decay: float
    dropout: float
    meta_loop: int
    last_meta_loop: int
    bounty: float | None
    bounty_meta_loop: int
    test_accuracy: float | None


class History:
    """An open history database. Every method raises ``HistoryError`` when the database refuses."""

    def __init__(self, database: Database) -> None:
        """Use ``open_history`` instead."""
        self._database = database
        self._session: tuple[str, int] | None = None

    def begin(self, record: Record, checkpoint: Path) -> int:
        """Open a session of the run of ``record``, which stands where ``checkpoint`` does.

        Loops the checkpoint does not know of (a kill came between the two writes, or a previous generation
        was put back) are forgotten: they are about to be run again.

        Returns:
            The number of earlier loops the history lacks.
        """
        done = record.progress.meta_loop
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO runs VALUES (:run, :now, :now, 'running', '', :checkpoint, :architecture, :parameters, "
                ":mode, :seed, :dataset, :dataset_requested, :dataset_fingerprint, "
                ":learning_rate, :batch_size, :weight_decay, :dropout, "
                ":meta_loop, :last_meta_loop, :bounty, :bounty_meta_loop, NULL) "
                "ON CONFLICT (run) DO UPDATE SET updated_at = :now, state = 'running', reason = '', "
                "checkpoint = :checkpoint, mode = :mode, learning_rate = :learning_rate, batch_size = :batch_size, "
                "weight_decay = :weight_decay, dropout = :dropout, meta_loop = :meta_loop, "
                "last_meta_loop = :last_meta_loop, bounty = :bounty, bounty_meta_loop = :bounty_meta_loop, "
                "test_accuracy = NULL",
                {
                    "run": record.run,
                    "now": now(),
                    "checkpoint": str(checkpoint.absolute()),
                    "architecture": record.architecture,
                    "parameters": record.parameters,
                    "mode": str(record.mode),
                    "seed": record.seed,
                    "dataset": record.dataset,
                    "dataset_requested": record.dataset_requested,
                    "dataset_fingerprint": record.dataset_fingerprint,
                    "learning_rate": record.learning_rate,
                    "batch_size": record.batch_size,
                    "weight_decay": record.weight_decay,
                    "dropout": record.dropout,
                    "meta_loop": done,
                    "last_meta_loop": record.last_meta_loop,
                    "bounty": record.progress.bounty,
                    "bounty_meta_loop": record.progress.lkg_meta_loop,
                },
            )
            connection.execute("DELETE FROM meta_loops WHERE run = ? AND meta_loop > ?", (record.run, done))
            (known,) = connection.execute("SELECT count(*) FROM meta_loops WHERE run = ?", (record.run,)).fetchone()
            (session,) = connection.execute(
                "SELECT coalesce(max(session), 0) + 1 FROM sessions WHERE run = ?", (record.run,)
            ).fetchone()
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, NULL, ?, NULL, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.run,
                    session,
                    now(),
                    done,
                    record.learning_rate,
                    record.batch_size,
                    record.weight_decay,
                    record.dropout,
                    record.device,
                    record.threads,
                    record.machine,
                    json.dumps(record.versions, sort_keys=True),
                ),
            )
        self._session = (record.run, session)
        return done - int(known)

    def home(self, run: str) -> Path | None:
        """Where the checkpoint of ``run`` was when it was last worked on; None when the run is unknown."""
        with self._database.errors() as connection:
            row = connection.execute("SELECT checkpoint FROM runs WHERE run = ?", (run,)).fetchone()
        return None if row is None else Path(row[0])

    def copy_loops(self, run: str, copy: str, last: int) -> None:
        """Give ``copy``, a run that branched off, the loops of ``run`` up to ``last``."""
        with self._database.transaction() as connection:
            columns = ", ".join(_LOOP_COLUMNS)
            connection.execute(
                f"INSERT INTO meta_loops (run, {columns}) SELECT ?, {columns} FROM meta_loops "
                "WHERE run = ? AND meta_loop <= ?",
                (copy, run, last),
            )

    def add(self, run: str, event: MetaLoopFinished) -> None:
        """Record a finished loop, in place of an earlier record of the same loop."""
        target = event.ablation
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO meta_loops VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    run,
                    event.meta_loop,
                    str(event.mode),
                    None if target is None else target.layer,
                    None if target is None else target.neuron,
                    event.train_loss if isfinite(event.train_loss) else None,
                    event.validation_correct,
                    event.progress.validation_count,
                    event.finite,
                    str(event.verdict),
                    event.seconds,
                ),
            )
            connection.execute(
                "UPDATE runs SET updated_at = ?, mode = ?, meta_loop = ?, bounty = ?, bounty_meta_loop = ? "
                "WHERE run = ?",
                (
                    now(),
                    str(event.mode),
                    event.meta_loop,
                    event.progress.bounty,
                    event.progress.lkg_meta_loop,
                    run,
                ),
            )

    def end(self, event: RunFinished) -> None:
        """Record how the session ended, and where the run stands."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE runs SET updated_at = ?, state = ?, reason = ?, test_accuracy = ? WHERE run = ?",
                (now(), str(event.outcome), event.reason, event.test_accuracy, event.run),
            )
            if self._session is not None:
                connection.execute(
                    "UPDATE sessions SET ended_at = ?, outcome = ? WHERE run = ? AND session = ?",
                    (now(), str(event.outcome), *self._session),
                )

    def latest(self, limit: int) -> list[RunRow]:
        """The runs worked on last, newest first."""
        with self._database.errors() as connection:
            rows = connection.execute("SELECT * FROM runs ORDER BY updated_at DESC, run LIMIT ?", (limit,))
            return [RunRow(*row) for row in rows]

    def run(self, run: str) -> RunRow | None:
        """The run of that name, or None."""
        with self._database.errors() as connection:
            row = connection.execute("SELECT * FROM runs WHERE run = ?", (run,)).fetchone()
        return None if row is None else RunRow(*row)

    def sessions(self, run: str) -> list[dict[str, Any]]:
        """The sessions of ``run`` in order; the keys are the columns of ``sessions``, versions are a mapping."""
        with self._database.errors() as connection:
            rows = _mappings(connection.execute("SELECT * FROM sessions WHERE run = ? ORDER BY session", (run,)))
        return [{**row, "versions": json.loads(row["versions"])} for row in rows]

    def loops(self, run: str, after: int = 0) -> list[dict[str, Any]]:
        """The loops of ``run`` after loop ``after``, in order; the keys are the columns of ``meta_loops``."""
        with self._database.errors() as connection:
            return _mappings(
                connection.execute(
                    "SELECT * FROM meta_loops WHERE run = ? AND meta_loop > ? ORDER BY meta_loop", (run, after)
                )
            )


def _mappings(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


@contextmanager
def open_history(folder: Path) -> Iterator[History]:
    """Open the history in ``folder`` for reading and writing, and make it if there is none.

    Raises:
        HistoryError: it is damaged, foreign, from a newer version, or cannot be written.
    """
    with open_database(folder) as database:
        yield History(database)


@contextmanager
def read_history(folder: Path) -> Iterator[History | None]:
    """Open the history in ``folder`` for reading only; None when there is none yet.

    Raises:
        HistoryError: it is damaged, foreign or from a newer version.
    """
    with read_database(folder) as database:
        yield None if database is None else History(database)
