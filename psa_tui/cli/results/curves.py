"""Trajectories on the screen: a line a shape and mode, a column a stretch of meta-loops."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.analysis.trajectories import BEST, MEAN, phases, trajectories
from psa_tui.cli.results.presenting import (
    check_data_format,
    data_bytes,
    described,
    marked,
    pct,
    print_about,
    print_json,
    print_paragraph,
    print_rows,
    write_file,
)
from psa_tui.errors import ConfigError

if TYPE_CHECKING:
    from pandas import DataFrame

_WORDS = {
    "validation_accuracy": "validation accuracy of the candidates (percent) after meta-loop",
    "lkg_accuracy": "validation accuracy of the LKG (percent) after meta-loop",
    "lkg_gain": "points the LKG gained in meta-loops",
}


def picked(trial: int | None, best: bool) -> int | str:
    """Whose curves are asked for.

    Raises:
        ConfigError: a trial and the best one at once.
    """
    if trial is not None and best:
        raise ConfigError("--trial and --best exclude each other; choose one")
    return trial if trial is not None else BEST if best else MEAN


def show(loops: DataFrame, measures: tuple[str, ...], pick: int | str, output: str | None, *, as_json: bool) -> None:
    """Print a table a measure, or JSON; ``output`` takes every meta-loop as a data file too."""
    import pandas as pd

    if output is not None:
        check_data_format(Path(output))
    curves = {measure: trajectories(loops, measure, pick) for measure in measures}
    if as_json:
        print_json(described(loops), **curves)
    else:
        print_about(loops)
        for measure, curve in curves.items():
            print()
            _print(measure, curve)
    if output is not None:
        together = pd.concat([curve.assign(measure=measure) for measure, curve in curves.items()], ignore_index=True)
        write_file(Path(output), data_bytes(marked(together, loops), Path(output).suffix))


def _print(measure: str, curve: DataFrame) -> None:
    is_gain = measure == "lkg_gain"
    stretches = phases(curve)[1 if is_gain else 0 :]  # the first loop makes the LKG
    names = [str(last) if first == last or not is_gain else f"{first}-{last}" for first, last in stretches]
    rows = []
    for (architecture, mode, label), cell in curve.groupby(["architecture", "mode", "label"], sort=False):
        values = cell.set_index("meta_loop")["value"]
        numbers = [
            pct(values.loc[first:last].sum(min_count=1), "+.2f") if is_gain else pct(values.get(last, float("nan")))
            for first, last in stretches
        ]
        rows.append([str(architecture), str(mode), str(label), *numbers])
    print_paragraph(_WORDS[measure])
    print_rows(["shape", "mode", "curve", *names], rows, words=3)
