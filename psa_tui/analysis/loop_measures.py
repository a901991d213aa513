"""What the meta-loops of a trial tell of it as a whole: how far it came from its start, and how often it was harmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.studies.design.plan import Endpoint

if TYPE_CHECKING:
    from pandas import DataFrame

OF_LOOPS = {Endpoint.GAIN: "gain", Endpoint.HARM: "harm_rate"}
"""Endpoints that need meta-loops, with their columns."""
_TRIAL = ["architecture", "mode", "trial"]
_EXACT = 1e-9


def loop_measures(loops: DataFrame) -> DataFrame:
    """Return the start and the harm rate of each trial of ``loops`` (``sources.load_meta_loops``).

    Columns: ``architecture``, ``mode``, ``trial``; ``start``, the validation accuracy of the first LKG (of the network
    after its first epoch, before which nothing is ablated: that of the initialisation is measured by nobody);
    ``harm_rate``, the share of loops whose candidate was worse than the LKG it was copied from. Of a trial that ablates
    these are the loops that ablated, of any other all that had an LKG: what training alone does. Fractions; NaN of a
    trial without any such loop.
    """
    import numpy as np

    groups = loops.groupby(_TRIAL, sort=False)
    trial = groups.ngroup().to_numpy()
    before = groups["lkg_accuracy"].shift().to_numpy(dtype=float)
    worse = loops["validation_accuracy"].to_numpy(dtype=float) < before - _EXACT
    ablated = (loops["ablated_units"].fillna(0) > 0).to_numpy(dtype=bool)
    ablates = np.bincount(trial, ablated) > 0
    counted = ~np.isnan(before) & (ablated | ~ablates[trial])
    table = groups["lkg_accuracy"].first().rename("start").reset_index()
    with np.errstate(invalid="ignore"):
        table["harm_rate"] = np.bincount(trial, worse & counted) / np.bincount(trial, counted)
    table.attrs = {}
    return table


def with_loop_measures(trials: DataFrame, loops: DataFrame) -> DataFrame:
    """Return ``trials`` with the columns ``gain`` (best validation accuracy less ``start``) and ``harm_rate``.

    NaN for trials without loops.
    """
    import pandas as pd

    found = loop_measures(loops).set_index(_TRIAL).reindex(pd.MultiIndex.from_frame(trials[_TRIAL]))
    gain = trials["best_validation_accuracy"].to_numpy() - found["start"].to_numpy()
    return trials.assign(gain=gain, harm_rate=found["harm_rate"].to_numpy())
