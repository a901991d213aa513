"""Where a study's numbers are from: settings, seeds, machines, versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_tui import __version__
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.sources import FETCHED, LOCAL, PUBLISHED, load_published_cost
from psa_tui.formatting import percent, printable
from psa_tui.method.hyperparameters import HYPERPARAMETERS

if TYPE_CHECKING:
    from pandas import DataFrame

_MODES_OF = {"weight_decay": " (mode decay)", "dropout": " (mode dropout)"}
_SHOWN = (
    ("network", "network"),
    ("seed", "seed of the study"),
    ("meta_loops", "meta-loops a trial"),
    ("dataset_fingerprint", "data set's fingerprint"),
    *((one.name, one.name.replace("_", " ") + _MODES_OF.get(one.name, "")) for one in HYPERPARAMETERS),
)


def facts(results: StudyResults, results_dir: Path) -> list[tuple[str, str]]:
    """Return names and values, both ready to be shown; only what the source knows."""
    attrs = results.trials.attrs
    found: list[tuple[str, Any]] = [
        ("source", attrs.get("source")),
        ("study", attrs.get("study")),
        ("data set", attrs.get("dataset")),
        ("majority class of the validation images", None if results.majority is None else percent(results.majority)),
    ]
    settings = attrs.get("settings") or {}
    found += [(words, settings.get(key)) for key, words in _SHOWN]
    loops = sorted(results.trials["meta_loops"].dropna().unique())
    if not settings.get("meta_loops") and loops:
        found.append(("meta-loops a trial", " to ".join(str(n) for n in dict.fromkeys((loops[0], loops[-1])))))
    seeds = results.trials["seed"].dropna()
    found.append(("seeds", f"{seeds.nunique():,} different, one a shape and trial" if len(seeds) else "not recorded"))
    found += hardware(results.trials, results_dir)
    found.append(("page made by", f"psa-tui {__version__}"))
    return [(name, printable(value)) for name, value in found if value not in (None, "")]


def hardware(trials: DataFrame, results_dir: Path) -> list[tuple[str, str]]:
    """Return names and values of what trained ``trials``: machines, versions, time; empty where it is not known."""
    source, study = trials.attrs.get("source"), str(trials.attrs.get("study"))
    if source == PUBLISHED:
        cost = load_published_cost()
        hours, dollars = cost["billable_hours_ml_g4dn_xlarge"].sum(), cost["usd"].sum()
        return [("hardware", f"ml.g4dn.xlarge (one T4): {hours:,.1f} billed hours, {dollars:,.0f} US dollars")]
    if source not in (LOCAL, FETCHED):
        return [("hardware", "not recorded")]

    from psa_tui.storage.study_store import read_store

    with read_store(results_dir) as store:
        sessions = [] if store is None else store.sessions(study)
        rows = [] if store is None else store.trials(study)
    machines = list(dict.fromkeys(session.machine for session in sessions)) or list(
        dict.fromkeys(row.origin for row in rows if row.origin)
    )
    more = f" and {len(machines) - 5:,} more" if len(machines) > 5 else ""
    versions = list(
        dict.fromkeys(", ".join(f"{name} {version}" for name, version in s.versions.items()) for s in sessions)
    )
    seconds = sum(row.seconds for row in rows)
    return [
        ("machines", "; ".join(machines[:5]) + more if machines else "not recorded"),
        ("versions", "; ".join(versions) or "not recorded"),
        ("time in trials", f"{seconds / 3600:,.2f} hours" if seconds else ""),
    ]
