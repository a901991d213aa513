"""``psa aws cost``: what the jobs have cost, by shape and mode."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from psa_tui.cli.aws import options
from psa_tui.cli.options import Json
from psa_tui.method.variants import ordered
from psa_tui.views.messages import print_note

if TYPE_CHECKING:
    from psa_tui.aws.cost import CostReport


def cost(price: options.Price = None, json: Json = False) -> None:
    """Show what SageMaker charges for the jobs' instances: billable seconds times the price, in US dollars."""
    from psa_tui.aws.client import open_client
    from psa_tui.aws.cost import cost_report
    from psa_tui.aws.pricing import find_price
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.aws.training_jobs import DESCRIBING_AT_ONCE, describe_jobs, training_jobs

    settings = load_aws_settings()
    client = open_client("sagemaker", settings, connections=DESCRIBING_AT_ONCE)
    names = [job.job.name for job in training_jobs(client, settings)]
    report = cost_report(
        describe_jobs(client, settings, names), cache(lambda instance: find_price(price, settings, instance))
    )
    if json:
        options.print_json("jobs", [asdict(job) | {"cell": " ".join(job.cell)} for job in report.jobs])
    else:
        _print(report)
    if report.uncounted:
        print_note(f"{len(report.uncounted)} jobs have not ended, and are not in the sum")


def _print(report: CostReport) -> None:
    from psa_tui.views.tables import print_table

    sums = report.by_cell()
    modes = ordered(mode for _, mode in sums)
    rows = []
    for shape in dict.fromkeys(shape for shape, _ in sums):
        costs = [sums.get((shape, mode)) for mode in modes]
        total = sum((usd for usd in costs if usd is not None), Decimal(0))
        rows.append([shape, *("-" if usd is None else f"{usd:.2f}" for usd in costs), f"{total:.2f}"])
    columns = ["shape", *modes, "USD"]
    if rows:
        print_table(columns, rows, 1, options.GAP)
    hours = report.billable_s / 3600
    print(f"{len(report.jobs)} jobs, {hours:,.2f} billable hours, {report.usd:,.2f} USD")
