"""``model.tar.gz`` of a job, read as a stream and never unpacked to disk: nothing in it is trusted.

Read are the members ``results.txt`` and ``comprehensive_results.json`` at the archive's top, at least one of them.
All others are passed over, but must be regular files or folders with plain relative names, each there once.
The archive is read to the end of its gzip stream, so that its checksum counts, and of no more than a fixed
multiple of its size.

``results.txt`` has one line a trial: its best validation accuracy in percent. ``comprehensive_results.json`` is a
list with one object a trial: ``best_validation_accuracy``, ``best_validation_epoch``, ``final_test_accuracy`` and
``bounty`` (the best validation accuracy once more; not read). Epochs count from 1, as meta-loops do; in a file that
has an epoch 0 they do not, and are passed over.

The JSON's accuracies are fractions when all are at most 1, and percentages when all are above 1: ten balanced classes
leave no classifier below 1 %. A mixture is refused, and so is a ``results.txt`` with a value of at most 1. Accuracies
are counts of 10,000 images, so a value that is no multiple of 0.01 % is refused too. Where both files are there, they
must agree.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from psa_tui.aws.redaction import safe
from psa_tui.errors import DataError

TEXT, JSON = "results.txt", "comprehensive_results.json"
IMAGES = 10_000
"""Images of the validation set, and of the test set."""
MOST_MEMBERS = 1000
MOST_RESULT_BYTES = 4 * 1024**2
"""The largest results file."""
MOST_BYTES, SPARE_BYTES, MOST_EXPANSION = 4 * 1024**3, 16 * 1024**2, 100
"""An archive may unpack to ``SPARE_BYTES`` and ``MOST_EXPANSION`` times its size, at most ``MOST_BYTES``."""
_CHUNK_BYTES = 64 * 1024
"""The most that is read at once; ``tarfile`` asks for a whole extended header, which may claim any size."""
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,20})?", re.ASCII)
_ROUNDING = 0.01
"""How far a value may be from a whole number of images: float32 has seven digits."""
_DAMAGE = (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, ArithmeticError, LookupError, RecursionError)
"""What tarfile and zlib raise on bytes that were not made by their like."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a job says of one trial; accuracies are fractions, ``best_meta_loop`` counts from 1, None is unknown."""

    best_validation_accuracy: float
    best_meta_loop: int | None = None
    test_accuracy: float | None = None


class ArchiveRefused(DataError):
    """The archive cannot be what a job leaves; the message is the reason, without a subject."""


def read_archive(file: BinaryIO, size_bytes: int, trials: int) -> tuple[TrialResult, ...]:
    """Return the results of a job, trial 1 first.

    Args:
        file: the compressed archive; read from its position on.
        size_bytes: its length.
        trials: how many trials there must be.

    Raises:
        ArchiveRefused: anything in it is not as the module describes.
    """
    try:
        found = _members(_Unzipped(file, min(MOST_BYTES, SPARE_BYTES + MOST_EXPANSION * size_bytes)))
    except _DAMAGE as error:
        raise ArchiveRefused(f"damaged archive ({type(error).__name__}: {safe(error, 80)})") from None
    if not found:
        raise ArchiveRefused(f"neither {TEXT} nor {JSON} in the archive")
    results = _parse_json(found[JSON]) if JSON in found else None
    if TEXT in found:
        listed = _parse_text(found[TEXT])
        if results is None:
            results = listed
        elif [a.best_validation_accuracy for a in results] != [b.best_validation_accuracy for b in listed]:
            raise ArchiveRefused(f"{TEXT} and {JSON} disagree")
    assert results is not None
    if len(results) != trials:
        raise ArchiveRefused(f"{len(results)} trials, expected {trials}")
    return results


class _Unzipped:
    """What a gzip stream holds, as a file for ``tarfile``: it only goes forward, and refuses to swell.

    Not ``gzip.GzipFile``, which takes streams in a row for one, and zeros behind them, one by one, for nothing.
    """

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most
        self._zip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._position = 0
        self.last = b""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, fewer at the end only; there the stream's checksum has been compared."""
        if not 0 <= size <= _CHUNK_BYTES:
            raise ArchiveRefused(f"a header of more than {_CHUNK_BYTES} bytes")
        found = bytearray()
        while len(found) < size and not self._zip.eof:
            compressed = self._zip.unconsumed_tail or self._file.read(_CHUNK_BYTES)
            piece = self._zip.decompress(compressed, size - len(found))
            if not compressed and not piece:
                raise EOFError("the gzip stream is cut off")
            found += piece
        self.last = bytes(found)
        self._position += len(found)
        if self._position > self._most:
            raise ArchiveRefused(f"unpacks to more than {self._most} bytes")
        if self._zip.eof and (self._zip.unused_data or self._file.read(1)):
            raise ArchiveRefused("something follows the gzip stream")
        return self.last

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        for _ in self.chunks(position - self._position):
            pass

    def chunks(self, count: int) -> Iterator[bytes]:
        """Go through the next ``count`` bytes, in pieces."""
        end = self._position + count
        while self._position < end and self.read(min(end - self._position, _CHUNK_BYTES)):
            yield self.last
        if self._position != end:
            raise ArchiveRefused("ends within a member")


def _members(file: _Unzipped) -> dict[str, bytes]:
    """Return the contents of the two results files, once the whole archive has been looked at."""
    found: dict[str, bytes] = {}
    seen: set[str] = set()
    # Only these three methods of a file are called on reading.
    with tarfile.TarFile(fileobj=file, mode="r") as archive:  # type: ignore[arg-type]
        while (member := archive.next()) is not None:
            name = _plain_name(member)
            if name in seen:
                raise ArchiveRefused(f"{safe(name, 60)!r} is there twice")
            if len(seen) == MOST_MEMBERS:
                raise ArchiveRefused(f"more than {MOST_MEMBERS} members")
            seen.add(name)
            if name in (TEXT, JSON) and not member.isdir():
                if member.size > MOST_RESULT_BYTES:
                    raise ArchiveRefused(f"{name} has {member.size} bytes, expected at most {MOST_RESULT_BYTES}")
                file.seek(member.offset_data)
                found[name] = b"".join(file.chunks(member.size))
    # tarfile takes an unreadable header for the end; the true end is a block of zeros, and zeros follow it.
    if file.last != bytes(tarfile.BLOCKSIZE):
        raise ArchiveRefused("no end of archive where its members end")
    while rest := file.read(_CHUNK_BYTES):
        if rest.count(0) != len(rest):
            raise ArchiveRefused("something follows the end of the archive")
    return found


def _plain_name(member: tarfile.TarInfo) -> str:
    """Return the member's name without a leading ``./``; refuse all but plain files and folders in plain places."""
    name = member.name.removeprefix("./")
    shown = repr(safe(member.name, 60))
    if not member.isdir() and (member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None):
        raise ArchiveRefused(f"{shown} is a link, a device or another special file")
    if name.startswith("/") or "\\" in name or ".." in name.split("/") or not name.isprintable():
        raise ArchiveRefused(f"{shown} is no plain relative name")
    if "." in name.split("/")[1:] or "//" in name:
        raise ArchiveRefused(f"{shown} is no plain relative name")
    return name


def _parse_text(content: bytes) -> tuple[TrialResult, ...]:
    try:
        lines = content.decode("ascii").rstrip().split("\n")
    except UnicodeDecodeError:
        raise ArchiveRefused(f"{TEXT} is no ASCII text") from None
    results = []
    for number, line in enumerate(lines, start=1):
        value = float(line) if _PERCENT.fullmatch(line := line.strip(" \r")) else None
        if value is None or not 1 < value <= 100:
            raise ArchiveRefused(f"{TEXT}, line {number}: no percentage above 1, at most 100")
        results.append(TrialResult(_fraction(value, 100, f"{TEXT}, line {number}")))
    return tuple(results)


def _parse_json(content: bytes) -> tuple[TrialResult, ...]:
    try:
        entries = json.loads(content.decode(), parse_constant=_refuse_constant, object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise ArchiveRefused(f"{JSON} is no JSON") from None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ArchiveRefused(f"{JSON} is no list of trials")
    best = [_number(entry, "best_validation_accuracy", i) for i, entry in enumerate(entries, start=1)]
    test = [_test_accuracy(entry, i) for i, entry in enumerate(entries, start=1)]
    epochs = [_epoch(entry, i) for i, entry in enumerate(entries, start=1)]
    accuracies = best + [value for value in test if value is not None]
    if min(accuracies) <= 1 < max(accuracies):
        raise ArchiveRefused(f"{JSON}: accuracies at most 1 and above 1; fractions or percentages cannot be told")
    scale = 1 if max(accuracies) <= 1 else 100
    return tuple(
        TrialResult(
            _fraction(accuracy, scale, f"{JSON}, trial {i}"),
            None if 0 in epochs else epoch,
            None if tested is None else _fraction(tested, scale, f"{JSON}, trial {i}"),
        )
        for i, (accuracy, epoch, tested) in enumerate(zip(best, epochs, test, strict=True), start=1)
    )


def _number(entry: dict[str, Any], key: str, trial: int) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ArchiveRefused(f"{JSON}, trial {trial}: {key} is no number from 0 to 100")
    return value


def _test_accuracy(entry: dict[str, Any], trial: int) -> float | None:
    return None if entry.get("final_test_accuracy") is None else _number(entry, "final_test_accuracy", trial)


def _epoch(entry: dict[str, Any], trial: int) -> int | None:
    value = entry.get("best_validation_epoch")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1_000_000_000:
        raise ArchiveRefused(f"{JSON}, trial {trial}: best_validation_epoch is no count")
    return value


def _fraction(value: float, scale: int, where: str) -> float:
    """Return ``value``, at most ``scale``, as a fraction: a whole number of images divided by ``IMAGES``."""
    images = value * IMAGES / scale
    if abs(images - round(images)) > _ROUNDING:
        raise ArchiveRefused(f"{where}: {value:.6g} of {scale} is no whole number of {IMAGES:,} images")
    return round(images) / IMAGES


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
