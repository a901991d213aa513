"""Replay a run's writes as a loss of power may leave them; no good checkpoint and no committed row may be lost.

    python tools/power_loss.py

A short run's writes, renames, links and flushes are recorded with their bytes. The power then fails after each of them:
what was flushed is there, and of the rest any number of first ones, the next perhaps half written. Every such state is
laid out and read: the checkpoint must be the one last written or the one under way, its previous generation good, and
the database whole, with every row that was committed. Linux with a C compiler; ``faults.c`` is preloaded.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools import faults

HISTORY, CHECKPOINT = "results/history.sqlite", "models/mnist_lkg.safetensors"
Names = dict[str, int]
Contents = dict[int, bytearray]


@dataclass(frozen=True, slots=True)
class Change:
    """A call that changes a file's content or a folder's names; ``place`` is what a flush of makes it durable."""

    call: faults.Call
    place: int | str
    file: int
    """The number of the file, whatever its name."""

    def apply(self, names: Names, contents: Contents, *, half: bool = False) -> None:
        """Do it again."""
        call = self.call
        content = contents.setdefault(self.file, bytearray())
        if call.name in ("write", "pwrite"):
            bytes_ = call.content[: len(call.content) // (2 if half else 1)]
            content.extend(bytes(max(0, call.offset - len(content))))
            content[call.offset : call.offset + len(bytes_)] = bytes_
        elif call.name == "ftruncate":
            del content[call.offset :]
            content.extend(bytes(call.offset - len(content)))
        elif call.name in ("create", "link"):
            names[call.other or call.path] = self.file
        elif call.name == "mkdir":
            names[f"{call.path}/"] = self.file
        elif call.name == "unlink":
            names.pop(call.path, None)
        elif call.name == "rename":
            names.pop(call.path, None)
            names[call.other] = self.file


def record(folder: Path) -> list[faults.Call]:
    """Let a run work in ``folder``; its calls, with a mark where a transaction or a checkpoint was done."""
    from psa_tui.runs import session
    from psa_tui.storage.database import Database
    from tools.fault_scenes import TRAIN, psa

    def marking(what: str, done: Callable[..., None]) -> Callable[..., None]:
        def called(*arguments: Any) -> None:
            done(*arguments)
            faults.mark(what)

        return called

    transaction = Database.transaction

    @contextmanager
    def marked(self: Database) -> Iterator[sqlite3.Connection]:
        with transaction(self) as connection:
            yield connection
        faults.mark(HISTORY)

    def work() -> None:
        Database.transaction = marked  # type: ignore[method-assign]
        vars(session)["write_checkpoint"] = marking(CHECKPOINT, vars(session)["write_checkpoint"])
        psa(TRAIN)()

    done = faults.run(folder, work, records=True)
    assert done.code == 0, done.err
    place = str(folder.resolve())

    def inside(path: str) -> str:
        return path.removeprefix(place).removeprefix("/")

    return [
        replace(call, path=inside(call.path), other=inside(call.other))
        for call in done.calls
        if call.result >= 0 and not call.path.endswith(("-shm", ".lock"))
    ]


def changes_and_flushes(calls: list[faults.Call]) -> list[Change | tuple[str, int | str]]:
    """Return the calls that matter: changes, ("flush", place) and ("mark", which)."""
    names: Names = {}
    found: list[Change | tuple[str, int | str]] = []
    for call in calls:
        parent = str(Path(call.other or call.path).parent)
        if call.name == "mark":
            found.append(("mark", call.path))
        elif call.name in ("fsync", "fdatasync"):
            found.append(("flush", names.get(call.path, call.path or ".")))
        elif call.name in ("write", "pwrite", "ftruncate") and call.path in names:
            found.append(Change(call, names[call.path], names[call.path]))
        elif call.name in ("create", "mkdir", "link", "unlink", "rename"):
            file = len(found) + 1 if call.name in ("create", "mkdir") else names[call.path]
            change = Change(call, parent, file)
            change.apply(names, {})
            found.append(change)
    return found


def flushed(steps: list[Change | tuple[str, int | str]], end: int) -> frozenset[int]:
    """Return the changes before step ``end`` that were flushed before it."""
    places: set[int | str] = set()
    durable = set()
    for index in range(end - 1, -1, -1):
        step = steps[index]
        if isinstance(step, Change):
            if step.place in places:
                durable.add(index)
        elif step[0] == "flush":
            places.add(step[1])
    return frozenset(durable)


def laid_out(
    steps: list[Change | tuple[str, int | str]], kept: frozenset[int], half: int | None = None
) -> dict[str, bytes]:
    """Return the files after the changes ``kept``, and half of one more."""
    names: Names = {}
    contents: Contents = {}
    for index in sorted(kept if half is None else kept | {half}):
        step = steps[index]
        if isinstance(step, Change):
            step.apply(names, contents, half=index == half)
    there = [name for name in names if all(f"{folder}/" in names for folder in Path(name).parents if folder.name)]
    return {name: bytes(contents.get(names[name], b"")) for name in there if not name.endswith("/")}


def rows(folder: Path) -> str:
    """Return all that the database in ``folder`` holds; it must be whole."""
    path = folder / HISTORY
    if not path.exists():
        return ""
    with closing(sqlite3.connect(path)) as connection:
        (whole,) = connection.execute("PRAGMA integrity_check").fetchone()
        return str(whole) + "\n".join(connection.iterdump()) if whole == "ok" else f"damaged: {whole}"


def read(root: Path, files: dict[str, bytes], known: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """Lay ``files`` out and return the rows and the checkpoint's digest; a file that is no good is said to be."""
    from psa_tui.errors import CheckpointError
    from psa_tui.storage.checkpoint import previous_path, read_checkpoint

    key = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    if key not in known:
        with tempfile.TemporaryDirectory(dir=root) as place:
            for name, content in files.items():
                (Path(place) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(place) / name).write_bytes(content)
            try:
                history = rows(Path(place))
            except sqlite3.Error as error:
                history = f"unreadable: {error}"
            path = Path(place) / CHECKPOINT
            checkpoint = hashlib.sha256(files[CHECKPOINT]).hexdigest() if path.exists() else ""
            for one in filter(Path.exists, (path, previous_path(path))):
                try:
                    read_checkpoint(one)
                except CheckpointError as error:
                    checkpoint = str(error)
        known[key] = history, checkpoint
    return known[key]


def replay(root: Path, calls: list[faults.Call]) -> tuple[int, int, int]:
    """Return how many losses of power were replayed, how many states they left, and how many lost anything."""
    steps = changes_and_flushes(calls)
    changes = frozenset(index for index, step in enumerate(steps) if isinstance(step, Change))
    known: dict[str, tuple[str, str]] = {}
    seen: dict[tuple[frozenset[int], int | None], tuple[str, str]] = {}
    marks = {HISTORY: [""], CHECKPOINT: [""]}
    at = []
    """Before each step: how many transactions and checkpoints were done."""
    for index, step in enumerate([*steps, ("end", "")]):
        at.append({which: len(done) - 1 for which, done in marks.items()})
        if not isinstance(step, Change) and step[0] == "mark":
            history, checkpoint = read(root, laid_out(steps, changes & frozenset(range(index))), known)
            marks[str(step[1])].append(history if step[1] == HISTORY else checkpoint)
    count = lost = 0
    for end, done in enumerate(at):
        durable = flushed(steps, end)
        for first in range(end + 1):
            kept = changes & (durable | frozenset(range(first)))
            torn = [first] if first < end and first in changes - durable else []
            for half in (None, *torn):
                count += 1
                if (kept, half) not in seen:
                    seen[kept, half] = read(root, laid_out(steps, kept, half), known)
                for which, found in zip((HISTORY, CHECKPOINT), seen[kept, half], strict=True):
                    allowed = marks[which][done[which] : done[which] + 2]
                    if found not in allowed and not (which == HISTORY and done[which] == 0):
                        lost += 1
                        print(f"LOST: {which}, power fails before step {end}, {first} kept: {found[:200]}")
    return count, len(known), lost


def main() -> None:
    """Record, replay and report."""
    faults.preloaded()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        place.mkdir()
        count, states, lost = replay(Path(folder), record(place))
    print(f"{count} losses of power, {states} different states: {lost} lost")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
