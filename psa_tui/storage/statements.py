"""The statements that tables of the results database are written and read with; values go in by name."""

from __future__ import annotations

import sqlite3
from typing import Any


def insert(
    connection: sqlite3.Connection, table: str, values: dict[str, Any], more: str = "", *, replace: bool = False
) -> None:
    """Insert a row; ``more`` follows the values, and with ``replace`` a row with its key gives way."""
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    connection.execute(f"{verb} INTO {table} ({names}) VALUES ({marks}) {more}", tuple(values.values()))


def named(column: str, shown: object, table: str = "runs") -> str:
    """Return the condition, with one mark, that ``column`` holds what is read as ``shown``.

    Texts are cleaned when they are read, so a name that others wrote may differ from what the file has; of several that
    read the same, the first of ``table`` is meant.
    """
    if not isinstance(shown, str) or "\N{REPLACEMENT CHARACTER}" not in shown:
        return f"{column} = ?"
    found = f"SELECT {column} FROM {table} WHERE outside_text(CAST({column} AS BLOB)) = ? ORDER BY {column} LIMIT 1"
    return f"{column} = ({found})"


def of_run(connection: sqlite3.Connection, select: str, run: str, more: str = "", *values: object) -> sqlite3.Cursor:
    """Select what is of ``run``; ``values`` are for the marks of ``more``, which follows that condition."""
    return connection.execute(f"{select} WHERE {named('run', run)} {more}", (run, *values))


def update(connection: sqlite3.Connection, table: str, values: dict[str, Any], where: dict[str, Any]) -> None:
    """Change the rows whose columns have the values of ``where``."""
    changes = ", ".join(f"{name} = ?" for name in values)
    found = " AND ".join(named(name, value) for name, value in where.items())
    connection.execute(f"UPDATE {table} SET {changes} WHERE {found}", (*values.values(), *where.values()))


def count_rows(connection: sqlite3.Connection, table: str, run: str) -> int:
    """Return how many rows are of ``run``."""
    (count,) = connection.execute(f"SELECT count(*) FROM {table} WHERE run = ?", (run,)).fetchone()
    return int(count)


def mappings(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    """Return the rows, each by its columns' names."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
