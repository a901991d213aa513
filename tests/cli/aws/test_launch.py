import io
import json
import os
import sys
import tarfile

import pexpect
import pytest

from tests import program
from tests.cli.aws.cloud import BUCKET, PREFIX, price_list_entry
from tests.cli.aws.conftest import ROLE

pytestmark = pytest.mark.slow

TWO = ["launch", "--grid", "8*8,18*18", "--modes", "none"]
CREATE = "sagemaker.CreateTrainingJob"
PLAN = """\
study     sagemaker: 2 shapes x 1 modes, 10 trials of 100 meta-loops, seed 0
jobs      2 to launch; 0 of 2 are complete or running
instance  ml.g4dn.xlarge, on demand, 0.736 USD an hour
each job  at most 3,900 s (1:05:00), winding down included
at most   1.60 USD for the instances; what S3 stores is extra
"""


def cells(names):
    return sorted(name.rsplit("-", 2)[0] for name in names)


def journal():
    with open("results/aws/launches.json") as file:
        return {launch["job"]: launch["state"] for launch in json.load(file)["launches"]}


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
        (["--max-run-seconds", "0", "--yes"], 2, "MAX_RUN_SECONDS must be"),
        (["--max-cost", "free", "--yes"], 2, "--max-cost: expected US dollars"),
    ],
)
def test_nothing_is_launched_or_uploaded_without_a_confirmed_plan_within_its_limits(aws, cloud, arguments, code, said):
    found, _, err = aws(*TWO, *arguments)
    assert (found, said in err, err.count("\n")) == (code, True, 1)
    assert cloud.writes() == []
    assert not os.path.exists("results")


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
    assert (code, err, cloud.writes()) == (0, "psa: nothing was launched\n", [])


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


def test_a_launch_killed_at_any_request_is_finished_by_the_next_without_a_duplicate(cloud):
    """The process dies before, or right after SageMaker has made the job."""
    for moment in ("before", "after"):
        script = (
            "import os, sys\n"
            "import botocore.client\n"
            "call = botocore.client.BaseClient._make_api_call\n"
            "def deadly(self, name, parameters):\n"
            f"    if name == 'CreateTrainingJob' and {moment == 'before'}: os._exit(9)\n"
            "    answer = call(self, name, parameters)\n"
            "    if name == 'CreateTrainingJob': os._exit(9)\n"
            "    return answer\n"
            "botocore.client.BaseClient._make_api_call = deadly\n"
            "from psa_tui.cli.app import main\n"
            "main()\n"
        )
        result = program.run([sys.executable, "-c", script, "aws", *TWO, "--yes"], capture_output=True, text=True)
        assert result.returncode == 9, result.stderr
    assert cells(cloud.jobs) == ["psa-8x8-none"]
    done = program.run([sys.executable, "-m", "psa_tui", "aws", *TWO, "--yes"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert cells(cloud.jobs) == ["psa-18x18-none", "psa-8x8-none"]
    assert journal() == dict.fromkeys(cloud.jobs, "launched")
