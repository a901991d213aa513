"""The Typer application, and the one place where errors become exit codes."""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from typing import Annotated, Any

import typer

from psa_tui import __version__
from psa_tui.cli import aws, clean, config, dataset, device, probe, reproduce, results, resume, status, study, train
from psa_tui.cli.help import MACHINE, App
from psa_tui.errors import PsaError
from psa_tui.machine.signals import LeaveAtOnce
from psa_tui.settings import load_settings
from psa_tui.views.messages import print_error, print_note

_WRITERS = ("click.", "json.", "psa_tui.cli.", "psa_tui.views.", "rich.", "typer.")

app = App(
    name="psa",
    help="Run, watch, resume and study Persistent Stochastic Ablation. Alone in a terminal: the workbench.",
    no_args_is_help=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"psa {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run, watch, resume and study Persistent Stochastic Ablation.

    Alone in a terminal, psa opens the workbench: the runs and studies of this folder.
    """
    if context.invoked_subcommand is None:
        from psa_tui.views.output import draws_in_ascii, owns_terminal

        if not owns_terminal() or draws_in_ascii(settings := load_settings({})):
            typer.echo(context.get_help(), err=True)
            raise typer.Exit(2)
        from psa_tui.views.workbench.app import run_workbench

        raise typer.Exit(run_workbench(settings))


_RUNS, _STUDIES = "One run", "Studies and results"
app.command(rich_help_panel=_RUNS)(train.train)
app.command(rich_help_panel=_RUNS)(resume.resume)
app.command(rich_help_panel=_RUNS)(status.status)
app.command(rich_help_panel=_RUNS)(probe.probe)
app.command(rich_help_panel=_RUNS)(clean.clean)
app.command("clean-all", rich_help_panel=_RUNS)(clean.clean_all)
app.add_typer(study.app, name="study", rich_help_panel=_STUDIES)
app.add_typer(reproduce.app, name="reproduce", rich_help_panel=_STUDIES)
app.add_typer(results.app, name="results", rich_help_panel=_STUDIES)
app.add_typer(aws.app, name="aws", rich_help_panel=_STUDIES)
app.command(rich_help_panel=MACHINE)(dataset.dataset)
app.command(rich_help_panel=MACHINE)(device.device)
app.command(rich_help_panel=MACHINE)(config.config)


def _is_debugging() -> bool:
    """Whether a traceback is wanted; settings that cannot be read want none."""
    try:
        return "--debug" in sys.argv or bool(load_settings({}).get("debug"))
    except PsaError:
        return False


def _nameless(error: OSError) -> str:
    """Say what an error of the system is about that names no file: what writes to the standard streams is known."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = frame.f_globals.get("__name__", "") + "."
    return "standard output" if module.startswith(_WRITERS) else "a file or a connection (--debug shows which)"


def _open_streams() -> None:
    """Open the standard streams that are closed on nothing, so that no file of ours takes their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def main() -> None:
    """Run the command line; every foreseen error ends in one line on stderr and its exit code."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = _run()
    try:
        sys.stdout.flush()
    except OSError:
        # What is left to print must not fail again when the interpreter ends; a result that nobody got is no success.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    # Without it the interpreter looks through all objects of PyTorch before it ends, which takes most of a second.
    gc.freeze()
    sys.exit(code)


def _say_usage(error: Any) -> int:
    """Tell what is wrong with the command line; a group without a command shows its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message(), err=True)
    else:
        from psa_tui.cli.usage import usage_error

        print_error(usage_error(error))
    return int(error.exit_code)


def _run() -> str | int | None:
    try:
        code: int = app(standalone_mode=False, prog_name="psa") or 0
    except SystemExit as leave:
        return leave.code
    except PsaError as error:
        if _is_debugging():
            raise
        print_error(str(error), error.detail)
        return error.exit_code
    except BrokenPipeError:
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except LeaveAtOnce as leave:
        print_note(f"stopped ({leave})")
        return leave.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):
            return _say_usage(error)
        if _is_debugging():
            raise
        if isinstance(error, OSError):
            print_error(f"{error.filename or _nameless(error)}: {error.strerror or error}")
            return 1
        print_error(f"internal error: {type(error).__name__}: {error}; --debug shows where")
        return 1
    return code
