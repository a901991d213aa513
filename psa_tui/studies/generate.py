"""A study as commands: one ``psa train`` a trial, printed by shape, and as a shell script that runs them all."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from psa_tui import __version__
from psa_tui.errors import ConfigError, PsaError
from psa_tui.method.variants import AblationMode
from psa_tui.settings import SETTINGS
from psa_tui.storage.atomic_write import replace_file
from psa_tui.storage.checkpoint import FILE_NAME
from psa_tui.studies.grids import Shape
from psa_tui.studies.spec import StudySpec, trial_seed

_MARK = "# Written by psa reproduce generate"
_PREAMBLE = """\
#!/usr/bin/env bash
{mark} (psa-tui {version}): {summary}.
# It stops at the first error. Started again, it goes on where it stopped and passes over what is complete.
set -euo pipefail

# trial FOLDER OPTION...: train in FOLDER, or finish what was begun there; a complete trial is left as it is.
trial() {{
  local folder=$1
  shift
  echo "== $folder"
  if [ -e "$folder/{checkpoint}" ]; then
    psa resume --model-dir "$folder"
  else
    psa train --model-dir "$folder" "$@"
  fi
}}
"""


@dataclass(frozen=True, slots=True)
class TrialCommand:
    """One trial as the options of ``psa train``."""

    shape: Shape
    mode: AblationMode
    trial: int
    model_dir: Path
    options: tuple[str, ...]
    """All options but ``--model-dir``."""

    def __str__(self) -> str:
        """The command as a shell takes it."""
        return shlex.join(["psa", "train", *self.options, "--model-dir", str(self.model_dir)])


def trial_commands(
    shapes: Sequence[Shape],
    modes: Sequence[AblationMode],
    trials: int,
    meta_loops: int,
    seed: int,
    dataset: str,
    models: Path,
) -> list[TrialCommand]:
    """Every trial of a study, by shape, mode and trial; each has a folder of its own below ``models``.

    The folder's name holds whatever makes the trial another one, so commands of two studies never meet in it.
    """
    return [
        TrialCommand(
            shape=shape,
            mode=mode,
            trial=trial,
            model_dir=models / f"{dataset}-seed{seed}-loops{meta_loops}" / f"{shape.file_stem}-{mode}-{trial}",
            options=(
                *("--arch", str(shape.architecture)),
                *("--mode", str(mode)),
                *("--meta-loops", str(meta_loops)),
                *("--seed", str(trial_seed(seed, shape, trial))),
                *("--dataset", dataset),
            ),
        )
        for shape in shapes
        for mode in modes
        for trial in range(1, trials + 1)
    ]


def trial_command(spec: StudySpec, shape: Shape, mode: AblationMode, trial: int, model_dir: Path) -> TrialCommand:
    """The command of one trial of a study that has a name, with whatever of it is no default."""
    options = [*("--arch", str(shape.architecture)), *("--mode", str(mode)), *("--meta-loops", str(spec.meta_loops))]
    options += ["--seed", str(trial_seed(spec.seed, shape, trial)), "--dataset", spec.dataset]
    for name, value in (
        ("lr", spec.learning_rate),
        ("batch_size", spec.batch_size),
        ("weight_decay", spec.weight_decay),
        ("dropout", spec.dropout),
    ):
        if SETTINGS[name].parse(SETTINGS[name].default or "") != value:
            options += ["--" + name.replace("_", "-"), str(value)]
    folder = model_dir / spec.name / f"{shape.file_stem}-{mode}-{trial}"
    return TrialCommand(shape, mode, trial, folder, tuple(options))


def format_commands(commands: Sequence[TrialCommand]) -> Iterator[str]:
    """The commands as lines, under a header for each shape."""
    for shape, group in groupby(commands, key=lambda command: command.shape):
        yield from ("", _header(shape))
        yield from map(str, group)


def format_script(commands: Sequence[TrialCommand], summary: str) -> str:
    """A bash script that runs ``commands`` one after the other; ``summary`` says in a line what they are."""
    lines = [_PREAMBLE.format(mark=_MARK, version=__version__, summary=summary, checkpoint=FILE_NAME)]
    for shape, group in groupby(commands, key=lambda command: command.shape):
        lines += ["", _header(shape)]
        lines += [shlex.join(["trial", str(command.model_dir), *command.options]) for command in group]
    return "\n".join([*lines, "", f'echo "complete: {summary}"', ""])


def write_script(path: Path, script: str) -> None:
    """Make ``script`` the executable content of ``path``, in place of a script written before.

    Raises:
        ConfigError: ``path`` is something else.
        PsaError: it cannot be written; ``path`` is as it was.
    """
    try:
        if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace")[:200]:
            raise ConfigError(f"{path}: there is a file that psa reproduce did not write; choose another --out")
        replace_file(path, script.encode())
        path.chmod(0o755)
    except OSError as error:
        raise PsaError(f"{path}: cannot be written ({error.strerror}); choose another --out") from None


def summarise(
    shapes: Sequence[Shape], modes: Sequence[AblationMode], trials: int, meta_loops: int, seed: int, dataset: str
) -> str:
    """A study in one line."""
    total = len(shapes) * len(modes) * trials
    size = f"{_count(len(shapes), 'shape')} x {_count(len(modes), 'mode')} x {_count(trials, 'trial')}"
    return f"{_count(total, 'command')}: {size} of {_count(meta_loops, 'meta-loop')}, {dataset}, study seed {seed}"


def _header(shape: Shape) -> str:
    title = f"# ---- {shape}: {_count(shape.depth, 'hidden layer')} of {_count(shape.width, 'neuron')}, "
    return f"{title}{shape.parameters:,} parameters ".ljust(80, "-")


def _count(count: int, thing: str) -> str:
    return f"{count:,} {thing}" + ("" if count == 1 else "s")
