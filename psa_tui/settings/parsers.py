"""What turns the text of a setting into its value; each raises ``ConfigError`` with what was expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from psa_tui.data import AUTO, DATASETS
from psa_tui.data.own import looks_like_path, own_path
from psa_tui.errors import ConfigError, UnknownNameError
from psa_tui.networks import NETWORKS
from psa_tui.networks.modules.names import code_name, names_code
from psa_tui.registry import Registry


def integer(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` to ``most``."""
    wanted = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"

    def parse(text: str) -> int:
        try:
            value = int(text) if text.isascii() and "_" not in text else None
        except ValueError:
            value = None
        if value is None or value < least or (most is not None and value > most):
            raise ConfigError(f"expected {wanted}")
        return value

    return parse


def one_of(*names: str) -> Callable[[str], str]:
    """Return what reads one of ``names``."""

    def parse(text: str) -> str:
        if text not in names:
            raise UnknownNameError(text, names)
        return text

    return parse


def registered(registry: Registry[Any], *more: str) -> Callable[[str], str]:
    """Return what reads a name of ``registry``, or one of ``more``."""

    def parse(text: str) -> str:
        if text not in more and text not in registry:
            raise UnknownNameError(text, (*more, *registry))
        return text

    return parse


def network(text: str) -> str:
    """Return the name of a family of networks; code of the user's own is one only after the command line named it."""
    if not names_code(text):
        return registered(NETWORKS)(text)
    NETWORKS.find(code_name(text))
    return code_name(text)


def dataset(text: str) -> str:
    """Return the name of a data set, or the absolute path of data of one's own: only what looks like a path is one."""
    if text == AUTO or text in DATASETS:
        return text
    if looks_like_path(text):
        return own_path(text)
    raise UnknownNameError(text, (AUTO, *DATASETS, "FILE.npz", "FOLDER/"))


def text_as_given(text: str) -> str:
    """Return ``text``; what it means is read where it is used."""
    return text


def flag(text: str) -> bool:
    """Return whether ``text`` says yes."""
    value = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower())
    if value is None:
        raise ConfigError("expected true or false")
    return value


def path(text: str) -> Path:
    """Return a path, with ~ replaced by the home folder."""
    if not text or "\0" in text:
        raise ConfigError("expected a path")
    path = Path(text).expanduser()
    try:
        # It goes into messages, the history and the checkpoints' commands, with the folder it is relative to.
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise ConfigError("expected a path in UTF-8, in a folder whose own path is") from None
    except FileNotFoundError:
        raise ConfigError("the current folder is not there any more; go to one that is") from None
    return path
