"""The account of a fetch: what was found in the bucket, what was done about it, and what is amiss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from psa_tui.aws.bucket import Listing, place
from psa_tui.aws.client import safe
from psa_tui.aws.fetch import Fetched, FetchOrder, FetchPlan, missing_cells
from psa_tui.aws.jobs import Cell
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import AwsError, PsaError, RetryableError
from psa_tui.formatting import format_bytes

_NAMED = 10
"""Refused jobs, and shapes with missing cells, that are named one by one; --json names all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchReport:
    """One fetch."""

    order: FetchOrder
    settings: AwsSettings
    listing: Listing
    plan: FetchPlan
    fetched: Fetched
    folder: Path
    dry_run: bool

    @property
    def missing(self) -> tuple[Cell, ...]:
        """The cells wanted that the database lacks."""
        return missing_cells(self.order, self.folder)

    @property
    def refused(self) -> list[tuple[str, str]]:
        """Job and reason, of this fetch and of earlier ones."""
        rows = [*self.plan.refused, *self.fetched.refused]
        return sorted((row.job, safe(row.reason)) for row in rows)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready values, but for the files that the command writes."""
        return {
            "schema": 1,
            "study": self.order.study,
            "place": place(self.settings),
            "dry_run": self.dry_run,
            "jobs_complete": len(self.listing.archives),
            "jobs_without_archive": [job.name for job in self.listing.without],
            "cells": len(self.order.cells()),
            "to_download": [
                {"job": archive.job.name, "size_bytes": archive.size_bytes} for archive in self.plan.download
            ],
            "unchanged": [archive.job.name for archive in self.plan.unchanged],
            "accepted": sorted(row.job for row in self.fetched.accepted),
            "refused": [{"job": job, "reason": reason} for job, reason in self.refused],
            "failed": [{"job": archive.job.name, "reason": reason} for archive, reason in self.fetched.failed],
            "missing": [{"architecture": shape, "mode": mode} for shape, mode in self.missing],
        }

    def lines(self) -> list[str]:
        """Say what was found and done, a paragraph an item."""
        plan, cells = self.plan, len(self.order.cells())
        size = format_bytes(sum(archive.size_bytes for archive in plan.download))
        complete, without = len(self.listing.archives), len(self.listing.without)
        said = [
            f"{place(self.settings)}: {complete} complete jobs, {without} without results",
            f"{cells} cells wanted: {len(plan.download)} new or changed ({size}), {len(plan.unchanged)} unchanged, "
            f"{len(plan.refused)} refused before, {len(plan.absent)} without a complete job",
        ]
        if not self.dry_run:
            said.append(
                f"jobs fetched: {len(self.fetched.accepted)}; study {self.order.study} has "
                f"{cells - len(self.missing)} of the {cells} cells"
            )
        return said

    def warnings(self) -> list[str]:
        """Say what is amiss."""
        refused, missing = self.refused, self.missing
        said = [f"{job} refused: {reason}" for job, reason in refused[:_NAMED]]
        if len(refused) > _NAMED:
            said.append(f"{len(refused) - _NAMED} more jobs refused (--json names all)")
        if missing and not self.dry_run:
            said.append(f"{len(missing)} of {len(self.order.cells())} cells missing: {_cells(missing)}")
        return said

    def check(self) -> None:
        """Fail where the fetch did.

        Raises:
            RetryableError: downloads failed, and may succeed later.
            AwsError: downloads failed for good.
            PsaError: jobs were refused, or there are none at all.
        """
        failed = self.fetched.failed
        if failed:
            raise (RetryableError if self.fetched.worth_a_retry else AwsError)(
                f"{len(failed)} of {len(self.plan.download)} downloads failed, the first: {failed[0][1]} "
                f"(psa results fetch fetches only what is lacking; the files of earlier results are as they were)"
            )
        if not self.listing.archives:
            raise PsaError(
                f"no complete job under {place(self.settings)}, expected psa-<L>x<W>-<mode>-<time>/output/model.tar.gz "
                "there; see to S3_BUCKET_NAME and S3_PREFIX"
            )
        if self.refused:
            raise PsaError(
                f"jobs refused: {len(self.refused)}; all others are stored; psa aws launch --again, with their shapes "
                "as --grid and their --modes, trains them anew"
            )


def _cells(cells: Iterable[Cell]) -> str:
    """Name ``18*18 none, full; 4*4 hidden``: the first shapes, and how many more there are."""
    groups = [
        f"{shape} {', '.join(mode for _, mode in group)}" for shape, group in groupby(cells, lambda cell: cell[0])
    ]
    more = f" and {len(groups) - _NAMED} more shapes (--json names all)" if len(groups) > _NAMED else ""
    return "; ".join(groups[:_NAMED]) + more
