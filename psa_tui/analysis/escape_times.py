"""After how many meta-loops trials escape, mode beside mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.analysis.comparison import CONTROL
from psa_tui.analysis.statistics.multiplicity import benjamini_hochberg
from psa_tui.analysis.statistics.survival import kaplan_meier, log_rank
from psa_tui.method.variants import ordered

if TYPE_CHECKING:
    from pandas import DataFrame

_TRIAL = ["architecture", "mode", "trial"]
_EXACT = 1e-9


def escape_times(loops: DataFrame, bar: float) -> DataFrame:
    """Return when the LKG of each trial was first above ``bar`` on the validation images.

    Columns: ``architecture``, ``mode``, ``trial``, ``escaped``, ``time`` (the meta-loop; of a trial that did not escape
    its last one, until which it was watched).
    """
    table = loops[[*_TRIAL, "meta_loop", "lkg_accuracy"]].copy()
    table.attrs = {}
    table["reached"] = table["meta_loop"].where(table["lkg_accuracy"] > bar + _EXACT)
    found = table.groupby(_TRIAL, sort=False).agg(first=("reached", "min"), last=("meta_loop", "max")).reset_index()
    found["escaped"] = found["first"].notna()
    found["time"] = found["first"].fillna(found.pop("last")).astype("int64")
    return found.drop(columns="first")


def survival_curves(times: DataFrame) -> DataFrame:
    """Follow the share of each mode's trials that has not escaped, over all shapes.

    Columns: ``mode`` and those of ``kaplan_meier``; the first row of a mode is meta-loop 0, where none has.
    """
    import pandas as pd

    tables = []
    for mode, rows in _modes(times):
        start = {"time": 0.0, "survival": 1.0, "low": 1.0, "high": 1.0, "at_risk": float(len(rows))}
        curve = kaplan_meier(rows["time"].to_numpy(), rows["escaped"].to_numpy(dtype=bool))
        both = [pd.DataFrame([start]), curve] if len(curve) else [pd.DataFrame([start])]
        tables.append(pd.concat(both, ignore_index=True).assign(mode=mode))
    columns = ["mode", "time", "survival", "low", "high", "at_risk"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def survival_table(times: DataFrame) -> DataFrame:
    """Summarise each mode, beside none where there is one.

    Columns: ``mode``, ``n``, ``escaped`` (trials), ``share`` with ``low`` and ``high`` (escaped by the last loop, by
    Kaplan and Meier, with the 95 % band), ``median`` (the loop by which half have; NaN where half never do), ``p``
    (log-rank against none, shape by shape) and ``p_bh`` (after Benjamini and Hochberg, over the modes).
    """
    import numpy as np
    import pandas as pd

    rows = []
    control = times[times["mode"] == CONTROL]
    curves = dict(iter(survival_curves(times).groupby("mode", sort=False)))
    for mode, its in _modes(times):
        last = curves[mode].iloc[-1]
        beyond = curves[mode][curves[mode]["survival"] <= 0.5]
        p = float("nan")
        if mode != CONTROL and len(control):
            both = pd.concat([control, its])
            arguments = (both["time"].to_numpy(), both["escaped"].to_numpy(dtype=bool), both["mode"].to_numpy())
            p = log_rank(*arguments, both["architecture"].to_numpy())
        rows.append(
            {
                "mode": mode,
                "n": len(its),
                "escaped": int(its["escaped"].sum()),
                "share": 1 - last["survival"],
                "low": 1 - last["high"] if its["escaped"].any() else float("nan"),
                "high": 1 - last["low"] if its["escaped"].any() else float("nan"),
                "median": float(beyond["time"].iloc[0]) if len(beyond) else float("nan"),
                "p": p,
            }
        )
    table = pd.DataFrame(rows, columns=["mode", "n", "escaped", "share", "low", "high", "median", "p"])
    table["p_bh"] = benjamini_hochberg(table["p"].to_numpy(dtype=float)) if len(table) else np.array([])
    return table


def escaped_by(curve: DataFrame, loop: int) -> float:
    """Return the share that has escaped by meta-loop ``loop``, of the rows of one mode in ``survival_curves``."""
    return 1 - float(curve.loc[curve["time"] <= loop, "survival"].iloc[-1])


def _modes(times: DataFrame) -> list[tuple[str, DataFrame]]:
    """Return the rows of each mode, in the order of all tables."""
    groups = dict(iter(times.groupby("mode", sort=False)))
    return [(mode, groups[mode]) for mode in ordered(groups)]
