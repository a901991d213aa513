"""``psa aws launch``: the plan and its price, and, once it is confirmed, a training job for each shape and mode."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.aws import options
from psa_tui.cli.options import takes_settings
from psa_tui.cli.study import options as study_options
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note

Type = Annotated[str | None, typer.Option(metavar="TYPE", help="Instance (default INSTANCE_TYPE).")]
Spot = Annotated[bool | None, typer.Option(help="Spot instances (default USE_SPOT_INSTANCES).")]
Seconds = Annotated[
    str | None, typer.Option(metavar="N", help="A job is stopped after N seconds (default MAX_RUN_SECONDS).")
]
MaxCost = Annotated[str | None, typer.Option(metavar="USD", help="Refuse a plan that can cost more than this.")]
Image = Annotated[str | None, typer.Option(metavar="URI", help="Container image with PyTorch (default: AWS's own).")]
Again = Annotated[
    bool, typer.Option("--again", help="Launch shapes and modes with a complete job too; never a running one.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan, and launch nothing.")]


@takes_settings("network", "results_dir", network="mlp")
def launch(
    settings: Settings,
    grid: study_options.Grid = "published",
    modes: study_options.Modes = None,
    trials: study_options.Trials = 10,
    meta_loops: study_options.MetaLoops = 100,
    seed: study_options.Seed = 0,
    study: study_options.StudyName = "sagemaker",
    instance_type: Type = None,
    spot: Spot = None,
    max_run_seconds: Seconds = None,
    price: options.Price = None,
    max_cost: MaxCost = None,
    image: Image = None,
    again: Again = False,
    dry_run: DryRun = False,
    yes: options.Yes = False,
) -> None:
    """Train every shape and mode of a grid on SageMaker: one job each, with all its trials.

    The plan comes first, with the most it can cost. Shapes and modes that have a complete or running job are
    passed over, whatever its settings, so the same command again goes on after a failure, with --again too: until
    all its cells are launched, each once. Launched from one results folder, no job is ever launched twice.
    """
    from psa_tui.aws import launch as launching
    from psa_tui.aws.plan import plan_lines, plan_rows
    from psa_tui.aws.pricing import parse_price
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.aws.study import sagemaker_study
    from psa_tui.views.tables import print_table

    limit = None if max_cost is None else parse_price(max_cost, "--max-cost")
    spec = sagemaker_study(study, grid, modes, trials, meta_loops, seed, settings.named_network())
    asked = {"INSTANCE_TYPE": instance_type, "USE_SPOT_INSTANCES": spot, "MAX_RUN_SECONDS": max_run_seconds}
    aws_settings = load_aws_settings({name: None if value is None else str(value) for name, value in asked.items()})
    launcher = launching.Launcher(aws_settings, spec, settings.get("results_dir") / "aws")
    plan = launcher.plan(price, again)
    print("\n".join(plan_lines(plan, spec)))
    plan.check_cost(limit)
    if dry_run:
        print_table(["shape", "mode", "job"], plan_rows(plan), gap=options.GAP)
    for line in aws_settings.sources("S3_BUCKET_NAME", "S3_PREFIX", "AWS_SAGEMAKER_ROLE"):
        print_note(line)
    if plan.cells and not dry_run:
        options.confirm(f"Launch {plan.summary}?", "nothing was launched", yes)
    # An order that was not told to be complete is closed, though nothing is left to launch.
    launched = launcher.launch(plan, image, print_note) if not dry_run and (plan.cells or plan.order) else []
    jobs = f"{len(launched)} of {len(plan.cells)} jobs"
    print_note(f"launched {jobs}; psa aws status shows them" if launched else "nothing was launched")
