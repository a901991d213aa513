"""``psa resume``: finish an interrupted run, or make a finished one longer."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from psa_tui.cli.before_training import confirm_changes
from psa_tui.cli.options import OUTPUT_OPTIONS, Yes, takes_settings
from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.networks.modules.names import names_code
from psa_tui.settings import Settings


@takes_settings(
    "network",
    "dataset",
    "dataset_dir",
    "name",
    "model_dir",
    "results_dir",
    "device",
    "backend",
    "threads",
    *OUTPUT_OPTIONS,
    "save_svg",
    "tensorboard",
    "notify",
    "debug",
    network="that of the checkpoint",
    dataset="that of the run; a path where data of your own is now",
)
def resume(
    settings: Settings,
    meta_loops: Annotated[
        str | None, typer.Option(metavar="N", help="Add N meta-loops to the run (default: only finish it).")
    ] = None,
    yes: Yes = False,
) -> None:
    """Finish the run of the checkpoint: same data, seed and settings, as if it had never stopped.

    One of a network of your own needs --network again: no checkpoint makes psa run code.
    """
    network = settings.named_network()
    add = 0 if meta_loops is None else settings.with_option("meta_loops", meta_loops).get("meta_loops")

    from psa_tui.cli.run_session import carry_out
    from psa_tui.runs import runner
    from psa_tui.runs.checkpoint_files import expect_checkpoint, find_checkpoint
    from psa_tui.runs.resuming import resume_command
    from psa_tui.views.messages import print_note

    checkpoint = find_checkpoint(settings.run_folder())
    expect_checkpoint(checkpoint, settings.get("model_dir"), settings.get("name"))
    confirm_changes(settings, checkpoint, yes=yes, resumes=True)
    finished = carry_out(settings, partial(runner.resume, settings, add))
    if finished is None:
        code = network if network is not None and names_code(network) else None
        again = resume_command(settings.run_folder(), settings.get("results_dir"), settings.get("name"), code)
        longer = f"{printable(again)} --meta-loops N adds N meta-loops to it"
        if (found := settings.find("save_svg")) is not None:
            raise ConfigError(f"{found.origin} {found.value}: not written, because the run is complete; {longer}")
        print_note(f"the run is complete; {longer}")
