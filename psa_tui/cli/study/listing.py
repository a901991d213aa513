"""``psa study list``: the studies of a results folder."""

from __future__ import annotations

import json as json_format
import sys

from psa_tui.cli.options import Json, takes_settings
from psa_tui.settings import Settings


@takes_settings("results_dir")
def list_studies(settings: Settings, json: Json = False) -> None:
    """List the studies that were begun here or fetched, and how far they are."""
    from psa_tui.studies.progress import list_studies as read
    from psa_tui.studies.trash import in_trash
    from psa_tui.views.messages import print_note
    from psa_tui.views.tables import print_names

    folder = settings.get("results_dir")
    found = read(folder)
    if json:
        json_format.dump({"schema": 1, "studies": [one.as_json() for one in found]}, sys.stdout, indent=2)
        print()
        return
    if found:
        print_names(
            ["study", "from", "last work", "shapes", "modes", "trials", "complete", "failed"],
            [
                [
                    one.study + (" (quick)" if one.quick else ""),
                    one.source,
                    one.updated_at[:16].replace("T", " "),
                    *(f"{number:,}" for number in (one.shapes, one.modes, one.trials, one.complete, one.failed)),
                ]
                for one in found
            ],
            spare=("from", "last work", "modes", "shapes"),
            words=3,
            gap=2,
        )
    else:
        print_note(f"no studies in {folder}; psa study run --recipe NAME begins one, psa study recipes lists them")
    if deleted := [name for _, name in in_trash(folder)]:
        print_note(f"in the trash: {', '.join(deleted)}; psa study delete --undo brings the last back, --purge deletes")
