"""A plan in words."""

from __future__ import annotations

from math import isnan

from psa_tui.formatting import count, format_bytes
from psa_tui.studies.plan import Plan, group_s

_LONGEST = 5
_WHOLE_CORE = 0.9
"""What a worker has at least of a core where little else is at work."""


def format_plan(made: Plan) -> list[str]:
    """Return the plan in lines of at most 80 columns."""
    spec = made.spec
    lines = [
        f"{'cells':<12}{made.cells:,}: {count(len(spec.networks), 'shape')} x {count(len(spec.variants), 'mode')}",
        f"{'trials':<12}{made.trials:,}: {spec.trials} a cell",
        f"{'meta-loops':<12}{made.meta_loops:,}: {spec.meta_loops} a trial",
        "",
        f"{'workers':<12}{'hours':>10}",
    ]
    for workers, hours in made.hours_by_workers.items():
        here = f"  this machine ({made.device})" if workers == made.workers else ""
        lines.append(f"{workers:<12}{hours:>10,.2f}{here}")
    lines += [f"{'':<12}Workers as fast as these; {len(made.measured)} of {len(spec.networks)} shapes were measured."]
    if not isnan(made.median_error) and len(made.measured) < len(spec.networks):
        lines.append(
            f"{'':<12}A shape left out of the measured is predicted within {made.median_error:.0%} (median), "
            f"{made.worst_error:.0%} (worst)."
        )
    if made.core_share is not None and made.core_share < _WHOLE_CORE:
        hours = made.hours_by_workers[made.workers] * made.core_share
        lines.append(
            f"{'':<12}Busy machine: a worker had {made.core_share:.0%} of a core; of whole ones {hours:,.2f} hours."
        )
    longest = sorted(spec.networks, key=lambda network: -made.costs_s[network])[:_LONGEST]
    lines += ["", f"{'costliest':<12}{'s a trial and loop':>20}{'worker hours':>14}"]
    for network in longest:
        cost_s = made.costs_s[network]
        predicted = "" if network in made.measured else "  predicted"
        lines.append(f"{network.short_name:<12}{cost_s:>20.4f}{group_s(spec, cost_s) / 3600:>14,.2f}{predicted}")
    lines += ["", *_cloud_lines(made)]
    fits = "" if made.memory_bytes <= made.available_memory_bytes else ": MORE than there is, take fewer --workers"
    lines += [
        f"{'disk':<12}{format_bytes(made.disk_bytes)} for the database and what is under way",
        f"{'memory':<12}{format_bytes(made.memory_bytes)} at most, {format_bytes(made.available_memory_bytes)} "
        f"available{fits}",
    ]
    return lines


def _cloud_lines(made: Plan) -> list[str]:
    if made.cloud is None:
        return [f"{'SageMaker':<12}no shape of these was published"]
    cloud = made.cloud
    lines = [
        f"{'SageMaker':<12}the published study paid {cloud.usd:,.2f} USD for {cloud.shapes} of these shapes,",
        f"{'':<12}{cloud.hours:,.1f} hours of ml.g4dn.xlarge, with six modes x 10 trials x 100 loops",
    ]
    if round(cloud.share_usd, 2) != round(cloud.usd, 2):
        lines.append(
            f"{'':<12}as many trials and loops as here: {cloud.share_usd:,.2f} USD, {cloud.share_hours:,.1f} h"
        )
    return lines
