"""``psa`` as Typer makes it, but for its help, which comes in panels by topic."""

from __future__ import annotations

import re
import shutil
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_ARGUMENTS, _OPTIONS, _COMMANDS = "Arguments", "Options", "Commands"
MACHINE = "This machine"
_ORDER = {_ARGUMENTS: -1, MACHINE: 1, _OPTIONS: 2}
"""Of panels that do not stay where their first option or command is."""
_TYPE = re.compile(r" <.*>$")
"""What Typer tells of an argument behind its name."""


class _Panels:
    """Formats the help of a command or a group."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help text as ``views.help`` draws it."""
        from psa_tui.views.help import format_help
        from psa_tui.views.output import has_unicode

        text = format_help(
            ctx.get_usage(),
            ctx.command.help or "",
            _panels(ctx),
            shutil.get_terminal_size().columns,
            colour=sys.stdout.isatty(),
            ascii_only=not has_unicode(),
        )
        formatter.write(text)


class Command(_Panels, TyperCommand):
    """A command."""


class Group(_Panels, TyperGroup):
    """A group of commands."""


class App(typer.Typer):
    """A group whose commands share how they show their help; without a command it shows its own."""

    def __init__(self, *, cls: type[Group] = Group, **options: Any) -> None:
        """``options`` are those of ``typer.Typer``."""
        super().__init__(
            cls=cls,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
            **{"no_args_is_help": True, **options},
        )

    def command(self, name: str | None = None, **options: Any) -> Any:
        """Register a command, as ``typer.Typer`` does."""
        return super().command(name, cls=Command, **options)


def _panels(ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Return names and descriptions by topic; what has none is in the panel of its kind."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in ctx.command.get_params(ctx):
        if (row := parameter.get_help_record(ctx)) is not None:
            kind = _ARGUMENTS if parameter.param_type_name == "argument" else _OPTIONS
            names = row[0] if kind == _OPTIONS else _TYPE.sub("", row[0])
            panels.setdefault(getattr(parameter, "rich_help_panel", None) or kind, []).append((names, row[1]))
    for name, command in getattr(ctx.command, "commands", {}).items():
        if not command.hidden:
            about = (command.help or "").partition("\n\n")[0]
            panels.setdefault(getattr(command, "rich_help_panel", None) or _COMMANDS, []).append(
                (name, " ".join(about.split()))
            )
    return dict(sorted(panels.items(), key=lambda panel: _ORDER.get(panel[0], 0)))
