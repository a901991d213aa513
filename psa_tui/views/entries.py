"""Names in the models folder in words, as ``psa clean`` lists them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psa_tui.formatting import count, format_bytes, printable
from psa_tui.storage.clean_plan import Entry, Kind


def format_entries(listed: Sequence[tuple[Path, Entry]], what: str | None = None) -> list[str]:
    """Return a line an entry, each with its folder, and one with their total and ``what`` became of them."""
    lines = [
        f"{format_bytes(entry.size_bytes):>9}  {printable(folder / entry.name)}"
        + ("" if entry.kind is Kind.FILE else f"  ({entry.kind})")
        for folder, entry in listed
    ]
    return lines if what is None else [*lines, f"{format_total(listed)} {what}"]


def format_total(listed: Sequence[tuple[Path, Entry]]) -> str:
    """Return how many entries there are and how large they are."""
    return f"{count(len(listed), 'file')} ({format_bytes(sum(entry.size_bytes for _, entry in listed))})"
