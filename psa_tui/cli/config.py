"""``psa config``: every setting, its value and where it came from."""

from __future__ import annotations

import json as json_format
import sys

from psa_tui.cli.options import Json
from psa_tui.settings import SETTINGS, load_settings


def config(json: Json = False) -> None:
    """Show every setting and where its value comes from: the environment, .env, psa.toml or the default.

    A run that goes on takes what is "default" here from its checkpoint.
    """
    settings = load_settings({})
    settings.run_config()
    rows = []
    for name, setting in SETTINGS.items():
        found = settings.network() if name == "arch" else settings.find(name)
        text = "" if found is None else str(found.value)
        origin = "not set" if found is None else found.origin
        rows.append({"setting": name, "value": text, "origin": origin, "variable": setting.variable})
    if json:
        json_format.dump(rows, sys.stdout, indent=2)
        print()
        return

    from psa_tui.views.tables import print_table

    print_table(["setting", "value", "from", "variable"], [list(row.values()) for row in rows])
