"""The results database: one SQLite file in the results folder, with everything runs and studies found out.

``History`` (run_store.py) and ``StudyStore`` (study_store.py) read and write its tables.
Every write is one durable transaction; a reader never waits for a writer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from psa_tui.errors import HistoryError

FILE_NAME = "history.sqlite"
_RUNS = """
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
_STUDIES = """
CREATE TABLE studies (
    study TEXT PRIMARY KEY,
    source TEXT NOT NULL,             -- local (trained by psa reproduce) or fetched (from a bucket)
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    quick INTEGER NOT NULL,           -- 1: cut short on purpose, no reproduction
    seed INTEGER,                     -- NULL when unknown
    meta_loops INTEGER,               -- of each trial; NULL when unknown
    trials INTEGER,                   -- of each shape and mode; NULL when unknown
    settings TEXT NOT NULL            -- JSON: shapes, modes, data set, hyperparameters
) WITHOUT ROWID;
CREATE TABLE study_sessions (
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    session INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,                    -- of the last sign of life while there is no outcome
    outcome TEXT,                     -- finished, stopped or failed; NULL while it runs, or if it was killed
    reason TEXT NOT NULL,
    workers INTEGER NOT NULL,
    machine TEXT NOT NULL,
    versions TEXT NOT NULL,           -- JSON
    PRIMARY KEY (study, session)
) WITHOUT ROWID;
CREATE TABLE trials (
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    architecture TEXT NOT NULL,       -- L*W
    mode TEXT NOT NULL,
    trial INTEGER NOT NULL,           -- counts from 1
    parameters INTEGER NOT NULL,
    seed INTEGER,                     -- NULL when unknown
    state TEXT NOT NULL,              -- running, complete or failed
    reason TEXT NOT NULL,             -- why it failed
    meta_loop INTEGER,                -- meta-loops completed; NULL when unknown
    bounty REAL,                      -- best validation accuracy, a fraction
    bounty_meta_loop INTEGER,
    test_accuracy REAL,               -- of the LKG, a fraction; NULL when unknown
    seconds REAL NOT NULL,            -- its share of the workers' time
    origin TEXT NOT NULL,             -- the machine or job that trained it
    PRIMARY KEY (study, architecture, mode, trial)
) WITHOUT ROWID;
CREATE TABLE trial_loops (
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    architecture TEXT NOT NULL,
    mode TEXT NOT NULL,
    trial INTEGER NOT NULL,
    meta_loop INTEGER NOT NULL,
    ablated_layer INTEGER,
    ablated_neuron INTEGER,
    train_loss REAL,
    validation_correct INTEGER NOT NULL,
    validation_count INTEGER NOT NULL,
    finite INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    PRIMARY KEY (study, architecture, mode, trial, meta_loop)
) WITHOUT ROWID;
CREATE TABLE jobs (
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    job TEXT NOT NULL,
    architecture TEXT NOT NULL,
    mode TEXT NOT NULL,
    etag TEXT NOT NULL,
    state TEXT NOT NULL,              -- accepted or refused
    reason TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    PRIMARY KEY (study, job)
) WITHOUT ROWID;
"""
_MIGRATIONS = (_RUNS, _STUDIES)
"""Entry i leads from format i to format i + 1."""
FORMAT = len(_MIGRATIONS)


class Database:
    """An open results database. Its contexts raise ``HistoryError`` when the file refuses."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Use ``open_database`` or ``read_database`` instead."""
        self.connection = connection
        self.path = path

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block's writes, or none."""
        with self.errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def errors(self) -> Iterator[sqlite3.Connection]:
        """Say in one line what SQLite complains of."""
        try:
            yield self.connection
        except sqlite3.Error as error:
            raise _refusal(self.path, error) from None


@contextmanager
def open_database(folder: Path) -> Iterator[Database]:
    """Open the database in ``folder`` for reading and writing; make it, or bring it up to date, if need be.

    Raises:
        HistoryError: it is damaged, foreign, from a newer version, or cannot be written.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(f"{folder}: cannot be made ({error.strerror}); choose another --results-dir") from None
    with _connected(path, str(path), uri=False) as database:
        with database.errors() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        with database.transaction() as connection:
            for migration in _MIGRATIONS[_version(connection, path) :]:
                for statement in migration.split(";\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        yield database


@contextmanager
def read_database(folder: Path, needed: int = 1) -> Iterator[Database | None]:
    """Open the database in ``folder`` for reading only; None when there is none of at least format ``needed``.

    Raises:
        HistoryError: it is damaged, foreign or from a newer version.
    """
    path = folder if folder.is_file() else folder / FILE_NAME
    if not path.is_file():
        yield None
        return
    with _connected(path, f"{path.absolute().as_uri()}?mode=ro", uri=True) as database:
        with database.errors() as connection:
            known = _version(connection, path)
        yield database if known >= needed else None


def now() -> str:
    """The time as the database has it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def _connected(path: Path, address: str, *, uri: bool) -> Iterator[Database]:
    try:
        connection = sqlite3.connect(address, uri=uri, timeout=10, isolation_level=None)
    except sqlite3.Error as error:
        raise _refusal(path, error) from None
    try:
        yield Database(connection, path)
    finally:
        connection.close()


def _version(connection: sqlite3.Connection, path: Path) -> int:
    # One statement, so one moment: another process may be making the tables just now.
    version, tables = connection.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if version > FORMAT:
        raise HistoryError(f"{path}: history format {version}, this version reads {FORMAT}; update psa-tui")
    if version == 0 and tables:
        raise HistoryError(f"{path}: not a psa-tui history; move it away, or choose another --results-dir")
    return int(version)


def _refusal(path: Path, error: sqlite3.Error) -> HistoryError:
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        remedy = "move it away; the checkpoints do not need it"
    elif code.startswith("SQLITE_BUSY"):
        remedy = "another program keeps it locked; close that, then go on (psa resume, psa reproduce run)"
    else:
        remedy = (
            "free space or permissions, or choose another --results-dir; then go on (psa resume, psa reproduce run)"
        )
    return HistoryError(f"{path}: the history cannot be used ({error}); {remedy}")
