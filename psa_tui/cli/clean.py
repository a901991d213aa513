"""``psa clean`` and ``psa clean-all``: remove the LKG file, named files, or everything in the models folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import Yes, takes_settings
from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.settings import Settings
from psa_tui.views.messages import confirmed, print_error, print_note

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be removed, and remove nothing.")]


@takes_settings("model_dir")
def clean(
    settings: Settings,
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Files in the models folder.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every file in the models folder.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Remove the checkpoint, or more, from the models folder; nothing outside it is ever touched.

    Without arguments: the default checkpoint and what belongs to it (previous generation, temporary files,
    lock), without asking. With files, or --all: those, after a question. Folders and dot-files stay.
    """
    if everything and files:
        raise ConfigError("--all and file names exclude each other; say one of them")
    _clean(settings.get("model_dir"), files or [], everything, dry_run, yes)


@takes_settings("model_dir")
def clean_all(settings: Settings, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Remove every file in the models folder: the same as clean --all."""
    _clean(settings.get("model_dir"), [], True, dry_run, yes)


def _clean(path: Path, files: list[str], everything: bool, dry_run: bool, yes: bool) -> None:
    from psa_tui.runs.checkpoint_files import find_checkpoint
    from psa_tui.storage import clean_plan, cleaning
    from psa_tui.views.entries import format_entries, format_total

    names = [clean_plan.name_inside(path, text) for text in files]
    with cleaning.opened(path) as folder:
        found = {} if folder is None else folder.found
        if names:
            plan = clean_plan.plan_named(found, path, names)
        else:
            default = find_checkpoint(path).name
            plan = clean_plan.plan_all(found, default) if everything else clean_plan.plan_default(found, default)
        for name in plan.kept:
            print_note(f"kept: folder {printable(path / name)}")
        if folder is None or not plan.entries:
            print_note(f"nothing to remove in {printable(path)}")
            return
        folder.check(plan, is_everything=everything)
        if dry_run:
            print("\n".join(format_entries(path, plan.entries, "would be removed")))
            return
        if (everything or names) and not yes:
            total = format_total(plan.entries)
            nobody = (
                f"{total} would be removed, and there is no terminal to ask on; "
                "add --yes to remove them, or --dry-run to see them"
            )
            if not confirmed(f"Remove {total}?", format_entries(path, plan.entries), nobody):
                print_note("nothing was removed")
                raise typer.Exit(1)
        outcome = folder.remove(plan)
    print("\n".join(format_entries(path, outcome.removed, "removed")))
    for message in outcome.failures:
        print_error(message)
    if outcome.failures:
        raise typer.Exit(1)
