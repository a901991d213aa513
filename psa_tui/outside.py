"""The door for what others may have written: text, JSON and files pass here before anything believes or shows them."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from psa_tui.formatting import printable

_LARGEST = 2**63 - 1
"""What a database and a table hold."""
_MOST_DIGITS = 20
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def is_plain_name(text: str) -> bool:
    """Return whether ``text`` may become the name of a file or a folder: letters, digits, dots, dashes, underscores."""
    return _PLAIN_NAME.fullmatch(text) is not None


def outside_text(found: bytes | str) -> str:
    """Return text of a file or a database as one line that cannot drive a terminal."""
    return printable(found.decode(errors="replace") if isinstance(found, bytes) else found)


def outside_json(text: bytes | str) -> Any:
    """Decode JSON as ``decode_json`` does; every string in it passes ``outside_text``."""
    decoded = decode_json(text)
    return decoded if _is_harmless(text) else _cleaned(decoded)


def _is_harmless(text: bytes | str) -> bool:
    """Whether JSON holds no string but printable ones, as a glance tells of most events: there are many a second."""
    if not text.isascii():
        return False
    plain = text.decode() if isinstance(text, bytes) else text
    return plain.isprintable() and "\\" not in plain


def decode_json(text: bytes | str) -> Any:
    """Decode JSON whose strings are not shown before something else has looked at them.

    Raises:
        ValueError: it is none, is nested too deeply, or has a number that is not finite or beyond 64 bits.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_whole, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return outside_text(value)
        case list():
            return [_cleaned(item) for item in value]
        case dict():
            return {outside_text(name): _cleaned(item) for name, item in value.items()}
    return value


def _whole(digits: str) -> int:
    # Longer ones are not converted: that takes time, and Python itself refuses some thousand digits.
    if len(digits) > _MOST_DIGITS or not -_LARGEST <= (number := int(digits)) <= _LARGEST:
        _refuse(digits)
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"it has the number {number[:20]}")


def open_outside(path: Path) -> BinaryIO:
    """Open a regular file for reading only; a pipe or a device is never waited for.

    Raises:
        OSError: it cannot be opened, or is anything but a file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no file", str(path))
    return open(descriptor, "rb")
