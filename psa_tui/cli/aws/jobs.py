"""``psa aws jobs``: the jobs as the bucket alone tells of them."""

from __future__ import annotations

from psa_tui.cli.aws import options
from psa_tui.cli.options import Json
from psa_tui.formatting import format_bytes
from psa_tui.views.messages import print_note


def jobs(json: Json = False) -> None:
    """List every job that left something in the bucket, newest first; SageMaker is not asked."""
    from psa_tui.aws.bucket import list_archives
    from psa_tui.aws.client import open_client, safe
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.views.tables import print_table

    settings = load_aws_settings()
    settings.require("S3_BUCKET_NAME", "S3_PREFIX")
    listing = list_archives(open_client("s3", settings), settings)
    archives = {archive.job.name: archive for archive in listing.archives}
    found = sorted([*listing.without, *(archive.job for archive in listing.archives)], reverse=True)
    if json:
        content = [
            {
                "job": job.name,
                "shape": job.shape,
                "mode": job.mode,
                "created": job.created.isoformat(),
                "etag": safe(archives[job.name].etag) if job.name in archives else None,
                "archive_bytes": archives[job.name].size_bytes if job.name in archives else None,
            }
            for job in found
        ]
        options.print_json("jobs", content)
    elif found:
        rows = [
            (
                job.name,
                f"{job.created:%Y-%m-%d %H:%M}",
                format_bytes(archives[job.name].size_bytes) if job.name in archives else "none",
            )
            for job in found
        ]
        print_table(["job", "launched", "results"], rows, 2, options.GAP)
        print(f"{len(found)} jobs, {len(archives)} with results")
    else:
        print_note("no job has left anything there")
