"""Launching training jobs: never twice, never after an answer that leaves room for doubt.

Each job is written down before it is asked for (``launch_journal``). Whatever AWS answers other than a plain
yes or no ends the launch. The next one asks SageMaker again for what was left open, by its exact name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psa_tui import __version__
from psa_tui.aws.bucket import list_archives, place
from psa_tui.aws.client import aws_errors, open_client
from psa_tui.aws.jobs import Cell, cell_stem, job_name, parse_job
from psa_tui.aws.launch_journal import LaunchJournal, LaunchState, launching, place_digest
from psa_tui.aws.plan import LaunchPlan, divide, existing_jobs, make_plan
from psa_tui.aws.pricing import find_price
from psa_tui.aws.settings import AwsSettings
from psa_tui.aws.source_archive import ENTRY_SCRIPT, REQUIREMENTS, build_source_archive, source_root
from psa_tui.aws.storage import key_under
from psa_tui.aws.study import job_parameters
from psa_tui.aws.training_jobs import training_jobs
from psa_tui.errors import PsaError, RetryableError
from psa_tui.studies.spec import StudySpec

SOURCE_NAME = "source.tar.gz"
CHECKPOINT_FOLDER = "/opt/ml/checkpoints"
VOLUME_GB = 30
_IMAGE_REPOSITORY = "pytorch-training:2.5.1-gpu-py311-cu124-ubuntu22.04-sagemaker"
_IMAGE_REGISTRY = "763104351884"
"""AWS's own registry of deep learning images, the same number in most regions."""
_START = (
    f"mkdir -p /opt/ml/code && cd /opt/ml/code && tar xzf /opt/ml/input/data/code/{SOURCE_NAME} && "
    f"pip install -q -r {REQUIREMENTS} && exec python {ENTRY_SCRIPT}"
)
"""Run in place of the image's own start script, which does not pass TERM on to the training script."""


class Launcher:
    """Plans and launches the jobs of one study."""

    def __init__(self, settings: AwsSettings, spec: StudySpec) -> None:
        """Connect to SageMaker and S3.

        Raises:
            ConfigError: settings that a launch needs are missing; all of them are named.
        """
        require_launch_settings(settings)
        self._settings, self._spec = settings, spec
        self._sagemaker, self._s3 = open_client("sagemaker", settings), open_client("s3", settings)

    def plan(self, price: str | None, again: bool) -> LaunchPlan:
        """Return what there is to launch; ``price`` is that of an instance an hour, None for the price list's.

        Raises:
            AwsError, RetryableError, ConfigError: jobs or prices cannot be listed.
        """
        cells = [
            (network.short_name, variant.name) for network in self._spec.networks for variant in self._spec.variants
        ]
        found = find_price(price, self._settings, self._settings.instance_type)
        return make_plan(cells, self._sagemaker, self._s3, self._settings, found, again)

    def launch(self, plan: LaunchPlan, image: str | None, folder: Path, note: Callable[[str], None]) -> list[str]:
        """Launch ``plan``, which was confirmed; see ``launch``."""
        order = LaunchOrder(
            plan=plan,
            spec=self._spec,
            image=image or default_image(str(self._settings.region)),
            source=build_source_archive(source_root()),
        )
        return launch(self._sagemaker, self._s3, self._settings, order, folder, note)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOrder:
    """What to launch: a confirmed plan, and what all its jobs have in common."""

    plan: LaunchPlan
    spec: StudySpec
    image: str
    source: bytes
    """The archive of ``source_archive``."""


def default_image(region: str) -> str:
    """Return AWS's PyTorch image for training on GPUs in ``region``."""
    return f"{_IMAGE_REGISTRY}.dkr.ecr.{region}.amazonaws.com/{_IMAGE_REPOSITORY}"


def require_launch_settings(settings: AwsSettings) -> None:
    """Make sure that everything a launch needs is set.

    Raises:
        ConfigError: settings are missing; all of them are named.
    """
    account = [] if settings.role is not None and _is_arn(settings.role) else ["AWS_ACCOUNT_ID"]
    settings.require("AWS_SAGEMAKER_ROLE", *account, "AWS_REGION", "S3_BUCKET_NAME", "S3_PREFIX")


def _is_arn(role: str) -> bool:
    return role.startswith("arn:")


def role_arn(settings: AwsSettings) -> str:
    """Return the role's ARN; a bare name is one of AWS_ACCOUNT_ID's roles."""
    role = str(settings.role)
    if _is_arn(role):
        return role
    return f"arn:aws:iam::{settings.account_id}:role/{role}"


def launch(
    sagemaker: Any, s3: Any, settings: AwsSettings, order: LaunchOrder, folder: Path, note: Callable[[str], None]
) -> list[str]:
    """Launch a job for each cell of the plan that has none by now, and return the names of the jobs.

    Args:
        folder: where the journal is kept; another launch with the same folder is kept out meanwhile.
        note: told of every job launched, or found to have been launched before.

    Raises:
        RetryableError: AWS gave no clear answer, or its quota is used up; the same command goes on.
        AwsError, ConfigError: AWS refused. What was launched before stays, and is in the journal.
    """
    where = place_digest(str(settings.region), str(settings.bucket), str(settings.prefix))
    launched: list[str] = []
    with launching(folder) as journal:
        listed = training_jobs(sagemaker, settings)
        open_names = _reconcile(journal, where, {job.job.name for job in listed}, note)
        archives = list_archives(s3, settings).archives
        to_do, _ = divide(order.plan.cells, existing_jobs(listed, archives, order.plan.again))
        source_uri = _upload(s3, settings, order.source) if to_do else ""
        for number, cell in enumerate(to_do, start=1):
            name = open_names.get(cell) or _new_name(cell, {job.job.name for job in listed})
            journal.intend(name, where, order.spec.name)
            try:
                _create(sagemaker, settings, journal, job_request(settings, order, cell, name, source_uri))
            except _QuotaReached:
                raise RetryableError(
                    f"{len(launched)} of {len(to_do)} jobs were launched, then the account's quota of "
                    f"{order.plan.instance_type} was used up; repeat the command when some have ended, or ask for more"
                ) from None
            launched.append(name)
            note(f"{number}/{len(to_do)} launched {name}")
    return launched


def job_request(settings: AwsSettings, order: LaunchOrder, cell: Cell, name: str, source_uri: str) -> dict[str, Any]:
    """Return the request for one job, as ``create_training_job`` takes it."""
    plan = order.plan
    stopping_condition = {"MaxRuntimeInSeconds": plan.max_run_s}
    if plan.max_wait_s is not None:
        stopping_condition["MaxWaitTimeInSeconds"] = plan.max_wait_s
    parameters = job_parameters(order.spec, cell)
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:8]
    checkpoints = key_under(settings, "checkpoints", order.spec.name, f"{cell_stem(cell)}-{digest}")
    return {
        "TrainingJobName": name,
        "RoleArn": role_arn(settings),
        "AlgorithmSpecification": {
            "TrainingImage": order.image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-c"],
            "ContainerArguments": [_START],
        },
        "HyperParameters": parameters,
        "InputDataConfig": [
            {
                "ChannelName": "code",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": source_uri,
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{settings.bucket}/{settings.prefix}".rstrip("/")},
        "ResourceConfig": {"InstanceType": plan.instance_type, "InstanceCount": 1, "VolumeSizeInGB": VOLUME_GB},
        "StoppingCondition": stopping_condition,
        "EnableManagedSpotTraining": plan.spot,
        # Of the cell and its settings, not of the job: the job after one that was stopped goes on where it was.
        "CheckpointConfig": {"S3Uri": f"s3://{settings.bucket}/{checkpoints}", "LocalPath": CHECKPOINT_FOLDER},
        "ProfilerConfig": {"DisableProfiler": True},
        "Tags": [{"Key": "study", "Value": order.spec.name}, {"Key": "version", "Value": f"psa-tui-{__version__}"}],
    }


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
