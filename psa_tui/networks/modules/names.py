"""How ``--network`` names code, and what is said where it may not be run. Nothing is run here."""

from __future__ import annotations

import re
from pathlib import PurePath

from psa_tui.errors import ConfigError, UnknownNameError

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_FACTORY = re.compile(r"[^\W\d]\w*")


def names_code(text: str) -> bool:
    """Return whether ``text`` is ``package.module:factory`` or ``path/file.py:factory``, not the name of a family."""
    where, colon, factory = text.rpartition(":")
    named = where.endswith(".py") or _MODULE.fullmatch(where) is not None
    return bool(colon) and named and _FACTORY.fullmatch(factory) is not None and text.isprintable()


def code_name(text: str) -> str:
    """Return the name of the code in ``text``: a file's folder is no part of it."""
    where, _, factory = text.rpartition(":")
    return f"{PurePath(where).name}:{factory}" if where.endswith(".py") else text


class UnnamedCodeError(UnknownNameError):
    """Code of the user's own is asked for by something else than the command line."""

    def __init__(self, name: str) -> None:
        """``name`` is the code's."""
        again = f"PATH/{name}" if ".py:" in name else name
        ConfigError.__init__(
            self,
            f"network {name} is code of yours, which runs only where the command line names it, or a study file that "
            f"the command line names: --network {again}",
        )
