"""Lines for people on a terminal: broken between words, where the terminal would break them anywhere."""

from __future__ import annotations

import os
from collections.abc import Iterable
from textwrap import wrap
from typing import TextIO

from psa_tui.formatting import printable

_HANG = "  "
"""What stands before the rest of a line that was broken."""


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal that ``stream`` writes on; None where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def page_width(stream: TextIO, most: int) -> int:
    """Return how many columns a page on ``stream`` may have, where it has room for ``most``."""
    return min(terminal_width(stream) or most, most)


def write_lines(stream: TextIO, lines: Iterable[str]) -> None:
    """Write ``lines``, each on one line of its own unless a terminal has no room for that."""
    width = terminal_width(stream)
    for line in lines:
        stream.writelines(part + "\n" for part in broken(line, width))
    stream.flush()


def write_question(stream: TextIO, question: str) -> None:
    """Write ``question`` as ``write_lines`` does, and leave the cursor behind it, for the answer."""
    width = terminal_width(stream)
    stream.write("\n".join(broken(question, None if width is None else width - 2)) + " ")
    stream.flush()


def broken(line: str, width: int | None) -> list[str]:
    """Return ``line``, without control characters, in lines of ``width`` columns; whole where that is None."""
    line = printable(line)
    if width is None or len(line) <= width:
        return [line]
    return wrap(line, width, subsequent_indent=_HANG, break_long_words=False, break_on_hyphens=False)
