import json
import random
import re
import resource
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from psa_tui.aws import fetch as fetching
from psa_tui.aws.bucket import list_archives
from psa_tui.aws.client import open_client
from psa_tui.aws.download import download
from psa_tui.aws.fetch import FetchOrder, fetch, plan_fetch
from psa_tui.aws.jobs import job_name
from psa_tui.aws.settings import load_aws_settings
from psa_tui.errors import RetryableError
from psa_tui.method.variants import PUBLISHED, find_variant
from psa_tui.studies.grids import parse_grid
from tests.aws.serving import PREFIX, job, job_archive, published, split_answer, tar_gz, xml_answer

pytestmark = pytest.mark.slow

TEN = ["11.02", "11.02", "98.37", "70.99", "8.59", "11.13", "97.61", "50.00", "62.40", "9.80"]
SUMMARY = Path("results/psa_simplemlp_summary.md")
TRIALS = Path("results/psa_simplemlp_trials.md")


def stored(study="sagemaker"):
    with sqlite3.connect("results/history.sqlite") as connection:
        rows = connection.execute(
            "SELECT architecture, mode, trial, bounty, bounty_meta_loop, test_accuracy, origin FROM trials "
            "WHERE study = ? ORDER BY architecture, mode, trial",
            (study,),
        ).fetchall()
    connection.close()
    return rows


def order(grid="8*8", modes=("none",), **values):
    defaults = {"study": "s", "trials": 10, "workers": 4}
    return FetchOrder(networks=parse_grid(grid), variants=tuple(map(find_variant, modes)), **defaults | values)


@pytest.fixture
def s3(proxy):
    return open_client("s3", load_aws_settings(), connections=8)


@pytest.fixture
def study(bucket):
    """The bucket with all 588 jobs of the published study."""
    bucket.put_published()
    return bucket


def test_results_of_a_mode_with_signs_are_found_by_the_name_of_their_job(bucket, proxy, psa_here):
    mode = "output+promote=patience:2"
    name = job_name(("8*8", mode), datetime(2026, 1, 1, tzinfo=UTC))
    bucket.put(name, job_archive(TEN))
    code, out, err = psa_here("results", "fetch", "--grid", "8*8", "--modes", f"{mode},output+dropout")
    assert (code, "1 of the 2 cells" in out) == (0, True), err
    assert {row[:2] + row[6:] for row in stored()} == {("8*8", mode, name)}
    assert mode.capitalize() in SUMMARY.read_text()


def test_networks_of_another_family_are_found_by_it_and_kept_apart_from_those_of_the_same_shape(
    bucket, proxy, psa_here
):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    names = [job_name((shape, "none"), when) for shape in ("8*8", "resmlp 8*8")]
    bucket.put(names[0], job_archive(TEN))
    bucket.put(names[1], job_archive(TEN[::-1]))
    command = ("results", "fetch", "--grid", "8*8", "--modes", "none", "--study", "residual")
    for unchanged in (False, True):
        code, out, err = psa_here(*command, "--network", "resmlp", "--json")
        told = json.loads(out)
        assert (code, told["missing"], bool(told["unchanged"])) == (0, [], unchanged), err
        assert [(row[0], row[3], row[6]) for row in stored("residual")[:1]] == [("8*8", 0.098, names[1])]
    code, _, err = psa_here(*command)
    assert (code, "study residual holds networks of resmlp, not mlp" in err) == (2, True)
    assert psa_here(*command[:-1], "plain")[0] == 0
    assert {row[6] for row in stored("plain")} == {names[0]}


@pytest.mark.campaign
def test_588_published_jobs_give_the_published_summary_line_by_line(study, proxy, psa_here):
    code, out, err = psa_here("results", "fetch")
    assert (code, "588 of the 588 cells" in out) == (0, True), err
    lines = SUMMARY.read_text().splitlines()
    expected = []
    with (Path(fetching.__file__).parents[1] / "analysis/published/summary.csv").open() as file:
        next(file)
        for row in file:
            shape, parameters, mode, mean, std, least, most, count = row.strip().split(",")
            if mode == "none":
                expected.append(f"Results Shape {{{shape}}} Parameters {{{parameters}}}")
            expected.append(
                f"* {mode.capitalize()}: Mean={mean}% | Std={std}% | Min={least}% | Max={most}% (n={count})"
            )
    assert len(expected) == 98 * 7
    assert [line for line in lines if line.startswith(("Results Shape", "* "))] == expected
    rows = {(shape, mode, trial): bounty for shape, mode, trial, bounty, *_ in stored()}
    assert rows == {
        (shape, mode, trial): round(float(value) * 100) / 10_000
        for (shape, mode), values in published().items()
        for trial, value in enumerate(values, start=1)
    }
    tables = TRIALS.read_text()
    first = [published()["1*2048", variant.name][0] for variant in PUBLISHED]
    assert "### Architecture: 1*2048\n\n| Trial | None | Decay | Dropout | Full | Hidden | Output |\n" in tables
    assert f"| 1 | {' | '.join(f'{value}%' for value in first)} |" in tables
    assert tables.count("### Architecture: ") == 98
    assert len(proxy.downloads()) == 588

    written = SUMMARY.read_bytes(), TRIALS.read_bytes()
    code, out, err = psa_here("results", "fetch", "--json")
    again = json.loads(out)
    assert (code, len(again["unchanged"]), again["to_download"], again["missing"]) == (0, 588, [], [])
    assert len(proxy.downloads()) == 588
    assert (SUMMARY.read_bytes(), TRIALS.read_bytes()) == written


def test_of_196_flipped_or_truncated_downloads_none_is_accepted_and_memory_stays(study, proxy, s3, monkeypatch):
    monkeypatch.setattr("psa_tui.aws.download.ATTEMPTS", 1)
    monkeypatch.setattr("psa_tui.aws.fetch.MOST_FAILURES", 10_000)
    chance = random.Random(5)

    def spoil(request, answer):
        head, body = split_answer(answer)
        if "model.tar.gz" not in request:
            return answer
        if chance.random() < 0.5:
            return head + body[: chance.randrange(len(body))]
        at = chance.randrange(len(body))
        return head + body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :]

    proxy.fault = spoil
    everything = order("published", ("none", "full"), workers=8)
    settings = load_aws_settings()
    plan = plan_fetch(everything, settings, list_archives(s3, settings), Path("results"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fetched = fetch(s3, settings, everything, plan)
    assert (len(fetched.failed), fetched.accepted, fetched.refused, fetched.trials) == (196, [], [], [])
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 64


def test_a_spoiled_download_is_asked_for_again(bucket, proxy, psa_here):
    bucket.put(job("8*8", "none"), job_archive(TEN))
    spoiled = []

    def spoil_twice(request, answer):
        head, body = split_answer(answer)
        if "model.tar.gz" not in request or len(spoiled) == 2:
            return answer
        spoiled.append(request)
        return head + body[:-1] + bytes([body[-1] ^ 1]) if len(spoiled) == 1 else head + body[:20]

    proxy.fault = spoil_twice
    code, _out, err = psa_here("results", "fetch", "--grid", "8*8", "--modes", "none")
    assert (code, len(proxy.downloads()), len(stored())) == (0, 3, 10), err


def test_more_than_two_thousand_keys_in_any_order_with_foreign_ones_are_listed_over_all_pages(bucket, proxy, s3):
    names = [job(f"{1 + i % 90}*{1 + i // 90}", "full", str(1_700_000_000 + i)) for i in range(1_050)]
    for name in names:
        bucket.put_quickly(f"{PREFIX}/{name}/output/model.tar.gz", b"x")
        bucket.put_quickly(f"{PREFIX}/{name}/debug-output/claim.json", b"{}")
    bucket.put_quickly(f"{PREFIX}/psa-4x4-none-20250801-120000/profiler/x", b"x")
    bucket.put_quickly(f"{PREFIX}/psa-4x4-none-yesterday/output/model.tar.gz", b"x")
    bucket.put_quickly(f"{PREFIX}/nested/psa-4x4-full-20250801-120000/output/model.tar.gz", b"x")
    listing = list_archives(s3, load_aws_settings())
    assert {archive.job.name for archive in listing.archives} == set(names)
    assert [found.name for found in listing.without] == ["psa-4x4-none-20250801-120000"]
    assert len(proxy.requests) == 3


def test_empty_pages_and_pages_in_any_order_are_read_and_a_list_that_breaks_off_is_an_error(proxy, s3, psa_here):
    def page(keys, token):
        contents = "".join(
            f"<Contents><Key>{PREFIX}/{key}/output/model.tar.gz</Key><ETag>&quot;e&quot;</ETag><Size>3</Size></Contents>"
            for key in keys
        )
        more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
        more += f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>"
        body = f"<?xml version='1.0'?><ListBucketResult>{contents}{more}</ListBucketResult>".encode()
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body

    pages = [
        page([], "1"),
        page([job("9*9", "none")], "2"),
        page([], "3"),
        page([job("2*2", "none")], "4"),
        page([], ""),
    ]
    proxy.fault = lambda request, answer: pages[len(proxy.requests) - 1]
    listing = list_archives(s3, load_aws_settings())
    assert {str(archive.job.shape) for archive in listing.archives} == {"9*9", "2*2"}
    for breaking_off in (b"<IsTruncated>true</IsTruncated>", b""):
        proxy.fault = lambda request, answer, end=breaking_off: page([job("9*9", "none")], "").replace(
            b"<IsTruncated>false</IsTruncated>", end
        )
        code, _, err = psa_here("results", "fetch")
        assert (code, "breaks off" in err) == (3, True), err


def test_the_newest_complete_job_by_time_is_taken_whatever_form_its_time_has(bucket, proxy, psa_here):
    values = {stamp: [f"{20 + i}.00"] * 10 for i, stamp in enumerate(["20250801-120000", "2025-08-02-00-00-00-000"])}
    values["1754000000"] = ["30.00"] * 10  # 2025-07-31
    for stamp, trials in values.items():
        bucket.put(job("8*8", "none", stamp), job_archive(trials))
    bucket.put(job("8*8", "none", "20250901-000000"), b"not complete", "debug-output/x")
    code, out, err = psa_here("results", "fetch", "--grid", "8*8", "--modes", "none", "--json")
    assert (code, json.loads(out)["accepted"]) == (0, ["psa-8x8-none-2025-08-02-00-00-00-000"]), err
    assert json.loads(out)["jobs_without_archive"] == ["psa-8x8-none-20250901-000000"]
    assert {row[3] for row in stored()} == {0.21}


def test_both_files_of_a_newer_job_are_read(bucket, proxy, psa_here):
    bucket.put(job("8*8", "none"), job_archive(TEN, comprehensive=True))
    code, _out, err = psa_here("results", "fetch", "--grid", "8*8", "--modes", "none")
    assert code == 0, err
    assert stored() == [
        (
            "8*8",
            "none",
            trial,
            round(float(value) * 100) / 10_000,
            7,
            round(float(value) * 100) / 10_000,
            job("8*8", "none"),
        )
        for trial, value in enumerate(TEN, start=1)
    ]


def test_a_second_fetch_downloads_the_new_and_the_changed_only(bucket, proxy, psa_here):
    command = ("results", "fetch", "--grid", "8*8,9*9,4*4", "--modes", "none")
    for shape in ("8*8", "9*9"):
        bucket.put(job(shape, "none"), job_archive(TEN))
    code, _, err = psa_here(*command)
    assert (code, "1 of 3 cells missing: 4*4 none" in err) == (0, True)
    assert "* None: N/A" in SUMMARY.read_text()
    proxy.requests.clear()
    bucket.put(job("9*9", "none"), job_archive(["20.00"] * 10))
    bucket.put(job("4*4", "none"), job_archive(["30.00"] * 10))
    bucket.put(job("8*8", "none", "20240101-000000"), job_archive(["40.00"] * 10))
    code, _out, err = psa_here(*command)
    assert (code, len(proxy.downloads())) == (0, 2)
    assert {(row[0], row[3]) for row in stored() if row[0] != "8*8"} == {("9*9", 0.2), ("4*4", 0.3)}
    # A newer job replaces the cell; when it goes, the older one is the newest again.
    bucket.put(job("8*8", "none", "20260101-000000"), job_archive(["50.00"] * 10))
    psa_here(*command)
    assert {row[3] for row in stored() if row[0] == "8*8"} == {0.5}
    bucket.client.delete_object(
        Bucket=settings_bucket(), Key=f"{PREFIX}/{job('8*8', 'none', '20260101-000000')}/output/model.tar.gz"
    )
    psa_here(*command)
    assert {row[6] for row in stored() if row[0] == "8*8"} == {job("8*8", "none")}


def settings_bucket():
    return load_aws_settings().bucket


def test_a_refused_job_leaves_earlier_results_and_the_others_alone_and_is_not_downloaded_again(bucket, proxy, psa_here):
    command = ("results", "fetch", "--grid", "8*8,9*9", "--modes", "none")
    bucket.put(job("8*8", "none"), job_archive(TEN))
    bucket.put(job("9*9", "none"), job_archive(TEN))
    assert psa_here(*command)[0] == 0
    before = stored()
    bucket.put(job("8*8", "none", "20260101-000000"), job_archive([*TEN[:9], "101.00"]))
    code, out, err = psa_here(*command)
    assert code == 1
    assert f"{job('8*8', 'none', '20260101-000000')} refused: results.txt, line 10: no percentage" in err
    assert stored() == before
    proxy.requests.clear()
    code, out, err = psa_here(*command, "--json")
    assert (code, proxy.downloads()) == (1, [])
    assert [entry["job"] for entry in json.loads(out)["refused"]] == [job("8*8", "none", "20260101-000000")]
    bucket.put(job("8*8", "none", "20260101-000000"), job_archive(["33.00"] * 10))
    assert psa_here(*command)[0] == 0
    assert {row[3] for row in stored() if row[0] == "8*8"} == {0.33}


def test_a_dry_run_downloads_and_writes_nothing(bucket, proxy, psa_here):
    bucket.put(job("8*8", "none"), job_archive(TEN))
    code, out, _err = psa_here("results", "fetch", "--grid", "8*8,9*9", "--modes", "none", "--dry-run")
    assert (code, proxy.downloads(), Path("results").exists()) == (0, [], False)
    assert "2 cells wanted: 1 new or changed" in out
    assert "1 without a complete job" in out


@pytest.mark.parametrize("encryption", ["AES256", "aws:kms"])
def test_the_checksum_is_verified_also_where_the_etag_is_no_md5(bucket, proxy, psa_here, encryption):
    bucket.put(job("8*8", "none"), job_archive(TEN), ServerSideEncryption=encryption, ChecksumAlgorithm="SHA256")

    def lie(request, answer):
        # The ETag is no MD5, and the SHA-256 that S3 keeps is not that of the body.
        return re.sub(rb"(?i)(x-amz-checksum-sha256: )...", rb"\1AAA", answer) if "model.tar.gz" in request else answer

    command = ("results", "fetch", "--grid", "8*8", "--modes", "none")
    proxy.fault = lie
    code, _out, err = psa_here(*command)
    assert (code, "arrived altered" in err) == (3, True), err
    proxy.fault = lambda request, answer: answer
    assert psa_here(*command)[0] == 0


def test_an_object_in_parts_is_verified_part_by_part(bucket, proxy, s3, psa_here):
    lines = "".join(f"{value}\n" for value in TEN).encode()
    content = tar_gz({"results.txt": lines, "weights": random.Random(1).randbytes(6 * 1024**2)})
    halves = content[: 5 * 1024**2], content[5 * 1024**2 :]
    key = f"{PREFIX}/{job('8*8', 'none')}/output/model.tar.gz"
    upload = bucket.client.create_multipart_upload(Bucket=settings_bucket(), Key=key)["UploadId"]
    parts = []
    for number, part in enumerate(halves, start=1):
        where = {"Bucket": settings_bucket(), "Key": key, "UploadId": upload, "PartNumber": number}
        parts.append({"PartNumber": number, "ETag": bucket.client.upload_part(Body=part, **where)["ETag"]})
    bucket.client.complete_multipart_upload(
        Bucket=settings_bucket(), Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )

    def give_part(request, answer):
        # moto gives the whole object, whatever part is asked for.
        number = re.search(r"partNumber=(\d)", request)
        part = halves[int(number[1]) - 1] if number else None
        lines = f"HTTP/1.1 206 X\r\nContent-Length: {len(part or b'')}\r\nConnection: close\r\n\r\n".encode()
        return answer if part is None else lines + part

    proxy.fault = give_part
    settings = load_aws_settings()
    (archive,) = list_archives(s3, settings).archives
    assert archive.etag.endswith("-2")
    code, _out, err = psa_here("results", "fetch", "--grid", "8*8", "--modes", "none")
    assert code == 0, err
    assert len(proxy.downloads()) == 2
    with pytest.raises(RetryableError, match="arrived altered"):
        download(s3, settings, replace(archive, etag="0" * 32 + "-2"))


def test_a_study_of_another_kind_place_or_number_of_trials_is_not_mixed(bucket, proxy, psa_here):
    bucket.put(job("8*8", "none"), job_archive(TEN))
    command = ("results", "fetch", "--grid", "8*8", "--modes", "none")
    assert psa_here(*command)[0] == 0
    code, _, err = psa_here(*command, "--trials", "5")
    assert (code, "10 trials of each shape and mode, not 5; choose another name with --study" in err) == (2, True)
    bucket.client.put_object(Bucket=settings_bucket(), Key=f"b/{job('8*8', 'none')}/output/model.tar.gz", Body=b"x")
    code, _out, err = psa_here(*command, "--prefix", "b")
    assert (code, "another bucket or prefix" in err) == (2, True)


def test_a_bucket_without_jobs_is_an_error_that_says_what_was_looked_for(bucket, proxy, psa_here):
    code, _out, err = psa_here("results", "fetch")
    assert code == 1
    assert "no complete job under s3://sagemaker-eu-west-1-[account]/runs/study" in err
    assert not Path("results/history.sqlite").exists()


def test_when_the_service_is_down_the_rest_is_not_tried(study, proxy, psa_here):
    proxy.fault = lambda request, answer: xml_answer(503, "SlowDown") if "model.tar.gz" in request else answer
    code, _out, err = psa_here("results", "fetch", "--workers", "2")
    assert (code, "588 of 588 downloads failed" in err, "588 of 588 cells missing" in err) == (3, True, True)
    assert len(proxy.downloads()) < 80
    assert not SUMMARY.exists()


def test_a_full_folder_of_temporary_files_is_told_from_a_connection_that_fails(bucket, proxy, psa_here, monkeypatch):
    bucket.put(job("8*8", "none"), job_archive(TEN))
    monkeypatch.setattr("psa_tui.aws.download._IN_MEMORY_BYTES", 16)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        code, _, err = psa_here("results", "fetch", "--grid", "8*8", "--modes", "none")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert "an archive cannot be kept there while it is read (File too large); free space there, or let TMPDIR" in err
    assert not Path("results").exists()
