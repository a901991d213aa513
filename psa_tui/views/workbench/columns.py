"""The columns of the table of runs and studies: what each shows, how it sorts, and which of them a width holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.cells import cell_len

from psa_tui.views.workbench.entries import Entry, accuracy, age, now

NAME = "name"
_MARK_WIDTH = 3
_PADDING = 2
"""Columns around a cell."""
_ARROW = 2
"""Columns for the arrow behind the heading of the column that is sorted by."""
_LONGEST = 28, 20, 14, 10
"""Columns that a text may take, the later ones where a column of weight ``_MISSED`` or less had no room else."""
_MISSED = 5


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    label: str
    weight: int
    """The lower, the longer it stays when the table becomes narrow."""
    text: Callable[[Entry], str]
    order: Callable[[Entry], Any]
    """What it sorts by; None comes last."""
    is_number: bool = False
    is_descending: bool = False
    """Whether the first press sorts downwards."""
    extra: int = 0
    """Columns that its cells take besides their texts."""
    longest: int = _LONGEST[0]
    """Columns that its texts may take."""

    def cell(self, entry: Entry) -> str:
        """Return what it shows of an entry, a text shortened to the room that it may take."""
        return self.text(entry) if self.is_number else shortened(self.text(entry), self.longest)


def shortened(text: str, longest: int) -> str:
    """Return a text that is too long for a column up to the end of a word, with an ellipsis."""
    if cell_len(text) <= longest:
        return text
    while cell_len(text) > longest - 1:
        text = text[: max(len(text) - 1, 0)]
    ends = [text.rfind(mark) + 1 for mark in " ,+>:;-"]
    return f"{text[: max(ends)] if max(ends) > longest // 2 else text}…"


def _age(entry: Entry) -> str:
    return age(entry.age_s(now()))


def _rate(entry: Entry) -> str:
    return "-" if entry.learning_rate is None else f"{entry.learning_rate:g}"


def _share(entry: Entry) -> float:
    return entry.done / entry.last if entry.last else 0.0


COLUMNS = (
    Column(NAME, 0, lambda one: one.label, lambda one: one.label.lower()),
    Column("state", 1, lambda one: one.state, lambda one: one.state, extra=2),
    Column("shape", 5, lambda one: one.architecture, lambda one: one.architecture),
    Column("mode", 3, lambda one: one.mode, lambda one: one.mode),
    Column("lr", 7, _rate, lambda one: one.learning_rate, is_number=True),
    Column("loops", 4, lambda one: f"{one.done:,}/{one.last:,}", _share, is_number=True),
    Column("best %", 2, lambda one: accuracy(one.bounty), lambda one: one.bounty, is_number=True, is_descending=True),
    Column(
        "test %",
        8,
        lambda one: accuracy(one.test_accuracy),
        lambda one: one.test_accuracy,
        is_number=True,
        is_descending=True,
    ),
    Column("tags", 9, lambda one: one.tags or "-", lambda one: one.tags or None),
    Column("note", 10, lambda one: one.note or "-", lambda one: one.note or None),
    Column("age", 6, _age, lambda one: one.updated_at, is_number=True, is_descending=True),
)
"""In the order in which they stand."""


def width_of(column: Column, entries: Sequence[Entry], sorted_by: Column) -> int:
    """Return how wide a column's cells are, with the heading and its arrow, without the space around them."""
    heading = cell_len(column.label) + (_ARROW if column.label == sorted_by.label else 0)
    return max([heading, *(column.extra + cell_len(column.cell(entry)) for entry in entries)])


def fitting(entries: Sequence[Entry], width: int, sorted_by: Column) -> tuple[list[Column], int]:
    """Return the columns that ``width`` holds whole, and how wide they are together; the first one always is there.

    A column that no entry has anything in is left out. Long modes and shapes are shortened before loops or shapes go;
    names, which tell rows apart, are not.
    """
    filled = [one for one in COLUMNS if not entries or any(one.text(entry) != "-" for entry in entries)]
    wanted = {column.label for column in filled if column.weight <= _MISSED}
    found: tuple[list[Column], int] = [], 0
    for longest in _LONGEST:
        columns = [one if one.label == NAME else replace(one, longest=longest) for one in filled]
        fitted, taken = _fitting(columns, entries, width, sorted_by)
        labels = {one.label for one in fitted}
        if len(labels & wanted) > len(wanted & {one.label for one in found[0]}):
            found = fitted, taken
        if wanted <= labels:
            break
    return found


def _fitting(
    columns: Sequence[Column], entries: Sequence[Entry], width: int, sorted_by: Column
) -> tuple[list[Column], int]:
    chosen: list[Column] = []
    room = width - _MARK_WIDTH
    for column in sorted(columns, key=lambda one: one.weight):
        needed = width_of(column, entries, sorted_by) + _PADDING
        if not chosen or needed <= room:
            chosen.append(column)
            room -= needed
    return [column for column in columns if column in chosen], width - max(room, 0)


def ordered(entries: Sequence[Entry], column: Column, *, reverse: bool) -> list[Entry]:
    """Return the entries in the order of a column; those that have nothing in it come last either way."""
    known = [entry for entry in entries if column.order(entry) is not None]
    unknown = [entry for entry in entries if column.order(entry) is None]
    return sorted(known, key=column.order, reverse=reverse) + unknown
