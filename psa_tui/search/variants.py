"""Which variants a search can do whose training loop is the user's, and how one is written into its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from operator import index
from typing import Any

from psa_tui.errors import ConfigError
from psa_tui.method.ablation import Ablation
from psa_tui.method.initialisation import DEFAULT
from psa_tui.method.presets import VARIANTS
from psa_tui.method.promotion import splits_validation
from psa_tui.method.variant_style import styled
from psa_tui.method.variants import OptimizerState, Variant, find_variant, with_axes
from psa_tui.networks.unit import UnitTable

REINITIALISE = "reinit"
DORMANT = "dormant"


def chosen_variant(variant: str | Variant, units: UnitTable, *, can_reinitialise: bool) -> Variant:
    """Return the variant that a search of ``units`` is to do.

    Raises:
        ConfigError: there is none of that name, its axes contradict one another, or a part of it is the training
            loop's and would not be done; the message says which.
    """
    found = find_variant(variant) if isinstance(variant, str) else variant
    if not found.name.isprintable():
        raise ConfigError(f"a variant called {found.name!r}: its name goes to files and screens, and cannot be printed")
    for one in found.all_variants:
        with_axes(one, {})  # which checks the axes that it has
        _check_loop(one)
        if one.ablation is not None:
            _check_ablation(one.ablation, units, can_reinitialise)
    return found


def _check_loop(variant: Variant) -> None:
    """Make sure that a search can do what ``variant`` says, or ask the training loop for it (dropout, decay)."""
    reasons = {
        "trains a new initialisation in each meta-loop: make a new model each time; a search restores one's LKG": (
            variant.restarts
        ),
        "goes on with an optimiser's state, which a search does not see; optimisers of a search are fresh": (
            variant.optimizer_state is not OptimizerState.FRESH
        ),
        "shuffles the labels, which are your loop's: shuffle them once, and search with variant none": (
            variant.shuffled_labels
        ),
        f"begins from the initialisation {variant.initialisation}: initialise the model so, and leave it out": (
            variant.initialisation != DEFAULT
        ),
        "decides on one half of the validation images and reports the other, and a search is told one number: report "
        "the accuracy on one half, under another promotion, and measure the LKG on the other half at the end": (
            splits_validation(variant.promotion_rule)
        ),
    }
    for reason, applies in reasons.items():
        if applies:
            raise ConfigError(f"variant {variant.name} {reason}")


def _check_ablation(ablation: Ablation, units: UnitTable, can_reinitialise: bool) -> None:
    selection = ablation.selection.partition(":")[0]
    if selection == "output" and len(units.hidden_layers) == len(units.unit_counts):
        raise ConfigError("an ablation of output units, and no unit is of kind 'output'")
    if selection == DORMANT:
        raise ConfigError("the ablation dormant needs activations, and a search does not see your validation images")
    if ablation.effect == REINITIALISE and not can_reinitialise:
        raise ConfigError("the effect reinit draws units anew, and the law is the model's own: give initial_weights")
    if not units.unit_counts:
        raise ConfigError("an ablation, and there are no units")
    ablation.check_network(units)


def encode_variant(variant: Variant) -> dict[str, Any]:
    """Return a variant as JSON-ready values, without its look."""
    return asdict(variant.without_look())


def decode_variant(values: Mapping[str, Any]) -> Variant:
    """Return the variant of ``encode_variant``, with a look: its own, where it is a registered one.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    own = dict(values)
    own["ablation"] = None if own["ablation"] is None else Ablation(**own["ablation"])
    own["optimizer_state"] = OptimizerState(own["optimizer_state"])
    own["schedule"] = tuple((index(loops), decode_variant(one)) for loops, one in own["schedule"])
    texts = [own[name] for name in ("name", "promotion", "initialisation")]
    texts += [] if own["ablation"] is None else asdict(own["ablation"]).values()
    flags = [own[name] for name in ("weight_decay", "dropout", "restarts", "shuffled_labels")]
    if not all(isinstance(text, str) and text.isprintable() for text in texts) or {*map(type, flags)} != {bool}:
        raise ValueError("its variant makes no sense")
    made = Variant(**own)
    known = VARIANTS.get(made.name)
    return styled(made) if known is None or known.without_look() != made.without_look() else known
