"""``psa study look``: what a registered study's trials say so far, counted as a look."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from psa_tui.cli.completion import names_of
from psa_tui.cli.options import Json, takes_settings
from psa_tui.settings import Settings


@takes_settings("results_dir")
def look(
    settings: Settings,
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY", help="The name of a registered study.", autocompletion=names_of("study")),
    ],
    plan: Annotated[bool, typer.Option("--plan", help="Only show the boundaries of the planned looks.")] = False,
    json: Json = False,
) -> None:
    """Test a registered study's hypotheses on the trials it has, as often as its design allows.

    Every look at unfinished results is a chance of a false positive. The look is counted in the results folder before
    its numbers are shown, and the boundary in force says how small p must be for all looks together to keep the
    design's alpha. Without new trials the last look is shown again, and nothing is counted.
    """
    from psa_tui.analysis.design.look_text import look_text, plan_text
    from psa_tui.analysis.design.looks import claims, planned_boundaries, registration_of, take_look
    from psa_tui.cli.results.printing import print_json, print_text
    from psa_tui.machine.optional_dependencies import require

    require("numpy", "scipy")
    folder = settings.get("results_dir")
    if plan:
        registration = registration_of(folder, study)
        if not json:
            print_text(*plan_text(registration))
            return
        bounds = planned_boundaries(registration.design, len(claims(registration)))
        looks = zip(registration.design.looks, bounds, strict=True)
        planned = [{"trials": trials, "boundary_z": z, "boundary_p": p} for trials, (z, p) in looks]
        print_json({"study": registration.name, "sha256": registration.sha256, "planned": planned})
        return
    registration, is_new = take_look(folder, study)
    if json:
        looks_taken = [asdict(one) for one in registration.looks]
        about = {"study": registration.name, "sha256": registration.sha256, "counted": is_new}
        print_json(about | {"looks_planned": list(registration.design.looks), "looks": looks_taken})
    else:
        print_text(*look_text(registration, is_new))
