"""The commands that ``fault_campaign`` disturbs: where each starts, what it leaves, and what it claims."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from psa_tui.cli import main
from psa_tui.errors import PsaError
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.atomic_write import temporary_path
from psa_tui.storage.checkpoint import Checkpoint, previous_path, read_checkpoint
from psa_tui.storage.run_store import read_runs
from psa_tui.storage.study_rows import TRIAL_LOOP_COLUMNS
from psa_tui.storage.study_store import read_store
from tools.faults import Call, Done, Fault, run

_SETTINGS = "--dataset mnist5k --meta-loops 3 --seed 1 --lr 5e-3 --plain"
TRAIN = f"train --arch 1*4 --threads 1 {_SETTINGS}"
STUDY = f"reproduce run --grid 1*4 --modes full --trials 2 --workers 1 --study tiny {_SETTINGS}"
FETCH = "results fetch --grid 8*8 --modes none,full"
CHECKPOINT = Path("models") / DEFAULT_NAME


def psa(words: str) -> Callable[[], None]:
    """Return what is the program with these arguments."""

    def work() -> None:
        sys.argv = ["psa", *words.split()]
        main()

    return work


def report(folder: Path, words: str) -> Any:
    """Return what a command that only reads says as JSON; it must succeed.

    Raises:
        ValueError: it does not.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            psa(words)()
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    if code or err.getvalue():
        raise ValueError(f"psa {words} ends with {code}: {err.getvalue()[-300:]}")
    return json.loads(out.getvalue())


@dataclass(frozen=True, slots=True)
class Scene:
    """A command, and how to judge it."""

    words: str
    prepare: Callable[[Path], None]
    """Fill an empty folder with what is there before the command."""
    again: Callable[[Path], str]
    """What to do after the fault."""
    outcome: Callable[[Path], object]
    """All that must not depend on faults."""
    claims: Callable[[Path, Done, Fault], Iterator[str]]
    """What was said that is not so."""


def _nothing(folder: Path) -> None:
    pass


def _interrupted(folder: Path) -> None:
    """Let a run be killed once its first loop is in the checkpoint."""
    trace = run(folder, psa(TRAIN))
    at = [call.number for call in trace.calls if _replaces_checkpoint(call)][1]
    for name in ("models", "results"):
        shutil.rmtree(folder / name)
    assert run(folder, psa(TRAIN), Fault("SIGKILL", at + 2)).code == -9
    assert read_checkpoint(folder / CHECKPOINT).record.progress.meta_loop == 1


def _trained(folder: Path) -> None:
    assert run(folder, psa(TRAIN)).code == 0


def _replaces_checkpoint(call: Call) -> bool:
    is_ours = call.path.endswith(temporary_path(CHECKPOINT).name) and call.other.endswith(str(CHECKPOINT))
    return call.name == "rename" and call.result == 0 and is_ours


def _names(folder: Path) -> list[str]:
    """Return what lies about, but for locks and SQLite's own files; of the trash without the time."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    names = (re.sub(r"/\.trash/[^/]*/", "/.trash/", name) for name in found)
    return sorted(name for name in names if not name.endswith((".lock", "-wal", "-shm", "-journal")))


def _run_outcome(folder: Path) -> object:
    checkpoint = read_checkpoint(folder / CHECKPOINT)
    with read_runs(folder / "results") as history:
        assert history is not None
        rows = history.latest(10)
        loops = [[replace(loop, seconds=None).values() for loop in history.loops(row.run)] for row in rows]
    runs = [{**row.as_json(), "run": "", "created_at": "", "updated_at": ""} for row in rows]
    record = replace(checkpoint.record, run="")
    return _names(folder), record, _numbers(checkpoint), runs, loops, [row.run == checkpoint.record.run for row in rows]


def _numbers(checkpoint: Checkpoint) -> dict[str, bytes]:
    return {name: np.ascontiguousarray(array).tobytes() for name, array in checkpoint.weights.items()}


def _run_claims(folder: Path, done: Done, fault: Fault) -> Iterator[str]:
    path = folder / CHECKPOINT
    for one in (path, previous_path(path)):
        if one.exists():
            read_checkpoint(one)
    complete = path.exists() and read_checkpoint(path).record.complete
    begun = replaced = False
    for call in done.calls:
        if call.name == "open" and call.path.endswith("/models"):
            begun, replaced = True, False
        replaced |= _replaces_checkpoint(call)
    if begun and f"{CHECKPOINT}: cannot be written" in done.err and replaced:
        yield "the checkpoint is said not to be written, and is"
    if f"{CHECKPOINT}: written" in done.err and not replaced:
        yield "the checkpoint is said to be written, and is not"
    if "is intact" in done.err and not path.exists():
        yield "a file that is not there is called intact"
    if "then psa resume" in done.err and not path.exists():
        yield "psa resume is advised, and there is nothing to resume"
    if "finished:" in done.out and not complete:
        yield "it said finished without a complete checkpoint"
    yield from _status_claims(report(folder, "status --json"), complete, done, fault)
    report(folder, "results runs --json")


def _status_claims(status: Any, complete: bool, done: Done, fault: Fault) -> Iterator[str]:
    for one in status["checkpoints"]:
        if one["problem"] is not None or one["trained_by"] is not None:
            yield f"psa status says of the checkpoint {one['problem']}, trained by {one['trained_by']}"
    if len(status["runs"]) > 1:
        yield "a run that never was is in the history"
    for row in status["runs"]:
        if row["state"] == "running":
            yield "a run without a process is called running"
        if row["state"] == "finished" and not complete:
            yield "the history says finished without a complete checkpoint"
        if row["state"] == "failed" and (done.code in (0, None) or done.code < 0):
            yield "the history says failed, and nothing did"
        if done.code == 0 and row["state"] != "finished":
            yield f"exit 0, and the history says {row['state']}"


def _clean_outcome(folder: Path) -> object:
    return _names(folder), [row["state"] for row in report(folder, "status --json")["runs"]]


def _clean_claims(folder: Path, done: Done, fault: Fault) -> Iterator[str]:
    names = _names(folder)
    for path in (CHECKPOINT, previous_path(CHECKPOINT)):
        was_moved, trashed = not (folder / path).exists(), str(path.parent / ".trash" / path.name)
        if f"  {path}\n" in done.out and not was_moved:
            yield f"{path} is said to be moved, and is there"
        if was_moved and trashed not in names:
            yield f"{path} is neither there nor in the trash"
        if done.code and f"  {path}\n" not in done.out and was_moved and fault.kind != "SIGKILL":
            yield f"{path} was moved without a word"
    report(folder, "status --json")


def _study_outcome(folder: Path) -> object:
    with read_store(folder / "results") as store:
        assert store is not None
        trials = [replace(row, seconds=0.0) for row in store.trials("tiny")]
        seconds = TRIAL_LOOP_COLUMNS.index("seconds")
        loops = [row[:seconds] + row[seconds + 1 :] for row in store.loops("tiny")]
    return _names(folder), trials, loops


def _study_claims(folder: Path, done: Done, fault: Fault) -> Iterator[str]:
    if not (folder / "results" / "history.sqlite").exists():
        return
    with read_store(folder / "results") as store:
        rows = store.trials("tiny") if store is not None and store.study("tiny") is not None else None
    if rows is None:
        return
    said = report(folder, "reproduce status --study tiny --json")
    states = [row.state for row in rows]
    if said["complete"] != states.count("complete") or said["failed"] or said["run_by_process"] is not None:
        yield f"psa reproduce status says {said['complete']} complete, {said['failed']} failed: the trials are {states}"
    if done.code == 0 and said["sessions"][-1]["outcome"] != "finished":
        yield f"exit 0, and the session is {said['sessions'][-1]['outcome']}"
    if "finished" in done.out and states != ["complete"] * 2:
        yield "the study is said to be finished, and is not"


def _fetch_outcome(folder: Path) -> object:
    with read_store(folder / "results") as store:
        assert store is not None
        jobs = [replace(row, fetched_at="") for row in store.jobs("sagemaker")]
        trials = store.trials("sagemaker")
    return _names(folder), jobs, trials, [path.read_text() for path in sorted((folder / "results").glob("*.md"))]


def _fetch_claims(folder: Path, done: Done, fault: Fault) -> Iterator[str]:
    for line in done.err.splitlines():
        if line.startswith("psa: wrote ") and not (folder / line.removeprefix("psa: wrote ")).is_file():
            yield f"{line}, and it is not there"


def _resume(folder: Path) -> str:
    return "resume --plain" if (folder / CHECKPOINT).exists() else TRAIN


def _same(words: str, folder: Path) -> str:
    return words


SCENES = {
    "train": Scene(TRAIN, _nothing, _resume, _run_outcome, _run_claims),
    "resume": Scene("resume --plain", _interrupted, _resume, _run_outcome, _run_claims),
    "clean": Scene("clean", _trained, partial(_same, "clean"), _clean_outcome, _clean_claims),
    "study": Scene(STUDY, _nothing, partial(_same, STUDY), _study_outcome, _study_claims),
    "fetch": Scene(FETCH, _nothing, partial(_same, FETCH), _fetch_outcome, _fetch_claims),
}


def wrong(scene: Scene, folder: Path, done: Done, fault: Fault, twin: object) -> Iterator[str]:
    """Return what is not so after ``done`` was struck by ``fault``, and after it was gone on with."""
    try:
        yield from _misstated(scene, folder, done, fault, twin)
    except (PsaError, ValueError, KeyError, OSError) as error:
        yield f"after it: {error}"
    words = scene.again(folder)
    repaired = run(folder, psa(words))
    if repaired.code != 0:
        yield f"psa {words.split()[0]} does not go on: {repaired.code} {repaired.err[-300:]}"
        return
    try:
        if scene.outcome(folder) != twin:
            yield f"after psa {words.split()[0]} it differs from its twin"
        yield from scene.claims(folder, repaired, fault)
    except (PsaError, ValueError, KeyError, OSError) as error:
        yield f"after psa {words.split()[0]}: {error}"


def _misstated(scene: Scene, folder: Path, done: Done, fault: Fault, twin: object) -> Iterator[str]:
    errors = [line for line in done.err.splitlines() if line.startswith("psa: error:")]
    if done.code is None:
        yield "it hangs"
    if any(word in done.out + done.err for word in ("Traceback", "internal error", "Exception ignored")):
        yield "a traceback"
    if done.code == 0:
        if errors:
            yield "exit 0 with an error"
        if scene.outcome(folder) != twin:
            yield "exit 0, and something is missing"
    elif fault.kind != "SIGKILL":
        if len(errors) != 1 and not (scene.words == "clean" and errors):
            yield f"{len(errors)} error lines"
        for line in errors:
            if not any(place in line for place in ("models", "results", "dataset/", "./")):
                yield "an error that does not name the file"
            if line.startswith("psa: error: results") and "--model-dir" in line:
                yield "the remedy is for another folder"
    yield from scene.claims(folder, done, fault)
