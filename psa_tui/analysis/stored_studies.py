"""Results from the results database: studies trained here, and studies fetched from a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.frames import completed_frame, completed_loops
from psa_tui.analysis.shapes import network_attr
from psa_tui.errors import ConfigError, DataError
from psa_tui.formatting import did_you_mean
from psa_tui.networks import Mlp
from psa_tui.storage.meta_loops import decode_ablations
from psa_tui.storage.study_rows import COMPLETE, FETCHED, LOCAL, TRIAL_LOOP_COLUMNS, StudyRow, TrialRow
from psa_tui.storage.study_store import StudyStore, read_store
from psa_tui.studies.design.departures import departures

if TYPE_CHECKING:
    from pandas import DataFrame, Series

DEFAULT_STUDIES = {LOCAL: "reproduction", FETCHED: "sagemaker"}
_MAKERS = {LOCAL: "psa study run or psa reproduce run makes one", FETCHED: "psa results fetch makes one"}


def stored_trials(source: str, place: Path, study: str | None) -> DataFrame:
    """Load the complete trials of a study; those begun but not complete are in ``attrs["unfinished"]``.

    Args:
        source: "local", "fetched", or "database" for a study of either kind.
        place: the results folder, or the database file.
        study: its name, or None.
    """
    import pandas as pd

    with _study(source, place, study) as (store, found):
        rows = store.trials(found.study)
    complete = [row for row in rows if row.state == COMPLETE and row.bounty is not None]
    unfinished = [row for row in rows if row.state != COMPLETE or row.bounty is None]
    # As objects: beside a missing seed the others would become doubles, which hold no 63 bits.
    table = completed_frame(
        pd.DataFrame([_as_trial(row) for row in complete], columns=list(_TRIAL_FIELDS), dtype="object"),
        source=found.source,
        study=found.study,
        expected=_expected(found, rows),
        dataset=found.settings.get("dataset"),
        quick=found.quick,
        settings=found.settings | {"seed": found.seed},
        network=found.settings.get("network", Mlp.family),
    )
    table.attrs["unfinished"] = [
        {
            "architecture": row.architecture,
            "mode": row.mode,
            "trial": row.trial,
            "state": row.state,
            "reason": row.reason,
        }
        for row in unfinished
    ]
    if found.source == LOCAL:
        table.attrs["departures"] = departures(place.parent if place.is_file() else place, found.study)
    return table


def stored_meta_loops(source: str, place: Path, study: str | None) -> DataFrame:
    """Load every meta-loop of a study's complete trials.

    Raises:
        DataError: none is recorded.
    """
    import pandas as pd

    with _study(source, place, study) as (store, found):
        trials = store.trials(found.study)
        loops = store.loops(found.study)
    key = ["architecture", "mode", "trial"]
    complete = [(row.architecture, row.mode, row.trial) for row in trials if row.state == COMPLETE]
    table = pd.DataFrame(complete, columns=key).merge(pd.DataFrame(loops, columns=list(TRIAL_LOOP_COLUMNS)))
    if table.empty:
        raise DataError(
            f"study {found.study} ({found.source}) has no meta-loops of complete trials; "
            "psa reproduce records every one of them"
        )
    counts = table.pop("validation_count")
    table["validation_accuracy"] = table.pop("validation_correct") / counts
    table = table.assign(**_ablated(table.pop("ablations")))
    # Loops of earlier versions say of no unit whether it was dead.
    table["ablated_dead_units"] = table["ablated_dead_units"].where(table["lkg_dead"].notna())
    table = completed_loops(table, architectures=list(found.settings.get("shapes", [])))
    dataset = found.settings.get("dataset")
    table.attrs = {"source": found.source, "study": found.study, "quick": found.quick, "dataset": dataset}
    table.attrs |= network_attr(found.settings.get("network", Mlp.family))
    return table


def _ablated(ablations: Series[Any]) -> dict[str, Any]:
    """Return the columns ``ablated_layer``, ``ablated_neuron``, ``ablated_units`` and ``ablated_dead_units`` of JSON.

    Hundreds of thousands of loops share few different texts; each of those is decoded once.
    """
    import pandas as pd

    codes, texts = pd.factorize(ablations)
    decoded = [*map(decode_ablations, texts), ()]  # the code of no text at all is -1
    single = [units[0] if len(units) == 1 else None for units in decoded]
    columns = {
        "ablated_layer": [None if unit is None else unit.layer for unit in single],
        "ablated_neuron": [None if unit is None else unit.unit for unit in single],
        "ablated_units": [len(units) for units in decoded],
        "ablated_dead_units": [sum(unit.dead for unit in units) for units in decoded],
    }
    return {name: pd.array(values, dtype="Int64").take(codes) for name, values in columns.items()}


_TRIAL_FIELDS = (
    "architecture",
    "mode",
    "trial",
    "parameters",
    "seed",
    "meta_loops",
    "best_validation_accuracy",
    "best_meta_loop",
    "test_accuracy",
    "lkg_dead",
    "lkg_inactive",
)


def _as_trial(row: TrialRow) -> tuple[Any, ...]:
    return (
        row.architecture,
        row.mode,
        row.trial,
        row.parameters,
        row.seed,
        row.meta_loop,
        row.bounty,
        row.bounty_meta_loop,
        row.test_accuracy,
        row.lkg_dead,
        row.lkg_inactive,
    )


def _expected(study: StudyRow, rows: list[TrialRow]) -> dict[str, Any] | None:
    shapes, modes = study.settings.get("shapes"), study.settings.get("modes")
    if not shapes or not modes:
        return None
    return {
        "architectures": list(shapes),
        "modes": list(modes),
        "trials": study.trials or max((row.trial for row in rows), default=0),
    }


@contextmanager
def _study(source: str, place: Path, name: str | None) -> Iterator[tuple[StudyStore, StudyRow]]:
    """Open the store and find the study asked for.

    Raises:
        HistoryError: the database cannot be read.
        ConfigError: there is no study of this source; or several, none of them asked for or of the default name; or
            no such one.
    """
    remedy = _MAKERS.get(source, _MAKERS[LOCAL])
    with read_store(place) as store:
        there = [] if store is None else store.studies()
        studies = [row for row in there if source in (row.source, "database")]
        if store is None or not studies:
            kind = "" if source == "database" else f"{source} "
            others = "".join(f", --source {row.source} --study {row.study}" for row in there[:4])
            raise ConfigError(f"{place}: no {kind}study there; {remedy}, or say --source published{others}")
        wanted = name or (studies[0].study if len(studies) == 1 else DEFAULT_STUDIES.get(source))
        found = next((row for row in studies if row.study == wanted), None)
        if found is None:
            names = ", ".join(row.study for row in studies)
            said = "which study?" if name is None else f"--study {name}: no such study;"
            hint = did_you_mean(name or "", [row.study for row in studies])
            raise ConfigError(f"{said} {place} has {names}; name one with --study{hint}")
        yield store, found
