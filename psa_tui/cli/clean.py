"""``psa clean`` and ``psa clean-all``: take away a checkpoint, named files, or all that is in the models folder."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.cli.options import Yes, takes_settings
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would happen, and change nothing.")]
Purge = Annotated[bool, typer.Option("--purge", help="Delete for good, and all that is in the trash too.")]


@takes_settings("name", "model_dir")
def clean(
    settings: Settings,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Files in the models folder.", autocompletion=names_of("file")),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every file, and every run with a name.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back what last went into the trash.")] = False,
    purge: Purge = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Move the checkpoint, or more, into the trash of the models folder; nothing outside it is ever touched.

    Without arguments: the checkpoint and what belongs to it (previous generation, temporary files, lock), without
    asking; with --name those of that run. With files, --all or --purge: those, after a question. Dot-files and
    folders stay, but for those of runs with names.
    """
    from psa_tui.cli.clean_steps import bring_back, take_away

    if everything and files:
        raise ConfigError("--all and file names exclude each other; say one of them")
    if undo:
        if everything or files or purge:
            raise ConfigError("--undo brings back all that went last; leave --all, --purge and file names out")
        bring_back(settings.get("model_dir"), dry_run=dry_run)
        return
    ask = bool(everything or files or purge) and not yes
    run = settings.get("name")
    take_away(settings.get("model_dir"), run, files or [], everything=everything, purge=purge, dry_run=dry_run, ask=ask)


@takes_settings("model_dir")
def clean_all(settings: Settings, purge: Purge = False, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Move every file in the models folder into its trash, and every run with a name: the same as clean --all."""
    from psa_tui.cli.clean_steps import take_away

    take_away(settings.get("model_dir"), None, [], everything=True, purge=purge, dry_run=dry_run, ask=not yes)
