"""``psa study delete``: take a study out of the history, into the trash of the results folder, and back."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.cli.options import Yes, takes_settings
from psa_tui.settings import Settings


@takes_settings("results_dir")
def delete(
    settings: Settings,
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY", help="The name of a study that was begun, or fetched.", autocompletion=names_of("study")
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Bring back the study that last went into the trash.")] = False,
    purge: Annotated[bool, typer.Option("--purge", help="Delete for good, and all that is in the trash too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would happen, and change nothing.")] = False,
    yes: Yes = False,
) -> None:
    """Move a study, its trials and their meta-loops out of the history into the trash of the results folder.

    Without asking, because --undo brings it back; --purge asks. A study that a process works on stays. A registration
    stays, too: a later study of the name is held to it.
    """
    from psa_tui.errors import ConfigError
    from psa_tui.formatting import count, printable
    from psa_tui.studies import trash
    from psa_tui.studies.design.standing import standing
    from psa_tui.views.messages import confirmed, print_note

    folder = settings.get("results_dir")
    if undo:
        if study is not None or purge:
            raise ConfigError("--undo brings back what went last; leave STUDY and --purge out")
        name = trash.bring_back(folder, dry_run=dry_run)
        typer.echo(printable(f"study {name} {'would be ' if dry_run else ''}brought back"))
        return
    if study is None and not purge:
        raise ConfigError("expected the name of a study (psa study list shows those that are there), or --undo")
    found = []
    if study is not None:
        _, trials = trash.find_study(folder, study)
        registered = standing(folder, study)
        lines = [] if registered is None else list(registered.lines())
        stays = f" ({'; '.join(lines)}; the registration stays)" if lines else ""
        found = [f"study {study} with {count(trials, 'trial')}{stays}"]
    found += [f"study {name} in the trash" for _, name in trash.in_trash(folder)] if purge else []
    if not found:
        print_note(f"nothing is in the trash of {folder}")
        return
    what = "deleted for good" if purge else f"moved to {folder / trash.TRASH}"
    if dry_run:
        what = f"would be {what}"
    elif purge:
        nobody = f"{', '.join(found)} would be {what}, and there is no terminal to ask on; add --yes to do it"
        if not yes and not confirmed(f"Delete {count(len(found), 'item')} for good?", found, nobody):
            print_note("nothing was deleted")
            raise typer.Exit(1)
        trash.purge(folder, study)
    elif study is not None:
        trash.move_to_trash(folder, study)
        what += "; psa study delete --undo brings it back"
    for one in found:
        typer.echo(printable(f"{one} {what}"))
