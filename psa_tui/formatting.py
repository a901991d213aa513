"""Words and numbers for people, the same everywhere. Text from outside passes through ``printable`` first."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_MS_BELOW = 0.1
"""Seconds below which a loop's time is told in thousandths: 0.00 s says nothing."""


def printable(text: object) -> str:
    """``text`` on one line, without the characters that drive a terminal."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if _drives(unicodedata.category(c)) else c for c in text)


def _drives(category: str) -> bool:
    """Whether characters of a Unicode category are controls or end a line; kinds of spaces do neither."""
    return category[0] == "C" or category in ("Zl", "Zp")


def nearest(text: str, names: Iterable[str], most: int = 1) -> list[str]:
    """Those of ``names`` that somebody who typed ``text`` may have meant, the likeliest first; often none."""
    import difflib

    known = {name.lower(): str(name) for name in names}
    return [known[name] for name in difflib.get_close_matches(text[:80].lower(), known, most)]


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """What a message about the unknown name ``text`` ends with: "; did you mean 'full'?", or nothing."""
    return "".join(f"; did you mean {name!r}?" for name in nearest(text, names))


def percent(fraction: float | None) -> str:
    """A fraction as a percentage with two decimals; a dash when there is none."""
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def run_words(run: str, name: str | None) -> str:
    """Return what a run is called: "baseline (20260726-101112-0badcafe)", or its identifier where it has no name."""
    return run if name is None else f"{name} ({run})"


def network_words(family: str, architecture: str) -> str:
    """An architecture as people read it: its family before it, but for the plain one, whose notation stands alone.

    Of a model of the user's own loop ("module") the architecture says what it is.
    """
    return architecture if family in ("", "mlp", "module") else f"{family} {architecture}"


def count(number: int, thing: str) -> str:
    """``number`` of a thing: 1 trial, 2,000 trials."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def points(gain: float) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    return f"{100 * gain:+.2f}"


def first_fitting(width: int, *texts: str) -> str:
    """The first of ``texts`` that has at most ``width`` characters; nothing where none has."""
    return next((text for text in texts if len(text) <= width), "")


def format_bytes(count: int) -> str:
    """``count`` bytes: 512 B, 3.2 MB, 1.8 TB (powers of 1000)."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 999.5 or unit == "PB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def duration(seconds: float) -> str:
    """A time span as 0:07, 12:34 or 1:02:03."""
    whole = max(round(seconds), 0)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def time_taken(seconds: float) -> str:
    """How long something took: 12.3 s, and from a minute on as ``duration`` says it."""
    return f"{seconds:.1f} s" if seconds < 59.95 else duration(seconds)


def loop_time(seconds: float) -> str:
    """How long a meta-loop takes: 5.7 ms, 0.42 s."""
    return f"{1000 * seconds:.1f} ms" if seconds < _MS_BELOW else f"{seconds:.2f} s"


def caret(text: str, position: int, width: int = 60) -> str:
    """Two lines: ``text`` (a window of it, without control characters) and a caret under ``position``."""
    from rich.cells import cell_len

    start = max(0, min(position - width // 2, len(text) - width))
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[start : start + width])
    return f"  {shown}\n  {' ' * cell_len(shown[: position - start])}^"
