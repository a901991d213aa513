"""Means, spreads and extremes of every shape and mode, and the two files the first system's users know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.frames import (
    PUBLISHED_MODES,
    cell_percentages,
    cell_rows,
    percentages,
    shown_architectures,
    shown_modes,
    trial_count,
)
from psa_tui.analysis.shapes import family_of, shape_sizes, with_sizes
from psa_tui.formatting import printable
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.networks import Mlp

if TYPE_CHECKING:
    from pandas import DataFrame

SUMMARY_FILE = "psa_simplemlp_summary.md"
TRIALS_FILE = "psa_simplemlp_trials.md"
NOT_A_REPRODUCTION = "quick, not a reproduction"
_PUBLISHED_SETTINGS = {"network": Mlp.family, "meta_loops": 100, **Hyperparameters().as_json()}
"""The published study's hyperparameters are the defaults."""
_DEFAULT_STUDY = ("local", "reproduction")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
"""What the name of a study from elsewhere may have, and the name of a file had better not."""
_MEASURES = ("mean", "std", "min", "max")


def file_for(trials: DataFrame, name: str) -> str:
    """Return ``name``, with the study in it where that is not the reproduction of this folder: each has its own."""
    source, study = trials.attrs["source"], trials.attrs["study"]
    if (source, study) == _DEFAULT_STUDY:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{_UNFIT.sub('-', study)[:64]}{dot}{suffix}"


def cell_statistics(trials: DataFrame) -> DataFrame:
    """Summarise the trials of every shape and mode, one row a cell that has trials.

    Columns: ``architecture``, ``depth``, ``width``, ``parameters``, ``mode``, ``n``; ``mean``, ``std`` (population),
    ``min`` and ``max`` of the best validation accuracies, fractions; and the same as ``mean_pct``, ``std_pct``,
    ``min_pct`` and ``max_pct``: percentages, rounded to two decimals as the published summary has them.

    A mean that lies between two hundredths is rounded the way its double falls. The published numbers are those of
    NumPy's ``mean`` over percentages in the order of the trials, so this is what is computed.
    """
    import pandas as pd

    rows = []
    for (architecture, mode), found in cell_percentages(trials).items():
        exact = (float(found.mean()), float(found.std()), float(found.min()), float(found.max()))
        percents = (round(value, 2) for value in exact)
        rows.append((architecture, mode, len(found), *(value / 100 for value in exact), *percents))
    columns = ["architecture", "mode", "n", *_MEASURES, *(f"{name}_pct" for name in _MEASURES)]
    table = with_sizes(pd.DataFrame(rows, columns=columns), shape_sizes(trials, shown_architectures(trials)))
    table.attrs = dict(trials.attrs)
    return table


def summary_markdown(trials: DataFrame) -> str:
    """Return the text of ``psa_simplemlp_summary.md``: a paragraph a shape, a line a mode, N/A without trials."""
    cells = {(row.architecture, row.mode): row for row in cell_statistics(trials).itertuples()}
    lines = _heading(trials, "results summary")
    for architecture, size in shape_sizes(trials, shown_architectures(trials)).items():
        parameters = "N/A" if size.parameters is None else size.parameters
        lines.append(f"Results Shape {{{architecture}}} Parameters {{{parameters}}}")
        for mode in shown_modes(trials):
            cell = cells.get((architecture, mode))
            numbers = "N/A"
            if cell is not None:
                numbers = (
                    f"Mean={cell.mean_pct:.2f}% | Std={cell.std_pct:.2f}% | "
                    f"Min={cell.min_pct:.2f}% | Max={cell.max_pct:.2f}% (n={cell.n})"
                )
            lines.append(f"* {mode.capitalize()}: {numbers}")
        lines.append("")
    return "\n".join(lines)


def trials_markdown(trials: DataFrame) -> str:
    """Return the text of ``psa_simplemlp_trials.md``: a table a shape, N/A where a trial is missing."""
    modes = shown_modes(trials)
    lines = _heading(trials, "single trials")
    for architecture, rows in trial_rows(trials):
        lines += [f"### Architecture: {architecture}", ""]
        lines.append(f"| Trial | {' | '.join(mode.capitalize() for mode in modes)} |")
        lines.append("|:---:|" + ":---:|" * len(modes))
        lines += [f"| {trial} | {' | '.join(cells)} |" for trial, cells in rows]
        lines.append("")
    return "\n".join(lines)


def trial_rows(trials: DataFrame) -> list[tuple[str, list[tuple[int, list[str]]]]]:
    """Return each shape with its rows: the trial's number and, in the order of the modes shown, "98.22%" or "N/A"."""
    keys = zip(trials["architecture"], trials["mode"], trials["trial"], strict=True)
    accuracies = dict(zip(keys, percentages(trials["best_validation_accuracy"]), strict=True))
    last = trial_count(trials)
    return [
        (
            architecture,
            [
                (
                    trial,
                    [
                        f"{found:.2f}%" if (found := accuracies.get((architecture, mode, trial))) is not None else "N/A"
                        for mode in shown_modes(trials)
                    ],
                )
                for trial in range(1, last + 1)
            ],
        )
        for architecture in shown_architectures(trials)
    ]


def missing_cells(trials: DataFrame) -> DataFrame:
    """Return the cells that have fewer trials than they should: ``architecture``, ``mode``, ``n``, ``expected``.

    Without a plan (a file has none), every shape should have the modes that any shape has, with as many trials.
    """
    import pandas as pd

    expected = trials.attrs.get("expected") or {}
    modes = expected.get("modes") or [mode for mode in shown_modes(trials) if mode in set(trials["mode"])]
    wanted = trial_count(trials)
    counts = {cell: len(rows) for cell, rows in cell_rows(trials).items()}
    rows = [
        (architecture, mode, counts.get((architecture, mode), 0), wanted)
        for architecture in shown_architectures(trials)
        for mode in modes
        if counts.get((architecture, mode), 0) < wanted
    ]
    return pd.DataFrame(rows, columns=["architecture", "mode", "n", "expected"])


def incomplete_shapes(trials: DataFrame) -> set[str]:
    """Return the shapes that lack trials which their regime is made from: those of the published modes."""
    missing = missing_cells(trials[trials["mode"].isin(PUBLISHED_MODES)])
    return set(missing.loc[missing["mode"].isin(PUBLISHED_MODES), "architecture"])


def other_settings(trials: DataFrame) -> list[str]:
    """Return in what, as far as it is known, the trials were trained otherwise than the published ones."""
    settings: dict[str, Any] = {"network": family_of(trials)} | dict(trials.attrs.get("settings") or {})
    if "meta_loops" not in settings and trials["meta_loops"].nunique() == 1:
        settings["meta_loops"] = int(trials["meta_loops"].dropna().iloc[0])
    return [
        f"{name.replace('_', ' ')} {settings[name]} (published: {value})"
        for name, value in _PUBLISHED_SETTINGS.items()
        if settings.get(name, value) != value
    ]


def notices(trials: DataFrame) -> list[str]:
    """Say what a reader must know before trusting the numbers: quick studies, other data or settings, lost trials."""
    said = []
    attrs = trials.attrs
    if others := other_settings(trials):
        said.append(f"not the published settings: {', '.join(others)}; not comparable with the published numbers")
    if attrs.get("quick"):
        said.append(f"study {attrs.get('study')} is {NOT_A_REPRODUCTION}")
    if attrs.get("dataset") not in (None, "mnist"):
        said.append(f"trained on {attrs['dataset']}, not on full MNIST: not comparable with the published numbers")
    said += [f"departs from its registration: {departure}" for departure in attrs.get("departures", ())]
    missing = missing_cells(trials)
    if len(missing):
        lost = int((missing["expected"] - missing["n"]).sum())
        total = lost + len(trials)
        named = [f"{row.architecture} {row.mode} ({row.n} of {row.expected})" for row in missing.head(4).itertuples()]
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        said.append(f"{lost} of {total} trials missing: {', '.join(named)}{more}")
    diverged = [row for row in attrs.get("unfinished", []) if row["state"] == "complete"]
    if diverged:
        said.append(f"{len(diverged)} of the missing are complete without a promotion (diverged): not in the means")
    failed = [row for row in attrs.get("unfinished", []) if row["state"] == "failed"]
    if failed:
        first = failed[0]
        reason = f" ({first['reason']})" if first["reason"] else ""
        said.append(
            f"{len(failed)} trials failed, the first {first['architecture']} {first['mode']} {first['trial']}{reason}"
        )
    return said


def _heading(trials: DataFrame, what: str) -> list[str]:
    """Return the title and, as quotations, the notices: lines a reader of numbers cannot mistake for them."""
    lines = [f"# Persistent Stochastic Ablation: {what}", ""]
    source, study = trials.attrs.get("source"), trials.attrs.get("study")
    lines += [f"Best validation accuracies, source {printable(source)}, study {printable(study)}.", ""]
    for notice in notices(trials):
        lines += [f"> {printable(notice)}", ""]
    return lines
