"""``psa aws launch``: the plan and its price, and, once it is confirmed, a training job for each shape and mode."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.aws import options
from psa_tui.cli.options import ResultsDir
from psa_tui.cli.output import print_note
from psa_tui.cli.reproduce import options as study_options
from psa_tui.settings import load_settings


def launch(
    grid: study_options.Grid = "published",
    modes: study_options.Modes = None,
    trials: study_options.Trials = 10,
    meta_loops: study_options.MetaLoops = 100,
    seed: study_options.Seed = 0,
    study: study_options.Study = "sagemaker",
    instance_type: Annotated[str | None, typer.Option(metavar="TYPE", help="Instance (default INSTANCE_TYPE).")] = None,
    spot: Annotated[bool | None, typer.Option(help="Spot instances (default USE_SPOT_INSTANCES).")] = None,
    max_run_seconds: Annotated[
        str | None, typer.Option(metavar="N", help="A job is stopped after N seconds (default MAX_RUN_SECONDS).")
    ] = None,
    price: options.Price = None,
    max_cost: Annotated[
        str | None, typer.Option(metavar="USD", help="Refuse a plan that can cost more than this.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="URI", help="Container image with PyTorch (default: AWS's own).")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Launch shapes and modes with a complete job too; never a running one.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and launch nothing.")] = False,
    yes: options.Yes = False,
    results_dir: ResultsDir = None,
) -> None:
    """Train every shape and mode of a grid on SageMaker: one job each, with all its trials.

    The plan comes first, with the most it can cost. Shapes and modes that have a complete or running job are
    passed over, whatever its settings, so the same command again goes on after a failure. Launched from one results
    folder, no job is ever launched twice.
    """
    from psa_tui.aws import launch as launching
    from psa_tui.aws.client import open_client
    from psa_tui.aws.plan import make_plan, plan_lines
    from psa_tui.aws.pricing import find_price, parse_price
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.aws.source_archive import build_source_archive, source_root
    from psa_tui.studies.grids import parse_grid
    from psa_tui.studies.spec import StudySpec, check_name

    limit = None if max_cost is None else parse_price(max_cost, "--max-cost")
    spec = StudySpec(
        name=check_name(study),
        shapes=parse_grid(grid),
        modes=study_options.parse_modes(modes, grid),
        trials=trials,
        meta_loops=meta_loops,
        seed=seed,
        dataset="mnist",
        dataset_fingerprint="",
    )
    settings = load_aws_settings(
        {
            "INSTANCE_TYPE": instance_type,
            "USE_SPOT_INSTANCES": None if spot is None else str(spot),
            "MAX_RUN_SECONDS": max_run_seconds,
        }
    )
    launching.require_launch_settings(settings)
    sagemaker, s3 = open_client("sagemaker", settings), open_client("s3", settings)
    cells = [(shape, mode) for shape in spec.shapes for mode in spec.modes]
    plan = make_plan(cells, sagemaker, s3, settings, find_price(price, settings, settings.instance_type), again)
    print("\n".join(plan_lines(plan, spec)))
    plan.check_cost(limit)
    if dry_run:
        rows = [(*cell, "launch") for cell in plan.cells] + [
            (*c, f"{old.state}: {old.job}") for c, old in plan.existing
        ]
        options.print_table(["shape", "mode", "job"], rows)
    if dry_run or not plan.cells:
        print_note("nothing was launched")
        return
    options.confirm(f"Launch {plan.summary}?", "nothing was launched", yes)
    order = launching.LaunchOrder(
        plan=plan,
        spec=spec,
        image=image or launching.default_image(str(settings.region)),
        source=build_source_archive(source_root()),
    )
    folder = load_settings({"results_dir": results_dir}).get("results_dir") / "aws"
    launched = launching.launch(sagemaker, s3, settings, order, folder, print_note)
    print_note(f"launched {len(launched)} of {len(plan.cells)} jobs; psa aws status shows them")
