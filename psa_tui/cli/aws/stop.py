"""``psa aws stop``: end running jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from psa_tui.cli.aws import options
from psa_tui.errors import ConfigError, PsaError
from psa_tui.formatting import printable
from psa_tui.views.messages import print_error, print_note


def stop(
    names: Annotated[list[str] | None, typer.Argument(metavar="JOB...", help="Names of running jobs.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every running job with a name of this program.")] = False,
    yes: options.Yes = False,
) -> None:
    """Ask SageMaker to stop jobs. Each gets two minutes to save where it is; a later job of its cell goes on there."""
    from psa_tui.aws.client import open_client
    from psa_tui.aws.settings import load_aws_settings
    from psa_tui.aws.training_jobs import IN_PROGRESS, stop_job, training_jobs

    if bool(names) == everything:
        raise ConfigError("say which jobs to stop by name, or --all; psa aws status shows them")
    settings = load_aws_settings()
    client = open_client("sagemaker", settings)
    running = [job.job.name for job in training_jobs(client, settings) if job.status == IN_PROGRESS]
    if idle := sorted(set(names or ()) - set(running)):
        raise ConfigError(
            f"{', '.join(idle)[:200]}: no such job is running, so nothing was stopped; psa aws status shows them"
        )
    chosen = [name for name in running if everything or name in (names or ())]
    if not chosen:
        print_note("no job is running")
        return
    for name in chosen:
        print(printable(name))
    options.confirm(f"Stop {len(chosen)} job{'' if len(chosen) == 1 else 's'}?", "nothing was stopped", yes)
    failures = []
    for name in chosen:
        try:
            stop_job(client, settings, name)
        except PsaError as error:
            print_error(str(error))
            failures.append(error)
    print_note(f"{len(chosen) - len(failures)} of {len(chosen)} asked to stop")
    if failures:
        raise typer.Exit(max(error.exit_code for error in failures))
