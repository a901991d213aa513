"""``psa results fetch``: the results of SageMaker jobs, from their bucket into the results folder."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli import options as common
from psa_tui.cli.reproduce import options as grid_options
from psa_tui.cli.results import options

Bucket = Annotated[
    str | None, typer.Option(metavar="NAME", help="The bucket (default: S3_BUCKET_NAME in aws/sagemaker/.env).")
]
Prefix = Annotated[str | None, typer.Option(metavar="FOLDER", help="Its folder that jobs are in (default: S3_PREFIX).")]
Workers = Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Downloads at a time.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be downloaded, and do nothing.")]


def fetch(
    bucket: Bucket = None,
    prefix: Prefix = None,
    grid: grid_options.Grid = "published",
    modes: grid_options.Modes = None,
    trials: grid_options.Trials = 10,
    study: grid_options.Study = "sagemaker",
    workers: Workers = 8,
    dry_run: DryRun = False,
    json: options.Json = False,
    results_dir: common.ResultsDir = None,
) -> None:
    """Fetch the newest complete job of every shape and mode, and write the summary and trials files.

    Only what is new or changed is downloaded. A job with a doubtful archive is refused with the reason; the others
    go on, and what was fetched before stays.
    """
    from psa_tui.aws.bucket import list_archives
    from psa_tui.aws.client import open_client
    from psa_tui.aws.fetch import Fetched, FetchOrder, plan_fetch, store_fetch
    from psa_tui.aws.fetch import fetch as fetch_archives
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.cli.results.fetching import FetchReport, fetch_progress, write_results
    from psa_tui.cli.results.loading import results_folder
    from psa_tui.studies.grids import parse_grid
    from psa_tui.studies.spec import check_name

    order = FetchOrder(
        study=check_name(study),
        shapes=parse_grid(grid),
        modes=grid_options.parse_modes(modes, grid),
        trials=trials,
        workers=workers,
    )
    settings = load_aws_settings({"S3_BUCKET_NAME": bucket, "S3_PREFIX": prefix})
    settings.require("S3_BUCKET_NAME", "S3_PREFIX")
    folder = results_folder(results_dir)
    s3 = open_client("s3", settings, connections=workers)
    listing = list_archives(s3, settings)
    plan = plan_fetch(order, settings, listing, folder)
    fetched = Fetched()
    if not dry_run:
        with fetch_progress(len(plan.download)) as advance:
            fetched = fetch_archives(s3, settings, order, plan, advance)
        if fetched.accepted or fetched.refused:
            store_fetch(order, settings, fetched, folder)
    report = FetchReport(order, settings, listing, plan, fetched, folder, dry_run)
    if not dry_run and not fetched.failed:
        report.files = write_results(order, folder)
    report.print_json() if json else report.print_lines()
    report.conclude()
