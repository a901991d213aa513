"""The command line that each action of the workbench stands for: it is shown, and run where the action leaves it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from psa_tui.formatting import printable
from psa_tui.machine.child_processes import isolated_children
from psa_tui.storage.run_store import RunRow
from psa_tui.storage.study_rows import FETCHED
from psa_tui.views.workbench.entries import Entry

_RESULTS = Path("results")
"""The folder that need not be named."""
Words = list[str]
"""A command line without ``psa``."""
_DELETE_STUDY = ["study", "delete"]


def shown(words: Sequence[str]) -> str:
    """Return the line as a person would type it; what a shell reads otherwise is quoted."""
    return printable(shlex.join(["psa", *words]))


def open_words(entry: Entry) -> Words:
    """Show it."""
    return [*(("study", "status") if entry.study else ("results", "show")), *_name(entry.said)]


def follow_words(entry: Entry) -> Words | None:
    """Watch a run; None of a study, whose map is live."""
    return None if entry.study else ["results", "follow", *_name(entry.said)]


def ablations_words(entry: Entry) -> Words:
    """Print what helps and what harms in a run."""
    return ["results", "ablations", *_name(entry.said)]


def resume_words(entry: Entry, results_dir: Path) -> Words:
    """Go on with it."""
    if entry.study:
        return ["study", "run", *_name(entry.said)]
    assert entry.run is not None
    return _resume(entry.run, results_dir, entry.run.name)


def delete_words(entry: Entry) -> Words:
    """Move a run's checkpoint, or a study, into the trash."""
    from psa_tui.runs.checkpoint_files import DEFAULT_NAME

    if entry.run is None:
        return [*_DELETE_STUDY, *_name(entry.said)]
    file = Path(entry.run.checkpoint).name
    return ["clean", *_resume(entry.run, _RESULTS, entry.run.name)[1:], *(_file(file) if file != DEFAULT_NAME else ())]


def undo_words(deletion: Words | None) -> Words:
    """Bring back what a deletion moved into the trash; of one before this session that in the models folder."""
    words = [] if deletion is None else deletion
    if words[:2] == _DELETE_STUDY:
        return [*_DELETE_STUDY, "--undo"]
    home = words[words.index("--model-dir") :][:2] if "--model-dir" in words else []
    return ["clean", *home, "--undo"]


def label_words(entry: Entry, name: str, tags: Collection[str], note: str) -> Words | None:
    """Give a run this name, these tags and this note, in place of those it has; None where it has them already."""
    row = entry.run
    if row is None:
        return None
    words = ["--name", name] if name and name != row.name else []
    words += [word for tag in tags if tag not in row.tags for word in ("--tag", tag)]
    words += [word for tag in row.tags if tag not in tags for word in ("--untag", tag)]
    words += ["--note", note] if note != (row.note or "") else []
    return ["results", "label", *words, *_name(entry.said)] if words else None


def diff_words(one: Entry, other: Entry) -> Words:
    """Compare two runs."""
    return ["results", "diff", *_name(one.said), other.said]


def importance_words(entry: Entry) -> Words:
    """Say which axis of a study's design its results follow."""
    source = ["--source", FETCHED] if entry.state == FETCHED else []
    return ["results", "importance", *source, f"--study={entry.said}"]


def trial_words(study: str, architecture: str, mode: str, trial: int) -> Words:
    """Say how one trial of a study is trained alone."""
    return ["study", "show", *_name(study), architecture, mode, str(trial)]


def _resume(row: RunRow, results_dir: Path, name: str | None) -> Words:
    # It loads NumPy, which the first frame does not wait for.
    from psa_tui.runs.resuming import resume_command

    return shlex.split(resume_command(from_here(Path(row.checkpoint).parent), results_dir, name))[1:]


def _file(name: str) -> Words:
    return ["--yes", *_name(name)]


def from_here(path: Path) -> Path:
    """Return a path as one would type it: from the current folder, where it is in there."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _name(name: str) -> Words:
    """Return a name as arguments: one that begins like an option is none."""
    return ["--", name] if name.startswith("-") else [name]


def run_in_foreground(words: Sequence[str], *, wait: bool, no_color: bool) -> int:
    """Run the command in this terminal, which is its own meanwhile, and return its exit code.

    Keys that stop a program reach it alone. With ``wait`` what it printed stays until Enter is pressed.
    """
    print(f"$ {shown(words)}", flush=True)
    with isolated_children(blocked=()):
        environment = {**os.environ, **({"NO_COLOR": "1"} if no_color else {})}
        # A handler, unlike a signal that is ignored, is not handed down to a child.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            code = subprocess.run([sys.executable, "-m", "psa_tui", *words], env=environment, check=False).returncode
            if wait:
                with suppress(EOFError):
                    input("\nEnter goes back to the workbench ")
        finally:
            signal.signal(signal.SIGINT, before)
    return code


def run_quietly(words: Sequence[str]) -> tuple[int, str]:
    """Run the command without a terminal and return its exit code and the last line that it printed."""
    with isolated_children(blocked=()):
        done = subprocess.run(
            [sys.executable, "-m", "psa_tui", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    lines = done.stdout.decode(errors="replace").split("\n")
    return done.returncode, next((printable(line) for line in reversed(lines) if line.strip()), "")
