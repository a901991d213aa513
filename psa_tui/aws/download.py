"""One job's archive, downloaded and verified."""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

from psa_tui.aws.bucket import Archive
from psa_tui.aws.client import aws_errors
from psa_tui.aws.settings import AwsSettings
from psa_tui.errors import DataError, RetryableError

MOST_ARCHIVE_BYTES = 1024**3
ATTEMPTS = 3
"""How often an archive is asked for, on top of boto3's own repetitions of a request that was not answered."""
PAUSE_S = 0.5
"""Before the second attempt; twice as long before each further one."""
PATIENCE_S = 60.0
SLOWEST_BYTES_PER_S = 50_000
"""A download may take ``PATIENCE_S``, and its size at this rate on top."""
_CHUNK_BYTES = 64 * 1024
_IN_MEMORY_BYTES = 1024**2
_MD5_ETAG = re.compile(r"([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?", re.ASCII)


def download(s3: Any, settings: AwsSettings, archive: Archive) -> BinaryIO:
    """Return the verified content of ``archive``, in memory or, above a megabyte, in a file without a name.

    It is what was listed (same ETag), of the listed size, and has the MD5 its ETag tells: that of the object, or
    that of its parts' MD5s. Under a customer's encryption key an ETag is no MD5. Other checksums that S3 keeps are
    verified by boto3.

    Raises:
        RetryableError: it did not arrive whole and unaltered, ``ATTEMPTS`` times.
        AwsError: AWS refuses.
        DataError: there is no room for it here.
    """
    pause_s = PAUSE_S
    for _ in range(ATTEMPTS - 1):
        try:
            return _download_once(s3, settings, archive)
        except RetryableError:
            time.sleep(pause_s)
            pause_s *= 2
    return _download_once(s3, settings, archive)


def _download_once(s3: Any, settings: AwsSettings, archive: Archive) -> BinaryIO:
    tagged = _MD5_ETAG.fullmatch(archive.etag)
    parts = int(tagged[2] or 0) if tagged else 0
    what = f"downloading {archive.job.name}"
    content = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))  # noqa: SIM115 - the caller closes it
    try:
        digests = []
        # Parts are asked for one by one: only S3 knows where they were cut.
        for number in range(1, max(parts, 1) + 1):
            part = {"PartNumber": number} if parts else {}
            with aws_errors(what, settings):
                answer = s3.get_object(Bucket=settings.bucket, Key=archive.key, IfMatch=f'"{archive.etag}"', **part)
                digests.append(_copy(answer["Body"], content, archive.size_bytes))
        is_md5 = not str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
        if tagged and is_md5 and "SSECustomerAlgorithm" not in answer:
            found = hashlib.md5(b"".join(digests), usedforsecurity=False).digest() if parts else digests[0]
            if found.hex() != tagged[1]:
                raise RetryableError(f"{what}: it arrived altered (its MD5 is not the one S3 has); repeat the command")
        if content.tell() != archive.size_bytes:
            raise RetryableError(
                f"{what}: {content.tell()} bytes arrived, {archive.size_bytes} expected; repeat the command"
            )
        with _room():
            content.seek(0)
        return content
    except BaseException:
        # What is still to be written has no room either.
        with suppress(OSError):
            content.close()
        raise


def _copy(body: Any, content: BinaryIO, most: int) -> bytes:
    """Append ``body`` to ``content``, as long as that has at most ``most`` bytes, and return the MD5 of the body."""
    digest = hashlib.md5(usedforsecurity=False)
    with body as connection:
        hurry = threading.Timer(PATIENCE_S + most / SLOWEST_BYTES_PER_S, _shut, (connection,))
        hurry.daemon = True
        hurry.start()
        try:
            while content.tell() <= most and (chunk := body.read(_CHUNK_BYTES)):
                digest.update(chunk)
                with _room():
                    content.write(chunk)
        finally:
            hurry.cancel()
    return digest.digest()


@contextmanager
def _room() -> Iterator[None]:
    """Tell a disk that is full from a connection that fails: both are errors of the system."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{tempfile.tempdir or 'the folder for temporary files'}: an archive cannot be kept there while it is read "
            f"({error.strerror}); free space there, or let TMPDIR name another folder"
        ) from None


def _shut(connection: Any) -> None:
    """End a download that drips: no read timeout would, as long as a byte comes now and then."""
    with suppress(Exception):
        connection.shutdown()
