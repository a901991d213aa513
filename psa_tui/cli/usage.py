"""Errors of the command line itself, in the one style that all errors have."""

from __future__ import annotations

import re
from typing import Any

from psa_tui.formatting import did_you_mean

_POSSIBLE = re.compile(r" \(Possible options?: (--[\w-]+).*\)$")
_CHOICE = re.compile(r"'([^']*)' is not one of (.*)")
_EXTRA = re.compile(r"unexpected extra argument(?:s|\(s\))? \(([^ )]+)\)")
_QUOTED = re.compile(r"'([^']*)'")


def usage_error(error: Any) -> str:
    """Return in one line what Typer, or Click within it, says of a command line, and which help lists what there is."""
    message = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    message = _POSSIBLE.sub(r"; did you mean '\1'?", message).replace(". Did you mean", "; did you mean")
    if (choice := _CHOICE.search(message)) is not None:
        message += did_you_mean(choice[1], _QUOTED.findall(choice[2]))
    context = getattr(error, "ctx", None)
    command = "psa COMMAND" if context is None else context.command_path
    options = () if context is None else [one.name for one in context.command.params]
    if (extra := _EXTRA.search(message)) is not None and "name" in options:
        message += f"; did you mean --name {extra[1]}?"
    return f"{message[:1].lower()}{message[1:]} ({command} --help shows what there is)"
