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


def test_an_option_comes_before_the_environment_and_that_before_the_sagemaker_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("S3_PREFIX=plain\nAWS_SAGEMAKER_ROLE=plain\n")
    sagemaker = "S3_BUCKET_NAME='sagemaker'\nS3_PREFIX=/from/file/\nUSE_SPOT_INSTANCES=True\nAWS_REGION=us-east-1\n"
    (tmp_path / "aws" / "sagemaker" / ".env").write_text(sagemaker)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    found = load_aws_settings(folder=tmp_path)
    assert (found.bucket, found.prefix, found.region, found.role) == ("sagemaker", "from/file", "eu-west-1", None)
    assert (found.use_spot, found.instance_type, found.max_run_s) == (True, "ml.g4dn.xlarge", 86400)
    assert load_aws_settings({"S3_BUCKET_NAME": "flag", "S3_PREFIX": None}, tmp_path).bucket == "flag"
    assert load_aws_settings({"S3_PREFIX": "/"}, tmp_path).prefix == ""


def test_where_each_was_found_is_said_without_the_account(tmp_path, monkeypatch):
    file = tmp_path / "aws" / "sagemaker" / ".env"
    role = "arn:aws:iam::123456789012:role/service-role/training"
    file.write_text(f"S3_BUCKET_NAME=sagemaker-123456789012\nS3_PREFIX=other\nAWS_SAGEMAKER_ROLE={role}\n")
    monkeypatch.setenv("S3_PREFIX", "runs")
    assert load_aws_settings(folder=tmp_path).sources("S3_BUCKET_NAME", "S3_PREFIX", "AWS_SAGEMAKER_ROLE") == [
        f"S3_BUCKET_NAME is sagemaker-[account] ({file})",
        "S3_PREFIX is runs (the environment)",
        f"AWS_SAGEMAKER_ROLE is service-role/training ({file})",
    ]
    (line,) = load_aws_settings({"S3_PREFIX": "p" * 900}, tmp_path).sources("S3_PREFIX")
    assert line.endswith("p... (an option)"), "a long value never hides where it was found"
    assert load_aws_settings({"S3_PREFIX": "/"}, tmp_path).sources("S3_PREFIX") == ["S3_PREFIX is / (an option)"]


def test_a_value_never_takes_in_another_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (tmp_path / "aws" / "sagemaker" / ".env").write_text("S3_PREFIX=${AWS_SECRET_ACCESS_KEY}\n")
    assert load_aws_settings(folder=tmp_path).prefix == "${AWS_SECRET_ACCESS_KEY}"


def test_everything_missing_is_named_at_once_with_the_places_looked_in(tmp_path):
    (tmp_path / "aws" / "sagemaker" / ".env").write_text("S3_BUCKET_NAME=\n")
    with pytest.raises(ConfigError) as caught:
        load_aws_settings(folder=tmp_path).require("S3_BUCKET_NAME", "S3_PREFIX", "AWS_SAGEMAKER_ROLE", "INSTANCE_TYPE")
    assert str(caught.value).startswith(
        "S3_BUCKET_NAME, S3_PREFIX, AWS_SAGEMAKER_ROLE not set; looked in the environment and "
        f"{tmp_path}/aws/sagemaker/.env; "
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
    (tmp_path / "aws" / "sagemaker" / ".env").write_text("".join(f"{k}={v}\n" for k, v in values.items()))
    with pytest.raises(ConfigError) as caught:
        load_aws_settings(folder=tmp_path)
    assert all(name in str(caught.value) for name in values)
    assert "wJalr" not in str(caught.value)


def test_the_example_lists_every_setting_and_nothing_else():
    from pathlib import Path

    text = (Path(__file__).parents[2] / "aws" / "sagemaker" / ".env.example").read_text()
    listed = [line.partition("=")[0] for line in text.splitlines() if line and not line.startswith("#")]
    assert sorted(listed) == sorted(NAMES)
