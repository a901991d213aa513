"""Reads arrays from a file of ``np.savez``: the headers, which say how large they are, before anything is decompressed.

Nothing is unpickled.
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from psa_tui.errors import DataError
from psa_tui.formatting import printable
from psa_tui.outside import open_outside

_CHUNK_BYTES = 1 << 20
_MOST_DIMENSIONS = 8
_ENCRYPTED = 1
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Header:
    """What an array's own header says, and where it is."""

    member: zipfile.ZipInfo
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        """Return it in words, for messages."""
        return f"{self.name[:60]}, {printable(self.dtype)[:40]} [{', '.join(map(str, self.shape))}]"


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a file of arrays; whatever is wrong with it is a ``DataError`` of one line."""
    try:
        with open_outside(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); mend it or name another file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        reason = printable(" ".join(str(error).split()))[:80]
        raise DataError(
            f"{path}: truncated or damaged, or no file of np.savez ({reason}); write it anew with np.savez"
        ) from None


def read_headers(path: Path, archive: zipfile.ZipFile) -> Iterator[Header]:
    """Go through the headers of all arrays.

    Raises:
        DataError: one is none, or does not say what is there.
    """
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if not name.isprintable() or name == member.filename:
            raise DataError(f"{path}: has {printable(member.filename)[:60]!r}, expected arrays of np.savez alone")
        yield _header(path, archive, member, name)


def _header(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Header:
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _PLAIN:
        raise DataError(f"{path}: {name[:60]} is encrypted or oddly compressed; write it anew with np.savez")
    with archive.open(member) as file:
        try:
            header = Header(member, name, *_read_header(file))
        except (ValueError, SyntaxError, TypeError, tokenize.TokenError, RecursionError) as error:
            reason = printable(" ".join(str(error).split()))[:80]
            raise DataError(
                f"{path}: {name[:60]} is no array of numbers ({reason}); write it anew with np.savez"
            ) from None
        begin = file.tell()
    if header.dtype.hasobject:
        raise DataError(
            f"{path}: {name[:60]} has Python objects, which are never unpickled; make it an array of numbers"
        )
    if begin + header.size != member.file_size:
        raise DataError(
            f"{path}: {header} should have {begin + header.size} bytes, and has {member.file_size}; write it anew with "
            "np.savez"
        )
    return header


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic], bool]:
    """Return shape, dtype, and whether the first dimension varies fastest."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version[0]}.{version[1]}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if len(shape) > _MOST_DIMENSIONS or any(side < 0 for side in shape):
        raise ValueError(f"shape {shape}")
    return shape, dtype, fortran


def read_array(path: Path, archive: zipfile.ZipFile, header: Header) -> np.ndarray:
    """Return an array; no more is decompressed than its header says."""
    buffer = np.empty(header.size, np.uint8)
    with archive.open(header.member) as file:
        _read_header(file)
        filled = 0
        while some := file.read(_CHUNK_BYTES):
            buffer[filled : filled + len(some)] = np.frombuffer(some, np.uint8)
            filled += len(some)
    if filled != header.size:
        raise DataError(f"{path}: {header.name} is truncated; write it anew with np.savez")
    array = buffer.view(header.dtype)
    array = array.reshape(header.shape[::-1]).T if header.fortran else array.reshape(header.shape)
    # From here on in this machine's byte order.
    return array.astype(header.dtype.newbyteorder("="), copy=False)
