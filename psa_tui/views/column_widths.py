"""Which columns of a table a terminal holds, and how wide each is: numbers stay whole, long words are folded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

_WHOLE = 10
"""Cells that are no wider are never folded."""
_LEAST = 14
"""Columns that a folded text takes at least, as long as a column that can be spared is left."""
_WORDS, _PARTS = re.compile(r"(?=[+>])|(?<=[ ,])"), re.compile(r"(?<=[/=_:.-])")
"""Where a text is folded if it can be: before an axis of a mode, behind a word; else between the parts of one."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of the columns that are shown, and their widths."""

    places: Sequence[int]
    widths: Sequence[int]


def layout_of(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    room: int,
    *,
    gap: int = 1,
    first_number: int | None = None,
    spare: Sequence[int] = (),
    whole: bool = False,
) -> Layout:
    """Return the layout of a table in ``room`` columns.

    Args:
        columns: the headings, which are folded before a cell is.
        rows: the cells.
        room: columns of the terminal.
        gap: columns between two of the table.
        first_number: columns from this one on are numbers, and never folded.
        spare: places of columns that are left out where there is no room, the first of them first; where none is
            named, those of numbers, the last first.
        whole: whether the first column is never folded.
    """
    cells = [max((cell_len(row[place]) for row in rows), default=0) for place in range(len(columns))]
    heads = [cell_len(column) for column in columns]
    folds = [
        width > _WHOLE and not (whole and place == 0) and (first_number is None or place < first_number)
        for place, width in enumerate(cells)
    ]
    full = [max(both) for both in zip(cells, heads, strict=True)]
    places = list(range(len(columns)))
    left = list(spare) or list(range(first_number or len(columns), len(columns)))[::-1]
    while True:
        wanted = room - gap * len(places)
        if sum(full[place] for place in places) <= wanted:
            return Layout(places, [full[place] for place in places])
        for at_least in (_LEAST,) if left else (_LEAST, _WHOLE):
            least = [min(cells[place], at_least) if folds[place] else cells[place] for place in places]
            least = [max(width, _longest_word(columns[place])) for place, width in zip(places, least, strict=True)]
            if sum(least) <= wanted:
                break
        else:
            if left:
                places.remove(left.pop(0))
                continue
        return Layout(places, _filled([full[place] for place in places], least, wanted))


def _longest_word(heading: str) -> int:
    return min(max(map(cell_len, re.split(r"[ +]", heading)), default=0), _LEAST)


def _filled(full: Sequence[int], least: Sequence[int], wanted: int) -> list[int]:
    """Return widths between ``least`` and ``full`` that come to ``wanted`` at most, the widest being cut first."""
    cap = max(full)
    while cap and sum(max(min(wide, cap), low) for wide, low in zip(full, least, strict=True)) > wanted:
        cap -= 1
    return [max(min(wide, cap), low) for wide, low in zip(full, least, strict=True)]


def folded(text: str, width: int) -> str:
    """Return a text in lines of at most ``width`` columns, broken where a word or an axis of a mode begins.

    A piece that is longer is left whole, and folded by whatever draws it.
    """
    lines = [""]
    words = _WORDS.split(text)
    pieces = (part for word in words for part in (_PARTS.split(word) if cell_len(word.rstrip()) > width else [word]))
    for piece in pieces:
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
