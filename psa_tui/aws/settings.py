"""Settings of the AWS commands: an option, then the environment, then ``aws/sagemaker/.env``; the first found wins.

The ``.env`` and psa.toml of the working folder do not set them: what a folder asks to be trained may come from
anywhere, where its results are sent may not. Credentials and profiles are boto3's business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psa_tui.aws.redaction import safe
from psa_tui.errors import ConfigError

ENV_FILE = Path("aws/sagemaker/.env")
"""Relative to the working folder."""
DEFAULTS = {
    "INSTANCE_TYPE": "ml.g4dn.xlarge",
    "USE_SPOT_INSTANCES": "false",
    "MAX_RUN_SECONDS": "86400",
}
LONGEST_RUN_S = 28 * 24 * 3600
"""The longest a SageMaker training job may run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """What the AWS commands need to know; None means that no source says it (see ``require``)."""

    role: str | None
    """AWS_SAGEMAKER_ROLE: name or ARN of the role that jobs run as."""
    account_id: str | None
    region: str | None
    """AWS_REGION; when it is None boto3 decides (AWS_DEFAULT_REGION, the profile)."""
    bucket: str | None
    prefix: str | None
    """S3_PREFIX without slashes at its ends; empty (written ``/``) when jobs lie at the top of the bucket."""
    instance_type: str
    use_spot: bool
    max_run_s: int
    origins: Mapping[str, str]
    """Where each setting that is there was found, in words, by its name (``S3_BUCKET_NAME``, ...)."""
    looked_in: str
    """Where it was searched for, in words."""

    def sources(self, *names: str) -> list[str]:
        """Return a line for each of the settings called ``names`` that is there: its value and where it was found."""
        found = {name: str(getattr(self, _FIELDS[name])) for name in names if name in self.origins}
        # Of a role's ARN the name: the rest is the account's number, which is shown nowhere.
        return [
            f"{name} is {safe(value.rpartition(':role/')[2]) or '/'} ({safe(self.origins[name])})"
            for name, value in found.items()
        ]

    def require(self, *names: str) -> None:
        """Make sure that the settings called ``names`` (``S3_BUCKET_NAME``, ...) are there.

        Raises:
            ConfigError: some are missing; the message names all of them, and where they were looked for.
        """
        missing = [name for name in names if getattr(self, _FIELDS[name]) is None]
        if missing:
            raise ConfigError(
                f"{', '.join(missing)} not set; looked in {self.looked_in}; "
                "aws/sagemaker/.env has one NAME=value a line (aws/sagemaker/.env.example shows them all)"
            )


_FIELDS = {
    "AWS_SAGEMAKER_ROLE": "role",
    "AWS_ACCOUNT_ID": "account_id",
    "AWS_REGION": "region",
    "S3_BUCKET_NAME": "bucket",
    "S3_PREFIX": "prefix",
    "INSTANCE_TYPE": "instance_type",
    "USE_SPOT_INSTANCES": "use_spot",
    "MAX_RUN_SECONDS": "max_run_s",
}


def load_aws_settings(flags: Mapping[str, str | None] | None = None, folder: Path | None = None) -> AwsSettings:
    """Collect the settings; ``flags`` (``{"S3_BUCKET_NAME": "..."}``, None means absent) come before all else.

    An empty value counts as absent, as in a copied example that is not filled in.

    Args:
        folder: where ``aws/sagemaker/.env`` is looked for; the working folder by default.

    Raises:
        ConfigError: a file cannot be read, or a value cannot be what it is for; all such values are named at once.
    """
    path = (Path() if folder is None else folder) / ENV_FILE
    sources: dict[str, Mapping[str, str | None]] = {
        "an option": flags or {},
        "the environment": os.environ,
        str(path): _read_env(path),
        "the default": DEFAULTS,
    }
    values: dict[str, Any] = dict.fromkeys(_FIELDS.values())
    origins: dict[str, str] = {}
    faults = []
    for name, (parse, wanted) in _PARSERS.items():
        for origin, source in sources.items():
            if text := source.get(name):
                values[_FIELDS[name]] = value = parse(text.strip())
                origins[name] = origin
                if value is None:
                    faults.append(f"{name} in {origin} must be {wanted}")
                break
    if faults:
        raise ConfigError("; ".join(faults))
    looked_in = f"the environment and {path}{'' if path.is_file() else ' (not there)'}"
    return AwsSettings(**values, origins=origins, looked_in=looked_in)


def _read_env(path: Path) -> Mapping[str, str | None]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        # Nothing is interpolated: a name in ${} would carry secrets of the environment into requests.
        return dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read ({reason}); mend or remove it") from None


def _matching(pattern: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: text if compiled.fullmatch(text) else None


def _prefix(text: str) -> str | None:
    text = text.strip("/")
    return text if text.isprintable() and len(text.encode()) <= 900 else None


def _flag(text: str) -> bool | None:
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower())


def _seconds(text: str) -> int | None:
    whole = re.fullmatch(r"[1-9][0-9]{0,6}", text, re.ASCII)
    return int(text) if whole and int(text) <= LONGEST_RUN_S else None


# Values are not quoted in messages: a secret pasted into the wrong line would be shown.
_PARSERS: dict[str, tuple[Callable[[str], str | bool | int | None], str]] = {
    "AWS_SAGEMAKER_ROLE": (_matching(r"[\w+=,.@:/-]{1,512}"), "the name or ARN of a role"),
    "AWS_ACCOUNT_ID": (_matching(r"[0-9]{12}"), "12 digits"),
    "AWS_REGION": (_matching(r"[a-z]{2,6}(-[a-z]{2,12}){1,3}-[0-9]{1,2}"), "a region such as us-east-1"),
    "S3_BUCKET_NAME": (_matching(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]"), "the name of a bucket, without s3://"),
    "S3_PREFIX": (_prefix, "a folder of the bucket"),
    "INSTANCE_TYPE": (_matching(r"ml\.[a-z0-9-]{1,20}\.[a-z0-9-]{1,20}"), "an instance type such as ml.g4dn.xlarge"),
    "USE_SPOT_INSTANCES": (_flag, "true or false"),
    "MAX_RUN_SECONDS": (_seconds, f"whole seconds, at most {LONGEST_RUN_S}"),
}
