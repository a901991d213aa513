"""``psa aws storage``: what lies in the bucket, by kind and by job."""

from __future__ import annotations

from psa_tui.cli.aws import options
from psa_tui.cli.options import Json
from psa_tui.formatting import format_bytes

_MOST_LINES = 15


def storage(everything: options.All = False, json: Json = False) -> None:
    """Show how much is stored under the prefix: results, checkpoints, sources, and the largest jobs."""
    from psa_tui.aws.client import open_client
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.aws.storage import KINDS, measure
    from psa_tui.views.tables import print_table

    settings = load_aws_settings()
    settings.require("S3_BUCKET_NAME", "S3_PREFIX")
    usage = measure(open_client("s3", settings), settings)
    if json:
        content = {"objects": usage.objects, "bytes": usage.size_bytes, "kinds": usage.kinds, "jobs": usage.jobs}
        options.print_json("storage", content)
        return
    kinds = [(kind, format_bytes(usage.kinds[kind])) for kind in KINDS if usage.kinds[kind]]
    print_table(["kind", "stored"], [*kinds, ("all", format_bytes(usage.size_bytes))], 1, options.GAP)
    largest = usage.jobs.most_common(None if everything else _MOST_LINES)
    if largest:
        print()
        print_table(["job", "stored"], [(job, format_bytes(size)) for job, size in largest], 1, options.GAP)
    if len(largest) < len(usage.jobs):
        print(f"... and {len(usage.jobs) - len(largest)} more (--all)")
