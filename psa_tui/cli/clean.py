"""``psa clean``: remove the LKG file, named files, or everything in the models folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psa_tui.cli import options
from psa_tui.cli.output import print_error, print_note
from psa_tui.errors import ConfigError
from psa_tui.formatting import format_bytes, printable
from psa_tui.settings import load_settings

if TYPE_CHECKING:
    from psa_tui.storage.cleaning import Entry

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be removed, and remove nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def clean(
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Files in the models folder.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every file in the models folder.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    model_dir: options.ModelDir = None,
) -> None:
    """Remove the checkpoint, or more, from the models folder; nothing outside it is ever touched.

    Without arguments: the default checkpoint and what belongs to it (previous generation, temporary files,
    lock), without asking. With files, or --all: those, after a question. Folders and dot-files stay.
    """
    from psa_tui.storage import cleaning

    if everything and files:
        raise ConfigError("--all and file names exclude each other; say one of them")
    path: Path = load_settings({"model_dir": model_dir}).get("model_dir")
    names = [cleaning.name_inside(path, text) for text in files or ()]
    with cleaning.opened(path) as folder:
        found = {} if folder is None else folder.found
        if names:
            plan = cleaning.plan_named(found, path, names)
        else:
            plan = cleaning.plan_all(found) if everything else cleaning.plan_default(found)
        for name in plan.kept:
            print_note(f"kept: folder {printable(path / name)}")
        if folder is None or not plan.entries:
            print_note(f"nothing to remove in {printable(path)}")
            return
        folder.check_free(plan)
        if dry_run:
            _print_list(path, plan.entries, "would be removed")
            return
        if (everything or names) and not yes:
            _ask(path, plan.entries)
        outcome = folder.remove(plan)
    _print_list(path, outcome.removed, "removed")
    for message in outcome.failures:
        print_error(message)
    if outcome.failures:
        raise typer.Exit(1)


def clean_all(dry_run: DryRun = False, yes: Yes = False, model_dir: options.ModelDir = None) -> None:
    """Remove every file in the models folder: the same as clean --all."""
    clean(everything=True, dry_run=dry_run, yes=yes, model_dir=model_dir)


def _ask(path: Path, entries: tuple[Entry, ...]) -> None:
    """Show the list on stderr and ask; the command ends here unless the answer is yes."""
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{_total(entries)} would be removed, and there is no terminal to ask on; "
            "add --yes to remove them, or --dry-run to see them"
        )
    print("\n".join(_lines(path, entries)), file=sys.stderr)
    print(f"Remove {_total(entries)}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        print_note("nothing was removed")
        raise typer.Exit(1)


def _print_list(path: Path, entries: tuple[Entry, ...], what: str) -> None:
    print("\n".join([*_lines(path, entries), f"{_total(entries)} {what}"]))


def _lines(path: Path, entries: tuple[Entry, ...]) -> list[str]:
    from psa_tui.storage.cleaning import Kind

    return [
        f"{format_bytes(entry.size_bytes):>9}  {printable(path / entry.name)}"
        + ("" if entry.kind is Kind.FILE else f"  ({entry.kind})")
        for entry in entries
    ]


def _total(entries: tuple[Entry, ...]) -> str:
    count = f"{len(entries)} file{'' if len(entries) == 1 else 's'}"
    return f"{count} ({format_bytes(sum(entry.size_bytes for entry in entries))})"
