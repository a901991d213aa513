"""``psa study power``: how many trials a difference needs to be seen."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from psa_tui.cli.options import Json


def power(
    control: Annotated[
        float | None, typer.Option(metavar="PERCENT", min=0, max=100, help="Escape rate of the control.")
    ] = None,
    treatment: Annotated[
        float | None, typer.Option(metavar="PERCENT", min=0, max=100, help="Escape rate of the treatment.")
    ] = None,
    difference: Annotated[
        float | None, typer.Option(metavar="POINTS", min=-100, max=100, help="In place of rates: of two means.")
    ] = None,
    std: Annotated[
        float | None,
        typer.Option(metavar="POINTS", min=0.001, max=100, help="Standard deviation between trials of one variant."),
    ] = None,
    correlation: Annotated[
        float, typer.Option(metavar="R", min=-0.99, max=0.99, help="Of the two trials of a pair.")
    ] = 0.0,
    aim: Annotated[float, typer.Option("--power", metavar="PERCENT", min=10, max=99.9, help="Power to reach.")] = 80,
    alpha: Annotated[float, typer.Option(metavar="P", min=1e-6, max=0.5, help="Of all contrasts together.")] = 0.05,
    contrasts: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many share alpha.")] = 1,
    looks: Annotated[int, typer.Option(metavar="N", min=1, max=20, help="Planned looks, evenly spaced.")] = 1,
    one_sided: Annotated[bool, typer.Option("--one-sided", help="The direction is part of the claim.")] = False,
    shapes: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="Shapes that are pooled.")] = 1,
    json: Json = False,
) -> None:
    """Say how many trials an escape rate or a mean needs to be told from another's, paired and independent.

    By formula, then by simulated studies (the same ones every time), which count. It takes seconds and writes nothing.
    """
    from psa_tui.analysis.design.power import Aim, Means, Rates, needed
    from psa_tui.analysis.design.power_text import assumptions, power_text
    from psa_tui.cli.results.printing import print_json, print_text
    from psa_tui.errors import ConfigError
    from psa_tui.machine.optional_dependencies import require

    require("scipy", "statsmodels")
    effect: Rates | Means
    if control is not None and treatment is not None and difference is None and std is None:
        effect = Rates(control=control / 100, treatment=treatment / 100, correlation=correlation)
    elif difference is not None and std is not None and control is None and treatment is None:
        effect = Means(difference=difference / 100, std=std / 100, correlation=correlation)
    else:
        raise ConfigError("expected --control and --treatment (escape rates), or --difference and --std (means)")
    wanted = Aim(power=aim / 100, alpha=alpha / contrasts, two_sided=not one_sided, looks=looks)
    answers = {"paired": needed(effect, wanted, paired=True), "independent": needed(effect, wanted, paired=False)}
    if json:
        about = {"effect": asdict(effect), "aim": asdict(wanted), "assumed": list(assumptions(effect, wanted, shapes))}
        print_json(about | {"shapes": shapes, "answers": {name: asdict(one) for name, one in answers.items()}})
    else:
        print_text(*power_text(effect, wanted, answers, shapes))
