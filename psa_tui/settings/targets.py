"""Where notifications go. An address holds secrets: nothing here tells more of one than the name of its service."""

from __future__ import annotations

import re
from dataclasses import dataclass

from psa_tui.errors import ConfigError

BELL, DESKTOP = "bell", "desktop"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,30}://"
_ADDRESS = re.compile(rf"({_SCHEME})\S+", re.ASCII)
_BETWEEN = re.compile(rf"\s*,\s*(?=(?:{BELL}|{DESKTOP})\s*(?:,|$)|{_SCHEME})")
"""A comma before the next target; addresses may have some of their own."""


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """The terminal's bell, this machine's desktop, or a service's address as Apprise writes it."""

    text: str

    @property
    def is_address(self) -> bool:
        """Whether something leaves this machine."""
        return self.text not in (BELL, DESKTOP)

    def __str__(self) -> str:
        """Return what may be shown of it: ``bell``, ``slack://...``."""
        found = _ADDRESS.fullmatch(self.text)
        return f"{found[1]}..." if found else self.text

    __repr__ = __str__


@dataclass(frozen=True, slots=True, repr=False)
class Targets:
    """Those that one setting names."""

    all: tuple[Target, ...]

    @property
    def have_address(self) -> bool:
        """Whether something leaves this machine."""
        return any(target.is_address for target in self.all)

    def __str__(self) -> str:
        """Return what may be shown of them."""
        return ", ".join(map(str, self.all))

    __repr__ = __str__


def parse_targets(text: str) -> Targets:
    """Return the targets of ``bell,slack://TOKEN/#room``.

    Raises:
        ConfigError: one of them is none; what it is is not told.
    """
    texts = _BETWEEN.split(text.strip())
    if not all(one in (BELL, DESKTOP) or _ADDRESS.fullmatch(one) for one in texts):
        raise ConfigError(f"expected {BELL}, {DESKTOP} or an Apprise URL such as json://HOST/PATH, with commas between")
    return Targets(tuple(map(Target, dict.fromkeys(texts))))
