"""The tables of single runs in the results database, written before anything is shown.

``runs`` has one row a run (its settings and where it stands), ``sessions`` one each time a process worked on a run
(when, on which machine, with what outcome), ``meta_loops`` one a loop. Writing a loop again replaces its row, so a
resume that repeats the loop a kill interrupted repairs the history. Every write is one durable transaction.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psa_tui.method.events import MetaLoopFinished, RunFinished, Verdict
from psa_tui.method.progress import Progress
from psa_tui.storage.database import Database, now, open_database, read_database
from psa_tui.storage.header import Record
from psa_tui.storage.labels import NO_LABELS, Labels, write_labels
from psa_tui.storage.meta_loops import NAMES, MetaLoopRow
from psa_tui.storage.places import actual_place, stored_place
from psa_tui.storage.run_rows import RunRow, decode_run
from psa_tui.storage.sessions import decode_session
from psa_tui.storage.statements import count_rows, insert, mappings, named, of_run, update

__all__ = ["RunRow", "RunStore", "SplitCounts", "open_runs", "read_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCounts:
    """How many images a run's splits have, and what always answering the most frequent class would score."""

    train: int
    validation: int
    test: int
    majority_class_accuracy: float | None


class RunStore:
    """The runs of an open database. Every method raises ``HistoryError`` when the database refuses."""

    def __init__(self, database: Database) -> None:
        """Use ``open_runs`` or ``read_runs`` instead."""
        self._database = database
        self._session: tuple[str, int] | None = None

    def begin_session(
        self, record: Record, checkpoint: Path, splits: SplitCounts, *, is_new: bool = False, labels: Labels = NO_LABELS
    ) -> int:
        """Open a session of the run of ``record``, which stands where ``checkpoint`` does, and add ``labels``.

        Loops the checkpoint does not know of (a kill came between the two writes, or a previous generation
        was put back) are forgotten: they are about to be run again. Those of a run that branched off, and is not
        known yet, are copied from its parent, with the sessions that trained them. A run that ``is_new`` is refused
        where its name is taken.

        Returns:
            The number of earlier loops the history lacks.
        """
        done = record.progress.meta_loop
        moment = now()
        changing = {
            "updated_at": moment,
            "state": "running",
            "reason": "",
            "checkpoint": stored_place(checkpoint, self._database.path),
            "mode": record.mode,
            **record.hyperparameters.as_json(),
            **_counters(record.progress),
            "last_meta_loop": record.last_meta_loop,
            "train_count": splits.train,
            "validation_count": splits.validation,
            "test_count": splits.test,
            "majority_class_accuracy": splits.majority_class_accuracy,
            "test_accuracy": None,
            # Of a run that an earlier version began, only its checkpoint knows.
            "initialisation_seed": record.initialisation_seed,
        }
        fixed = {
            "run": record.run,
            "created_at": moment,
            "network": record.network,
            "architecture": record.architecture,
            "parameters": record.parameters,
            "seed": record.seed,
            "dataset": record.dataset,
            "dataset_requested": record.dataset_requested,
            "dataset_fingerprint": record.dataset_fingerprint,
            "input_shape": json.dumps(record.input_shape),
            "classes": record.classes,
        }
        with self._database.transaction() as connection:
            is_known = count_rows(connection, "runs", record.run)
            updates = ", ".join(f"{name} = excluded.{name}" for name in changing)
            conflict = "" if is_new else f"ON CONFLICT (run) DO UPDATE SET {updates}"
            insert(connection, "runs", fixed | changing, conflict)
            write_labels(connection, record.run, labels)
            if record.parent is not None and not is_known:
                columns = ", ".join(NAMES)
                connection.execute(
                    f"INSERT INTO meta_loops (run, {columns}) SELECT ?, {columns} FROM meta_loops WHERE run = ?",
                    (record.run, record.parent),
                )
                older = "SELECT * FROM sessions WHERE run = ? AND after_meta_loop < ?"
                for session in mappings(connection.execute(older, (record.parent, done))):
                    insert(connection, "sessions", session | {"run": record.run})
            connection.execute("DELETE FROM meta_loops WHERE run = ? AND meta_loop > ?", (record.run, done))
            known = count_rows(connection, "meta_loops", record.run)
            (session,) = connection.execute(
                "SELECT coalesce(max(session), 0) + 1 FROM sessions WHERE run = ?", (record.run,)
            ).fetchone()
            values = {
                "run": record.run,
                "session": session,
                "started_at": moment,
                "after_meta_loop": done,
                **record.hyperparameters.as_json(),
                "device": record.device,
                "threads": record.threads,
                "backend": record.backend,
                "machine": record.machine,
                "versions": json.dumps(record.versions, sort_keys=True),
            }
            insert(connection, "sessions", values)
        self._session = (record.run, session)
        return done - known

    def home(self, run: str) -> Path | None:
        """Return where the checkpoint of ``run`` was when it was last worked on; None when the run is unknown."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT checkpoint FROM runs WHERE run = ?", (run,)).fetchone()
        return None if row is None else Path(actual_place(row[0], self._database.path))

    def label(self, run: str, labels: Labels, removed: Collection[str] = (), checkpoint: Path | None = None) -> None:
        """Add ``labels`` to those of ``run``, without the tags ``removed``; its ``checkpoint`` may be elsewhere now."""
        with self._database.transaction() as connection:
            write_labels(connection, run, labels, removed)
            if checkpoint is not None:
                place = stored_place(checkpoint, self._database.path)
                update(connection, "runs", {"checkpoint": place}, {"run": run})

    def add(self, run: str, event: MetaLoopFinished) -> None:
        """Record a finished loop, in place of an earlier record of the same loop."""
        loop = dict(zip(NAMES, MetaLoopRow.of(event).values(), strict=True))
        changing = {"updated_at": now(), "mode": event.mode, **_counters(event.progress)}
        with self._database.transaction() as connection:
            insert(connection, "meta_loops", {"run": run, **loop}, replace=True)
            update(connection, "runs", changing, {"run": run})

    def end(self, event: RunFinished) -> None:
        """Record how the session ended, and where the run stands."""
        moment, outcome = now(), str(event.outcome)
        changing = {
            "updated_at": moment,
            "state": outcome,
            "reason": event.reason,
            "test_accuracy": event.test_accuracy,
        }
        with self._database.transaction() as connection:
            update(connection, "runs", changing, {"run": event.run})
            if self._session is not None:
                run, session = self._session
                ended = {"ended_at": moment, "outcome": outcome}
                update(connection, "sessions", ended, {"run": run, "session": session})

    def latest(self, limit: int) -> list[RunRow]:
        """Return the runs worked on last, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM runs ORDER BY updated_at DESC, run LIMIT ?", (limit,))
            return [self._decode(row) for row in mappings(rows)]

    def run(self, run: str) -> RunRow | None:
        """Return the run of that name, or None."""
        with self._database.reading() as connection:
            rows = mappings(of_run(connection, "SELECT * FROM runs", run))
            return self._decode(rows[0]) if rows else None

    def sessions(self, run: str) -> list[dict[str, Any]]:
        """Return the sessions of ``run`` in order; the keys are the columns of ``sessions``, versions are a mapping."""
        with self._database.reading() as connection:
            rows = mappings(of_run(connection, "SELECT * FROM sessions", run, "ORDER BY session"))
            return [decode_session(row) for row in rows]

    def modes(self, run: str) -> list[tuple[int, str]]:
        """Return (first meta-loop, mode) of each stretch of loops of ``run`` in one mode, in order."""
        with self._database.reading() as connection:
            return connection.execute(
                "SELECT meta_loop, mode FROM (SELECT meta_loop, mode, lag(mode) OVER (ORDER BY meta_loop) AS before "
                f"FROM meta_loops WHERE {named('run', run)}) WHERE before IS NOT mode ORDER BY meta_loop",
                (run,),
            ).fetchall()

    def loops(self, run: str, after: int = 0, most: int = -1) -> list[MetaLoopRow]:
        """Return the loops of ``run`` after loop ``after``, in order, at most ``most`` of them."""
        with self._database.reading() as connection:
            columns, more = ", ".join(NAMES), "AND meta_loop > ? ORDER BY meta_loop LIMIT ?"
            rows = of_run(connection, f"SELECT {columns} FROM meta_loops", run, more, after, most)
            return [MetaLoopRow.from_columns(row) for row in rows]

    def loop_batches(self, run: str, size: int = 10_000) -> Iterator[list[MetaLoopRow]]:
        """Go through all loops of ``run`` in order, ``size`` at a time: a run may have millions."""
        last = 0
        while batch := self.loops(run, last, size):
            last = batch[-1].meta_loop
            yield batch

    def seconds(self, run: str) -> float:
        """Return how long the meta-loops of ``run`` took, which is the time of a run wherever one is told."""
        with self._database.reading() as connection:
            return float(*of_run(connection, "SELECT total(seconds) FROM meta_loops", run).fetchone())

    def validation_curve(self, run: str) -> tuple[array[float], int]:
        """Return the validation accuracy of every loop's candidate, in order, and how many were promoted."""
        with self._database.reading() as connection:
            counts = "SELECT validation_correct, validation_count FROM meta_loops"
            rows = of_run(connection, counts, run, "ORDER BY meta_loop")
            curve = array("d", (correct / count for correct, count in rows))
            promoted = of_run(
                connection, "SELECT count(*) FROM meta_loops", run, "AND verdict = ?", str(Verdict.PROMOTED)
            )
            (count,) = promoted.fetchone()
        return curve, int(count)

    def _decode(self, row: dict[str, Any]) -> RunRow:
        return decode_run(row | {"checkpoint": actual_place(row["checkpoint"], self._database.path)})


def _counters(progress: Progress) -> dict[str, Any]:
    return {
        "meta_loop": progress.meta_loop,
        "bounty": progress.bounty,
        "bounty_meta_loop": progress.best_meta_loop,
        "lkg_accuracy": progress.lkg_accuracy,
        "lkg_meta_loop": progress.lkg_meta_loop,
        "lkg_dead": progress.lkg_dead,
        "lkg_inactive": progress.lkg_inactive,
    }


@contextmanager
def open_runs(folder: Path) -> Iterator[RunStore]:
    """Open the runs in ``folder`` for reading and writing, and make the database if there is none.

    Raises:
        HistoryError: it is damaged, foreign, from a newer version, or cannot be written.
    """
    with open_database(folder) as database:
        yield RunStore(database)


@contextmanager
def read_runs(folder: Path) -> Iterator[RunStore | None]:
    """Open the runs in ``folder`` for reading only; None when there is no database yet.

    Raises:
        HistoryError: it is damaged, foreign or from a newer version.
    """
    with read_database(folder) as database:
        yield None if database is None else RunStore(database)
