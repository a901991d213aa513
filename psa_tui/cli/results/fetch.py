"""``psa results fetch``: the results of SageMaker jobs, from their bucket into the results folder."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.study import options as study_options
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note

Bucket = Annotated[
    str | None, typer.Option(metavar="NAME", help="The bucket (default: S3_BUCKET_NAME in aws/sagemaker/.env).")
]
Prefix = Annotated[str | None, typer.Option(metavar="FOLDER", help="Its folder that jobs are in (default: S3_PREFIX).")]
Workers = Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Downloads at a time.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be downloaded, and do nothing.")]


@takes_settings("network", "results_dir", network="mlp")
def fetch(
    settings: Settings,
    bucket: Bucket = None,
    prefix: Prefix = None,
    grid: study_options.Grid = "published",
    modes: study_options.Modes = None,
    trials: study_options.Trials = 10,
    study: study_options.StudyName = "sagemaker",
    workers: Workers = 8,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Fetch the newest complete job of every shape and mode, and write the summary and trials files.

    Only what is new or changed is downloaded. A job with a doubtful archive is refused with the reason; the others
    go on, and what was fetched before stays.
    """
    from psa_tui.aws.bucket import list_archives
    from psa_tui.aws.client import open_client
    from psa_tui.aws.fetch import Fetched, FetchOrder, plan_fetch, store_fetch
    from psa_tui.aws.fetch import fetch as fetch_archives
    from psa_tui.aws.fetch_report import FetchReport
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.aws.study import sagemaker_study
    from psa_tui.cli.results.fetch_output import print_report, write_results
    from psa_tui.views.progress_bar import progress_bar

    spec = sagemaker_study(study, grid, modes, trials, None, None, settings.named_network())
    order = FetchOrder(
        study=spec.name, networks=spec.networks, variants=spec.variants, trials=spec.trials, workers=workers
    )
    aws_settings = load_aws_settings({"S3_BUCKET_NAME": bucket, "S3_PREFIX": prefix})
    aws_settings.require("S3_BUCKET_NAME", "S3_PREFIX")
    folder = settings.get("results_dir")
    s3 = open_client("s3", aws_settings, connections=workers)
    for line in aws_settings.sources("S3_BUCKET_NAME", "S3_PREFIX"):
        print_note(line)
    listing = list_archives(s3, aws_settings)
    plan = plan_fetch(order, aws_settings, listing, folder)
    fetched = Fetched()
    if not dry_run:
        with progress_bar("fetching", len(plan.download), "jobs") as advance:
            fetched = fetch_archives(s3, aws_settings, order, plan, lambda: advance(1))
        if fetched.accepted or fetched.refused:
            store_fetch(order, aws_settings, fetched, folder)
    report = FetchReport(
        order=order,
        settings=aws_settings,
        listing=listing,
        plan=plan,
        fetched=fetched,
        folder=folder,
        dry_run=dry_run,
    )
    files = write_results(report) if not dry_run and not fetched.failed else []
    print_report(report, files, as_json=json)
    report.check()
