"""What ``psa train`` and ``psa resume`` look at, and ask, before anything is loaded or drawn."""

from __future__ import annotations

from pathlib import Path

import typer

from psa_tui.errors import CheckpointError
from psa_tui.settings import Settings
from psa_tui.views.messages import confirmed, print_note
from psa_tui.views.output import can_ask

_REMEDY = "--name NAME trains a run of its own"


def check_fits(settings: Settings) -> None:
    """Refuse what cannot fit before the libraries that would run it are loaded.

    Raises:
        ConfigError: a network that was asked for needs more memory than there is.
    """
    trial = settings.run_config().trial
    if settings.network().origin == "default":
        return
    from psa_tui.machine.memory import check_memory

    count = settings.dataset_spec().train_count
    check_memory(trial.network, trial.hyperparameters.batch_size, count, trial.variant.kept_copies)


def confirm_changes(settings: Settings, path: Path, *, yes: bool, resumes: bool = False) -> None:
    """Ask before the run at ``path`` goes on with other settings than it had; where nobody can answer, it tells them.

    Args:
        yes: whether that is answered already.
        resumes: whether most settings come from the checkpoint whatever else says.

    Raises:
        ConfigError: another run is asked for than the one that is there.
        typer.Exit: the answer was no.
    """
    if yes or not can_ask(settings):
        return
    from psa_tui.runs.resuming import check_same_run, checkpoint_settings, pinned_settings
    from psa_tui.runs.setting_changes import asked_changes
    from psa_tui.storage.checkpoint import read_record

    try:
        record = read_record(path)
    except CheckpointError:
        # There is none yet, or the run says in its own words what is wrong with it.
        return
    pinned = pinned_settings(settings, record) if resumes else ()
    if not resumes:
        check_same_run(settings, path, record)
    changes = asked_changes(settings.with_checkpoint(checkpoint_settings(record), pinned), record)
    if not changes or not record.progress.meta_loop:
        return
    before, after = (
        ", ".join(f"{one.name.replace('_', ' ')} {getattr(one, which)}" for one in changes)
        for which in ("before", "after")
    )
    about = f"psa: {path}: meta-loop {record.progress.meta_loop} of {record.last_meta_loop}; {_REMEDY}"
    if not confirmed(f"psa: this run trained with {before}; go on with {after}?", [about], _REMEDY):
        print_note(f"nothing was trained; {_REMEDY}")
        raise typer.Exit(1)
