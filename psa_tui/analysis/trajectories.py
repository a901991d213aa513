"""How trials develop: candidates' accuracy, LKG and gains at every meta-loop, of one trial, the best, or on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame

BEST, MEAN = "best", "mean"
GAIN = "lkg_gain"
MEASURES = ("validation_accuracy", "lkg_accuracy", GAIN)
BAND = (0.1, 0.9)
"""The quantiles over trials between which the band around a mean lies."""
_CELL = ["architecture", "mode"]


def trajectories(loops: DataFrame, measure: str, pick: int | str = MEAN) -> DataFrame:
    """Follow ``measure`` at every meta-loop of every shape and mode.

    Columns: ``architecture``, ``mode``, ``label`` (whose curve it is: "trial 3", "trial 7, the best of 10" or "mean
    of 10 trials"), ``meta_loop``, ``n`` (trials behind the value), ``value``, ``low``, ``high`` (the band of a mean:
    the quantiles ``BAND`` of the trials; of one trial, the value itself). Fractions.

    A mean is taken loop by loop over all trials, and the best trial is one whole trial. The best of all trials at
    each loop, which no run ever was, is not on offer.

    Args:
        loops: a table of ``load_meta_loops``.
        measure: one of ``MEASURES``.
        pick: the number of a trial, "best" (the highest LKG; the first of equals) or "mean".

    Raises:
        ConfigError: no shape has a trial of that number.
    """
    if pick == MEAN:
        groups = loops.groupby([*_CELL, "meta_loop"], sort=False)[measure]
        table = groups.mean().rename("value").to_frame()
        table["low"], table["high"] = groups.quantile(BAND[0]), groups.quantile(BAND[1])
        table["n"] = groups.count()
        table = table.reset_index()
        counts = loops.groupby(_CELL)["trial"].nunique().to_dict()
        table["label"] = [_mean_label(counts[cell]) for cell in zip(table["architecture"], table["mode"], strict=True)]
    else:
        labels = _best(loops) if pick == BEST else _named(loops, int(pick))
        table = loops.merge(labels, on=[*_CELL, "trial"])
        table = table.assign(value=table[measure], low=table[measure], high=table[measure], n=1)
    table = table[[*_CELL, "label", "meta_loop", "n", "value", "low", "high"]]
    table.attrs = dict(loops.attrs)
    return table


def phases(curves: DataFrame, edges: tuple[int, ...] = (1, 2, 5, 10, 25, 50, 100)) -> list[tuple[int, int]]:
    """Divide curves at ``edges`` into stretches of meta-loops, first and last; the last stretch ends where they do."""
    last = int(curves["meta_loop"].max()) if len(curves) else 0
    ends = [edge for edge in edges if edge < last] + ([last] if last else [])
    return [(1 if index == 0 else ends[index - 1] + 1, end) for index, end in enumerate(ends)]


def _best(loops: DataFrame) -> DataFrame:
    final = loops.groupby([*_CELL, "trial"], sort=False)["lkg_accuracy"].max().fillna(-1).reset_index()
    ranked = final.sort_values(["lkg_accuracy", "trial"], ascending=[False, True], kind="stable")
    best = ranked.drop_duplicates(_CELL)[[*_CELL, "trial"]]
    counts = final.groupby(_CELL)["trial"].size().to_dict()
    labels = [f"trial {row.trial}, the best of {counts[row.architecture, row.mode]}" for row in best.itertuples()]
    return best.assign(label=labels)


def _named(loops: DataFrame, trial: int) -> DataFrame:
    rows = loops.loc[loops["trial"] == trial, [*_CELL, "trial"]].drop_duplicates()
    if rows.empty:
        known = sorted(set(loops["trial"]))
        raise ConfigError(f"--trial {trial}: no such trial; there are {known[0]} to {known[-1]}")
    return rows.assign(label=f"trial {trial}")


def _mean_label(count: int) -> str:
    return f"mean of {count} trials" if count > 1 else "the only trial"
