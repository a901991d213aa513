"""``psa aws``: the grid on SageMaker; one module a command, each parses, calls and presents."""

from __future__ import annotations

from psa_tui.cli.aws import cost, jobs, launch, logs, status, stop, storage
from psa_tui.cli.help import App

app = App(help="Run the grid on SageMaker: launch, watch, stop; what it costs, and what it stores.")
app.command()(launch.launch)
app.command()(status.status)
app.command()(logs.logs)
app.command()(stop.stop)
app.command()(cost.cost)
app.command()(storage.storage)
app.command()(jobs.jobs)
