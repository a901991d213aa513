"""How trials were seeded, as their seeds tell: it decides which test is the right one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from psa_tui.studies.seeds import crossed

if TYPE_CHECKING:
    from pandas import DataFrame


class Design(StrEnum):
    """What two samples share."""

    PAIRED = "paired"
    """Trial by trial the same seed."""
    INDEPENDENT = "independent"
    """Nothing, or nothing that is known."""


SEEDS_UNKNOWN = "The seeds of these trials are not recorded: they are taken as independent."
SEEDS_INDEPENDENT = "Every trial of every mode has a seed of its own: the trials are independent."
SEEDS_PAIRED = "The modes of a trial share its seed: they are compared pair by pair."


def design_within(trials: DataFrame) -> Design:
    """Return how the modes of ``trials`` may be compared: paired where all of a trial's modes have its seed."""
    if not len(trials) or trials["seed"].isna().any() or trials["mode"].nunique() < 2:
        return Design.INDEPENDENT
    seeds = trials.groupby(["architecture", "trial"], sort=False)["seed"]
    return Design.PAIRED if (seeds.nunique() == 1).all() else Design.INDEPENDENT


def design_between(ours: DataFrame, theirs: DataFrame) -> Design:
    """Return how the trials of two sources may be compared: paired where every trial of both has one seed in both."""
    both = ours.merge(theirs, on=["architecture", "mode", "trial"], suffixes=("_a", "_b"))
    same = (both["seed_a"] == both["seed_b"]).fillna(False)
    return Design.PAIRED if len(both) and same.all() else Design.INDEPENDENT


def seeding_words(trials: DataFrame) -> str:
    """Say how the trials of a source were seeded."""
    if design_within(trials) is Design.PAIRED:
        return SEEDS_PAIRED
    return SEEDS_UNKNOWN if trials["seed"].isna().any() else SEEDS_INDEPENDENT


def has_separate_seeds(trials: DataFrame) -> bool:
    """Whether first weights and order have seeds of their own.

    The seed of a trial is then that of its order, which returns from trial to trial as ``crossed`` has it; in every
    other study each trial of a cell has another.
    """
    if not len(trials) or trials["seed"].isna().any():
        return False
    order = trials["trial"].map({trial: crossed(trial)[1] for trial in trials["trial"].unique()})
    if not order.groupby([trials["architecture"], trials["mode"]]).apply(lambda one: one.duplicated().any()).any():
        return False
    cell = [trials["architecture"], trials["mode"]]
    by_order = trials["seed"].groupby([*cell, order]).nunique()
    orders = order.groupby([*cell, trials["seed"]]).nunique()
    return bool((by_order == 1).all() and (orders == 1).all())
