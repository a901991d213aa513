"""A study as commands: one ``psa train`` a trial, printed by shape, and as a shell script that runs them all."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from psa_tui import __version__
from psa_tui.errors import ConfigError, PsaError
from psa_tui.formatting import count
from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.method.variants import Variant
from psa_tui.networks import Mlp, Network
from psa_tui.runs.checkpoint_files import checkpoint_name
from psa_tui.storage.atomic_write import atomic_write
from psa_tui.studies.grids import file_stem
from psa_tui.studies.seeds import Seeding
from psa_tui.studies.spec import StudySpec

_MARK = "# Written by psa reproduce generate"
"""Of scripts of ``psa study generate``, too: either may replace the other's."""
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

    network: Network
    variant: Variant
    trial: int
    model_dir: Path
    options: tuple[str, ...]
    """All options but ``--model-dir``."""

    def __str__(self) -> str:
        """Return the command as a shell takes it."""
        return shlex.join(["psa", "train", *self.options, "--model-dir", str(self.model_dir)])


def trial_commands(spec: StudySpec, models: Path) -> list[TrialCommand]:
    """Return the command of every trial, by network, variant and trial; each has a folder of its own below ``models``.

    The folder's name holds whatever makes the trial another one, so commands of two studies never meet in it.
    """
    values = [(one, getattr(spec.hyperparameters, one.name)) for one in HYPERPARAMETERS]
    unusual = [f"{one.option}{one.format(value)}" for one, value in values if value != one.default]
    unusual += [] if spec.seeding is Seeding.PAIRED else [str(spec.seeding)]
    unusual += [] if spec.family == Mlp.family else [spec.family]
    folder = models / "-".join((spec.dataset, f"seed{spec.seed}", f"loops{spec.meta_loops}", *unusual))
    return [
        trial_command(spec, network, variant, trial, folder)
        for network in spec.networks
        for variant in spec.variants
        for trial in range(1, spec.trials + 1)
    ]


def trial_command(spec: StudySpec, network: Network, variant: Variant, trial: int, folder: Path) -> TrialCommand:
    """Return the command of one trial, with whatever of it is no default; its model folder is in ``folder``."""
    seeds = spec.seeds(network, variant, trial)
    options = ["--arch", str(network), "--mode", variant.name, "--meta-loops", str(spec.meta_loops)]
    if network.family != Mlp.family:
        options += ["--network", network.family]
    options += ["--seed", str(seeds.draws)]
    if seeds.initialisation != seeds.draws:
        options += ["--init-seed", str(seeds.initialisation)]
    options += ["--dataset", spec.data_source]
    for one in HYPERPARAMETERS:
        value = getattr(spec.hyperparameters, one.name)
        if value != one.default:
            options += [f"--{one.option.replace('_', '-')}", one.format(value)]
    model_dir = folder / f"{file_stem(network)}-{variant}-{trial}"
    return TrialCommand(network, variant, trial, model_dir, tuple(options))


def format_commands(commands: Sequence[TrialCommand]) -> Iterator[str]:
    """Return the commands as lines, under a header for each network."""
    for network, group in groupby(commands, key=lambda command: command.network):
        yield from ("", _header(network))
        yield from map(str, group)


def format_script(spec: StudySpec, commands: Sequence[TrialCommand]) -> str:
    """Return a bash script that runs ``commands``, those of ``spec``, one after the other."""
    summary = summarise(spec)
    checkpoint = checkpoint_name(spec.family, spec.dataset, spec.networks[0].input_shape)
    lines = [_PREAMBLE.format(mark=_MARK, version=__version__, summary=summary, checkpoint=checkpoint)]
    for network, group in groupby(commands, key=lambda command: command.network):
        lines += ["", _header(network)]
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
        atomic_write(path, script.encode())
        path.chmod(0o755)
    except OSError as error:
        raise PsaError(f"{path}: cannot be written ({error.strerror}); choose another --out") from None


def summarise(spec: StudySpec) -> str:
    """Return a study in one line."""
    networks, variants = len(spec.networks), len(spec.variants)
    size = f"{count(networks, 'shape')} x {count(variants, 'mode')} x {count(spec.trials, 'trial')}"
    commands = count(networks * variants * spec.trials, "command")
    return f"{commands}: {size} of {count(spec.meta_loops, 'meta-loop')}, {spec.dataset}, study seed {spec.seed}"


def _header(network: Network) -> str:
    *hidden, _ = network.blocks()
    layers = count(network.depth, "hidden layer")
    size = f"{layers} of" if len(hidden) == 1 else f"{layers},"
    units = count(hidden[0].units if len(hidden) == 1 else network.hidden_units, network.names.kind(0))
    return f"# ---- {network.short_name}: {size} {units}, {network.parameters:,} parameters ".ljust(80, "-")
