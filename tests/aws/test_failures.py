"""Everything that goes wrong between here and a bucket: one line, the right exit code, and nothing given away."""

import itertools
import json
import os
import sqlite3
import subprocess
import sys
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from psa_tui.aws.redaction import redact, safe
from tests.aws.serving import (
    ACCOUNT,
    CANARIES,
    KEY_ID,
    ROLE,
    SECRET,
    SOURCES,
    TOKEN,
    job,
    job_archive,
    split_answer,
    tar_gz,
    xml_answer,
)

pytestmark = pytest.mark.slow

TEN = ["11.02"] * 10
FETCH = ("results", "fetch", "--grid", "8*8", "--modes", "none")
TELLTALE = f"User {ROLE} of {ACCOUNT} with {KEY_ID}, {SECRET} and {TOKEN} \x9b31m may not"
ELSEWHERE = "x-amz-bucket-region: us-west-2\r\n"


def answers(status, code, headers=""):
    return lambda answer: xml_answer(status, code, TELLTALE, f"<AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId>", headers)


def truncated(answer):
    head, body = split_answer(answer)
    return head + body[: len(body) // 2]


def flipped(answer):
    head, body = split_answer(answer)
    return head + body[:40] + bytes([body[40] ^ 0x81]) + body[41:]


FAULTS = {
    "503": (answers(503, "SlowDown"), 3, "not available"),
    "500": (answers(500, "InternalError"), 3, "not available"),
    "429": (answers(429, "TooManyRequestsException"), 3, "not available"),
    "reset": (lambda answer: None, 3, "connection failed"),
    "no answer": (lambda answer: b"", 3, "connection failed"),
    "half a head": (lambda answer: answer[:30], 3, ""),
    "truncated": (truncated, 3, ""),
    "altered": (flipped, 3, ""),
    "403": (answers(403, "AccessDenied"), 1, "access is refused"),
    "403 of no kind": (answers(403, "Whatever"), 1, "access is refused"),
    "expired": (answers(400, "ExpiredToken"), 1, "have expired"),
    "expired session": (answers(400, "ExpiredTokenException"), 1, "have expired"),
    "unknown key": (answers(403, "InvalidAccessKeyId"), 1, "does not accept the credentials"),
    "wrong secret": (answers(403, "SignatureDoesNotMatch"), 1, "does not accept the credentials"),
    "wrong token": (answers(400, "InvalidToken"), 1, "does not accept the credentials"),
    "clock": (answers(403, "RequestTimeTooSkewed"), 1, "clock is wrong"),
    "region": (answers(400, "AuthorizationHeaderMalformed", ELSEWHERE), 1, "not in eu-west-1"),
    "redirect": (answers(301, "PermanentRedirect", ELSEWHERE), 1, "not in eu-west-1"),
    "no bucket": (answers(404, "NoSuchBucket"), 1, "no such bucket"),
    "no key": (answers(404, "NoSuchKey"), 1, "not there any more"),
    "changed": (answers(412, "PreconditionFailed"), 3, "replaced meanwhile"),
    "refusal": (answers(400, "InvalidRequest"), 1, "AWS refused (InvalidRequest: User [ARN] of [account]"),
    "teapot": (answers(418, "\x1b[2J"), 1, "AWS refused"),
    "a page of a proxy's": (
        lambda answer: f"HTTP/1.1 407 X\r\nContent-Length: {len(TELLTALE)}\r\n\r\n{TELLTALE}".encode(),
        1,
        "AWS refused",
    ),
    "no XML": (lambda answer: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<<<<<", 3, ""),
}


def gives_away(text):
    return [canary for canary in CANARIES if canary in text] + [c for c in text if not c.isprintable() and c != "\n"]


@pytest.mark.parametrize("at", ["list", "get"])
def test_faults_end_in_one_line_and_their_exit_code_and_give_nothing_away(
    bucket, proxy, psa_here, monkeypatch, caplog, capsys, at
):
    caplog.set_level("DEBUG", "psa_tui")
    bucket.put(job("8*8", "none"), job_archive(TEN))
    paths = 0
    for (name, (fault, code, words)), debug in itertools.product(FAULTS.items(), (False, True)):
        proxy.fault = lambda request, answer, fault=fault: (
            fault(answer) if ("model.tar.gz" in request) == (at == "get") else answer
        )
        monkeypatch.setenv("PSA_DEBUG", str(debug).lower())
        try:
            found, out, err = psa_here(*FETCH, "--json")
        except Exception as error:
            assert debug, name
            found, out = error.exit_code, capsys.readouterr().out
            err = "".join(traceback.format_exception(error))
        assert found == code, (name, err)
        assert words in err, (name, err)
        assert gives_away(out + err + caplog.text) == [], name
        if not debug:
            said = [line for line in err.splitlines() if "missing" not in line]
            assert (said[:2], len(said)) == (SOURCES, 3), err
            assert not out or json.loads(out)["failed"][0]["job"] == job("8*8", "none")
        assert not Path("results/psa_simplemlp_summary.md").exists()
        paths += 1
    assert paths >= 50


def test_results_fetched_before_stay_untouched_whatever_fails(bucket, proxy, psa_here):
    bucket.put(job("8*8", "none"), job_archive(TEN))
    assert psa_here(*FETCH)[0] == 0
    bucket.put(job("8*8", "none", "20260101-000000"), job_archive(["99.00"] * 10))
    before = {path.name: path.read_bytes() for path in Path("results").glob("psa_*.md")}
    rows = stored_rows()
    some = ("503", "reset", "half a head", "altered", "403", "no bucket")
    for (fault, code, _), at in itertools.product((FAULTS[name] for name in some), (True, False)):
        proxy.fault = lambda request, answer, fault=fault, at=at: (
            fault(answer) if ("model.tar.gz" in request) == at else answer
        )
        assert psa_here(*FETCH)[0] == code
        assert {path.name: path.read_bytes() for path in Path("results").glob("psa_*.md")} == before
        assert stored_rows() == rows
    assert not gives_away("".join(path.read_text("latin-1") for path in Path("results").glob("*.md")))
    database = b"".join(path.read_bytes() for path in Path("results").glob("history.sqlite*"))
    assert [canary for canary in CANARIES if canary.encode() in database] == []


def stored_rows():
    with closing(sqlite3.connect("results/history.sqlite")) as connection:
        return connection.execute("SELECT * FROM trials").fetchall()


@pytest.mark.parametrize("at", ["stalls", "drips"])
def test_a_download_that_stalls_or_drips_is_given_up(bucket, proxy, psa_here, monkeypatch, at):
    bucket.put(job("8*8", "none"), job_archive(TEN))
    monkeypatch.setattr("psa_tui.aws.download.ATTEMPTS", 1)
    monkeypatch.setattr("psa_tui.aws.client.READ_TIMEOUT_S", 0.3)
    monkeypatch.setattr("psa_tui.aws.download.PATIENCE_S", 0.5)

    def slow(request, answer):
        proxy.pause_s = (0.02 if at == "drips" else 5) if "model.tar.gz" in request else 0
        return answer

    proxy.fault = slow
    code, _, err = psa_here(*FETCH)
    assert (code, "the connection failed" in err) == (3, True), err


def test_hostile_keys_and_archives_reach_neither_terminal_nor_files(bucket, proxy, psa_here):
    for name in ("psa-8x8-none-2025\x1b[31m", f"psa-{SECRET[:9]}\x07-none-20250801-120000", f"psa-{ACCOUNT}"):
        bucket.put(name, b"x")
    names = [f"\x1b]0;{SECRET}\x07", ROLE, TOKEN[:90], KEY_ID, f"../{ACCOUNT}"]
    for i, name in enumerate(names):
        bucket.put(job(f"{i + 1}*8", "none"), tar_gz({name: b"x", "results.txt": TELLTALE.encode()}))
        bucket.put(job(f"{i + 1}*8", "full"), tar_gz({"results.txt": "\n".join([*TEN[1:], TELLTALE]).encode()}))
        twice = tar_gz([(member, b"") for member in _twice(name)])
        bucket.put(job(f"{i + 1}*8", "output"), twice)
    for flags in ((), ("--json",), ("--dry-run",)):
        code, out, err = psa_here("results", "fetch", "--grid", "1*8,2*8,3*8,4*8,5*8", *flags)
        assert code == 1
        assert gives_away(out + err) == []
    database = b"".join(path.read_bytes() for path in Path("results").glob("history.sqlite*"))
    assert [canary for canary in CANARIES if canary.encode() in database] == []


def _twice(name):
    import tarfile

    return tarfile.TarInfo(name), tarfile.TarInfo(name)


def test_the_same_credentials_in_a_profile_are_known_and_never_shown(bucket, proxy, psa_here, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    odd_secret = "correct horse battery staple"
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = minio-admin\naws_secret_access_key = {odd_secret}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    proxy.fault = lambda request, answer: xml_answer(400, "InvalidRequest", f"minio-admin says {odd_secret}")
    code, _, err = psa_here(*FETCH)
    assert (code, "[secret] says [secret]" in err) == (1, True)


def test_absent_credentials_profiles_and_settings_say_what_to_do(proxy, psa_here, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    code, _, err = psa_here(*FETCH)
    assert (code, "no AWS credentials; aws configure" in err) == (2, True)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    code, _, err = psa_here(*FETCH)
    assert (code, "mend the profile" in err) == (2, True)
    monkeypatch.delenv("AWS_PROFILE")
    Path("aws/sagemaker/.env").unlink()
    code, _, err = psa_here(*FETCH)
    looked = "S3_BUCKET_NAME, S3_PREFIX not set; looked in the environment and aws/sagemaker/.env (not there)"
    assert (code, looked in err, err.count("\n")) == (2, True, 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    code, _, err = psa_here(*FETCH, "--bucket", "some-bucket", "--prefix", "runs")
    assert code in (1, 2)
    assert gives_away(err) == []


def test_nobody_at_the_endpoint_is_retryable(bucket, proxy, psa_here):
    proxy.close()
    code, _, err = psa_here(*FETCH)
    assert (code, "AWS cannot be reached" in err) == (3, True)


def test_without_boto3_one_line_says_how_to_get_it(proxy, psa_here, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    code, _, err = psa_here(*FETCH)
    assert (code, err) == (2, 'psa: error: this command needs boto3; pip install "psa-tui[aws]"\n')


def test_help_loads_neither_boto3_nor_pandas():
    code = (
        "import sys, psa_tui.cli.app; print([m for m in ('boto3', 'botocore', 'pandas', 'torch') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {}, check=True
    )
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("canary", [ROLE, ACCOUNT, KEY_ID, SECRET, TOKEN, f"x-amz-security-token={TOKEN[:20]}"])
@pytest.mark.parametrize("around", ["{}", "bucket-{}", "'{}'", "({})", "a={};", "\x1b{}\n", "https://x/?{}&b"])
def test_secrets_go_by_their_form_wherever_they_stand(canary, around):
    assert gives_away(safe(around.format(canary))) == []
    assert "[" in redact(around.format(canary))


def test_ordinary_words_names_and_numbers_stay():
    for text in (
        "downloading psa-18x18-none-20250801-123456",
        "psa-2x2-full-2025-08-01-12-34-56-789",
        "psa-2x2-full-1754049600123",
        "s3://my-results/experiments/persistent/ablation/of/the/summer/2025",
        "d41d8cd98f00b204e9800998ecf8427e and " + "0123456789abcdef" * 4,
    ):
        assert redact(text) == text
