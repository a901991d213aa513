"""Trials as their meta-loops tell them, where nothing else is known of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.analysis.frames import completed_frame
from psa_tui.analysis.shapes import family_of
from psa_tui.method.variants import describe_variant

if TYPE_CHECKING:
    from pandas import DataFrame


def trials_of_loops(loops: DataFrame) -> DataFrame:
    """Return the trials whose ``loops`` (``sources.load_meta_loops``) are given.

    A trial's best is that of its candidates that were finite; where one half of the validation images decided, that of
    the last promotion, which is the best by the half that decided.
    """
    import pandas as pd

    key = ["architecture", "mode", "trial"]
    by_half = loops["mode"].map({mode: describe_variant(mode).splits_validation for mode in loops["mode"].unique()})
    counts = loops["train_loss"].notna() | (loops["verdict"] == "promoted")
    candidates = loops[counts & (~by_half.astype(bool) | (loops["verdict"] == "promoted"))]
    # Of equal ones the first is the best that was not beaten; of promotions by half the last one is.
    last = candidates[by_half.reindex(candidates.index).astype(bool)].groupby(key, sort=False).tail(1)
    best = candidates.sort_values("validation_accuracy", ascending=False, kind="stable").drop_duplicates(key)
    best = pd.concat([last, best]).drop_duplicates(key)
    length = loops.groupby(key, sort=False)["meta_loop"].max().rename("meta_loops").reset_index()
    rows = best[[*key, "validation_accuracy", "meta_loop"]].rename(
        columns={"validation_accuracy": "best_validation_accuracy", "meta_loop": "best_meta_loop"}
    )
    ends = loops.drop_duplicates(key, keep="last")
    counted = [name for name in ("lkg_dead", "lkg_inactive") if name in ends]
    about = {name: loops.attrs.get(name) for name in ("source", "study", "dataset", "quick")}
    return completed_frame(
        rows.merge(length, on=key).merge(ends[[*key, *counted]], on=key), **about, network=family_of(loops)
    )
