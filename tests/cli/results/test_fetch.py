import json
import os
import sys
from pathlib import Path

import pytest

from tests import program
from tests.aws.serving import ACCOUNT, SOURCES, bucket_server, environment, job, job_archive, use_environment

pytestmark = pytest.mark.slow

TRIALS = [f"{20 + i}.0{i}" for i in range(10)]


@pytest.fixture(scope="module")
def server():
    with bucket_server() as bucket:
        yield bucket


@pytest.fixture
def fetch(server, tmp_path, monkeypatch):
    """Run ``psa results fetch`` as a user does, before a bucket with one good job and one that is refused."""
    server.clear()
    use_environment(monkeypatch, tmp_path, server.url)
    server.put(job("8*8", "none"), job_archive(TRIALS))
    server.put(job("8*8", "full"), job_archive(["nan"] * 10))

    def run(*arguments):
        command = [sys.executable, "-m", "psa_tui", "results", "fetch", "--grid", "8*8", *arguments]
        variables = os.environ | environment(server.url) | {"COLUMNS": "80"}
        return program.run(command, capture_output=True, text=True, env=variables, timeout=120)

    return run


def test_a_user_gets_the_account_of_the_fetch_the_two_files_and_what_is_amiss(fetch):
    done = fetch("--modes", "none,full,output")
    place = f"s3://{f'sagemaker-eu-west-1-{ACCOUNT}'.replace(ACCOUNT, '[account]')}/runs/study"
    lines = done.stdout.splitlines()
    assert lines[0] == f"{place}: 2 complete jobs, 0 without results"
    assert lines[1].startswith("3 cells wanted: 2 new or changed (")
    assert lines[1].endswith("), 0 unchanged, 0 refused before, 1 without a complete job")
    assert lines[2:] == ["jobs fetched: 1; study sagemaker has 1 of the 3 cells"]
    assert done.stderr.splitlines() == [
        *SOURCES,
        "psa: wrote results/psa_simplemlp_summary.md",
        "psa: wrote results/psa_simplemlp_trials.md",
        f"psa: warning: {job('8*8', 'full')} refused: results.txt, line 1: no percentage above 1, at most 100",
        "psa: warning: 2 of 3 cells missing: 8*8 full, output",
        "psa: error: jobs refused: 1; all others are stored; psa aws launch --again, with their shapes as --grid and "
        "their --modes, trains them anew",
    ]
    assert done.returncode == 1
    summary = Path("results/psa_simplemlp_summary.md").read_text()
    assert "* None: Mean=24.55% | Std=2.90% | Min=20.00% | Max=29.09% (n=10)\n* Full: N/A\n" in summary


def test_json_is_one_object_on_stdout(fetch):
    done = fetch("--modes", "none", "--json", "--study", "mine")
    content = json.loads(done.stdout)
    assert done.returncode == 0
    assert content["schema"] == 1
    assert (content["study"], content["accepted"], content["missing"]) == ("mine", [job("8*8", "none")], [])


def test_where_it_looks_and_what_says_so_are_told_and_no_plain_file_says_it(fetch, server, monkeypatch):
    Path(".env").write_text("S3_BUCKET_NAME=other\nS3_PREFIX=other\n")
    assert fetch("--dry-run", "--json").stderr.splitlines() == SOURCES
    monkeypatch.setenv("S3_PREFIX", "elsewhere")
    said = fetch("--dry-run").stderr.splitlines()
    assert said[:2] == [SOURCES[0], "psa: S3_PREFIX is elsewhere (the environment)"]
    assert "no complete job under s3://sagemaker-eu-west-1-[account]/elsewhere" in said[2]
    said = fetch("--dry-run", "--prefix", "/", "--bucket", "some-bucket").stderr.splitlines()
    assert said[:2] == ["psa: S3_BUCKET_NAME is some-bucket (an option)", "psa: S3_PREFIX is / (an option)"]
    Path("psa.toml").write_text("S3_PREFIX = 'other'\n")
    done = fetch("--dry-run")
    assert (done.returncode, done.stderr.startswith("psa: error: psa.toml: 'S3_PREFIX' is no setting")) == (2, True)


def test_wrong_options_are_usage_errors(fetch):
    for flags in (("--modes", "pruned"), ("--study", "../x"), ("--workers", "0"), ("--bucket", "s3://x")):
        assert fetch(*flags).returncode == 2, flags
