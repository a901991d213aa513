"""The command line's one vocabulary: errors, warnings and notes on stderr, data on stdout.

Text from outside (file names, metadata, messages of libraries) goes through ``printable`` first and is
never read as markup.
"""

from __future__ import annotations

import sys
import unicodedata


def printable(text: str) -> str:
    """``text`` without the characters that drive a terminal; line breaks stay."""
    return "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else "�" for c in text)


def print_error(message: str) -> None:
    """Say on stderr why the command failed."""
    _say("error", message)


def print_warning(message: str) -> None:
    """Say on stderr what a user must know although the command goes on."""
    _say("warning", message)


def print_note(message: str) -> None:
    """Say on stderr what the command does."""
    print(printable(f"psa: {message}"), file=sys.stderr)


def _say(kind: str, message: str) -> None:
    print(printable(f"psa: {kind}: {message}"), file=sys.stderr)


def format_bytes(count: int) -> str:
    """``count`` bytes for people: 512 B, 3.2 MB, 1.8 TB (powers of 1000)."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 999.5 or unit == "PB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def format_percent(fraction: float | None) -> str:
    """A fraction as a percentage with two decimals, or a dash when there is none."""
    return "-" if fraction is None else f"{100 * fraction:.2f} %"
