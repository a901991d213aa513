"""How variants look that bring no look of their own, and how those of one figure are told apart."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from string import ascii_lowercase, ascii_uppercase
from typing import TypeVar

from psa_tui.method.variant import Dashes, Variant

Mark = TypeVar("Mark")

_FURTHER_COLOURS = ("#0072b2", "#7f3c8d", "#a5aa99", "#999933", "#882255", "#44aa99")
_FURTHER_STYLES = ("blue", "magenta", "bright_blue", "bright_yellow", "bright_magenta", "bright_cyan")
_FURTHER_MARKERS = ("X", "p", "h", "<", ">", "*")
_FURTHER_DASHES: tuple[Dashes, ...] = (
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (6, 2)),
    (0, (1, 2)),
    (0, (6, 1, 1, 1, 1, 1)),
    (0, (3, 2, 1, 2)),
    (0, (10, 2)),
)


def told_apart(further: Sequence[Variant], published: Sequence[Variant]) -> list[Variant]:
    """Return ``further`` variants with letters, colours, markers and dashes that neither two nor ``published`` share.

    Each keeps its own where they are free.
    """
    taken = [Variant(name=""), *published]
    for one in further:
        letters = f"{one.name.partition('+')[2]}{one.name}".upper() + ascii_uppercase + ascii_lowercase
        taken.append(
            replace(
                one,
                letter=_free(one.letter, filter(str.isalnum, letters), [other.letter for other in taken]),
                colour=_free(one.colour, _FURTHER_COLOURS, [other.colour for other in taken]),
                marker=_free(one.marker, _FURTHER_MARKERS, [other.marker for other in taken]),
                dashes=_free(one.dashes, _FURTHER_DASHES, [other.dashes for other in taken]),
            )
        )
    return taken[1 + len(published) :]


def _free(wanted: Mark, others: Iterable[Mark], taken: Sequence[Mark]) -> Mark:
    """Return the first of ``wanted`` and ``others`` that is not taken; ``wanted`` where all are."""
    return next((one for one in (wanted, *others) if one not in taken), wanted)


def styled(variant: Variant) -> Variant:
    """Give a variant that brings no look of its own one that depends on its name alone."""
    place = zlib.crc32(variant.name.encode()) % len(_FURTHER_COLOURS)
    return replace(
        variant,
        letter=variant.name[:1].upper() or "?",
        colour=_FURTHER_COLOURS[place],
        style=_FURTHER_STYLES[place],
        marker=_FURTHER_MARKERS[place],
        dashes=_FURTHER_DASHES[0],
    )
