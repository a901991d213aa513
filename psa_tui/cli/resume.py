"""``psa resume``: finish an interrupted run, or make a finished one longer."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from psa_tui.cli import options
from psa_tui.settings import load_settings


def resume(
    meta_loops: Annotated[
        str | None, typer.Option(metavar="N", help="Add N meta-loops to the run (default: only finish it).")
    ] = None,
    dataset_dir: options.DatasetDir = None,
    model_dir: options.ModelDir = None,
    results_dir: options.ResultsDir = None,
    device: options.Device = None,
    threads: options.Threads = None,
    plain: options.Plain = None,
    json: options.Json = None,
    quiet: options.Quiet = None,
    ascii: options.Ascii = None,
    save_svg: options.SaveSvg = None,
    tensorboard: options.TensorBoard = None,
    debug: options.Debug = None,
) -> None:
    """Finish the run of the checkpoint: same data, seed and settings, as if it had never stopped."""
    settings = load_settings(locals())
    add = 0 if meta_loops is None else settings.get("meta_loops")

    from psa_tui.cli.output import print_note
    from psa_tui.cli.run_session import carry_out
    from psa_tui.runs import runner

    finished = carry_out(settings, partial(runner.resume, settings, add))
    if finished is None:
        print_note("the run is complete; psa resume --meta-loops N adds N meta-loops to it")
