"""What SageMaker is asked for: one job of a launch, with its image, role, sources, time and folders."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from psa_tui import __version__
from psa_tui.aws.jobs import Cell, cell_stem
from psa_tui.aws.plan import LaunchPlan
from psa_tui.aws.settings import AwsSettings
from psa_tui.aws.source_archive import ENTRY_SCRIPT, REQUIREMENTS
from psa_tui.aws.storage import key_under
from psa_tui.aws.study import job_parameters
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
