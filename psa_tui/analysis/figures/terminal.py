"""Maps and curves in letters, for a terminal of any width from 40 columns, with or without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log2
from typing import TYPE_CHECKING, Any, Protocol

from rich.text import Text

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    Array = np.ndarray[Any, np.dtype[Any]]

_LABEL = 6
_LETTER_STYLES = ("green", "cyan", "yellow", "red", "magenta", "blue")
_SEVERAL = "*"
_CURVE_ROWS = 13
_TO_ASCII = str.maketrans({"│": "|", "─": "-", "┌": "+", "┐": "+", "└": "+", "┘": "+", "┤": "|"})


class Lettered(Protocol):
    """What has a curve of its own: a variant, or anything with a letter and a Rich style."""

    @property
    def name(self) -> str:
        """What the legend calls it."""

    @property
    def letter(self) -> str:
        """Its mark."""

    @property
    def style(self) -> str:
        """Its Rich style; none where it is empty."""


def letter_map(title: str, shapes: DataFrame, letters: Sequence[str], meanings: Mapping[str, str], width: int) -> Text:
    """Draw shapes by depth (down the side) and width (along the bottom), two rows an octave, then the squares in a row.

    ``letters`` has one for each row of ``shapes``, ``meanings`` the legend.
    """
    if shapes.empty:
        return Text(title[:width])
    octaves = floor(log2(max(shapes["width"].max(), 2))) + 1
    columns = max(2, min(6, (width - _LABEL - 1) // octaves))
    rows = 2 * floor(log2(max(shapes["depth"].max(), 2))) + 2
    spots: dict[tuple[int, int], str] = {}
    for depth, wide, letter in zip(shapes["depth"], shapes["width"], letters, strict=True):
        place = round(2 * log2(depth)), round(columns * log2(wide))
        spots[place] = letter if spots.get(place, letter) == letter else _SEVERAL
    styles = dict(zip(meanings, _LETTER_STYLES, strict=False))
    text = Text(no_wrap=True)
    text.append(title[:width] + "\n")
    for row in reversed(range(rows)):
        label = str(2 ** (row // 2)) if row % 4 == 0 else ""
        text.append(f"{label:>{_LABEL - 1}} |")
        line = "".join(spots.get((row, column), " ") for column in range(columns * octaves)).rstrip()
        for letter in line:
            text.append(letter, styles.get(letter))
        text.append("\n")
    text.append(" " * _LABEL + "+" + "-" * (columns * octaves) + "\n")
    ticks = "".join(f"{2**octave:<{columns * 2}}" for octave in range(0, octaves, 2))
    text.append(" " * (_LABEL + 1) + ticks[: width - _LABEL - 1].rstrip() + "\n")
    text.append("depth up, width to the right")
    squares = shapes["depth"] == shapes["width"]
    if squares.sum() > 1:
        _append_squares(text, shapes, letters, width, styles)
    text.append("\n")
    filled = 0
    shown = [f"{letter} {words}" for letter, words in meanings.items()]
    if _SEVERAL in spots.values():
        shown.append(f"{_SEVERAL} of several kinds")
    for entry in shown:
        if filled and filled + 2 + len(entry) > width:
            text.append("\n")
            filled = 0
        text.append("  " if filled else "").append(entry, styles.get(entry[0]))
        filled += len(entry) + (2 if filled else 0)
    return text


def _append_squares(
    text: Text, shapes: DataFrame, letters: Sequence[str], width: int, styles: Mapping[str, str]
) -> None:
    """Append the square shapes one by one, each letter under its number of layers, which is written downwards."""
    squares = sorted(
        (int(depth), letter)
        for depth, wide, letter in zip(shapes["depth"], shapes["width"], letters, strict=True)
        if depth == wide
    )
    room = width - _LABEL - 2
    for start in range(0, len(squares), room):
        part = squares[start : start + room]
        digits = len(str(part[-1][0]))
        for digit in range(digits):
            head = "square" if digit == digits - 1 else ""
            text.append(f"\n{head:<{_LABEL}} " + "".join(f"{depth:>{digits}}"[digit] for depth, _ in part).rstrip())
        text.append(f"\n{'':<{_LABEL}} ")
        for _, letter in part:
            text.append(letter, styles.get(letter))


def letter_curves(
    title: str,
    variants: Sequence[Lettered],
    series: Mapping[str, tuple[Array, Array]],
    width: int,
    ascii_only: bool,
    is_logarithmic: bool = False,
) -> Text:
    """Draw curves (x, and y in percent) of ``variants``, by name in ``series``, each in its letter, by uniplot.

    ``is_logarithmic`` says that equal factors of x, which is above 0 then, are equally far apart.
    """
    import numpy as np
    from uniplot import plot_to_string

    shown = [variant for variant in variants if variant.name in series]
    least, most = (float(edge([edge(x) for x, _ in series.values()])) for edge in (np.min, np.max))
    picture = plot_to_string(
        [series[variant.name][1] for variant in shown],
        xs=[series[variant.name][0] for variant in shown],
        lines=[True] * len(shown),
        character_set="ascii",
        force_ascii_characters=[variant.letter for variant in shown],
        color=False,
        width=width - 12,
        height=_CURVE_ROWS,
        y_unit=" %",
        x_as_log=is_logarithmic,
        x_min=least / 1.1 if is_logarithmic else least - 0.5,
        x_max=most * 1.1 if is_logarithmic else most + 0.5,
        y_min=float(min(np.nanmin(y) for _, y in series.values())) - 0.5,
        y_max=float(max(np.nanmax(y) for _, y in series.values())) + 0.5,
    )
    if ascii_only:
        picture = picture.translate(_TO_ASCII)
    styles = {variant.letter: variant.style or "magenta" for variant in shown}
    text = Text(f"{title}: ", no_wrap=True)
    for place, variant in enumerate(shown):
        text.append("  " if place else "").append(f"{variant.letter} {variant.name}", styles[variant.letter])
    for line in picture.split("\n")[1:]:
        # What stands behind the frame are numbers and units, in which a letter is no mark.
        marks, frame, numbers = line[:width].rstrip().rpartition("|" if ascii_only else "│")
        text.append("\n")
        for character in marks:
            text.append(character, styles.get(character))
        text.append(frame + numbers)
    return text
