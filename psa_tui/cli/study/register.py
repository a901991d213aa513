"""``psa study register``: freeze a design before its results are known."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.settings import Settings


@takes_settings("dataset_dir", "results_dir")
def register(
    settings: Settings,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A study file with a part [design].")],
    json: Json = False,
) -> None:
    """Freeze a study's design with its hypotheses, and print its SHA-256, to be cited beside the results.

    The design is kept in the results folder. The same design again gives the same number, another one under the same
    name is refused; whatever departs from it later is said wherever the study is shown.
    """
    from psa_tui.errors import ConfigError
    from psa_tui.studies.design.departures import departures
    from psa_tui.studies.design.freezing import frozen_designs
    from psa_tui.studies.design.registration import design_path, register
    from psa_tui.studies.study_file import load_study_file
    from psa_tui.views.messages import print_note, print_warning

    folder = settings.get("results_dir")
    found = load_study_file(Path(file))
    if found.design is None:
        raise ConfigError(
            f'{file}: has no part [design], expected at least hypotheses = ["output - none"] in one; '
            "docs/design.md has an example"
        )
    made = [register(folder, spec, design) for spec, design in frozen_designs(found, settings, print_note)]
    if json:
        registered = [{"study": one.name, "sha256": one.sha256, "design": one.design.as_json()} for one, _ in made]
        json_format.dump({"schema": 1, "registered": registered}, sys.stdout, indent=2)
        print()
        return
    for one, is_new in made:
        typer.echo(f"{one.sha256}  {design_path(folder, one.name)}")
        when = one.registered_at[:16].replace("T", " ")
        print_note(f"study {one.name}: {'registered' if is_new else f'as it was registered at {when} UTC'}")
        for hypothesis in one.design.hypotheses:
            print_note(f"  {hypothesis}")
        for departure in departures(folder, one.name):
            print_warning(f"study {one.name} departs from its registration: {departure}")
