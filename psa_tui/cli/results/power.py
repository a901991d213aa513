"""``psa results power``: the smallest effect a finished study could have seen."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import options
from psa_tui.settings import Settings
from psa_tui.studies.design.plan import Endpoint


@takes_settings("results_dir")
def power(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    contrast: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'A - B'", help="Such as 'output - none'; may be repeated (default: those of the design)."
        ),
    ] = None,
    of: Annotated[
        list[Endpoint] | None,
        typer.Option("--of", metavar="WHAT", help="escape, validation, test, gain, harm (default: the design's)."),
    ] = None,
    by: Annotated[str, typer.Option(metavar="WHAT", help="pooled, or shape: each alone.")] = "pooled",
    aim: Annotated[float, typer.Option("--power", metavar="PERCENT", min=10, max=99.9, help="Power to reach.")] = 80,
    alpha: Annotated[
        float | None,
        typer.Option(
            metavar="P", min=1e-6, max=0.5, help="Of all contrasts together (default: the design's, or 0.05)."
        ),
    ] = None,
    zero_r: options.ZeroR = None,
    json: Json = False,
) -> None:
    """Show the smallest difference a study could have seen, given its trials and how they scatter.

    What was not measured is left out. Of a study without a design: every mode against none, by escape (15 points above
    the majority class), best validation and test accuracy.
    """
    from psa_tui.analysis.design.power import Aim
    from psa_tui.analysis.design.power_text import sensitivity_text
    from psa_tui.analysis.design.questions import questions_of
    from psa_tui.analysis.design.sensitivity import sensitivities
    from psa_tui.analysis.loop_measures import OF_LOOPS, with_loop_measures
    from psa_tui.analysis.sources import load_meta_loops
    from psa_tui.cli.results.loading import fraction, trials_of
    from psa_tui.cli.results.printing import described, print_json, print_text
    from psa_tui.errors import UnknownNameError
    from psa_tui.machine.optional_dependencies import require

    require("pandas", "scipy", "statsmodels")
    if by not in (ways := ("pooled", "shape")):
        raise UnknownNameError(by, ways)
    trials = trials_of(source, study, settings.get("results_dir"))
    asked = questions_of(trials, settings.get("results_dir"), contrast, fraction(zero_r), of)
    if OF_LOOPS.keys() & set(asked.endpoints):
        trials = with_loop_measures(trials, load_meta_loops(source, study, settings.get("results_dir")))
    wanted = Aim(power=aim / 100, alpha=(alpha or asked.alpha) / len(asked.contrasts))
    found = list(
        sensitivities(
            trials,
            asked.contrasts,
            asked.endpoints,
            wanted,
            escape_above=asked.escape_above,
            by_shape=by == "shape",
        )
    )
    if json:
        about = {"aim": asdict(wanted), "escape_above": asked.escape_above}
        print_json(described(trials) | about | {"contrasts": [asdict(one) for one in found]})
    else:
        print_text(*sensitivity_text(f"study {trials.attrs.get('study')}", found, wanted))
