"""``psa dataset``: what a run would train on, counted and verified."""

from __future__ import annotations

import json as json_format

from psa_tui.cli.options import Json, takes_settings
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note, print_warning


@takes_settings("dataset", "dataset_dir")
def dataset(settings: Settings, json: Json = False) -> None:
    """Load and verify the data set (downloading it if need be), and show its splits and majority classes.

    A network is better than guessing only where its accuracy is above the majority class's.
    """
    from psa_tui.data import load_dataset
    from psa_tui.views.dataset_text import describe_dataset, print_dataset

    loaded = load_dataset(settings.get("dataset"), settings.get("dataset_dir"), print_note)
    for notice in loaded.notices:
        print_warning(notice)
    content = describe_dataset(loaded)
    if json:
        print(json_format.dumps(content, indent=2))
    else:
        print_dataset(content)
