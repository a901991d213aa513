"""What a command says beside its data: errors, warnings and notes, each one line on stderr."""

from __future__ import annotations

import sys

from psa_tui.formatting import printable


def print_error(message: str, detail: str = "") -> None:
    """Say why the command failed; ``detail`` may have lines of its own."""
    _say("error: ", message)
    for line in detail.splitlines():
        print(printable(line), file=sys.stderr)


def print_warning(message: str) -> None:
    """Say what a user must know although the command goes on."""
    _say("warning: ", message)


def print_note(message: str) -> None:
    """Say what the command does."""
    _say("", message)


def _say(kind: str, message: str) -> None:
    print(printable(f"psa: {kind}{message}"), file=sys.stderr)
