"""The history of all runs: one SQLite database, written before anything is shown.

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
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from psa_tui.checkpoint import Record
from psa_tui.errors import HistoryError
from psa_tui.events import MetaLoopFinished, RunFinished

FILE_NAME = "history.sqlite"
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE runs (
    run TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    state TEXT NOT NULL,              -- running, finished, stopped or failed
    reason TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    architecture TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    mode TEXT NOT NULL,
    seed INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    dataset_requested TEXT NOT NULL,  -- auto, when mnist5k stands in for full MNIST
    dataset_fingerprint TEXT NOT NULL,
    learning_rate REAL NOT NULL,
    batch_size INTEGER NOT NULL,
    weight_decay REAL NOT NULL,
    dropout REAL NOT NULL,
    meta_loop INTEGER NOT NULL,       -- meta-loops completed
    last_meta_loop INTEGER NOT NULL,  -- the meta-loop at which the run is complete
    bounty REAL,                      -- highest validation accuracy, a fraction
    bounty_meta_loop INTEGER NOT NULL,
    test_accuracy REAL                -- of the LKG, a fraction; measured when a session ends
) WITHOUT ROWID;
CREATE TABLE sessions (
    run TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    session INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    after_meta_loop INTEGER NOT NULL,
    outcome TEXT,                     -- finished, stopped or failed; NULL while it runs, or if it was killed
    learning_rate REAL NOT NULL,      -- the settings of this session; a run may go on with others
    batch_size INTEGER NOT NULL,
    weight_decay REAL NOT NULL,
    dropout REAL NOT NULL,
    device TEXT NOT NULL,
    threads INTEGER NOT NULL,
    machine TEXT NOT NULL,
    versions TEXT NOT NULL,           -- JSON
    PRIMARY KEY (run, session)
) WITHOUT ROWID;
CREATE TABLE meta_loops (
    run TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    meta_loop INTEGER NOT NULL,
    mode TEXT NOT NULL,
    ablated_layer INTEGER,            -- 0 is the first hidden layer, the highest is the output layer
    ablated_neuron INTEGER,
    train_loss REAL,                  -- mean over the epoch; NULL when it was not finite
    validation_correct INTEGER NOT NULL,
    validation_count INTEGER NOT NULL,
    finite INTEGER NOT NULL,          -- 0 when the loss or a weight was not finite
    verdict TEXT NOT NULL,            -- promoted or rolled_back
    seconds REAL NOT NULL,
    PRIMARY KEY (run, meta_loop)
) WITHOUT ROWID;
"""


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

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Use ``open_history`` instead."""
        self._connection = connection
        self._path = path
        self._session: tuple[str, int] | None = None

    def begin(self, record: Record, checkpoint: Path) -> int:
        """Open a session of the run of ``record``, which stands where ``checkpoint`` does.

        Loops the checkpoint does not know of (a kill came between the two writes, or a previous generation
        was put back) are forgotten: they are about to be run again.

        Returns:
            The number of earlier loops the history lacks.
        """
        done = record.progress.meta_loop
        with self._transaction() as connection:
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
                    "now": _now(),
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
                    _now(),
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
        with self._errors():
            row = self._connection.execute("SELECT checkpoint FROM runs WHERE run = ?", (run,)).fetchone()
        return None if row is None else Path(row[0])

    def copy_loops(self, run: str, copy: str, last: int) -> None:
        """Give ``copy``, a run that branched off, the loops of ``run`` up to ``last``."""
        with self._transaction() as connection:
            columns = ", ".join(_LOOP_COLUMNS)
            connection.execute(
                f"INSERT INTO meta_loops (run, {columns}) SELECT ?, {columns} FROM meta_loops "
                "WHERE run = ? AND meta_loop <= ?",
                (copy, run, last),
            )

    def add(self, run: str, event: MetaLoopFinished) -> None:
        """Record a finished loop, in place of an earlier record of the same loop."""
        target = event.ablation
        with self._transaction() as connection:
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
                    _now(),
                    str(event.mode),
                    event.meta_loop,
                    event.progress.bounty,
                    event.progress.lkg_meta_loop,
                    run,
                ),
            )

    def end(self, event: RunFinished) -> None:
        """Record how the session ended, and where the run stands."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE runs SET updated_at = ?, state = ?, reason = ?, test_accuracy = ? WHERE run = ?",
                (_now(), str(event.outcome), event.reason, event.test_accuracy, event.run),
            )
            if self._session is not None:
                connection.execute(
                    "UPDATE sessions SET ended_at = ?, outcome = ? WHERE run = ? AND session = ?",
                    (_now(), str(event.outcome), *self._session),
                )

    def latest(self, limit: int) -> list[RunRow]:
        """The runs worked on last, newest first."""
        with self._errors():
            rows = self._connection.execute("SELECT * FROM runs ORDER BY updated_at DESC, run LIMIT ?", (limit,))
            return [RunRow(*row) for row in rows]

    def loops(self, run: str) -> list[dict[str, Any]]:
        """The loops of ``run`` in order, one mapping a loop; the keys are the columns of ``meta_loops``."""
        with self._errors():
            cursor = self._connection.execute("SELECT * FROM meta_loops WHERE run = ? ORDER BY meta_loop", (run,))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _refusal(self._path, error) from None


@contextmanager
def open_history(folder: Path) -> Iterator[History]:
    """Open the history in ``folder`` for reading and writing, and make it if there is none.

    Raises:
        HistoryError: it is damaged, foreign, from a newer version, or cannot be written.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(f"{folder}: cannot be made ({error.strerror}); choose another --results-dir") from None
    with _connected(path, str(path), uri=False) as history:
        connection = history._connection
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection, path) == 0:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _refusal(path, error) from None
        yield history


@contextmanager
def read_history(folder: Path) -> Iterator[History | None]:
    """Open the history in ``folder`` for reading only; None when there is none yet.

    Raises:
        HistoryError: it is damaged, foreign or from a newer version.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        yield None
        return
    with _connected(path, f"{path.absolute().as_uri()}?mode=ro", uri=True) as history:
        try:
            known = _version(history._connection, path)
        except sqlite3.Error as error:
            raise _refusal(path, error) from None
        yield history if known else None


@contextmanager
def _connected(path: Path, address: str, *, uri: bool) -> Iterator[History]:
    try:
        connection = sqlite3.connect(address, uri=uri, timeout=10, isolation_level=None)
    except sqlite3.Error as error:
        raise _refusal(path, error) from None
    try:
        yield History(connection, path)
    finally:
        connection.close()


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version > SCHEMA_VERSION:
        raise HistoryError(f"{path}: history format {version}, this version reads {SCHEMA_VERSION}; update psa-tui")
    if version == 0 and tables:
        raise HistoryError(f"{path}: not a psa-tui history; move it away, or choose another --results-dir")
    return int(version)


def _refusal(path: Path, error: sqlite3.Error) -> HistoryError:
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        remedy = "move it away; the checkpoints do not need it"
    elif code.startswith("SQLITE_BUSY"):
        remedy = "another program keeps it locked; close that, then psa resume"
    else:
        remedy = "free space or permissions, or choose another --results-dir; then psa resume"
    return HistoryError(f"{path}: the history cannot be used ({error}); {remedy}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
