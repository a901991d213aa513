"""The tables of the results database: as they are now, and how those of earlier formats become so."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.storage.meta_loops import COLUMNS

FORMAT = 10
APPLICATION_ID = int.from_bytes(b"psat", "big")
"""By which a file of ours is told from those of other programs."""
_HYPERPARAMETERS = "".join(
    f"    {one.name} {one.sql_type} NOT NULL DEFAULT {one.default!r},\n" for one in HYPERPARAMETERS
)
_RUN_TABLES = {
    "runs": f"""
    run TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    state TEXT NOT NULL,              -- running, finished, stopped or failed
    reason TEXT NOT NULL,
    checkpoint TEXT NOT NULL,         -- relative to the folder that the results folder is in, or absolute
    network TEXT NOT NULL,            -- the family, such as mlp
    architecture TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    mode TEXT NOT NULL,
    seed INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    dataset_requested TEXT NOT NULL,  -- auto, when mnist5k stands in for full MNIST; the path of data of one's own
    dataset_fingerprint TEXT NOT NULL,
    train_count INTEGER,              -- images of the splits; NULL when unknown
    validation_count INTEGER,
    test_count INTEGER,
    majority_class_accuracy REAL,     -- of the validation images, a fraction; NULL when unknown
{_HYPERPARAMETERS}    meta_loop INTEGER NOT NULL,       -- meta-loops completed
    last_meta_loop INTEGER NOT NULL,  -- the meta-loop at which the run is complete
    bounty REAL,                      -- highest validation accuracy ever reached, a fraction
    bounty_meta_loop INTEGER NOT NULL,
    lkg_accuracy REAL,                -- validation accuracy of the LKG, a fraction
    lkg_meta_loop INTEGER NOT NULL,
    test_accuracy REAL,               -- of the LKG, a fraction; measured when a session ends
    -- hidden units of the LKG, NULL when unknown:
    lkg_dead INTEGER,                 -- those whose incoming weights and bias are all zero
    lkg_inactive INTEGER,             -- those that no validation image activates
    -- what people call it, NULL where they do not:
    name TEXT,                        -- its folder in the models folder has it too; a later run may have the same
    tags TEXT,                        -- JSON: [word, ...]
    note TEXT,
    input_shape TEXT,                 -- JSON: of one image; NULL when unknown
    classes INTEGER,                  -- NULL when unknown
    initialisation_seed INTEGER       -- of the first weights; NULL where it is that of the run, or unknown
""",
    "sessions": f"""
    run TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
    session INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    after_meta_loop INTEGER NOT NULL,
    outcome TEXT,                     -- finished, stopped or failed; NULL while it runs, or if it was killed
{_HYPERPARAMETERS}    device TEXT NOT NULL,
    threads INTEGER NOT NULL,
    backend TEXT NOT NULL,
    machine TEXT NOT NULL,
    versions TEXT NOT NULL,           -- JSON
    PRIMARY KEY (run, session)
""",
    "meta_loops": f"""
    run TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
{COLUMNS.strip()},
    PRIMARY KEY (run, meta_loop)
""",
}
STUDY_TABLES = {
    "studies": """
    study TEXT PRIMARY KEY,
    source TEXT NOT NULL,             -- local (trained by psa reproduce) or fetched (from a bucket)
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    quick INTEGER NOT NULL,           -- 1: cut short on purpose, no reproduction
    seed INTEGER,                     -- NULL when unknown
    meta_loops INTEGER,               -- of each trial; NULL when unknown
    trials INTEGER,                   -- of each architecture and mode; NULL when unknown
    settings TEXT NOT NULL            -- JSON: architectures, modes, data set, hyperparameters
""",
    "study_sessions": """
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
""",
    "trials": """
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    architecture TEXT NOT NULL,       -- the short form, such as 18*18
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
    lkg_dead INTEGER,                 -- hidden units of the LKG, as in runs
    lkg_inactive INTEGER,
    PRIMARY KEY (study, architecture, mode, trial)
""",
    "trial_loops": f"""
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    architecture TEXT NOT NULL,
    trial INTEGER NOT NULL,
{COLUMNS.strip()},
    PRIMARY KEY (study, architecture, mode, trial, meta_loop)
""",
    "jobs": """
    study TEXT NOT NULL REFERENCES studies (study) ON DELETE CASCADE,
    job TEXT NOT NULL,
    architecture TEXT NOT NULL,
    mode TEXT NOT NULL,
    etag TEXT NOT NULL,
    state TEXT NOT NULL,              -- accepted or refused
    reason TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    PRIMARY KEY (study, job)
""",
}
_OLD_LOOP = (
    "meta_loop, mode, "
    "CASE WHEN ablated_layer IS NULL THEN NULL ELSE '[[' || ablated_layer || ',' || ablated_neuron || ',0,0]]' END "
    "AS ablations, train_loss, validation_correct, validation_count, finite, verdict, '' AS reason"
)
_OF_UNITS = {"lkg_dead": "INTEGER", "lkg_inactive": "INTEGER"}
_OF_LOOPS = {
    "lkg_correct": "INTEGER",
    "lkg_meta_loop": "INTEGER",
    **_OF_UNITS,
    "dead_units": "TEXT",
    "promoting_correct": "INTEGER",
    "train_accuracy": "REAL",
}
_LABELS = {"name": "TEXT", "tags": "TEXT", "note": "TEXT"}
_ADDED = {
    "runs": {**_OF_UNITS, **_LABELS, "input_shape": "TEXT", "classes": "INTEGER", "initialisation_seed": "INTEGER"},
    "trials": _OF_UNITS,
    "meta_loops": _OF_LOOPS,
    "trial_loops": _OF_LOOPS,
}
"""Columns that tables of earlier formats may lack, with their types: what is in them was not known then."""
_FROM_FORMAT_2 = {
    "runs": "SELECT *, 'mlp' AS network, NULL AS train_count, NULL AS validation_count, NULL AS test_count, "
    "NULL AS majority_class_accuracy, bounty AS lkg_accuracy, bounty_meta_loop AS lkg_meta_loop FROM main.{}",
    "sessions": "SELECT *, 'torch' AS backend FROM main.{}",
    "meta_loops": f"SELECT run, {_OLD_LOOP}, seconds FROM main.{{}}",
    "trial_loops": f"SELECT study, architecture, trial, {_OLD_LOOP}, NULL AS seconds FROM main.{{}}",
}
"""What tables of formats 1 and 2 hold in the columns of format 3; how many weights an ablation hit they do not say."""


def create_or_upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables to ``FORMAT``, within a transaction; ``version`` is that of the file, 0 for a new one."""
    tables = {**_RUN_TABLES, **STUDY_TABLES}
    found = set(_tables_of(version))
    old = found & set(_FROM_FORMAT_2) if version <= 2 else set()
    for name in old:
        connection.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    for name, columns in tables.items():
        if name in old or name not in found:
            connection.execute(f"CREATE TABLE {name} (\n{columns.strip()}\n) WITHOUT ROWID")
    for name in old:
        converted = _FROM_FORMAT_2[name].format(f"old_{name}")
        columns = ", ".join(_columns(connection, f"({converted})"))
        connection.execute(f"INSERT INTO {name} ({columns}) {converted}")
    # Dropped only now: what refers to a table must find it until its own rows have moved.
    for name in ("meta_loops", "sessions", "runs", "trial_loops"):
        if name in old:
            connection.execute(f"DROP TABLE old_{name}")
    for table in ("runs", "sessions"):
        known = _columns(connection, table)
        for one in HYPERPARAMETERS:
            if one.name not in known:
                column = f"{one.name} {one.sql_type} NOT NULL DEFAULT {one.default!r}"
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    for table, added in _ADDED.items():
        known = _columns(connection, table)
        for name, sql_type in added.items():
            if name not in known:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {sql_type}")
    if version < 10:
        connection.execute("UPDATE runs SET checkpoint = converted_place(checkpoint)")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def view_as_current(connection: sqlite3.Connection, version: int) -> None:
    """Let a connection that only reads see the tables of an earlier format in the columns of today."""
    if not 0 < version < FORMAT:
        return
    converted = _FROM_FORMAT_2 if version <= 2 else {}
    for name in set(_tables_of(version)) & {*converted, *_ADDED}:
        rows = converted.get(name, "SELECT * FROM main.{}").format(name)
        known = _columns(connection, f"({rows})")
        today = {"checkpoint": "converted_place(checkpoint) AS checkpoint"}
        columns = ", ".join(today.get(column, column) for column in known)
        unknown = "".join(f", NULL AS {column}" for column in _ADDED.get(name, ()) if column not in known)
        connection.execute(f"CREATE TEMP VIEW {name} AS SELECT {columns}{unknown} FROM ({rows})")


def _tables_of(version: int) -> Iterator[str]:
    """The tables that a file of ``version`` has."""
    if version >= 1:
        yield from _RUN_TABLES
    if version >= 2:
        yield from STUDY_TABLES


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [column[0] for column in connection.execute(f"SELECT * FROM {table} LIMIT 0").description]
