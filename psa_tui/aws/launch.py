"""Launching training jobs: never twice, never after an answer that leaves room for doubt.

Each job is written down before it is asked for (``launch_journal``). Whatever AWS answers other than a plain
yes or no ends the launch. The next one asks SageMaker again for what was left open, by its exact name. What ``--again``
trains anew is an order of the journal, so that the same command goes on with it and pays nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psa_tui.aws.bucket import list_archives, place
from psa_tui.aws.client import aws_errors, open_client
from psa_tui.aws.job_request import SOURCE_NAME, LaunchOrder, default_image, job_request, require_launch_settings
from psa_tui.aws.jobs import Cell, cell_of, job_name, parse_job
from psa_tui.aws.launch_journal import AgainOrder, LaunchJournal, LaunchState, digest, launching
from psa_tui.aws.plan import Existing, LaunchPlan, divide, existing_jobs, make_plan
from psa_tui.aws.pricing import find_price
from psa_tui.aws.settings import AwsSettings
from psa_tui.aws.source_archive import build_source_archive, source_root
from psa_tui.aws.storage import key_under
from psa_tui.aws.study import travelling_code
from psa_tui.aws.training_jobs import training_jobs
from psa_tui.errors import PsaError, RetryableError
from psa_tui.studies.spec import StudySpec


class Launcher:
    """Plans and launches the jobs of one study."""

    def __init__(self, settings: AwsSettings, spec: StudySpec, folder: Path) -> None:
        """Connect to SageMaker and S3; the journal is kept in ``folder``.

        Raises:
            ConfigError: settings that a launch needs are missing; all of them are named.
        """
        require_launch_settings(settings)
        self._settings, self._spec, self._folder = settings, spec, folder
        self._sagemaker, self._s3 = open_client("sagemaker", settings), open_client("s3", settings)

    def plan(self, price: str | None, again: bool) -> LaunchPlan:
        """Return what there is to launch; ``price`` is that of an instance an hour, None for the price list's.

        Raises:
            ConfigError: a cell cannot stand in the name of a job, or code of the user's cannot travel.
            AwsError, RetryableError, ConfigError: jobs or prices cannot be listed.
            PsaError: the journal cannot be read.
        """
        travelling_code(self._spec)
        cells = _cells(self._spec)
        for cell in cells:
            job_name(cell, datetime.now(UTC))
        found = find_price(price, self._settings, self._settings.instance_type)
        journal = LaunchJournal(self._folder)
        existing, names = _look(self._sagemaker, self._s3, self._settings, journal)
        order = journal.open_order(_command(self._spec), _where(self._settings), names) if again else None
        return make_plan(cells, existing, self._settings, found, again, order)

    def launch(self, plan: LaunchPlan, image: str | None, note: Callable[[str], None]) -> list[str]:
        """Launch ``plan``, which was confirmed; see ``launch``."""
        order = LaunchOrder(
            plan=plan,
            spec=self._spec,
            image=image or default_image(str(self._settings.region)),
            source=build_source_archive(source_root(), travelling_code(self._spec)) if plan.cells else b"",
        )
        return launch(self._sagemaker, self._s3, self._settings, order, self._folder, note)


def launch(
    sagemaker: Any, s3: Any, settings: AwsSettings, order: LaunchOrder, folder: Path, note: Callable[[str], None]
) -> list[str]:
    """Launch a job for each cell of the plan that has none by now, and return the names of the jobs.

    Args:
        folder: where the journal is kept; another launch with the same folder is kept out meanwhile.
        note: told of every job launched, or found to have been launched before.

    Raises:
        RetryableError: AWS gave no clear answer, or its quota is used up; the same command goes on. Or the plan does
            not hold any more.
        AwsError, ConfigError: AWS refused. What was launched before stays, and is in the journal.
    """
    plan, where, command = order.plan, _where(settings), _command(order.spec)
    launched: list[str] = []
    with launching(folder) as journal:
        existing, names = _look(sagemaker, s3, settings, journal)
        open_names = _reconcile(journal, where, names, note)
        to_do = _still_to_do(plan, existing, journal.open_order(command, where) if plan.again else None)
        source_uri = _upload(s3, settings, order.source) if to_do else ""
        if plan.again and to_do:
            journal.order(command, where, to_do)
        for number, cell in enumerate(to_do, start=1):
            name = open_names.get(cell) or _new_name(cell, names)
            journal.intend(name, where, order.spec.name)
            try:
                _create(sagemaker, settings, journal, job_request(settings, order, cell, name, source_uri))
            except _QuotaReached:
                again = (", --again included,", " and pays nothing twice") if plan.again else ("", "")
                raise RetryableError(
                    f"{len(launched)} of {len(to_do)} jobs were launched, then the account's quota of "
                    f"{plan.instance_type} was used up; ask for more, or wait until some have ended: the same command"
                    f"{again[0]} goes on with the rest{again[1]}"
                ) from None
            launched.append(name)
            note(f"{number}/{len(to_do)} launched {name}")
        if plan.again:
            _close(journal, command, where, note)
    return launched


def _cells(spec: StudySpec) -> list[Cell]:
    return [cell_of(network, variant) for network in spec.networks for variant in spec.variants]


def _where(settings: AwsSettings) -> str:
    return digest(str(settings.region), str(settings.bucket), str(settings.prefix))


def _command(spec: StudySpec) -> str:
    """Return what tells commands apart: what is trained, not on which instances or at what price."""
    cells = sorted(" ".join(cell) for cell in _cells(spec))
    return digest(spec.name, str(spec.trials), str(spec.meta_loops), str(spec.seed), *cells)


def _look(
    sagemaker: Any, s3: Any, settings: AwsSettings, journal: LaunchJournal
) -> tuple[dict[Cell, Existing], set[str]]:
    """Return the jobs that stand for a cell, and the names of all jobs that AWS knows."""
    listed, archives = training_jobs(sagemaker, settings), list_archives(s3, settings).archives
    names = {one.job.name for one in listed} | {one.job.name for one in archives}
    unlisted = filter(None, map(parse_job, set(journal.launched_lately(_where(settings))) - names))
    return existing_jobs(listed, archives) | {job.cell: Existing(job.name, "not listed yet") for job in unlisted}, names


def _still_to_do(plan: LaunchPlan, existing: Mapping[Cell, Existing], order: AgainOrder | None) -> list[Cell]:
    """Return the cells of ``plan`` that are to be launched by now.

    Raises:
        RetryableError: that would pay again for other jobs than those that were confirmed.
    """
    to_do, _ = divide(plan.cells, existing, plan.again, order)
    replaced = {cell: job for cell, job in to_do.items() if job is not None}
    is_same = (order.at if order else None) == (plan.order.at if plan.order else None)
    if not (is_same and replaced.items() <= plan.replaces.items()):
        raise RetryableError(
            "jobs were launched or completed since the plan was made, so nothing was launched; repeat the command"
        )
    return list(to_do)


def _close(journal: LaunchJournal, command: str, where: str, note: Callable[[str], None]) -> None:
    """Close the open order of ``command`` if all is launched; only here, where it is said, and never by a crash."""
    order = journal.open_order(command, where)
    if order is not None and not order.left:
        journal.close(order)
        note(f"--again of {order.since} is complete: every cell was launched; the next --again pays anew")


def _new_name(cell: Cell, taken: Collection[str]) -> str:
    """Return a name of this second, or of the next one that gives a name not taken."""
    when = datetime.now(UTC)
    while (name := job_name(cell, when)) in taken:
        when += timedelta(seconds=1)
    return name


class _QuotaReached(PsaError):
    """SageMaker has no more instances for this account now."""


def _reconcile(
    journal: LaunchJournal, where: str, listed: Collection[str], note: Callable[[str], None]
) -> dict[Cell, str]:
    """Find out what became of the requests without an answer; return the names of those SageMaker does not list.

    Those names are used again for their cells: should such a request yet arrive, there is still one job.
    """
    open_names = {}
    for intention in journal.intended(where):
        job = parse_job(intention.job)
        if intention.job in listed:
            journal.settle(intention.job, LaunchState.LAUNCHED)
            note(f"{intention.job}, asked for before without a clear answer, was launched")
        elif job is not None:
            open_names[job.cell] = intention.job
    return open_names


def _create(client: Any, settings: AwsSettings, journal: LaunchJournal, request: dict[str, Any]) -> None:
    """Ask for one job, and record the answer if it is a plain one."""
    from botocore.exceptions import ClientError

    name = request["TrainingJobName"]
    refused = False
    try:
        with aws_errors(f"launching {name}", settings):
            try:
                client.create_training_job(**request)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                refused = _is_plain_refusal(dict(error.response.get("ResponseMetadata", {})), code)
                if code == "ResourceLimitExceeded" and refused:
                    raise _QuotaReached(code) from None
                # A name that is taken says that an earlier request for this very job arrived.
                if code != "ResourceInUse":
                    raise
    except PsaError as error:
        if refused:
            journal.settle(name, LaunchState.REFUSED)
            raise
        raise RetryableError(
            f"{error}; whether {name} was launched is not known, so nothing more is launched now: "
            "the same command finds out before it goes on"
        ) from None
    journal.settle(name, LaunchState.LAUNCHED)


def _is_plain_refusal(metadata: dict[str, Any], code: str) -> bool:
    """Whether AWS refused the one and only request.

    A refusal after a retry says nothing of the attempt before it, which may have made the job (and used up the
    quota); throttling and timeouts say little of any.
    """
    status = metadata.get("HTTPStatusCode", 0)
    is_late = status in (408, 429) or "Throttling" in code or "Timeout" in code
    return 400 <= status < 500 and not is_late and not metadata.get("RetryAttempts")


def _upload(client: Any, settings: AwsSettings, source: bytes) -> str:
    """Put the archive where its digest names it, unless it is there; return the folder's URI."""
    folder = key_under(settings, "source", hashlib.sha256(source).hexdigest()[:32])
    with aws_errors(f"uploading the sources to {place(settings)}", settings):
        client.put_object(Bucket=settings.bucket, Key=f"{folder}/{SOURCE_NAME}", Body=source)
    return f"s3://{settings.bucket}/{folder}/"
