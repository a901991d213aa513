"""Moving the rows of a study from one results database into another one: into the trash, and back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from psa_tui.errors import HistoryError
from psa_tui.storage.database import FILE_NAME, open_database
from psa_tui.storage.schema import STUDY_TABLES
from psa_tui.storage.statements import named


def move_study(study: str, source: Path, target: Path) -> None:
    """Move all rows of a study from the database in the folder ``source`` to that in ``target``.

    They are durable in ``target`` before they go from ``source``: a kill leaves them in both, never in neither.

    Raises:
        HistoryError: a database refuses, or the study changed meanwhile; then it is still in ``source``.
    """
    with open_database(target):
        pass  # It is made, or checked and brought up to date.
    with open_database(source) as database:
        with database.errors() as connection:
            connection.execute("ATTACH ? AS target", (str(target / FILE_NAME),))
        with database.transaction() as connection:
            for table in STUDY_TABLES:
                columns = _columns(connection, table)
                connection.execute(
                    f"INSERT INTO target.{table} ({columns}) SELECT {columns} FROM main.{table} WHERE {_of(study)}",
                    (study,),
                )
        with database.transaction() as connection:
            # Those that fetch trials take no lock.
            if any(_lacks(connection, table, study) for table in STUDY_TABLES):
                raise HistoryError(f"study {study} changed meanwhile, so nothing was removed; say it again")
            _delete(connection, study)


def delete_study(study: str, folder: Path) -> None:
    """Delete all rows of a study from the database in ``folder``.

    Raises:
        HistoryError: the database refuses.
    """
    with open_database(folder) as database, database.transaction() as connection:
        _delete(connection, study)


def _delete(connection: sqlite3.Connection, study: str) -> None:
    # The table of studies last: a name that is read cleaned is looked up in it.
    for table in reversed(STUDY_TABLES):
        connection.execute(f"DELETE FROM main.{table} WHERE {_of(study)}", (study,))


def _lacks(connection: sqlite3.Connection, table: str, study: str) -> bool:
    """Whether the other database lacks a row of this one's."""
    columns = _columns(connection, table)
    missing = f"SELECT {columns} FROM main.{table} WHERE {_of(study)} EXCEPT SELECT {columns} FROM target.{table}"
    return connection.execute(f"{missing} LIMIT 1", (study,)).fetchone() is not None


def _columns(connection: sqlite3.Connection, table: str) -> str:
    """Return the names of the columns: a table that was brought up to date has them in another order."""
    return ", ".join(column[0] for column in connection.execute(f"SELECT * FROM main.{table} LIMIT 0").description)


def _of(study: str) -> str:
    return named("study", study, "main.studies")
