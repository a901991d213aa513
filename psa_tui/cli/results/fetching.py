"""What ``psa results fetch`` shows and writes: progress, the account of what was done, and the two files."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from psa_tui.aws.bucket import Listing, place
from psa_tui.aws.client import safe
from psa_tui.aws.fetch import Fetched, FetchOrder, FetchPlan, missing_cells
from psa_tui.aws.jobs import Cell
from psa_tui.aws.settings import AwsSettings
from psa_tui.cli.output import print_warning
from psa_tui.errors import AwsError, PsaError, RetryableError
from psa_tui.formatting import format_bytes

_NAMED = 10
"""Refused jobs, and shapes with missing cells, that are named one by one; --json names all."""


@contextmanager
def fetch_progress(total: int) -> Iterator[Callable[[], None]]:
    """Show on stderr, if that is a terminal, how many archives of ``total`` have come."""
    if not total or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("fetching"), BarColumn(), MofNCompleteColumn(), TextColumn("jobs"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)


def write_results(order: FetchOrder, folder: Path) -> list[str]:
    """Write the summary and trials files of the study, if it has any trial; their paths."""
    from psa_tui.analysis.sources import FETCHED, load_trials
    from psa_tui.analysis.summary import SUMMARY_FILE, TRIALS_FILE, summary_markdown, trials_markdown
    from psa_tui.cli.results.presenting import write_file

    if len(missing_cells(order, folder)) == len(order.cells()):
        return []
    trials = load_trials(FETCHED, order.study, folder)
    files = {folder / SUMMARY_FILE: summary_markdown(trials), folder / TRIALS_FILE: trials_markdown(trials)}
    for path, text in files.items():
        write_file(path, text.encode())
    return [str(path) for path in files]


@dataclass(slots=True)
class FetchReport:
    """One call of the command, in words."""

    order: FetchOrder
    settings: AwsSettings
    listing: Listing
    plan: FetchPlan
    fetched: Fetched
    folder: Path
    dry_run: bool
    files: list[str] = field(default_factory=list)

    @property
    def refused(self) -> list[tuple[str, str]]:
        """Job and reason, of this fetch and of earlier ones."""
        rows = [*self.plan.refused, *self.fetched.refused]
        return sorted((row.job, safe(row.reason)) for row in rows)

    def print_json(self) -> None:
        """Everything, as one JSON object."""
        content: dict[str, Any] = {
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
            "missing": [
                {"architecture": str(shape), "mode": str(mode)}
                for shape, mode in missing_cells(self.order, self.folder)
            ],
            "files": self.files,
        }
        json_format.dump(content, sys.stdout, indent=2)
        print()

    def print_lines(self) -> None:
        """What was found and done on stdout, what is amiss on stderr."""
        from psa_tui.cli.results.presenting import print_paragraph

        plan, cells = self.plan, len(self.order.cells())
        size = format_bytes(sum(archive.size_bytes for archive in plan.download))
        complete, without = len(self.listing.archives), len(self.listing.without)
        print_paragraph(f"{place(self.settings)}: {complete} complete jobs, {without} without results")
        print_paragraph(
            f"{cells} cells wanted: {len(plan.download)} new or changed ({size}), {len(plan.unchanged)} unchanged, "
            f"{len(plan.refused)} refused before, {len(plan.absent)} without a complete job"
        )
        missing = self._missing()
        if not self.dry_run:
            print_paragraph(
                f"jobs fetched: {len(self.fetched.accepted)}; study {self.order.study} has {cells - len(missing)} "
                f"of the {cells} cells"
            )
        refused = self.refused
        for job, reason in refused[:_NAMED]:
            print_warning(f"{job} refused: {reason}")
        if len(refused) > _NAMED:
            print_warning(f"{len(refused) - _NAMED} more jobs refused (--json names all)")
        if missing and not self.dry_run:
            print_warning(f"{len(missing)} of {cells} cells missing: {_cells(missing)}")

    def _missing(self) -> tuple[Cell, ...]:
        return missing_cells(self.order, self.folder)

    def conclude(self) -> None:
        """End the command as it went.

        Raises:
            RetryableError: downloads failed.
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
                f"jobs refused: {len(self.refused)}; all others are stored; psa aws launch --again trains them anew"
            )


def _cells(cells: Iterable[Cell]) -> str:
    """``18*18 none, full; 4*4 hidden``: the first shapes, and how many more there are."""
    groups = [
        f"{shape} {', '.join(mode for _, mode in group)}" for shape, group in groupby(cells, lambda cell: cell[0])
    ]
    more = f" and {len(groups) - _NAMED} more shapes (--json names all)" if len(groups) > _NAMED else ""
    return "; ".join(groups[:_NAMED]) + more
