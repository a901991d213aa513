"""Options of commands, made from the settings that declare them.

``takes_settings`` gives a command the options of the settings it names; the command gets them as ``Settings``, and
declares only what is its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import typer

from psa_tui.cli.completion import names_of
from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.settings import AXES_OF, SETTINGS, Setting, load_settings
from psa_tui.settings.topics import topic_of

HYPERPARAMETER_OPTIONS = tuple(one.option for one in HYPERPARAMETERS)
NETWORK_OPTIONS = ("network", "arch", "hidden_layers")
VARIANT_OPTIONS = (*AXES_OF, "schedule")
OUTPUT_OPTIONS = ("plain", "json", "quiet", "ascii")

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.", rich_help_panel="Output")]

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="A word to find the run by; may be repeated.")
]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A line about the run, for its readers.")]


def takes_settings(*names: str, **defaults: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of the settings ``names``, before its own.

    The command's first parameter is the ``Settings`` that result. ``defaults`` are the words of help texts for defaults
    that are this command's own, by setting.
    """
    settings = {
        name: replace(SETTINGS[name], default_in_words=defaults.get(name, SETTINGS[name].default_in_words))
        for name in names
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        declared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(setting))
            for name, setting in settings.items()
        ]
        # An option without a default, that is an argument, comes first; the order is that of --help.
        arguments = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]

        def call(**given: Any) -> None:
            command(load_settings({name: given.pop(name) for name in names}), **given)

        call.__name__ = command.__name__
        call.__doc__ = command.__doc__
        call.__module__ = command.__module__
        parameters = [*declared, *arguments]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {one.name: one.annotation for one in parameters}
        return call

    return decorate


def _option(setting: Setting) -> Any:
    shown: dict[str, Any] = {"help": setting.help_text, "rich_help_panel": topic_of(setting.name)}
    if setting.metavar is None:
        return Annotated[bool | None, typer.Option(setting.option, **shown, show_default=False)]
    shown |= {"metavar": setting.metavar, "autocompletion": names_of(setting.name)}
    option = typer.Option(setting.option, *setting.aliases, **shown)
    return Annotated[list[str] | None if setting.secret_list else str | None, option]
