"""The stored files and what the program said of them; nothing here is imported from the program.

``files/`` is a folder as a user has it, but for two things: every model folder bears the name of its run, and where
the database names a checkpoint's place it says ``PLACE``, because a user's folder has some absolute path.
"""

import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from tests import program

FILES = Path(__file__).parent / "files"
EXPECTED = FILES / "expected"
PLACE = "/psa-tui"
CHECKPOINT = "mnist_lkg.safetensors"
PREVIOUS = "mnist_lkg.previous.safetensors"
RUNS = ("finished", "hidden", "full")
"""The model folders, in the order in which they were trained."""
STUDY = "small"

COMMANDS = {
    "checkpoints.json": "status --json --model-dir checkpoints --results-dir results",
    "runs.json": "results runs --json",
    **{f"show-{name}.json": f"results show {{{name}}} --json" for name in RUNS},
    "study.json": f"reproduce status --json --study {STUDY}",
    "trials.md": "results trials --out {file}",
    "summary.md": "results summary --out {file}",
    "loops.csv": "results export --out {file}",
    "convergence.json": "results convergence --json",
}
"""What prints, or writes, each of the files in ``expected/``."""


def copy_files(folder):
    """The old files in ``folder``, as if they had been made there."""
    for path in FILES.iterdir():
        if path != EXPECTED:
            shutil.copytree(path, folder / path.name)
    replace_place(folder / "results", PLACE, str(folder))
    (folder / "checkpoints").mkdir()
    for name in RUNS:
        shutil.copy(folder / name / CHECKPOINT, folder / "checkpoints" / f"{name}.safetensors")


def replace_place(results, old, new):
    """Let the database in ``results`` name the checkpoints in the folder ``new`` instead of ``old``."""
    with closing(sqlite3.connect(results / "history.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET checkpoint = replace(checkpoint, ?, ?)", (old, new))


def run_names():
    """The name of the run in each model folder."""
    places = {row["checkpoint"]: row["run"] for row in json.loads((EXPECTED / "runs.json").read_text())["runs"]}
    return {name: places[f"{PLACE}/{name}/{CHECKPOINT}"] for name in RUNS}


def user_version(results):
    """The format of the database in ``results``."""
    with closing(sqlite3.connect(results / "history.sqlite")) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def psa(folder, *arguments):
    """Run the program in ``folder`` with no settings but those given."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PSA_")}
    return program.run(
        [sys.executable, "-m", "psa_tui", *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def answer(folder, file, names):
    """What the command of ``COMMANDS`` says in ``folder``, a copy of the old files, without the folder's own name."""
    output = folder / f"answer-{file}"
    done = psa(folder, *(word.format(file=output, **names) for word in COMMANDS[file].split()))
    assert done.returncode == 0, done.stderr
    text = output.read_text() if output.exists() else done.stdout
    return text.replace(str(folder), PLACE)
