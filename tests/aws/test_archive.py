import contextlib
import gzip
import io
import json
import random
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psa_tui.aws.archive import ArchiveRefused, TrialResult, read_archive
from tests.aws.serving import job_archive, tar_gz

TEN = ["11.02", "11.02", "98.37", "70.99", "8.59", "11.13", "97.61", "50.00", "62.40", "9.80"]
GOOD = "".join(f"{value}\n" for value in TEN).encode()
RESULTS = tuple(TrialResult(round(float(value) * 100) / 10_000) for value in TEN)


def read(content, trials=10):
    return read_archive(io.BytesIO(content), len(content), trials)


def entries(**changes):
    first = {
        "best_validation_accuracy": 11.02,
        "best_validation_epoch": 3,
        "final_test_accuracy": 11.35,
        "bounty": 11.02,
    }
    others = [first | {"best_validation_accuracy": float(value)} for value in TEN[1:]]
    return [first | changes, *others]


def comprehensive(content):
    return tar_gz(
        {"comprehensive_results.json": content if isinstance(content, bytes) else json.dumps(content).encode()}
    )


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_the_lines_of_results_txt_are_percentages_of_ten_thousand_images(form):
    assert (
        read(tar_gz({"results.txt": GOOD, "weights.safetensors": random.Random(1).randbytes(100_000)}, form)) == RESULTS
    )
    assert (
        read(
            tar_gz(
                {"./results.txt": GOOD.replace(b"\n", b"\r\n") + b"\n", "w" * 90 + "/" + "v" * 60: b"long name"}, form
            )
        )
        == RESULTS
    )


def test_what_a_job_of_either_age_leaves_is_read():
    assert read(job_archive(TEN)) == RESULTS
    newer = read(job_archive(TEN, comprehensive=True))
    assert newer == tuple(
        TrialResult(result.best_validation_accuracy, 7, result.best_validation_accuracy) for result in RESULTS
    )


def test_the_json_may_have_percentages_or_fractions():
    expected = (
        TrialResult(0.1102, 3, 0.1135),
        *(TrialResult(r.best_validation_accuracy, 3, 0.1135) for r in RESULTS[1:]),
    )
    assert read(comprehensive(entries())) == expected
    fractions = [
        entry | {name: entry[name] / 100 for name in ("best_validation_accuracy", "final_test_accuracy", "bounty")}
        for entry in entries()
    ]
    assert read(comprehensive(fractions)) == expected
    as_float32 = [entry | {"best_validation_accuracy": entry["best_validation_accuracy"] + 1e-6} for entry in entries()]
    assert read(comprehensive(as_float32)) == expected


def test_epochs_of_a_file_that_counts_from_0_are_not_taken_for_meta_loops():
    assert {result.best_meta_loop for result in read(comprehensive(entries(best_validation_epoch=0)))} == {None}
    assert {result.best_meta_loop for result in read(comprehensive(entries(best_validation_epoch=None)))} == {None, 3}


def special(kind, name="results.txt", link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b""


def regular(name, content=GOOD):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def raw_header(name, size, kind=b"0"):
    """A tar header that may claim any size."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT)[:512])
    header[124:136] = b"\x80" + size.to_bytes(11, "big", signed=True) if not 0 <= size < 8**11 else b"%011o\0" % size
    header[156:157] = kind
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def good_tar(end=bytes(1024)):
    content = tarfile.TarInfo("results.txt")
    content.size = len(GOOD)
    return content.tobuf(tarfile.GNU_FORMAT) + GOOD + bytes(-len(GOOD) % 512) + end


def sparse(chance):
    header = bytearray(raw_header("results.txt", 512, b"S"))
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"%011o\0" % chance.randrange(10**9)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(512) + bytes(1024))


def with_lines(chance, line):
    lines = list(TEN)
    lines[chance.randrange(10)] = line
    return tar_gz({"results.txt": "\n".join(lines).encode()})


def zipped(chance):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("results.txt", GOOD)
    return buffer.getvalue()


def two_streams(chance):
    return tar_gz({"results.txt": GOOD}) + tar_gz({"results.txt": GOOD})


def a_chain_of_extended_headers(chance):
    header = raw_header("x", 60_000, b"x") + (b"60000 comment=" + b"a" * 59_985 + b"\n").ljust(60_416, b"\0")
    return gzip.compress(header * 320 + good_tar())


HOSTILE = {
    "a link": lambda c: tar_gz([special(tarfile.SYMTYPE, link="/etc/passwd")]),
    "a link beside": lambda c: tar_gz(
        [regular("results.txt"), special(tarfile.SYMTYPE, f"x{c.random()}", "results.txt")]
    ),
    "a hard link": lambda c: tar_gz([regular("a"), special(tarfile.LNKTYPE, link="a")]),
    "a device": lambda c: tar_gz(
        [regular("results.txt"), special(c.choice((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)), "x")]
    ),
    "twice": lambda c: tar_gz([regular("results.txt"), regular("results.txt", b"99.00\n" * 10)]),
    "twice under two names": lambda c: tar_gz([regular("./results.txt"), regular("results.txt")]),
    "another file twice": lambda c: tar_gz([regular("results.txt"), regular("x"), regular("x")]),
    "absolute": lambda c: tar_gz([regular("results.txt"), regular(f"/tmp/{c.random()}")]),
    "absolute results": lambda c: tar_gz([regular("/results.txt")]),
    "dotted": lambda c: tar_gz(
        [regular("results.txt"), regular(c.choice(("../x", "a/../../x", "..", "a/./b", "a//b")))]
    ),
    "backslash": lambda c: tar_gz([regular("results.txt"), regular("..\\x")]),
    "control characters": lambda c: tar_gz([regular("results.txt"), regular(f"\x1b[{c.randrange(40)}mx\x07")]),
    "elsewhere": lambda c: tar_gz([regular("output/results.txt")]),
    "none": lambda c: tar_gz([regular("weights")]),
    "empty": lambda c: b"",
    "an empty archive": lambda c: tar_gz({}),
    "noise": lambda c: c.randbytes(c.randrange(1, 5000)),
    "noise in gzip": lambda c: gzip.compress(c.randbytes(c.randrange(1, 5000))),
    "no gzip": lambda c: good_tar(),
    "zip": zipped,
    "a bomb": lambda c: gzip.compress(raw_header("results.txt", 10**11) + bytes(c.randrange(18, 20) * 10**6 + 500_000)),
    "a bomb beside": lambda c: gzip.compress(good_tar(b"") + raw_header("x", 10**11) + bytes(19 * 10**6)),
    "a bomb behind": lambda c: gzip.compress(good_tar() + bytes(19 * 10**6)),
    "an extended header that is a bomb": lambda c: gzip.compress(
        raw_header("x", c.randrange(10**6, 10**12), c.choice((b"x", b"g", b"L", b"K"))) + bytes(10**6)
    ),
    "a chain of extended headers": a_chain_of_extended_headers,
    "a negative size": lambda c: gzip.compress(raw_header("results.txt", -c.randrange(1, 10**9)) + GOOD + bytes(1024)),
    "sparse": sparse,
    "very many members": lambda c: gzip.compress(
        good_tar(b"") + b"".join(raw_header(f"{i}", 0) for i in range(1500)), 1
    ),
    "a member that is cut off": lambda c: gzip.compress(good_tar()[: c.randrange(1, 560)]),
    "no end": lambda c: gzip.compress(good_tar(b"")),
    "a broken second header": lambda c: gzip.compress(good_tar(b"") + c.randbytes(512) + bytes(1024)),
    "something behind the end": lambda c: gzip.compress(good_tar() + raw_header("x", 0) + bytes(1024)),
    "something behind the stream": lambda c: tar_gz({"results.txt": GOOD}) + c.randbytes(c.randrange(1, 99)),
    "zeros behind the stream": lambda c: tar_gz({"results.txt": GOOD}) + bytes(c.randrange(1, 9999)),
    "two streams": two_streams,
    "a wrong checksum": lambda c: (
        tar_gz({"results.txt": GOOD})[:-8] + struct.pack("<I", c.randrange(2**32)) + b"\0" * 4
    ),
    "raw deflate": lambda c: zlib.compress(good_tar()),
    "too few": lambda c: tar_gz({"results.txt": b"11.02\n" * c.randrange(10)}),
    "too many": lambda c: tar_gz({"results.txt": b"11.02\n" * c.randrange(11, 9999)}),
    "no number": lambda c: with_lines(
        c,
        c.choice(
            ("nan", "inf", "-inf", "-1", "1e2", "0x10", "ten", "", " ", "98,20", "1_0", "٩٨", "98.2 98.3", "98%", "+9")
        ),
    ),
    "out of range": lambda c: with_lines(c, c.choice(("100.01", "101", "999", "-0.01", "0.98", "1", "0", "1e99"))),
    "no count of images": lambda c: with_lines(c, f"{c.randrange(2, 99)}.{c.randrange(100)}37"),
    "binary results": lambda c: tar_gz({"results.txt": c.randbytes(100)}),
    "large results": lambda c: tar_gz({"results.txt": b"11.02\n" * 800_000}),
    "no JSON": lambda c: comprehensive(
        c.choice((b"", b"{", b"\xff", b"null", b"3", b'"x"', b"[]", b"{}", b"[1]", b"[" * 50_000))
    ),
    "too few in the JSON": lambda c: comprehensive(entries()[:9]),
    "NaN in the JSON": lambda c: comprehensive(
        entries(**{c.choice(("best_validation_accuracy", "bounty")): float("nan")})
    ),
    "infinity in the JSON": lambda c: comprehensive(entries(final_test_accuracy=float("inf"))),
    "a wrong accuracy in the JSON": lambda c: comprehensive(
        entries(best_validation_accuracy=c.choice((None, True, "98", -1, 100.01, 10**400, [98.2], 98.237)))
    ),
    "a wrong epoch in the JSON": lambda c: comprehensive(
        entries(best_validation_epoch=c.choice((-1, 1.5, "3", True, 10**30)))
    ),
    "fractions among percentages": lambda c: comprehensive(entries(best_validation_accuracy=0.9822)),
    "a fraction as test accuracy": lambda c: comprehensive(entries(final_test_accuracy=0.11)),
    "a key twice": lambda c: comprehensive(
        json.dumps(entries()).replace('"bounty"', '"best_validation_accuracy": 99.0, "bounty"').encode()
    ),
    "files that disagree": lambda c: tar_gz(
        {"results.txt": GOOD, "comprehensive_results.json": json.dumps(entries(best_validation_accuracy=12.0)).encode()}
    ),
}
COSTLY = ("bomb", "chain", "very many")
ARCHIVES = [(kind, seed) for kind in HOSTILE for seed in range(1 if any(word in kind for word in COSTLY) else 7)]


@pytest.mark.slow
@pytest.mark.campaign
def test_hostile_archives_are_refused_with_a_printable_reason_in_little_memory_and_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert len(ARCHIVES) >= 300
    most = 0
    for kind, seed in ARCHIVES:
        content = HOSTILE[kind](random.Random(f"{kind} {seed}"))
        tracemalloc.start()
        with pytest.raises(ArchiveRefused) as caught:
            pytest.fail(f"{kind} {seed}: {read(content)}")
        most = max(most, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert str(caught.value).isprintable(), kind
        assert len(str(caught.value)) < 200, kind
    assert most < 64 * 1024**2
    assert list(tmp_path.iterdir()) == []


def test_trials_other_than_expected_are_refused_by_their_number():
    with pytest.raises(ArchiveRefused, match=r"^10 trials, expected 5$"):
        read(job_archive(TEN), 5)


@settings(max_examples=300)
@given(st.data())
def test_an_altered_archive_gives_the_true_results_or_none(data):
    content = bytearray(tar_gz({"results.txt": GOOD, "weights": bytes(range(256))}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ArchiveRefused):
        assert read(bytes(content)) == RESULTS


@settings(max_examples=200)
@given(st.binary(max_size=2000), st.booleans())
def test_any_bytes_are_refused(content, as_tar):
    with pytest.raises(ArchiveRefused):
        read(gzip.compress(good_tar(b"") + content if as_tar else content))
