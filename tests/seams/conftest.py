"""The program with the plug-in of this folder installed: a distribution on the path, as pip would leave it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import program

PLUGIN = Path(__file__).parent / "plugin"
SEAMS = {
    "ablations": ("three", "--mode three"),
    "promotions": ("ties", "--mode output+ties"),
    "networks": ("skipnet", "--network skipnet"),
    "datasets": ("digits8", "--dataset digits8"),
    "effects": ("flip", "--mode output --effect flip"),
    "backends": ("slow", "--backend slow"),
}
"""By entry point group: what the plug-in adds, and how it is asked for."""
EVERYTHING = (
    *("--mode", "three+ties", "--network", "skipnet", "--arch", "2x8", "--dataset", "digits8", "--backend", "slow"),
)
"""All at once but the effect: the rule does all the damage itself."""
OF_A_RUN = tuple(seam for seam in SEAMS if seam != "effects")
"""Those that are in ``EVERYTHING``."""
ALWAYS = ("--seed", "5", "--threads", "1", "--lr", "1e-2", "--batch-size", "100")


class Program:
    """The program in a folder of its own, with a folder of plug-ins or without any."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def environment(self, plugin: Path | None = PLUGIN) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PSA_")}
        path = {} if plugin is None else {"PYTHONPATH": str(plugin)}
        return kept | path | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "psa_tui", *map(str, arguments)]

    def run(self, *arguments: object, plugin: Path | None = PLUGIN) -> subprocess.CompletedProcess[str]:
        return program.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(plugin),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def __call__(self, *arguments: object, plugin: Path | None = PLUGIN) -> str:
        """What a command that succeeds prints."""
        done = self.run(*arguments, plugin=plugin)
        assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def stop(self, *arguments: object, after: str) -> None:
        """Run a command until it printed a line with ``after``, then ask it to stop."""
        process = program.Popen(
            self.command(*arguments), cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            if after in line:
                process.send_signal(signal.SIGTERM)
                break
        process.communicate(timeout=60)
        assert process.returncode in (0, 143)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that was refused."""
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, ""), done
    assert line.startswith("psa: error: ")
    return line


@pytest.fixture
def psa(tmp_path):
    return Program(tmp_path)
