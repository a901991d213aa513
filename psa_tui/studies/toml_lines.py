"""The line of every value in a TOML text: tomllib, which reads the values, does not keep it."""

from __future__ import annotations

import re
from collections import Counter

Path = tuple[str | int, ...]
"""Keys and positions that lead to a value: ``("variants", 2, "effect")``."""
_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'", re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def value_lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every value, array and table in ``text``, which tomllib has read before."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


class _Scanner:
    """Goes through a text once, from the beginning to the end."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: dict[Path, int] = {}
        self._counted, self._line = 0, 1

    def document(self) -> None:
        table: Path = ()
        arrays: Counter[Path] = Counter()
        while self._skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                self.at += 2
                table = self._within(self._key("]"), arrays)
                self._note(table)
                self._note((*table, arrays[table]))
                table = (*table, arrays[table])
                arrays[table[:-1]] += 1
                self.at += 2
            elif self.text[self.at] == "[":
                self.at += 1
                table = self._within(self._key("]"), arrays)
                self._note(table)
                self.at += 1
            else:
                self._pair(table)

    def _within(self, key: Path, arrays: Counter[Path]) -> Path:
        """Return where a table's ``key`` leads: through an array of tables, to its last table so far."""
        found: Path = ()
        for place, part in enumerate(key):
            found = (*found, part)
            if found in arrays and place < len(key) - 1:
                found = (*found, arrays[found] - 1)
        return found

    def _pair(self, table: Path) -> None:
        start = self.at
        key = self._key("=")
        line = self._line_at(start)
        for depth in range(1, len(key) + 1):
            self.lines.setdefault((*table, *key[:depth]), line)
        self.at += 1
        self._skip(_SPACE)
        self._value((*table, *key))

    def _value(self, path: Path) -> None:
        opening = self.text[self.at]
        if opening not in "[{":
            string = _STRING.match(self.text, self.at)
            self.at = string.end() if string else self._skip(_SCALAR)
            return
        self.at += 1
        index = 0
        while self._skip(_BLANK) < len(self.text) and self.text[self.at] not in "]}":
            if self.text[self.at] == ",":
                self.at += 1
            elif opening == "[":
                self._note((*path, index))
                self._value((*path, index))
                index += 1
            else:
                self._pair(path)
        self.at += 1

    def _key(self, end: str) -> Path:
        """Read a key, which may be dotted, up to ``end``."""
        parts: list[str] = []
        while self.text[self.at] != end:
            if string := _STRING.match(self.text, self.at):
                parts.append(string[0][1:-1])
                self.at = string.end()
            elif bare := _BARE.match(self.text, self.at):
                parts.append(bare[0])
                self.at = bare.end()
            else:
                self.at += 1
        return tuple(parts)

    def _note(self, path: Path) -> None:
        self.lines.setdefault(path, self._line_at(self.at))

    def _line_at(self, at: int) -> int:
        self._line += self.text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at
