import functools
import io
import os
import sys

import botocore.session
import pytest

from psa_tui.aws.source_archive import build_source_archive
from psa_tui.cli.app import main
from tests.cli.aws.cloud import ACCOUNT, BUCKET, PREFIX, REGION, Cloud

ROLE = f"arn:aws:iam::{ACCOUNT}:role/psa-training"
KEY_ID = "AKIACANARYCANARY1234"
SECRET = "canary/SECRET+key0000000000000000000000A"
SESSION = "canaryTOKEN1" * 20


@pytest.fixture(scope="session")
def account():
    with pytest.MonkeyPatch.context() as patch:
        # One loader for all commands: each would read megabytes of descriptions of AWS's services anew.
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        # So it is with the archive of the sources, which are the same all the time.
        patch.setattr("psa_tui.aws.launch.build_source_archive", functools.cache(build_source_archive))
        cloud = Cloud()
        yield cloud
        cloud.close()


@pytest.fixture
def cloud(account, tmp_path, monkeypatch):
    """An empty account, and an empty working folder whose settings lead to it."""
    for name in [name for name in os.environ if name.startswith(("PSA_", "AWS_", "S3_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": account.url,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": SESSION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "COLUMNS": "80",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "aws" / "sagemaker").mkdir(parents=True)
    settings = {
        "AWS_SAGEMAKER_ROLE": ROLE,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "AWS_REGION": REGION,
        "S3_BUCKET_NAME": BUCKET,
        "S3_PREFIX": PREFIX,
        "MAX_RUN_SECONDS": "3600",
    }
    (tmp_path / "aws" / "sagemaker" / ".env").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    account.reset()
    return account


@pytest.fixture
def aws(cloud, command, monkeypatch, capsys):
    """Run ``psa aws ...`` in this process; returns the exit code, stdout and stderr."""

    monkeypatch.setattr("psa_tui.cli.app.app", command)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["psa", "aws", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return code, out, err

    return run
