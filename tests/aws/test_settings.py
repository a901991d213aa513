import pytest

from psa_tui.aws.settings import load_aws_settings
from psa_tui.errors import ConfigError

NAMES = [
    "AWS_SAGEMAKER_ROLE",
    "AWS_ACCOUNT_ID",
    "AWS_REGION",
    "S3_BUCKET_NAME",
    "S3_PREFIX",
    "INSTANCE_TYPE",
    "USE_SPOT_INSTANCES",
    "MAX_RUN_SECONDS",
]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "aws" / "sagemaker").mkdir(parents=True)
    return tmp_path


def test_the_sagemaker_file_comes_before_the_other_and_that_before_the_environment(tmp_path, monkeypatch):
    for name in ("S3_BUCKET_NAME", "S3_PREFIX", "AWS_REGION"):
        monkeypatch.setenv(name, "from-environment-1")
    (tmp_path / ".env").write_text("S3_PREFIX=/from/file/\nS3_BUCKET_NAME=file\n")
    (tmp_path / "aws" / "sagemaker" / ".env").write_text("S3_BUCKET_NAME='sagemaker'\nUSE_SPOT_INSTANCES=True\n")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    found = load_aws_settings(folder=tmp_path)
    assert (found.bucket, found.prefix, found.region) == ("sagemaker", "from/file", "eu-west-1")
    assert (found.use_spot, found.instance_type, found.max_run_s) == (True, "ml.g4dn.xlarge", 86400)
    assert load_aws_settings({"S3_BUCKET_NAME": "flag", "S3_PREFIX": None}, tmp_path).bucket == "flag"
    assert load_aws_settings({"S3_PREFIX": "/"}, tmp_path).prefix == ""


def test_everything_missing_is_named_at_once_with_the_files_looked_for(tmp_path):
    (tmp_path / ".env").write_text("S3_BUCKET_NAME=\n")
    with pytest.raises(ConfigError) as caught:
        load_aws_settings(folder=tmp_path).require("S3_BUCKET_NAME", "S3_PREFIX", "AWS_SAGEMAKER_ROLE", "INSTANCE_TYPE")
    assert str(caught.value).startswith(
        f"S3_BUCKET_NAME, S3_PREFIX, AWS_SAGEMAKER_ROLE not set; looked in {tmp_path}/aws/sagemaker/.env (not there), "
        f"{tmp_path}/.env and the environment"
    )


def test_wrong_values_are_named_at_once_and_not_shown(tmp_path):
    values = {
        "AWS_ACCOUNT_ID": "12345",
        "AWS_REGION": "mars",
        "S3_BUCKET_NAME": "s3://x",
        "USE_SPOT_INSTANCES": "maybe",
        "MAX_RUN_SECONDS": "1e3",
        "INSTANCE_TYPE": "wJalrXUtnFEMI",
    }
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    with pytest.raises(ConfigError) as caught:
        load_aws_settings(folder=tmp_path)
    assert all(name in str(caught.value) for name in values)
    assert "wJalr" not in str(caught.value)


def test_the_example_lists_every_setting_and_nothing_else():
    from pathlib import Path

    text = (Path(__file__).parents[2] / "aws" / "sagemaker" / ".env.example").read_text()
    listed = [line.partition("=")[0] for line in text.splitlines() if line and not line.startswith("#")]
    assert sorted(listed) == sorted(NAMES)
