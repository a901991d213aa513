"""Names in the models folder in words, as ``psa clean`` lists them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from psa_tui.formatting import format_bytes, printable
from psa_tui.storage.clean_plan import Entry, Kind


def format_entries(folder: Path, entries: Sequence[Entry], what: str | None = None) -> list[str]:
    """Return a line an entry, and one with their total and ``what`` became of them."""
    lines = [
        f"{format_bytes(entry.size_bytes):>9}  {printable(folder / entry.name)}"
        + ("" if entry.kind is Kind.FILE else f"  ({entry.kind})")
        for entry in entries
    ]
    return lines if what is None else [*lines, f"{format_total(entries)} {what}"]


def format_total(entries: Sequence[Entry]) -> str:
    """Return how many entries there are and how large they are."""
    count = f"{len(entries)} file{'' if len(entries) == 1 else 's'}"
    return f"{count} ({format_bytes(sum(entry.size_bytes for entry in entries))})"
