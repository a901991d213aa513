"""The notation of stacked layers: ``[4*4, 2*8]``, ``[2*16, 32]``, and ``512,256``. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psa_tui.errors import ConfigError
from psa_tui.formatting import caret

_DIGITS = "0123456789"
_MOST_DIGITS = 12
_GROUP = r"(?:([1-9][0-9]{0,11}) *[xX*\u00d7] *)?([1-9][0-9]{0,11})"
_BETWEEN = r"[,;+]"
_AROUND = "[](){} ,;"


@dataclass(frozen=True, slots=True)
class Group:
    """``count`` successive hidden layers of ``width`` neurons."""

    count: int
    width: int


def parse_groups(text: str) -> list[Group]:
    """Return the groups of ``[4*4, 2*8]``; spaces are allowed, and the brackets may be left out together.

    Raises:
        ConfigError: the text is anything else; the message shows it with a caret under the fault.
    """
    return _Parser(text, "architecture", "groups like [4*4, 2*8] (layers*neurons)", _read_as_groups).groups()


def parse_stages(text: str) -> list[Group]:
    """Return the groups of ``[2*16, 32]``, where a number alone is one layer; brackets may be left out together.

    Raises:
        ConfigError: the text is anything else; the message shows it with a caret under the fault.
    """
    return _Parser(text, "architecture", "channels like 16,32 or [2*16, 32] (convolutions*channels)").stages()


def merged(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Return ``groups`` with neighbours of the same width made one."""
    found: list[Group] = []
    for group in groups:
        if found and found[-1].width == group.width:
            found[-1] = Group(found[-1].count + group.count, group.width)
        else:
            found.append(group)
    return tuple(found)


def groups_of_widths(text: str) -> str:
    """Return ``512,256``, one width per hidden layer, in the notation of groups: ``[1*512, 1*256]``.

    Raises:
        ConfigError: the text is anything else; the message shows it with a caret under the fault.
    """
    widths = _Parser(text, "hidden layers", "widths like 512,256").widths()
    return "[" + ", ".join(f"1*{width}" for width in widths) + "]"


def _read_as_groups(text: str) -> str | None:
    """Return in this notation what somebody wrote with other signs, such as ``4x4`` or ``(2*8;1*4)``; None if nothing.

    A number alone is one layer of that width.
    """
    groups = [re.fullmatch(_GROUP, part.strip(), re.ASCII) for part in re.split(_BETWEEN, text.strip(_AROUND)[:80])]
    found = [f"{group[1] or 1}*{group[2]}" for group in groups if group]
    return f"[{', '.join(found)}]" if len(found) == len(groups) else None


class _Parser:
    def __init__(
        self, text: str, what: str, expected: str, meant: Callable[[str], str | None] = lambda _: None
    ) -> None:
        self.text = text
        self.position = 0
        self.what = what
        self.expected = expected
        self.meant = meant

    def groups(self) -> list[Group]:
        return self._list(self._group)

    def stages(self) -> list[Group]:
        return self._list(self._stage)

    def _list(self, entry: Callable[[], Group]) -> list[Group]:
        bracketed = self._accept("[")
        groups = [entry()]
        while self._accept(","):
            groups.append(entry())
        if bracketed and not self._accept("]"):
            self._fail("expected ',' or ']'")
        self._end()
        return groups

    def widths(self) -> list[int]:
        widths = [self._number("a width")]
        while self._accept(","):
            widths.append(self._number("a width"))
        self._end()
        return widths

    def _group(self) -> Group:
        count = self._number("a number of layers")
        if not self._accept("*"):
            self._fail("expected '*'")
        return Group(count, self._number("a number of neurons"))

    def _stage(self) -> Group:
        number = self._number("a number of channels")
        return Group(number, self._number("a number of channels")) if self._accept("*") else Group(1, number)

    def _number(self, what: str) -> int:
        self._skip_spaces()
        start = self.position
        while self.position < len(self.text) and self.text[self.position] in _DIGITS:
            self.position += 1
        digits = self.text[start : self.position]
        if not digits:
            self._fail(f"expected {what}")
        if digits.startswith("0"):
            self._fail(f"{what} starts at 1, with no leading zero", start)
        if len(digits) > _MOST_DIGITS:
            self._fail(f"{what} has at most {_MOST_DIGITS} digits", start)
        return int(digits)

    def _accept(self, symbol: str) -> bool:
        self._skip_spaces()
        if self.text[self.position : self.position + 1] != symbol:
            return False
        self.position += 1
        return True

    def _end(self) -> None:
        self._skip_spaces()
        if self.position < len(self.text):
            self._fail("nothing more was expected")

    def _skip_spaces(self) -> None:
        while self.text[self.position : self.position + 1] == " ":
            self.position += 1

    def _fail(self, reason: str, position: int | None = None) -> None:
        meant = self.meant(self.text)
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise ConfigError(
            f"{self.what}: {reason}; write {self.expected}{hint}",
            caret(self.text, self.position if position is None else position),
        )
