"""Variants: what a trial does to its candidates and to its training, as values.

The six published ones and the controls are here, and how each looks on every screen and figure. A further one comes
from outside as a registered ``Variant`` or ablation rule (``--mode NAME``), or is put together of axes, whose text is
its name: ``output+effect=noise+promote=patience:5``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.method.ablation import ABLATIONS, NEED_ARGUMENTS, Ablation
from psa_tui.method.effects import ZERO
from psa_tui.method.initialisation import INITIALISATIONS
from psa_tui.method.presets import (
    CONTROLS,
    DECAY,
    DROPOUT,
    FIRST_STUDY,
    FULL,
    HIDDEN,
    NONE,
    OUTPUT,
    PUBLISHED,
    VARIANTS,
)
from psa_tui.method.promotion import STRICT, find_promotion
from psa_tui.method.variant import OptimizerState, Variant
from psa_tui.method.variant_style import styled, told_apart

__all__ = [
    "CONTROLS",
    "DECAY",
    "DROPOUT",
    "FIRST_STUDY",
    "FULL",
    "HIDDEN",
    "NONE",
    "OUTPUT",
    "PUBLISHED",
    "REGULARISERS",
    "VARIANTS",
    "OptimizerState",
    "Variant",
    "describe_variant",
    "distinct_variants",
    "find_variant",
    "ordered",
    "scheduled",
    "split_list",
    "variant_names",
    "with_axes",
]

Choice = TypeVar("Choice", bound=str)


def find_variant(text: str) -> Variant:
    """Return the variant that ``text`` names, and reads back what any variant is called.

    That is a registered one or an ablation, followed by ``+AXIS=VALUE``, ``+dropout``, ``+decay``, or the bare name of
    a promotion rule; or several such with their meta-loops, ``dropout:50>output:50``.

    Raises:
        ConfigError: a name in it is none, or the axes contradict one another.
    """
    if ">" in text:
        return scheduled(part.rpartition(":")[::2] for part in text.split(">"))
    base, *axes = text.split("+")
    found = VARIANTS.get(base)
    if found is None and base.partition(":")[0] in ABLATIONS:
        found = styled(Variant(name=base, ablation=Ablation(base)))
        _check(found)
    if found is None:
        raise UnknownNameError(base, variant_names())
    values: dict[str, str] = {}
    for axis in axes:
        name, equals, value = axis.partition("=")
        if axis in REGULARISERS:
            values["with"] = ",".join(filter(None, (values.get("with"), axis)))
        elif equals:
            values[name] = value
        else:
            values["promote"] = axis
    if unknown := values.keys() - set(AXES):
        raise UnknownNameError(min(unknown), AXES)
    made = with_axes(found, values)
    # Earlier files call a variant so that has nothing but another promotion rule.
    return styled(replace(made, name=text)) if axes == [values.get("promote")] else made


REGULARISERS = ("dropout", "decay")
AXES = ("ablate", "amount", "effect", "promote", "optimizer", "with", "init")


def with_axes(base: Variant, values: Mapping[str, str]) -> Variant:
    """Return ``base`` with other values of some axes: a registered variant where it equals one.

    Args:
        base: what the axes that are not given are taken from.
        values: texts by axis: ablate, amount, effect, promote, optimizer, with, init.

    Raises:
        ConfigError: a value is none of its axis, or the axes contradict one another.
    """
    if base.schedule and values:
        raise ConfigError(f"{base.name} is a schedule: say {', '.join(values)} in each of its variants")
    ablation = base.ablation
    if "ablate" in values:
        ablation = None if values["ablate"] == "none" else Ablation(values["ablate"])
    for axis in ("amount", "effect"):
        if axis in values:
            if ablation is None:
                raise ConfigError(f"{axis} {values[axis]} needs an ablation: nothing is ablated")
            ablation = replace(ablation, **{axis: values[axis]})
    regularisers = values.get("with", "").split(",") if values.get("with") else ()
    for one in regularisers:
        if one not in REGULARISERS:
            raise UnknownNameError(one, REGULARISERS)
    made = replace(
        base,
        ablation=ablation,
        promotion=values.get("promote", base.promotion),
        optimizer_state=_one_of(OptimizerState, values.get("optimizer", base.optimizer_state)),
        dropout=base.dropout or "dropout" in regularisers,
        weight_decay=base.weight_decay or "decay" in regularisers,
        initialisation=_one_of(INITIALISATIONS, values.get("init", base.initialisation)),
    )
    _check(made)
    known = [base, *(VARIANTS.find(name) for name in VARIANTS)]
    return next((one for one in known if _same(one, made)), styled(replace(made, name=_name_of(made))))


def _name_of(variant: Variant) -> str:
    """Return the text that ``find_variant`` reads back: what the variant is at its root, then where it departs."""
    plain = Variant(name="")
    root = "restart" if variant.restarts else "shuffled-labels" if variant.shuffled_labels else "none"
    ablation = variant.ablation
    if ablation is not None:
        root = ablation.selection if root == "none" else f"{root}+ablate={ablation.selection}"
    departures = {
        "amount": "1" if ablation is None else ablation.amount,
        "effect": ZERO if ablation is None else ablation.effect,
        "promote": variant.promotion,
        "optimizer": str(variant.optimizer_state),
        "init": variant.initialisation,
    }
    usual = {"amount": "1", "effect": ZERO, "promote": STRICT, "optimizer": "fresh", "init": plain.initialisation}
    parts = [f"{axis}={value}" for axis, value in departures.items() if value != usual[axis]]
    regularisers = [name for name, on in zip(REGULARISERS, (variant.dropout, variant.weight_decay), strict=True) if on]
    return "+".join([root, *parts, *regularisers])


def scheduled(parts: Iterable[tuple[str, str]]) -> Variant:
    """Return the variant that is one after another: (name, how many meta-loops as text); the last one stays.

    Raises:
        ConfigError: a name is none, a number is none, or they cannot follow one another.
    """
    found = []
    for text, loops in parts:
        if not (loops.isascii() and loops.isdecimal() and len(loops) <= 9 and int(loops)):
            found_text = ":".join(filter(None, (text, loops)))
            raise ConfigError(f"expected VARIANT:META-LOOPS, as in dropout:50, found {found_text[:40]!r}")
        found.append((int(loops), find_variant(text)))
    first = found[0][1]
    for _, variant in found:
        if variant.schedule:
            raise ConfigError(f"{variant.name} is a schedule itself")
        if (variant.initialisation, variant.shuffled_labels) != (first.initialisation, first.shuffled_labels):
            raise ConfigError(f"{first.name} and {variant.name} cannot follow one another: they begin differently")
        if variant.splits_validation != first.splits_validation:
            raise ConfigError(
                f"{first.name} and {variant.name} cannot follow one another: they report different validation images"
            )
    name = ">".join(f"{variant.name}:{loops}" for loops, variant in found)
    return styled(Variant(name=name, schedule=tuple(found), initialisation=first.initialisation))


def split_list(text: str) -> list[str]:
    """Divide a list of variants at its commas, but not at those within numbers, as ``anneal:1,0.95`` has one."""
    return [part.strip() for part in re.split(r",(?![\d.])", text)]


def _check(variant: Variant) -> None:
    """Make sure that the axes of a variant go together.

    Raises:
        ConfigError: they do not, with the reason.
    """
    find_promotion(variant.promotion)
    if variant.ablation is not None:
        variant.ablation.check()
    if variant.restarts and (variant.ablates or variant.optimizer_state is not OptimizerState.FRESH):
        raise ConfigError("restart trains a new initialisation: it has no LKG to ablate and no optimiser to go on with")


def _same(one: Variant, other: Variant) -> bool:
    """Whether two variants differ in nothing but their names and looks."""
    return replace(one.without_look(), name=other.name) == other.without_look()


def _one_of(values: Iterable[Choice], text: str) -> Choice:
    for value in values:
        if value == text:
            return value
    raise UnknownNameError(text, map(str, values))


def describe_variant(name: str) -> Variant:
    """Return the variant called ``name``, or for one that is not installed here a stand-in with its name and a look.

    For screens and figures, which show what was trained elsewhere; nothing can be trained with a stand-in.
    """
    try:
        return find_variant(name)
    except ConfigError:
        return styled(Variant(name=name))


def distinct_variants(names: Iterable[str]) -> tuple[Variant, ...]:
    """Describe ``names`` in their order with letters, colours, markers and dashes that no two share, for one figure.

    Those of the published variants are theirs alone, shown or not; a further one keeps its own where they are free.
    """
    every = ordered(names)
    known = {variant.name: variant for variant in PUBLISHED}
    further = told_apart([describe_variant(name) for name in every if name not in known], PUBLISHED)
    by_name = known | {variant.name: variant for variant in further}
    return tuple(by_name[name] for name in every)


def variant_names() -> tuple[str, ...]:
    """Return names that ``find_variant`` takes: published ones first, then others, then ablations without arguments."""
    ablations = [name for name in ABLATIONS if name not in NEED_ARGUMENTS]
    return tuple(dict.fromkeys([*VARIANTS.names(), *ablations]))


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Return ``names`` without repetition: published variants in their order, then all others by name."""
    known = {variant.name: place for place, variant in enumerate(PUBLISHED)}
    return tuple(sorted(set(names), key=lambda name: (known.get(name, len(known)), name)))
