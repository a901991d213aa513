"""Which folders ``psa clean`` works in, and what it would take from each."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from psa_tui.formatting import count, did_you_mean, printable
from psa_tui.outside import is_plain_name
from psa_tui.runs.checkpoint_files import DEFAULT_NAME, find_checkpoint
from psa_tui.storage.clean_plan import Kind, Plan, name_inside, plan_all, plan_checkpoints, plan_default, plan_named
from psa_tui.storage.cleaning import ModelFolder
from psa_tui.storage.trash import Part

_NAMED = 3
"""So many runs are named where only their number matters."""


def clean_parts(
    models: ModelFolder, run: str | None, files: list[str], *, everything: bool, stack: ExitStack
) -> list[Part]:
    """Return what would be taken away, and open its folders for as long as ``stack`` lasts.

    Args:
        run: the name of the run in whose folder it is; None for the models folder itself.
        files: as a person named them; none for the checkpoint and what belongs to it.
        everything: every file, and of a models folder the checkpoints of its runs with names, too.

    Raises:
        ConfigError: a file lies elsewhere, or a folder is none.
        PsaError: a file is not there, or is a folder.
    """
    folder = models if run is None else stack.enter_context(models.subfolder(run))
    path = models.path if run is None else models.path / run
    names = [name_inside(path, text) for text in files]
    if folder is None:
        return []
    runs = _parts_of_runs(models, stack) if everything and run is None else []
    return [Part(folder, _plan(folder, path, names, everything), run), *runs]


def check_parts(parts: list[Part], *, everything: bool) -> None:
    """Make sure that ``parts`` may be taken away.

    Raises:
        CheckpointError: a process trains there.
        ConfigError: everything would go, from a folder of other files.
    """
    first, *runs = parts
    first.folder.check(first.plan, is_everything=everything, runs=[part.folder for part in runs])
    for part in runs:
        part.folder.check(part.plan, is_everything=False)


def what_is_left(models: ModelFolder | None, run: str | None, stack: ExitStack) -> str:
    """Return the rest of "nothing to remove" where runs with names are there, which only their names or --all mean.

    Raises:
        ConfigError: a run's folder is none, or cannot be read.
    """
    if models is None or not (names := [printable(str(part.name)) for part in _parts_of_runs(models, stack)]):
        return ""
    if run is not None:
        return did_you_mean(run, (name for name in names if name != run))
    said = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return (
        f" itself; {count(len(names), 'run')} with a name: {said}; "
        f"psa clean --name {names[0]} takes one away, psa clean --all every one"
    )


def _parts_of_runs(models: ModelFolder, stack: ExitStack) -> list[Part]:
    """Return the checkpoints of every run with a name in ``models``, each open while ``stack`` lasts."""
    parts = []
    for name in sorted(one.name for one in models.found.values() if one.kind is Kind.FOLDER):
        if not is_plain_name(name):
            continue
        home = stack.enter_context(models.subfolder(name))
        if home is not None and (plan := plan_checkpoints(home.found)).entries:
            parts.append(Part(home, plan, name))
    return parts


def _plan(folder: ModelFolder, path: Path, names: list[str], everything: bool) -> Plan:
    if names:
        return plan_named(folder.found, path, names)
    if everything:
        return plan_all(folder.found, DEFAULT_NAME)
    return plan_default(folder.found, find_checkpoint(path).name)
