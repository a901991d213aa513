import sys
import traceback
from pathlib import Path

import pytest

from psa_tui.cli.app import main
from psa_tui.errors import PsaError
from tests.cli.aws.cloud import ACCOUNT
from tests.cli.aws.conftest import KEY_ID, ROLE, SECRET, SESSION
from tests.cli.aws.test_watching import LAUNCH, write_log

pytestmark = pytest.mark.slow

CANARIES = (KEY_ID, SECRET, SESSION, ACCOUNT, ROLE, "arn:aws", "210987654321", "AKIAOTHEROTHEROTHER1", "oThErSeCr3t")
OTHER_SECRET = "oThErSeCr3t" + "aB3/" * 8
COMPLAINT = (
    f"User: arn:aws:sts::210987654321:assumed-role/x/y with {KEY_ID} and AKIAOTHEROTHEROTHER1 may not pass {ROLE} "
    f"of {ACCOUNT}; {SECRET} {SESSION} {OTHER_SECRET} \x1b[2J\x1b]0;owned\x07"
)
PATHS = {
    "launch": ("pricing.GetProducts", "sagemaker.ListTrainingJobs", "s3.Get", "s3.Put", "sagemaker.CreateTrainingJob"),
    "status": ("sagemaker.ListTrainingJobs", "sagemaker.DescribeTrainingJob"),
    "logs": ("logs.DescribeLogStreams", "logs.GetLogEvents", "sagemaker.DescribeTrainingJob"),
    "stop": ("sagemaker.ListTrainingJobs", "sagemaker.StopTrainingJob"),
    "cost": ("sagemaker.ListTrainingJobs", "sagemaker.DescribeTrainingJob", "pricing.GetProducts"),
    "storage": ("s3.Get",),
    "jobs": ("s3.Get",),
}
CODES = (
    "AccessDeniedException",
    "ValidationException",
    "ExpiredTokenException",
    "ThrottlingException",
    "503",
    "Odd\x1b[2J",
)


def leaks(*texts):
    found = [canary for canary in CANARIES for text in texts if canary in text]
    return found + [text for text in texts if "\x1b" in text or "\x07" in text]


def files_of(folder):
    """What the program wrote, all in one text."""
    return "".join(path.read_text() for path in Path(folder).rglob("*") if path.is_file())


@pytest.fixture
def jobs(aws, cloud):
    """A failed job that says more than it should, one that ran, and one that runs and has a log."""
    assert aws("launch", "--grid", "8*8,9*9,18*18", "--modes", "none", "--yes")[0] == 0
    failed, ended, running = cloud.jobs
    cloud.end(failed, "Failed", failure_reason=COMPLAINT)
    cloud.end(ended)
    write_log(cloud, running, ["begins", COMPLAINT])
    cloud.operations.clear()
    return failed, ended, running


def command(name, jobs):
    return {
        "launch": LAUNCH,
        "stop": ["stop", "--all", "--yes"],
        "logs": ["logs", jobs[2], "--follow"],
    }.get(name, [name])


@pytest.mark.parametrize("name", PATHS)
def test_no_failure_shows_a_credential_an_arn_or_an_account_number(aws, cloud, jobs, monkeypatch, capsys, name):
    """102 failing paths as a user sees them, and 17 tracebacks."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    cloud.complaint = COMPLAINT
    for operation in PATHS[name]:
        for code in CODES:
            cloud.faults = [(operation, code)]
            exit_code, out, err = aws(*command(name, jobs))
            assert (exit_code in (1, 2, 3), cloud.faults) == (True, []), (operation, code)
            assert leaks(out, err) == []
            assert len([line for line in err.splitlines() if line.startswith("psa: error: ")]) >= 1
        cloud.faults = [(operation, CODES[0])]
        monkeypatch.setattr(sys, "argv", ["psa", "aws", *command(name, jobs)])
        with monkeypatch.context() as patch:
            patch.setenv("PSA_DEBUG", "true")
            shown = ""
            try:
                main()
            except SystemExit:
                pass
            except PsaError:
                shown = traceback.format_exc()
        assert leaks(shown, *capsys.readouterr()) == [], operation
    assert leaks(files_of("results")) == []


def test_what_aws_says_in_good_order_is_redacted_and_harmless_too(aws, cloud, jobs):
    for arguments in (
        ["status"],
        ["status", "--all"],
        ["status", "--json"],
        ["logs", jobs[2]],
        ["cost"],
        ["cost", "--json"],
    ):
        code, out, err = aws(*arguments)
        assert code == 0
        assert leaks(out, err) == []
    assert "begins" in aws("logs", jobs[2])[1]
    assert leaks(files_of("results")) == []


def test_names_of_stored_objects_cannot_drive_the_terminal(aws, cloud):
    s3 = cloud.client("s3")
    for key in (
        "psa-8x8-none-20260101-000000\x1b[2J/x",
        "checkpoints/a\x1b]0;owned\x07/b/c",
        f"checkpoints/{ACCOUNT}/b/c",
    ):
        s3.put_object(Bucket="psa-results", Key=f"runs/{key}", Body=b"x")
    for arguments in (["storage"], ["storage", "--json"], ["jobs"], ["jobs", "--json"]):
        code, out, err = aws(*arguments)
        assert (code, leaks(out, err)) == (0, [])


def test_a_bucket_named_after_its_account_is_not_shown(aws, cloud):
    path = Path("aws/sagemaker/.env")
    path.write_text(path.read_text().replace("psa-results", f"sagemaker-us-east-1-{ACCOUNT}"))
    for arguments in (["storage"], ["jobs"], LAUNCH):
        code, out, err = aws(*arguments)
        assert (code, leaks(out, err)) == (1, [])


def test_commands_that_only_read_start_stop_and_delete_nothing(aws, cloud, jobs):
    cloud.operations.clear()
    for arguments in (
        ["status"],
        ["status", "--all"],
        ["status", "--json"],
        ["logs", jobs[2]],
        ["cost"],
        ["cost", "--json"],
        ["storage"],
        ["storage", "--json"],
        ["jobs"],
        ["jobs", "--json"],
        [*LAUNCH[:-1], "--dry-run"],
    ):
        assert aws(*arguments)[0] == 0
    assert len(cloud.operations) >= 15
    assert cloud.writes() == []
