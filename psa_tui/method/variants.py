"""Variants: what a trial does to its candidates and to its training, as values.

The six published ones are here, and how each looks on every screen and figure. A further one comes from outside as a
registered ``Variant``, as an ablation rule (``--mode NAME``), or as a promotion rule on top (``--mode output+NAME``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase, ascii_uppercase
from typing import TypeVar

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import ABLATIONS, AblationRule
from psa_tui.method.promotion import PROMOTIONS, STRICT, PromotionRule
from psa_tui.registry import Registry

Dashes = str | tuple[int, tuple[float, ...]]
Mark = TypeVar("Mark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How trials of one kind differ from a plain meta-loop."""

    name: str
    """What ``--mode``, checkpoints, tables and screens call it."""
    ablation: str | None = None
    """The name of its ablation rule; None where nothing is damaged."""
    promotion: str = STRICT
    """The name of its promotion rule."""
    weight_decay: bool = False
    """Whether AdamW decays weights at the configured rate; without, the rate is exactly 0."""
    dropout: bool = False
    """Whether hidden units are dropped at the configured rate."""
    letter: str = "?"
    """Its mark in maps and curves of letters."""
    colour: str = "#8b949e"
    style: str = ""
    """Its Rich style."""
    marker: str = "o"
    dashes: Dashes = "-"

    @property
    def ablates(self) -> bool:
        """Whether candidates are damaged before they are trained."""
        return self.ablation is not None

    @property
    def ablation_rule(self) -> AblationRule | None:
        """The rule that damages candidates; None where nothing is damaged."""
        return None if self.ablation is None else ABLATIONS.find(self.ablation)

    @property
    def promotion_rule(self) -> PromotionRule:
        """The rule that decides what becomes the LKG."""
        return PROMOTIONS.find(self.promotion)

    def __str__(self) -> str:
        """Return its name."""
        return self.name


VARIANTS: Registry[Variant] = Registry("mode", "psa_tui.variants")

NONE = Variant(name="none", letter="n", colour="#1b1f24", style="bold", marker="o", dashes="-")
DECAY = Variant(
    name="decay",
    weight_decay=True,
    letter="d",
    colour="#e69f00",
    style="yellow",
    marker="s",
    dashes=(0, (4, 1.2)),
)
DROPOUT = Variant(
    name="dropout", dropout=True, letter="r", colour="#56b4e9", style="cyan", marker="D", dashes=(0, (1, 1))
)
FULL = Variant(
    name="full", ablation="full", letter="F", colour="#009e73", style="green", marker="^", dashes=(0, (8, 1))
)
HIDDEN = Variant(
    name="hidden", ablation="hidden", letter="H", colour="#d55e00", style="red", marker="v", dashes=(0, (5, 1, 1, 1))
)
OUTPUT = Variant(name="output", ablation="output", letter="O", colour="#cc79a7", marker="P", dashes=(0, (2.5, 1)))

PUBLISHED = (NONE, DECAY, DROPOUT, FULL, HIDDEN, OUTPUT)
"""The six of the published study, the three baselines first."""
FIRST_STUDY = (NONE, FULL, HIDDEN, OUTPUT)
"""The four of the first study."""
for _variant in PUBLISHED:
    VARIANTS.register(_variant.name, _variant)

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


def find_variant(text: str) -> Variant:
    """Return the variant that ``text`` names: a registered one or an ablation rule, and ``+RULE`` for its promotion.

    Raises:
        ConfigError: a name in it is none.
    """
    base, plus, promotion = text.partition("+")
    found = VARIANTS.get(base)
    if found is None and base in ABLATIONS:
        found = _with_style(Variant(name=base, ablation=base))
    if found is None:
        raise ConfigError(f"expected one of {', '.join(variant_names())}")
    if plus:
        PROMOTIONS.find(promotion)
        found = _with_style(replace(found, name=text, promotion=promotion))
    return found


def describe_variant(name: str) -> Variant:
    """Return the variant called ``name``, or for one that is not installed here a stand-in with its name and a look.

    For screens and figures, which show what was trained elsewhere; nothing can be trained with a stand-in.
    """
    try:
        return find_variant(name)
    except ConfigError:
        return _with_style(Variant(name=name))


def distinct_variants(names: Iterable[str]) -> tuple[Variant, ...]:
    """Describe ``names`` in their order with letters, colours, markers and dashes that no two share, for one figure.

    Those of the published variants are theirs alone, shown or not; a further one keeps its own where they are free.
    """
    unset = Variant(name="")
    taken = [unset, *PUBLISHED]
    for name in ordered(names):
        if name not in [variant.name for variant in PUBLISHED]:
            one = describe_variant(name)
            letters = f"{name.partition('+')[2]}{name}".upper() + ascii_uppercase + ascii_lowercase
            one = replace(
                one,
                letter=_free(one.letter, filter(str.isalnum, letters), [other.letter for other in taken]),
                colour=_free(one.colour, _FURTHER_COLOURS, [other.colour for other in taken]),
                marker=_free(one.marker, _FURTHER_MARKERS, [other.marker for other in taken]),
                dashes=_free(one.dashes, _FURTHER_DASHES, [other.dashes for other in taken]),
            )
            taken.append(one)
    by_name = {variant.name: variant for variant in taken}
    return tuple(by_name[name] for name in ordered(names))


def variant_names() -> tuple[str, ...]:
    """Return all names that ``find_variant`` takes: published ones first, then others, then ablation rules."""
    return tuple(dict.fromkeys([*VARIANTS.names(), *ABLATIONS.names()]))


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Return ``names`` without repetition: published variants in their order, then all others by name."""
    known = {variant.name: place for place, variant in enumerate(PUBLISHED)}
    return tuple(sorted(set(names), key=lambda name: (known.get(name, len(known)), name)))


def _free(wanted: Mark, others: Iterable[Mark], taken: Sequence[Mark]) -> Mark:
    """Return the first of ``wanted`` and ``others`` that is not taken; ``wanted`` where all are."""
    return next((one for one in (wanted, *others) if one not in taken), wanted)


def _with_style(variant: Variant) -> Variant:
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
