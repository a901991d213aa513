"""``psa results label``: the name, the tags and the note of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.options import Note, Tags, takes_settings
from psa_tui.cli.results.show import Run
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.storage.labels import NO_LABELS, check_labels, check_run_name

NewName = Annotated[
    str | None,
    typer.Option("--name", metavar="NEW", help="Another name for a run that has one; so has its folder."),
]
Untag = Annotated[list[str] | None, typer.Option("--untag", metavar="TAG", help="A tag to take off; may be repeated.")]


@takes_settings("results_dir")
def label(
    settings: Settings,
    run: Run,
    name: NewName = None,
    tag: Tags = None,
    untag: Untag = None,
    note: Note = None,
) -> None:
    """Tag a run or write a note about it, also while it trains; an empty note takes the old one off.

    A run that has a name gets another by --name: its folder in the models folder moves, unless it is being trained.
    """
    labels = check_labels(tag or (), note)
    if labels == NO_LABELS and not untag and name is None:
        raise ConfigError("nothing to write; say --name, --tag, --untag or --note")
    if name is not None:
        name = check_run_name(name)

    from psa_tui.runs.history import load_rows
    from psa_tui.runs.renaming import rename
    from psa_tui.storage.run_store import open_runs
    from psa_tui.views.messages import print_note

    folder = settings.get("results_dir")
    (found,) = load_rows(folder, [run])
    with open_runs(folder) as store:
        if name is not None:
            rename(store, found, name)
        store.label(found.run, labels, untag or ())
        row = store.run(found.run)
    assert row is not None
    print_note(f"{row.name or row.run}: tags {' '.join(row.tags) or 'none'}; note {row.note or 'none'}")
