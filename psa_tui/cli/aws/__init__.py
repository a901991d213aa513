"""``psa aws``: the grid on SageMaker; one module a command, each parses, calls and presents."""

from __future__ import annotations

import typer

from psa_tui.cli.aws import cost, jobs, launch, logs, status, stop, storage

app = typer.Typer(
    help="Run the grid on SageMaker: launch, watch, stop; what it costs, and what it stores.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(launch.launch)
app.command()(status.status)
app.command()(logs.logs)
app.command()(stop.stop)
app.command()(cost.cost)
app.command()(storage.storage)
app.command()(jobs.jobs)
