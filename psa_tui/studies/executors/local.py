"""Workers on this machine: one process a core, or a GPU, each training a part at a time on one thread."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace

from psa_tui.errors import PsaError
from psa_tui.machine.logs import start_logging
from psa_tui.studies.events import StudyNote
from psa_tui.studies.executors.base import Message, PartFailed, PartProgress, WorkerDied, WorkerStopped
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.worker_process import start_worker

_STATE_EVERY_S = 10.0
"""A killed worker loses about so much of its work, or one meta-loop."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    part: Part | None = None


class LocalWorkers:
    """An executor of processes. They end by themselves when the driver's process does, however it ends."""

    def __init__(self, spec: StudySpec, dataset_dir: Path, devices: Sequence[str], backend: str) -> None:
        """Start a worker for each of ``devices``: ``cpu``, ``mps``, or ``cuda:0``, ``cuda:1``, ..."""
        self._spec, self._dataset_dir, self._backend = spec, dataset_dir, backend
        self.workers = [f"worker {number}" for number in range(1, len(devices) + 1)]
        self._devices = dict(zip(self.workers, devices, strict=True))
        self._running = {name: self._start(name) for name in self.workers}
        self._stopping = False

    def _start(self, name: str) -> _Worker:
        arguments = (name, self._devices[name], self._spec, self._dataset_dir, self._backend)
        return _Worker(*start_worker(_serve, *arguments, name=f"psa {name}"))

    def pid(self, worker: str) -> int | None:
        """Return the process id of a worker."""
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

    def messages(self, timeout_s: float) -> list[Message]:
        """Return what happened; empty when nothing did within ``timeout_s``."""
        watched = {found.pipe: name for name, found in self._running.items()}
        found_messages: list[Message] = []
        for ready in wait(list(watched), timeout_s):
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
                if isinstance(message, PartFailed | WorkerStopped) or (
                    isinstance(message, PartProgress) and message.done
                ):
                    worker.part = None
                received.append(message)
        except (EOFError, OSError):
            worker.pipe.close()
            worker.process.join(timeout=5)
            if self._stopping:
                del self._running[name]
            else:
                received.append(WorkerDied(name, worker.part, _cause(worker.process.exitcode)))
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


def _serve(pipe: Connection, name: str, device: str, spec: StudySpec, dataset_dir: Path, backend: str) -> None:
    """Be the process of one worker: train what comes through ``pipe`` until None comes, or the driver is gone."""
    if device.startswith("cuda:"):
        index, visible = int(device.removeprefix("cuda:")), os.environ.get("CUDA_VISIBLE_DEVICES")
        # The index is among the GPUs this process was given, which need not be all.
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[index].strip() if visible else str(index)
        device = "cuda"
    # Log lines become notes: the driver has the screen.
    start_logging(
        SimpleNamespace(message=lambda text: pipe.send(StudyNote(text=f"{name}: {text.removeprefix('psa: ')}"))),
        debug=False,
    )
    try:
        _train(pipe, name, device, spec, dataset_dir, backend)
    except (EOFError, OSError):
        return


def _train(pipe: Connection, name: str, device: str, spec: StudySpec, dataset_dir: Path, backend: str) -> None:
    data = None
    while (order := pipe.recv()) is not None:
        part, saved = order
        try:
            from psa_tui.machine.devices import set_threads
            from psa_tui.studies.training import PartRun, load_study_data

            set_threads(1)
            data = data or load_study_data(spec, dataset_dir, device)
            run = PartRun(spec, part, data, saved, backend=backend)
            for progress in run.run(name, _STATE_EVERY_S):
                pipe.send(progress)
                if pipe.poll() and not progress.done:
                    # The driver asks to stop.
                    if run.meta_loop:
                        pipe.send(run.progress(name, saves=True))
                    pipe.send(WorkerStopped(name, part))
                    return
        except (PsaError, RuntimeError, MemoryError) as error:
            pipe.send(PartFailed.of(name, part, error))
