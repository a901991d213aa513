import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pexpect
import pytest

from psa_tui.networks import NETWORKS
from tests.cli.aws.cloud import BUCKET, PREFIX, price_list_entry
from tests.cli.aws.conftest import ROLE

pytestmark = pytest.mark.slow

TWO = ["launch", "--grid", "8*8,18*18", "--modes", "none"]
CREATE = "sagemaker.CreateTrainingJob"
PLAN = """\
study     sagemaker: 2 shapes x 1 mode, 10 trials of 100 meta-loops, seed 0
jobs      2 to launch; 0 of 2 are complete or running
instance  ml.g4dn.xlarge, on demand, 0.736 USD an hour
each job  at most 3,900 s (1:05:00), winding down included
at most   1.60 USD for the instances; what S3 stores is extra
"""
SOURCES = """\
psa: S3_BUCKET_NAME is psa-results (aws/sagemaker/.env)
psa: S3_PREFIX is runs (aws/sagemaker/.env)
psa: AWS_SAGEMAKER_ROLE is psa-training (aws/sagemaker/.env)
"""
OLD = ["psa-18x18-none-20250801-123456", "psa-8x8-none-20250801-123456"]


def cells(names):
    return sorted(name.rsplit("-", 2)[0] for name in names)


def journal():
    with open("results/aws/launches.json") as file:
        return {launch["job"]: launch["state"] for launch in json.load(file)["launches"]}


def orders():
    """For each launch ``--again``: the cells left, and whether it is closed."""
    with open("results/aws/launches.json") as file:
        return [([shape for shape, _ in order["left"]], order["closed"]) for order in json.load(file)["orders"]]


def complete(cloud, names=OLD):
    """Jobs that SageMaker has forgotten, by their results."""
    for name in names:
        cloud.client("s3").put_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}/output/model.tar.gz", Body=b"x")
    cloud.operations.clear()


def end_all(cloud, status="Completed"):
    for name in cloud.jobs:
        cloud.end(name, status)


def test_the_plan_comes_first_and_each_job_carries_what_it_needs(aws, cloud):
    code, out, err = aws(*TWO, "--study", "first-try", "--yes")
    assert (code, out) == (0, PLAN.replace("sagemaker", "first-try"))
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"]
    assert err.endswith("psa: launched 2 of 2 jobs; psa aws status shows them\n")
    job = next(job for name, job in cloud.jobs.items() if "18x18" in name)
    assert job.role_arn == ROLE
    assert job.hyper_parameters == {
        "study": "first-try",
        "shape": "18*18",
        "mode": "none",
        "trials": "10",
        "meta_loops": "100",
        "seed": "0",
        "dataset": "mnist",
        "learning_rate": "0.0001",
        "batch_size": "256",
        "weight_decay": "0.0001",
        "dropout": "0.1",
    }
    assert job.stopping_condition == {"MaxRuntimeInSeconds": 3600}
    assert job.output_data_config["S3OutputPath"] == f"s3://{BUCKET}/{PREFIX}"
    assert job.checkpoint_config["S3Uri"].startswith(f"s3://{BUCKET}/{PREFIX}/checkpoints/first-try/18x18-none-")
    assert [tag["Key"] for tag in job.tags] == ["study", "version"]
    assert job.tags[0]["Value"] == "first-try"
    assert job.algorithm_specification["ContainerArguments"][0].endswith("exec python aws/sagemaker/train.py")
    assert journal() == dict.fromkeys(cloud.jobs, "launched")
    source = job.input_data_config[0]["DataSource"]["S3DataSource"]["S3Uri"].removeprefix(f"s3://{BUCKET}/")
    archive = cloud.client("s3").get_object(Bucket=BUCKET, Key=f"{source}source.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert "aws/sagemaker/train.py" in opened.getnames()


def test_code_that_is_named_travels_and_its_jobs_are_not_those_of_other_networks(aws, cloud, tmp_path, monkeypatch):
    monkeypatch.setattr(NETWORKS, "_items", dict(NETWORKS._items))
    lines = ("from torch import nn", "def build(a, shape, classes):", "    w = int(a)")
    layers = "nn.Flatten(), nn.Linear(784, w), nn.ReLU(), nn.Linear(w, classes)"
    code = "\n".join((*lines, f"    return nn.Sequential({layers})", ""))
    (tmp_path / "sent.py").write_text(code)
    (tmp_path / "psa.toml").write_text('network = "sent.py:build"\n')
    assert aws("launch", "--grid", "8*8", "--modes", "none", "--yes")[0] == 0
    command = ["launch", "--network", "sent.py:build", "--grid", "8,16", "--modes", "none", "--yes"]
    assert aws(*command)[0] == 0
    own = ["psa-0sent--2epy--3abuild-16-none", "psa-0sent--2epy--3abuild-8-none"]
    assert cells(cloud.jobs) == [*own, "psa-8x8-none"]
    sent = {}
    for name, job in cloud.jobs.items():
        source = job.input_data_config[0]["DataSource"]["S3DataSource"]["S3Uri"].removeprefix(f"s3://{BUCKET}/")
        archive = cloud.client("s3").get_object(Bucket=BUCKET, Key=f"{source}source.tar.gz")["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            found = "user_code/network.py" in opened.getnames()
            sent[name.rsplit("-", 2)[0]] = opened.extractfile("user_code/network.py").read().decode() if found else None
        assert ("code" in job.hyper_parameters) == found
    assert sent == {own[0]: code, own[1]: code, "psa-8x8-none": None}
    end_all(cloud)
    complete(cloud, cloud.jobs)
    assert "0 to launch; 2 of 2 are complete or running" in aws(*command)[1]
    assert "sent.py:build 16" in aws("cost")[1]


def test_modes_with_signs_go_into_names_without_any_and_are_known_by_them_later(aws, cloud):
    modes = "output+dropout,output+promote=patience:2"
    command = ["launch", "--grid", "8*8", "--modes", modes, "--yes"]
    assert aws(*command)[0] == 0
    assert cells(cloud.jobs) == ["psa-8x8-output--dropout", "psa-8x8-output--promote--1patience--22"]
    for job in cloud.jobs.values():
        assert job.hyper_parameters["mode"] in modes.split(",")
        assert "/checkpoints/sagemaker/8x8-output--" in job.checkpoint_config["S3Uri"]
    end_all(cloud)
    complete(cloud, cloud.jobs)
    code, out, _ = aws(*command)
    assert (code, "0 to launch; 2 of 2 are complete or running" in out) == (0, True)


def test_spot_jobs_have_a_checkpoint_folder_a_waiting_time_and_a_bound_on_their_cost(aws, cloud):
    code, out, _ = aws(*TWO, "--spot", "--price", "1", "--yes")
    assert (code, "at most   4.17 USD" in out) == (0, True)
    for job in cloud.jobs.values():
        assert job.enable_managed_spot_training is True
        assert job.checkpoint_config["S3Uri"]
        assert job.stopping_condition == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--dry-run"], 0, "psa: nothing was launched\n"),
        (
            ["--max-cost", "1.59", "--yes"],
            2,
            "2 jobs can cost 1.60 USD, above --max-cost 1.59 USD; nothing was launched",
        ),
        (
            [],
            2,
            "there is no terminal to ask on: Launch 2 jobs on ml.g4dn.xlarge, at most 1.60 USD? Add --yes to do it",
        ),
        (["--study", "a/b", "--yes"], 2, "--study 'a/b'"),
        (["--max-run-seconds", "0", "--yes"], 2, "MAX_RUN_SECONDS in an option must be"),
        (["--max-cost", "free", "--yes"], 2, "--max-cost: expected US dollars"),
    ],
)
def test_nothing_is_launched_or_uploaded_without_a_confirmed_plan_within_its_limits(aws, cloud, arguments, code, said):
    found, _, err = aws(*TWO, *arguments)
    assert (found, said in err, err.removeprefix(SOURCES).count("\n")) == (code, True, 1)
    assert cloud.writes() == []
    assert not os.path.exists("results")


def test_where_jobs_go_and_the_file_that_says_so_are_told_once_and_before_the_question(aws, cloud, monkeypatch):
    Path(".env").write_text("S3_BUCKET_NAME='other'\nS3_PREFIX='other'\nAWS_SAGEMAKER_ROLE='other'\n")
    for arguments in (["--dry-run"], ["--yes"]):
        err = aws(*TWO, *arguments)[2]
        assert (err.startswith(SOURCES), err.count("S3_BUCKET_NAME")) == (True, 1)
    code, _, err = aws(*TWO)
    assert (code, err) == (0, f"{SOURCES}psa: nothing was launched\n"), "told where all jobs are there, too"
    monkeypatch.setenv("S3_PREFIX", "elsewhere")
    assert "psa: S3_PREFIX is elsewhere (the environment)\n" in aws(*TWO, "--dry-run")[2]
    child = pexpect.spawn(sys.executable, ["-m", "psa_tui", "aws", *TWO, "--grid", "9*9"], encoding="utf-8", timeout=60)
    child.expect_exact("[y/N] ")
    assert "S3_BUCKET_NAME is psa-results (aws/sagemaker/.env)" in child.before
    child.close(force=True)
    Path("psa.toml").write_text("S3_BUCKET_NAME = 'other'\n")
    assert aws(*TWO, "--dry-run") == (
        2,
        "",
        "psa: error: psa.toml: 'S3_BUCKET_NAME' is no setting (psa train --help lists them)\n",
    )


def test_without_boto3_one_line_says_how_to_get_it(aws, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    error = 'psa: error: this command needs boto3; pip install "psa-tui[aws]"\n'
    assert aws(*TWO, "--yes") == (2, "", error)


@pytest.mark.parametrize("prices", [[], [price_list_entry("0.7"), price_list_entry("0.9")]])
def test_without_a_sure_price_nothing_is_launched(aws, cloud, prices):
    cloud.prices = prices
    code, out, err = aws(*TWO, "--yes")
    assert (code, out, "say --price" in err, cloud.writes()) == (1, "", True, [])


def test_missing_settings_are_named_at_once(aws, cloud):
    with open("aws/sagemaker/.env", "w") as file:
        file.write("S3_PREFIX=runs\n")
    code, _, err = aws(*TWO, "--yes")
    assert code == 2
    assert err.startswith(
        "psa: error: AWS_SAGEMAKER_ROLE, AWS_ACCOUNT_ID, AWS_REGION, S3_BUCKET_NAME not set; looked in"
    )
    assert cloud.operations == []


@pytest.mark.parametrize(("answer", "launched"), [("y", 2), ("n", 0), ("", 0)])
def test_on_a_terminal_jobs_are_launched_only_after_a_yes(cloud, answer, launched):
    child = pexpect.spawn(sys.executable, ["-m", "psa_tui", "aws", *TWO], encoding="utf-8", timeout=60)
    child.expect_exact("Launch 2 jobs on ml.g4dn.xlarge, at most 1.60 USD? [y/N] ")
    assert cloud.writes() == []
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, len(cloud.jobs)) == (0 if launched else 1, launched)


def test_complete_and_running_jobs_are_passed_over_on_every_page_by_exact_name(aws, cloud):
    moto_client = cloud.client("sagemaker")
    for number in range(120):
        moto_client.create_training_job(
            TrainingJobName=f"psa-8x{number + 9}-none-20260101-000000",
            RoleArn=ROLE,
            AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
            OutputDataConfig={"S3OutputPath": "s3://x"},
            ResourceConfig={"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 1},
        )
    assert aws(*TWO, "--yes")[0] == 0
    assert len(cloud.jobs) == 122, "8x80, 8x88, ... are other shapes than 8x8"
    cloud.end(next(name for name in cloud.jobs if "-8x8-" in name), "Completed")
    cloud.end(next(name for name in cloud.jobs if "-18x18-" in name), "Failed")
    code, out, err = aws("launch", "--grid", "8*8,18*18,8*9", "--modes", "none", "--yes")
    assert (code, "1 to launch; 2 of 3 are complete or running" in out) == (0, True)
    assert "launched 1 of 1 jobs" in err
    assert cells(cloud.jobs).count("psa-18x18-none") == 2
    cloud.operations.clear()
    code, out, err = aws("launch", "--grid", "8*8,18*18,8*9", "--modes", "none", "--yes")
    assert (code, err, cloud.writes()) == (0, f"{SOURCES}psa: nothing was launched\n", [])


def test_results_of_a_job_that_sagemaker_forgot_count_as_complete(aws, cloud):
    key = f"{PREFIX}/psa-8x8-none-20250801-123456/output/model.tar.gz"
    cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert aws(*TWO, "--yes")[0] == 0
    assert cells(cloud.jobs) == ["psa-18x18-none"]


@pytest.mark.parametrize("fault", ["503", "lost", "cut"])
def test_a_doubtful_answer_ends_the_launch_and_the_next_one_finds_out_without_a_duplicate(
    aws, cloud, fault, monkeypatch
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    cloud.faults = [(CREATE, fault)]
    code, _, err = aws(*TWO, "--yes")
    assert (code, "is not known, so nothing more is launched now" in err) == (3, True)
    assert cloud.operations.count(CREATE) == 1, "nothing is launched after a doubtful answer"
    assert list(journal().values()) == ["intended"]
    (doubtful,) = journal()
    assert list(cloud.jobs) == ([] if fault == "503" else [doubtful])
    code, _, err = aws(*TWO, "--yes")
    assert code == 0
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"]
    assert doubtful in cloud.jobs, "the cell keeps the name of its first request"
    assert ("was launched" in err) == (fault != "503")
    assert journal() == dict.fromkeys(cloud.jobs, "launched")


def test_a_request_that_arrives_after_all_does_not_become_a_second_job(aws, cloud, monkeypatch):
    """SageMaker does not list the job yet when the launch is repeated; the name, used again, is taken."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    cloud.faults = [(CREATE, "cut")]
    assert aws(*TWO, "--yes")[0] == 3
    (doubtful,) = journal()
    hidden = cloud.jobs.pop(doubtful)
    cloud.faults = [(CREATE, "ResourceInUse")]
    assert aws(*TWO, "--yes")[0] == 0
    cloud.jobs[doubtful] = hidden
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"]


@pytest.mark.parametrize("flags", [[], ["--again"]])
def test_a_job_that_sagemaker_does_not_list_yet_is_not_launched_again(aws, cloud, flags):
    assert aws(*TWO, "--yes")[0] == 0
    hidden = dict(cloud.jobs)
    cloud.jobs.clear()
    cloud.operations.clear()
    code, out, _ = aws(*TWO, *flags, "--yes", "--dry-run")
    assert (code, out.count("not listed yet: psa-")) == (0, 2)
    assert (aws(*TWO, *flags, "--yes")[0], cloud.writes()) == (0, [])
    cloud.jobs.update(hidden)
    end_all(cloud, "Failed")
    assert aws(*TWO, *flags, "--yes")[0] == 0
    assert len(cloud.jobs) == 4, "a job that failed is no reason to pass over its cell"


def test_a_repeated_request_within_one_launch_makes_one_job(aws, cloud):
    cloud.faults = [(CREATE, "cut")]
    assert aws(*TWO, "--yes")[0] == 0
    assert cloud.operations.count(CREATE) == 3
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"]


@pytest.mark.parametrize("refusal", ["AccessDeniedException", "ThrottlingException", "ResourceLimitExceeded"])
def test_a_refusal_of_a_repeated_request_says_nothing_of_the_first(aws, cloud, refusal):
    """The first attempt may have made the job, and used up the quota, before its connection broke."""
    cloud.faults = [(CREATE, "cut"), *[(CREATE, refusal)] * 2]
    code, _, err = aws(*TWO, "--yes")
    cloud.faults = []
    assert (code, "is not known" in err) == (3, True)
    assert list(journal().values()) == ["intended"]
    (doubtful,) = journal()
    hidden = cloud.jobs.pop(doubtful)
    assert aws(*TWO, "--yes")[0] == 0
    assert doubtful in cloud.jobs, "the same name is asked for again"
    cloud.jobs[doubtful] = hidden
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"]


def test_complete_cells_are_launched_again_on_request_and_running_ones_are_not(aws, cloud):
    assert aws(*TWO, "--yes")[0] == 0
    first, second = cloud.jobs
    cloud.end(first)
    code, out, _ = aws(*TWO, "--again", "--yes")
    assert (code, "1 to launch" in out) == (0, True)
    assert cells(cloud.jobs).count(first.rsplit("-", 2)[0]) == 2
    assert cells(cloud.jobs).count(second.rsplit("-", 2)[0]) == 1
    end_all(cloud)
    assert aws(*TWO, "--yes")[2].endswith("psa: nothing was launched\n")
    assert orders() == [([], True)]


PAID = f"""\
again     2 complete cells paid again, at most 1.60 USD:
          8*8 none: {OLD[1]}
          18*18 none: {OLD[0]}
"""


def test_what_is_paid_again_is_named_with_its_money_before_the_question(aws, cloud):
    complete(cloud)
    complete(cloud, ["psa-8x8-none-20250701-123456"])
    code, out, err = aws(*TWO, "--again")
    assert (code, out) == (2, PLAN + PAID), "the newest complete job of each cell is named"
    question = "Launch 2 jobs on ml.g4dn.xlarge, at most 1.60 USD, 2 of them for complete cells?"
    assert (question in err, cloud.writes(), os.path.exists("results")) == (True, [], False)
    out = aws(*TWO, "--again", "--dry-run")[1]
    assert f"launch again, complete: {OLD[1]}" in out
    assert not os.path.exists("results")
    assert "again" not in aws(*TWO)[1]


def test_under_a_quota_the_same_command_with_again_goes_on_and_pays_for_each_cell_once(aws, cloud):
    """Repeated for as long as it takes, and all that was launched is complete, failed or stopped by then."""
    three = ["launch", "--grid", "8*8,18*18,9*9", "--modes", "none", "--again", "--yes"]
    complete(cloud)
    cloud.quota = 1
    code, out, err = aws(*three)
    assert (code, "1 of 3 jobs were launched, then the account's quota of ml.g4dn.xlarge" in err) == (3, True)
    assert err.endswith(": the same command, --again included, goes on with the rest and pays nothing twice\n")
    (first,) = cloud.jobs
    cloud.end(first)
    code, out, err = aws(*three, "--instance-type", "ml.g5.xlarge", "--price", "1")
    assert (code, "1 of 2 jobs were launched" in err) == (3, True)
    goes_on = r"""again     1 complete cell paid again, at most 1\.09 USD:
          18\*18 none: psa-18x18-none-20250801-123456
order     goes on with --again of 20..-..-.. ..:.. UTC; not paid again: 1 cell:
          8\*8 none: psa-8x8-none-20[0-9-]*
"""
    assert re.search(goes_on, out), out
    end_all(cloud, "Failed")
    code, _, err = aws(*three)
    assert (code, "psa: 1/1 launched psa-9x9-none-20" in err) == (0, True)
    assert "is complete: every cell was launched; the next --again pays anew\n" in err
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none", "psa-9x9-none"]
    end_all(cloud)
    code, out, _ = aws(*three)
    assert (code, "again     3 complete cells paid again, at most 2.40 USD" in out, len(cloud.jobs)) == (3, True, 4)
    assert orders() == [([], True), (["18*18", "9*9"], False)]


@pytest.mark.parametrize("fault", ["503", "cut"])
def test_a_doubtful_answer_to_the_last_job_of_an_order_is_found_out_before_anything_is_paid_again(
    aws, cloud, fault, monkeypatch
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    complete(cloud)
    cloud.quota = 1
    assert aws(*TWO, "--again", "--yes")[0] == 3
    end_all(cloud)
    cloud.faults = [(CREATE, fault)]
    code, _, err = aws(*TWO, "--again", "--yes")
    assert (code, "the same command finds out before it goes on" in err) == (3, True)
    end_all(cloud)
    code, _, err = aws(*TWO, "--again", "--yes")
    assert (code, "is complete: every cell was launched" in err) == (0, True)
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"]
    assert orders() == [([], True)]


def test_another_command_with_again_is_an_order_of_its_own_and_both_go_on(aws, cloud):
    complete(cloud)
    cloud.quota = 1
    assert aws(*TWO, "--again", "--yes")[0] == 3
    (first,) = cloud.jobs
    cloud.end(first)
    cloud.quota = None
    one = ["launch", "--grid", "8*8", "--modes", "none", "--again"]
    code, out, _ = aws(*one, "--yes")
    assert (code, f"8*8 none: {first}" in out, len(cloud.jobs)) == (0, True, 2)
    end_all(cloud)
    assert aws("launch", "--grid", "18*18,8*8", "--modes", "none", "--again", "--yes")[0] == 0
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none", "psa-8x8-none"]
    assert orders() == [([], True), ([], True)]


def test_a_plan_that_does_not_hold_any_more_when_it_is_confirmed_launches_nothing(aws, cloud):
    complete(cloud)
    child = pexpect.spawn(sys.executable, ["-m", "psa_tui", "aws", *TWO, "--again"], encoding="utf-8", timeout=60)
    child.expect_exact("[y/N] ")
    assert aws(*TWO, "--again", "--yes")[0] == 0
    end_all(cloud)
    child.sendline("y")
    child.expect(r"jobs were launched or completed since the plan was made, so nothing\s+was launched")
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, len(cloud.jobs)) == (3, 2)


def test_an_order_that_cannot_be_read_ends_the_launch_before_the_question(aws, cloud):
    Path("results/aws").mkdir(parents=True)
    Path("results/aws/launches.json").write_text('{"schema": 3}')
    code, out, err = aws(*TWO, "--again", "--yes")
    assert (code, out, "a job could be launched twice" in err, cloud.writes()) == (1, "", True, [])


def test_a_doubtful_listing_launches_nothing(aws, cloud, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for operation in ("sagemaker.ListTrainingJobs", "s3.Get", "pricing.GetProducts"):
        cloud.faults = [(operation, "503")]
        code, _, err = aws(*TWO, "--yes")
        assert (code, err.count("\n"), cloud.writes()) == (3, 1, [])


def test_a_quota_that_is_used_up_is_told_and_the_same_command_goes_on_later(aws, cloud):
    cloud.faults = [(CREATE, "ResourceLimitExceeded")]
    code, _, err = aws(*TWO, "--yes")
    assert (code, "0 of 2 jobs were launched, then the account's quota of ml.g4dn.xlarge" in err) == (3, True)
    assert list(journal().values()) == ["refused"]
    assert aws(*TWO, "--yes")[0] == 0
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"]


def test_a_plain_refusal_ends_the_launch_with_what_aws_says(aws, cloud):
    cloud.faults = [(CREATE, "AccessDeniedException")]
    code, _, err = aws(*TWO, "--yes")
    assert (code, "access is refused" in err, cloud.operations.count(CREATE)) == (1, True, 1)
    assert list(journal().values()) == ["refused"]


KILLER = """
import functools, os, signal, sys
import botocore.client, botocore.session
import typer
import psa_tui.cli.app

main, answers = psa_tui.cli.app.main, os.dup(1)
os.dup2(2, 1)
# Everything is loaded once, for all processes.
psa_tui.cli.app.app = typer.main.get_command(psa_tui.cli.app.app)
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

def run():
    try:
        main()
    except SystemExit as end:
        return end.code or 0
    return 0

sys.argv = ["psa", "aws", "launch", "--grid", "9*9", "--modes", "none", "--again", "--dry-run"]
assert run() == 0
call = botocore.client.BaseClient._make_api_call
for line in sys.stdin:
    sys.argv = line.split()
    deadly, seen = sys.argv.pop(), []
    def deadly_call(self, operation, parameters):
        seen.append(operation)
        if deadly in (f"before-{len(seen)}", f"before-{operation}-{seen.count(operation)}"):
            os.kill(os.getpid(), signal.SIGKILL)
        answer = call(self, operation, parameters)
        if deadly == f"after-{operation}-{seen.count(operation)}":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    if os.fork() == 0:
        botocore.client.BaseClient._make_api_call = deadly_call
        os._exit(run())
    os.write(answers, b"%d\\n" % os.waitstatus_to_exitcode(os.wait()[1]))
"""
"""Forks a process for each command it is told, which is killed at the request named at its end."""


@pytest.fixture
def killed(cloud):
    """Run ``psa aws ...`` in a process of its own that is killed at a request; returns its exit code."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def run(*arguments, at="never"):
            print("psa", "aws", *arguments, at, file=process.stdin, flush=True)
            return int(process.stdout.readline())

        yield run
        process.stdin.close()


@pytest.mark.campaign
@pytest.mark.parametrize("flags", [(), ("--again",)])
def test_a_launch_killed_at_any_request_is_finished_by_the_next_without_a_duplicate(cloud, killed, flags):
    """Dead before the request, or right after SageMaker has made the job, which is complete when the next looks."""
    deaths = 0
    after = [f"after-CreateTrainingJob-{number}" for number in (1, 2)]
    for at in itertools.chain(after, (f"before-{number}" for number in itertools.count(1))):
        cloud.reset()
        shutil.rmtree("results", ignore_errors=True)
        if flags:
            complete(cloud)
        if killed(*TWO, *flags, "--yes", at=at) != -9:
            break
        deaths += 1
        end_all(cloud)
        assert killed(*TWO, *flags, "--yes") == 0, at
        assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"], at
        assert set(journal()) == set(cloud.jobs), at
        assert not flags or (orders(), set(journal().values())) == ([([], True)], {"launched"}), at
    assert deaths == len(after) + 8
