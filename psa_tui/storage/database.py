"""The results database: one SQLite file in the results folder, with everything runs and studies found out.

``schema`` has its tables, ``RunStore`` and ``StudyStore`` read and write them. Every write is one durable
transaction; a reader never waits for a writer. A file of an earlier format is brought up to date when it is opened
for writing, and read through views when it is not; one of a later format is refused.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_type_hints

from psa_tui.errors import HistoryError
from psa_tui.formatting import printable
from psa_tui.outside import outside_text
from psa_tui.storage.atomic_write import make_folder
from psa_tui.storage.places import converted_place
from psa_tui.storage.schema import APPLICATION_ID, FORMAT, create_or_upgrade, view_as_current

FILE_NAME = "history.sqlite"
_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises: the second one where it quotes, of a malformed schema, what is no text."""


class Database:
    """An open results database. Its contexts raise ``HistoryError`` when the file refuses."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Use ``open_database`` or ``read_database`` instead."""
        self.connection = connection
        self.path = path

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block's writes, or none."""
        self._check_place()
        with self.errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def _check_place(self) -> None:
        """Refuse to write to a file that has lost its name, as SQLite would: what is written is lost with it."""
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            problem = f"{self.path}: was moved or deleted while it was in use; put it back, or do without it"
            raise HistoryError(problem) from None
        except OSError:
            # SQLite says in its own words what is wrong.
            return

    @contextmanager
    def errors(self) -> Iterator[sqlite3.Connection]:
        """Say in one line what SQLite complains of."""
        try:
            yield self.connection
        except _ERRORS as error:
            raise _refusal(self.path, error) from None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Say in one line what SQLite complains of, or that a row is none that this program writes."""
        try:
            with self.errors() as connection:
                yield connection
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            reason = printable(" ".join(str(error).split()))[:100]
            raise HistoryError(f"{self.path}: has a row that makes no sense ({reason}); move it away") from None


@contextmanager
def open_database(folder: Path) -> Iterator[Database]:
    """Open the database in ``folder`` for reading and writing; make it, or bring it up to date, if need be.

    Raises:
        HistoryError: it is damaged, foreign, from a newer version, or cannot be written.
    """
    path = folder / FILE_NAME
    make_folder(folder, "--results-dir", HistoryError)
    with _connected(path, str(path), uri=False) as database:
        with database.errors() as connection:
            # Before anything is changed: the file may be another program's.
            _version(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        with database.transaction() as connection:
            create_or_upgrade(connection, _version(connection, path))
        yield database


@contextmanager
def read_database(folder: Path, needed: int = 1) -> Iterator[Database | None]:
    """Open the database in ``folder`` for reading only; None when there is none of at least format ``needed``.

    Raises:
        HistoryError: it is damaged, foreign or from a newer version.
    """
    try:
        is_file = folder.is_file()
        path = folder if is_file else folder / FILE_NAME
        is_there = stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_there = False
    except OSError as error:
        # What cannot be looked into is not empty.
        problem = f"{folder}: cannot be read ({error.strerror})"
        raise HistoryError(f"{problem}; see to its permissions, or say --results-dir") from None
    if not is_there:
        yield None
        return
    # SQLite makes files beside one that it reads, unless told that nobody writes: then there is no log of writes. In a
    # folder of somebody else's, or on a medium that is read-only, it could not make them.
    has_log = any(path.with_name(f"{path.name}-{log}").exists() for log in ("wal", "journal"))
    is_at_rest = not has_log and (is_file or not os.access(path.parent, os.W_OK))
    address = path.absolute().as_uri()
    if not is_file and not is_at_rest:
        _undo_interrupted_write(path, address)
    with _connected(path, f"{address}?mode=ro{'&immutable=1' if is_at_rest else ''}", uri=True) as database:
        with database.errors() as connection:
            known = _version(connection, path)
            view_as_current(connection, known)
        yield database if known >= needed else None


Row = TypeVar("Row")


def checked_row(kind: type[Row], values: Mapping[str, Any]) -> Row:
    """Return ``kind``, a dataclass, of ``values``; SQLite itself lets any column hold anything.

    Raises:
        TypeError: a value is not of its field's type.
    """
    plain: type = kind
    for name, hint in _hints(plain).items():
        value = values[name]
        if isinstance(hint, type | UnionType) and not isinstance(value, hint) and not _is_whole_rate(value, hint):
            raise TypeError(f"{name} is {str(value)[:40]!r}")
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_whole_rate(value: object, hint: Any) -> bool:
    return isinstance(value, int) and issubclass(float, hint)


def now() -> str:
    """The time as the database has it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def _connected(path: Path, address: str, *, uri: bool) -> Iterator[Database]:
    try:
        connection = sqlite3.connect(address, uri=uri, timeout=10, isolation_level=None)
    except sqlite3.Error as error:
        raise _refusal(path, error) from None
    # Rows have few different texts, and it is called for each of them.
    connection.text_factory = lru_cache(maxsize=1024)(outside_text)
    connection.create_function("outside_text", 1, outside_text, deterministic=True)
    connection.create_function("converted_place", 1, lambda stored: converted_place(stored, path))
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        yield Database(connection, path)
    finally:
        connection.close()


def _undo_interrupted_write(path: Path, address: str) -> None:
    """Let SQLite undo what a killed writer left half written: it does not where one only reads, and refuses to read."""
    with _connected(path, f"{address}?mode=ro", uri=True) as database:
        try:
            database.connection.execute("SELECT 1 FROM sqlite_master")
            return
        except _ERRORS as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_READONLY_ROLLBACK":
                return
    with _connected(path, f"{address}?mode=rw", uri=True) as database, database.errors() as connection:
        connection.execute("SELECT 1 FROM sqlite_master")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    # One statement, so one moment: another process may be making the tables just now.
    application, version, tables, foreign, ours = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master), "
        "(SELECT count(*) FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'create virtual%'), "
        "(SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('runs', 'sessions', 'meta_loops')) "
        "FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    is_empty = application == 0 and version == 0 and tables == 0
    # Files of the first versions bear no mark but their tables.
    is_ours = application == APPLICATION_ID or (application == 0 and version > 0 and ours == 3)
    # We make no views and no triggers: what runs when a table is read or written would be another's.
    if (not is_empty and not is_ours) or foreign:
        raise HistoryError(f"{path}: not a psa-tui history; move it away, or choose another --results-dir")
    if version > FORMAT:
        raise HistoryError(f"{path}: history format {version}, this version reads {FORMAT}; update psa-tui")
    return int(version)


def _refusal(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> HistoryError:
    code = getattr(error, "sqlite_errorname", "") or ""
    if isinstance(error, UnicodeDecodeError) or code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        remedy = "move it away; the checkpoints do not need it"
    elif code.startswith("SQLITE_BUSY"):
        remedy = "another program keeps it locked; close that"
    else:
        remedy = "see to the folder, space and permissions, or choose another --results-dir"
    # Of a schema that is malformed SQLite says a part, in lines and with whatever stands there.
    reason = printable(" ".join(str(error).split()))[:100]
    return HistoryError(f"{path}: the history cannot be used ({reason}); {remedy}")
