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


def update(connection: sqlite3.Connection, table: str, values: dict[str, Any], where: dict[str, Any]) -> None:
    """Change the rows whose columns have the values of ``where``."""
    changes, found = (f"{sep}".join(f"{name} = ?" for name in part) for part, sep in ((values, ", "), (where, " AND ")))
    connection.execute(f"UPDATE {table} SET {changes} WHERE {found}", (*values.values(), *where.values()))


def count_rows(connection: sqlite3.Connection, table: str, run: str) -> int:
    """Return how many rows are of ``run``."""
    (count,) = connection.execute(f"SELECT count(*) FROM {table} WHERE run = ?", (run,)).fetchone()
    return int(count)


def mappings(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    """Return the rows, each by its columns' names."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
