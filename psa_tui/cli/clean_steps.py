"""What ``psa clean`` does: plan, check, ask, take away or bring back, and say what came of it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import typer

from psa_tui.formatting import printable
from psa_tui.runs.clean_parts import check_parts, clean_parts, what_is_left
from psa_tui.storage import trash
from psa_tui.storage.cleaning import opened
from psa_tui.views.entries import format_entries, format_total
from psa_tui.views.messages import confirmed, print_error, print_note


def take_away(
    path: Path, run: str | None, files: list[str], *, everything: bool, purge: bool, dry_run: bool, ask: bool
) -> None:
    """Move to the trash of the models folder ``path``, or delete, what ``clean_parts`` finds for these arguments.

    Raises:
        PsaError: it may not be taken away, or there is nobody to ask.
        typer.Exit: the answer was no, or something could not be taken away.
    """
    place, goal = path / (run or ""), printable(path / trash.TRASH)
    with ExitStack() as stack:
        models = stack.enter_context(opened(path))
        parts = [] if models is None else clean_parts(models, run, files, everything=everything, stack=stack)
        own = {part.name for part in parts}
        for kept in (name for part in parts for name in part.plan.kept if name not in own):
            print_note(f"kept: folder {printable(place / kept)}")
        listed = [one for part in parts for one in part.listed]
        if models is None or not (listed := listed + (trash.in_trash(models) if purge else [])):
            print_note(f"nothing to remove in {printable(place)}{what_is_left(models, run, stack)}")
            return
        if parts:
            check_parts(parts, everything=everything)
        if dry_run:
            what = "would be deleted for good" if purge else f"would be moved to {goal}"
            print("\n".join(format_entries(listed, what)))
            return
        if ask:
            _ask(listed, "deleted for good" if purge else f"moved to {goal}", "Delete" if purge else "Move")
        taken = trash.delete(models, parts) if purge else trash.move_to_trash(models, parts)
    _report(taken, "deleted for good" if purge else f"moved to {goal}; psa clean --undo brings them back")


def bring_back(path: Path, *, dry_run: bool) -> None:
    """Bring back what last went into the trash of the models folder ``path``.

    Raises:
        PsaError: something is in its place, or nothing is there.
        typer.Exit: something could not be brought back.
    """
    with opened(path) as models, trash.last_in_trash(models, path) as parts:
        if dry_run:
            print("\n".join(format_entries([one for part, _ in parts for one in part.listed], "would be brought back")))
            return
        returned = trash.bring_back(parts)
    _report(returned, "brought back")


def _ask(listed: list[trash.Listed], what: str, verb: str) -> None:
    total, to = format_total(listed), what.partition(" ")[2]
    nobody = (
        f"{total} would be {what}, and there is no terminal to ask on; add --yes to do it, or --dry-run to see them"
    )
    if not confirmed(f"{verb} {total} {to}?", format_entries(listed), nobody):
        print_note("nothing was removed")
        raise typer.Exit(1)


def _report(done: trash.Report, what: str) -> None:
    print("\n".join(format_entries(done.done, what)))
    for message in done.failures:
        print_error(message)
    if done.failures:
        raise typer.Exit(1)
