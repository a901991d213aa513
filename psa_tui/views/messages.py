"""Print errors, warnings and notes beside a command's data, each one line on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from psa_tui.errors import ConfigError
from psa_tui.views.wrapping import write_lines, write_question


def print_error(message: str, detail: str = "") -> None:
    """Say why the command failed; ``detail`` may have lines of its own."""
    _say("error: ", message)
    write_lines(sys.stderr, detail.splitlines())


def print_warning(message: str) -> None:
    """Say what a user must know although the command goes on."""
    _say("warning: ", message)


def print_note(message: str) -> None:
    """Say what the command does."""
    _say("", message)


def confirmed(question: str, details: Sequence[str], no_terminal: str) -> bool:
    """Show ``details`` and ask ``question`` on stderr; return whether the answer was yes.

    Raises:
        ConfigError: there is no terminal to ask on, in the words of ``no_terminal``.
    """
    if not sys.stdin.isatty():
        raise ConfigError(no_terminal)
    write_lines(sys.stderr, details)
    write_question(sys.stderr, f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(kind: str, message: str) -> None:
    write_lines(sys.stderr, [f"psa: {kind}{message}"])
