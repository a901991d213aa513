import json
import os
import subprocess
import sys
import threading
import time

import pytest

from tests.cli.aws.cloud import BUCKET, PREFIX

pytestmark = pytest.mark.slow

LAUNCH = ["launch", "--grid", "8*8,18*18", "--modes", "none,output", "--yes"]
GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def jobs(aws, cloud):
    """Four running jobs, by cell."""
    assert aws(*LAUNCH)[0] == 0
    cloud.operations.clear()
    return {name.rsplit("-", 2)[0].removeprefix("psa-"): name for name in cloud.jobs}


def write_log(cloud, job, messages, stream="algo-1-1700000000"):
    logs = cloud.client("logs")
    if not logs.describe_log_groups()["logGroups"]:
        logs.create_log_group(logGroupName=GROUP)
    name = f"{job}/{stream}"
    if not logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=name)["logStreams"]:
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": message} for number, message in enumerate(messages)]
    logs.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=events)


def words(out):
    return [line.split() for line in out.splitlines()]


def test_launch_status_logs_stop_cost_and_storage_work_hand_in_hand(aws, cloud, jobs):
    code, out, err = aws("status")
    assert (code, err) == (0, "")
    assert {(row[0], row[1]) for row in words(out)[1:-1]} == {(name, "InProgress") for name in jobs.values()}
    assert out.endswith("\n4 jobs: 4 InProgress\n")

    write_log(cloud, jobs["8x8-none"], ["18*18 begins", "meta-loop 1 of 100"])
    code, out, err = aws("logs", jobs["8x8-none"])
    assert [line[20:] for line in out.splitlines()] == ["18*18 begins", "meta-loop 1 of 100"]
    saved = f"results/aws/logs/{jobs['8x8-none']}.log"
    assert (code, err) == (0, f"psa: saved to {saved}\n")
    with open(saved) as file:
        assert file.read() == out

    code, out, err = aws("stop", jobs["8x8-none"], "--yes")
    assert (code, out, err) == (0, f"{jobs['8x8-none']}\n", "psa: 1 of 1 asked to stop\n")
    assert [write for write in cloud.writes() if "logs" not in write] == ["sagemaker.StopTrainingJob"]
    assert cloud.jobs[jobs["8x8-none"]].training_job_status == "Stopping"

    cloud.end(jobs["8x8-none"], "Stopped", billable_s=1800)
    cloud.end(jobs["18x18-none"], billable_s=3600)
    cloud.end(jobs["18x18-output"], billable_s=7200)
    code, out, err = aws("cost")
    assert words(out) == [
        ["shape", "none", "output", "USD"],
        ["8*8", "0.37", "-", "0.37"],
        ["18*18", "0.74", "1.47", "2.21"],
        ["4", "jobs,", "3.50", "billable", "hours,", "2.58", "USD"],
    ]
    assert (code, err) == (0, "psa: 1 jobs have not ended, and are not in the sum\n")

    s3 = cloud.client("s3")
    for key, size in (
        (f"{jobs['18x18-none']}/output/model.tar.gz", 2000),
        (f"{jobs['18x18-none']}/debug-output/x", 300),
        ("checkpoints/sagemaker/8x8-none-0a/state", 5000),
        ("notes.txt", 10),
    ):
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{key}", Body=bytes(size))
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}-2/{jobs['8x8-none']}/output/model.tar.gz", Body=bytes(9))
    content = json.loads(aws("storage", "--json")[1])["storage"]
    sources = content["kinds"].pop("sources")
    assert content["kinds"] == {"results": 2000, "other output": 300, "checkpoints": 5000, "other": 10}
    assert (content["objects"], content["bytes"]) == (5, 7310 + sources)
    assert content["jobs"] == {jobs["18x18-none"]: 2300, "checkpoints/sagemaker/8x8-none-0a": 5000}
    assert words(aws("storage")[1])[:3] == [
        ["kind", "stored"],
        ["results", "2.0", "kB"],
        ["other", "output", "300", "B"],
    ]

    code, out, _ = aws("jobs")
    assert [row[0] for row in words(out)] == ["job", *sorted([jobs["18x18-none"]]), "1"]
    (entry,) = json.loads(aws("jobs", "--json")[1])["jobs"]
    assert (entry["shape"], entry["mode"], entry["archive_bytes"]) == ("18*18", "none", 2000)


def test_status_counts_everything_and_lists_what_needs_a_look(aws, cloud, jobs):
    cloud.end(jobs["8x8-none"])
    cloud.end(jobs["8x8-output"], "Failed", failure_reason="AlgorithmError: out of memory")
    cloud.end(jobs["18x18-none"], "Stopped")
    code, out, _ = aws("status")
    assert code == 0
    assert [(row[0], row[1]) for row in words(out)[1:4]] == [
        (jobs["18x18-output"], "InProgress"),
        (jobs["8x8-output"], "Failed"),
        (jobs["18x18-none"], "Stopped"),
    ]
    assert out.splitlines()[4:] == [
        f"{jobs['8x8-output']}: AlgorithmError: out of memory",
        "4 jobs: 1 InProgress, 1 Failed, 1 Stopped, 1 Completed",
    ]
    assert len(words(aws("status", "--all")[1])) == 7
    found = {entry["job"]: entry for entry in json.loads(aws("status", "--json")[1])["jobs"]}
    assert found[jobs["8x8-output"]]["failure"] == "AlgorithmError: out of memory"
    assert found[jobs["8x8-none"]]["seconds"] == 3600


def test_watching_in_a_pipe_prints_each_change_and_ends_when_no_job_runs(aws, cloud, jobs):
    def finish():
        time.sleep(1)
        for name in jobs.values():
            cloud.end(name)

    thread = threading.Thread(target=finish)
    thread.start()
    code, out, _ = aws("status", "--watch", "--interval", "1")
    thread.join()
    assert code == 0
    assert [line[20:] for line in out.splitlines()] == ["4 jobs: 4 InProgress", "4 jobs: 4 Completed"]


def test_a_watch_outlives_a_service_that_does_not_answer_for_a_while(aws, cloud, jobs, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    listing = "sagemaker.ListTrainingJobs"
    before = cloud.operations.count(listing)

    def fail_then_finish():
        while cloud.operations.count(listing) == before:
            time.sleep(0.01)
        cloud.faults = [(listing, "503")]
        time.sleep(1.5)
        for name in jobs.values():
            cloud.end(name)

    thread = threading.Thread(target=fail_then_finish)
    thread.start()
    code, out, err = aws("status", "--watch", "--interval", "1")
    thread.join()
    assert (code, cloud.faults) == (0, [])
    assert "4 jobs: 4 Completed" in out
    assert err.count("\n") == 1


def test_the_log_of_an_unknown_job_and_a_watch_for_programs_are_refused(aws, cloud, jobs):
    code, out, err = aws("logs", "psa-9x9-none-20250801-123456")
    assert (code, out) == (1, "")
    assert "no log yet" not in err
    assert aws("status", "--watch", "--json")[0] == 2


def test_following_a_log_ends_with_the_job_and_has_every_line_once(aws, cloud, jobs):
    job = jobs["8x8-none"]

    def go_on():
        time.sleep(1)
        write_log(cloud, job, ["two", "three"])
        write_log(cloud, job, ["four"], stream="algo-1-1700009999")
        cloud.end(job)

    write_log(cloud, job, ["one"])
    thread = threading.Thread(target=go_on)
    thread.start()
    code, out, err = aws("logs", job, "--follow")
    thread.join()
    assert code == 0
    assert [line[20:] for line in out.splitlines()] == ["one", "two", "three", "four"]
    assert err == f"psa: saved to results/aws/logs/{job}.log\n"


def test_a_saved_log_is_never_replaced_by_a_shorter_one(aws, cloud, jobs, monkeypatch):
    job = jobs["8x8-none"]
    write_log(cloud, job, ["one", "two"])
    aws("logs", job)
    path = f"results/aws/logs/{job}.log"
    with open(path) as file:
        before = file.read()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    cloud.faults = [("logs.GetLogEvents", "503")]
    assert aws("logs", job)[0] == 3
    cloud.client("logs").delete_log_group(logGroupName=GROUP)
    assert aws("logs", job) == (0, "", "psa: no log yet\n")
    with open(path) as file:
        assert file.read() == before
    assert os.listdir("results/aws/logs") == [f"{job}.log"]


def test_stop_asks_for_jobs_that_run_and_only_those(aws, cloud, jobs):
    cloud.end(jobs["8x8-none"])
    for arguments, said in (
        ([], "or --all"),
        (["--all", jobs["8x8-output"]], "or --all"),
        ([jobs["8x8-none"], jobs["8x8-output"], "--yes"], f"{jobs['8x8-none']}: no such job is running"),
        (["--all"], "there is no terminal to ask on: Stop 3 jobs?"),
    ):
        code, _, err = aws("stop", *arguments)
        assert (code, said in err, cloud.writes()) == (2, True, [])
    cloud.faults = [("sagemaker.StopTrainingJob", "AccessDeniedException")]
    code, _, err = aws("stop", "--all", "--yes")
    assert (code, "2 of 3 asked to stop" in err) == (1, True)
    (left,) = [name for name, job in cloud.jobs.items() if job.training_job_status == "InProgress"]
    assert aws("stop", "--all", "--yes") == (0, f"{left}\n", "psa: 1 of 1 asked to stop\n")
    assert aws("stop", "--all", "--yes") == (0, "", "psa: no job is running\n")


def test_help_and_the_program_start_without_boto3():
    script = (
        "import sys\nsys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "sys.argv = ['psa', 'aws', 'launch', '--help']\nfrom psa_tui.cli.app import main\nmain()\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, "--max-cost" in result.stdout) == (0, True)
