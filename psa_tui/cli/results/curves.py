"""``psa results curves``: how trials develop over the meta-loops."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import options
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings


class Measure(StrEnum):
    """What a curve shows."""

    ACCURACY = "accuracy"
    LKG = "lkg"
    GAIN = "gain"


_COLUMNS = {Measure.ACCURACY: "validation_accuracy", Measure.LKG: "lkg_accuracy", Measure.GAIN: "lkg_gain"}


@takes_settings("results_dir")
def curves(
    settings: Settings,
    measure: Annotated[
        list[Measure],
        typer.Option(
            metavar="WHAT", help="accuracy (of candidates), lkg (its accuracy) or gain (of the LKG, in points)."
        ),
    ] = [Measure.ACCURACY, Measure.LKG],  # noqa: B006
    source: options.Source = "local",
    study: options.Study = None,
    arch: options.Shapes = None,
    mode: options.Mode = None,
    trial: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The curve of this trial (default: the mean).")
    ] = None,
    best: Annotated[bool, typer.Option("--best", help="The curve of each cell's best trial.")] = False,
    out: options.Out = None,
    json: Json = False,
) -> None:
    """Show measures of every shape and mode by meta-loop; of the LKG's gain, each stretch of meta-loops.

    Of one trial, of the best one, or the mean over trials; --out and --json have every meta-loop, with the band in
    which the middle 80 % of the trials lie. The best of all trials at each loop is no run, and is not shown. The first
    promotion makes the LKG and is no gain.
    """
    import pandas as pd

    from psa_tui.analysis.curves_text import curve_text
    from psa_tui.analysis.export import check_data_format, data_bytes, marked
    from psa_tui.analysis.text_tables import about
    from psa_tui.analysis.trajectories import BEST, MEAN, trajectories
    from psa_tui.cli.results.loading import loops_of
    from psa_tui.cli.results.printing import described, print_json, print_text, write_file

    if trial is not None and best:
        raise ConfigError("--trial and --best exclude each other; choose one")
    if out is not None:
        check_data_format(Path(out))
    loops = loops_of(source, study, settings.get("results_dir"), arch, mode)
    pick = trial if trial is not None else BEST if best else MEAN
    found = {_COLUMNS[one]: trajectories(loops, _COLUMNS[one], pick) for one in dict.fromkeys(measure)}
    if json:
        print_json(described(loops), **found)
    else:
        print_text(about(loops))
        for name, curve in found.items():
            print_text("", *curve_text(name, curve))
    if out is not None:
        together = pd.concat([curve.assign(measure=name) for name, curve in found.items()], ignore_index=True)
        write_file(Path(out), data_bytes(marked(together, loops), Path(out).suffix))
