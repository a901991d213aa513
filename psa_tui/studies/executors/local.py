"""Workers on this machine: one process a core, or a GPU, each training a part at a time on one thread."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.errors import CheckpointError, PsaError
from psa_tui.storage.study_store import LoopRow
from psa_tui.studies.executors.base import Advanced, Left, Lost, Message, Refused
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec

if TYPE_CHECKING:
    from psa_tui.studies.training import PartRun

_STATE_EVERY_S = 10.0
"""A killed worker loses about so much of its work, or one meta-loop."""
_SHARE_EVERY_S = 0.5


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    part: Part | None = None


class LocalWorkers:
    """An executor of processes. They end by themselves when the driver's process does, however it ends."""

    def __init__(self, spec: StudySpec, dataset_dir: Path, devices: Sequence[str]) -> None:
        """``devices`` has one entry a worker: ``cpu``, ``mps``, or ``cuda:0``, ``cuda:1``, ..."""
        self._spec, self._dataset_dir = spec, dataset_dir
        self._context = multiprocessing.get_context("spawn")
        self.workers = [f"worker {number}" for number in range(1, len(devices) + 1)]
        self._devices = dict(zip(self.workers, devices, strict=True))
        self._running = {name: self._start(name) for name in self.workers}
        self._stopping = False

    def _start(self, name: str) -> _Worker:
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._spec, self._dataset_dir, self._devices[name], name)
        process = self._context.Process(target=_serve, args=arguments, daemon=True, name=f"psa {name}")
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def pid(self, worker: str) -> int | None:
        """The process id of a worker."""
        return self._running[worker].process.pid

    def submit(self, worker: str, part: Part, saved: bytes | None) -> None:
        """Let a free worker train ``part``, from ``saved`` on if that is given."""
        found = self._running[worker]
        found.part = part
        try:
            found.pipe.send((part, saved))
        except OSError:
            # It died while it was idle; ``messages`` says so and brings the part back.
            return

    def messages(self, patience_s: float) -> list[Message]:
        """What happened; empty when nothing did within ``patience_s``."""
        watched = {found.pipe: name for name, found in self._running.items()}
        found_messages: list[Message] = []
        for ready in wait(list(watched), patience_s):
            assert isinstance(ready, Connection)
            name = watched[ready]
            found_messages += self._receive(name)
        return found_messages

    def _receive(self, name: str) -> list[Message]:
        worker = self._running[name]
        received: list[Message] = []
        try:
            while worker.pipe.poll():
                message: Message = worker.pipe.recv()
                if not isinstance(message, Advanced) or message.done:
                    worker.part = None
                received.append(message)
        except (EOFError, OSError):
            worker.pipe.close()
            worker.process.join(timeout=5)
            if self._stopping:
                del self._running[name]
            else:
                received.append(Lost(name, worker.part, _cause(worker.process.exitcode)))
                self._running[name] = self._start(name)
        return received

    def stop(self) -> None:
        """Ask all workers to send what they have and to leave; ``messages`` brings it."""
        self._stopping = True
        for worker in self._running.values():
            try:
                worker.pipe.send(None)
            except OSError:
                continue

    def close(self) -> None:
        """End what is left of the workers, at once."""
        for worker in self._running.values():
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self._running = {}


def _cause(exit_code: int | None) -> str:
    if exit_code is None:
        return "it does not answer any more"
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = "; the system does that when memory runs out" if name == "SIGKILL" else ""
        return f"it was killed by {name}{hint}"
    return f"it ended with exit code {exit_code}"


def _serve(pipe: Connection, spec: StudySpec, dataset_dir: Path, device: str, name: str) -> None:
    """The process of one worker: train what comes through ``pipe`` until None comes, or the driver is gone."""
    # The driver hears the keyboard and the terminal; its workers hear the driver.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if device.startswith("cuda:"):
        index, visible = int(device.removeprefix("cuda:")), os.environ.get("CUDA_VISIBLE_DEVICES")
        # The index is among the GPUs this process was given, which need not be all.
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[index].strip() if visible else str(index)
        device = "cuda"
    try:
        _train(pipe, spec, dataset_dir, device, name)
    except (EOFError, OSError):
        return


def _train(pipe: Connection, spec: StudySpec, dataset_dir: Path, device: str, name: str) -> None:
    data = None
    while (order := pipe.recv()) is not None:
        part, saved = order
        try:
            # Only a worker with work loads PyTorch.
            from psa_tui.machine.devices import set_threads
            from psa_tui.studies.training import PartRun, load_study_data

            set_threads(1)
            data = data or load_study_data(spec, dataset_dir, device)
            run = PartRun(spec, part, data, saved, where=part.file_name)
            if not _advance(pipe, run, name):
                pipe.send(Left(name, part))
                return
        except PsaError as error:
            pipe.send(Refused(name, part, str(error), hopeless=isinstance(error, CheckpointError)))
        except (RuntimeError, MemoryError) as error:
            text = " ".join(str(error).split())[:200]
            pipe.send(Refused(name, part, f"{type(error).__name__}: {text}", hopeless=False))


def _advance(pipe: Connection, run: PartRun, name: str) -> bool:
    """Train a part to its end and tell of it; False when the driver asked to stop before."""
    from psa_tui.studies.training import LoopDone

    loop_s: float | None = None

    def tell(
        share: float = 0.0, rows: tuple[LoopRow, ...] = (), state: bytes | None = None, done: bool = False
    ) -> None:
        trials = tuple(run.trial_rows(platform.node())) if rows or done else ()
        pipe.send(Advanced(name, run.part, run.meta_loop, share, loop_s, run.bounties, rows, trials, state, done))

    state_due = time.monotonic() + _STATE_EVERY_S
    share_due = 0.0
    for step in run.run():
        now = time.monotonic()
        if isinstance(step, LoopDone):
            loop_s = step.seconds
            state = run.state() if now >= state_due and not run.finished else None
            if state is not None:
                state_due = now + _STATE_EVERY_S
            tell(rows=step.rows, state=state, done=run.finished)
            if run.finished:
                return True
        elif now >= share_due:
            share_due = now + _SHARE_EVERY_S
            tell(share=step.share)
        if pipe.poll():
            pipe.recv()
            if run.meta_loop:
                tell(state=run.state())
            return False
    # The state was that after the last loop already.
    tell(done=True)
    return True
