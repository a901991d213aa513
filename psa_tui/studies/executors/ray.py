"""Workers on a Ray cluster: each part goes through it in tasks of some seconds, with Ray's scheduling and retries.

A task gets the part's state and returns a later one, so a node that dies costs the seconds since its tasks
began: Ray runs them again elsewhere, and only the driver ever writes. The nodes need psa-tui and the data set
(a shared folder, or a network to download from).
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import signal
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_tui.errors import ConfigError, RetryableError
from psa_tui.machine.child_processes import isolated_children
from psa_tui.storage.study_rows import TrialLoop
from psa_tui.studies.executors.base import Message, PartFailed, PartProgress
from psa_tui.studies.parts import Part
from psa_tui.studies.spec import StudySpec

if TYPE_CHECKING:
    from psa_tui.studies.training import StudyData

_TASK_S = 2.0
"""Short enough that a stop does not wait for it, long beside the tenths of a second that a task costs by itself."""
_RETRIES = 2
_ANSWER_S = 10.0


@dataclass(slots=True)
class _Slot:
    part: Part
    task: Any


class RayWorkers:
    """An executor of Ray tasks, one at a time in each of as many slots as the cluster has processors."""

    def __init__(
        self,
        spec: StudySpec,
        dataset_dir: Path,
        device: str,
        backend: str,
        address: str | None = None,
        slots: int | None = None,
    ) -> None:
        """Join the cluster at ``address``, or start one on this machine; ``device`` is ``cpu``, ``cuda``, or
        ``auto`` for the GPUs of a cluster that has some.

        Raises:
            ConfigError: Ray is not installed, or the cluster has no such device.
            RetryableError: there is no cluster at ``address``.
        """
        # Ray reports its use to its makers unless it is told not to; psa-tui makes no connection nobody asked for.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray: Any = importlib.import_module("ray")
        except ModuleNotFoundError:
            raise ConfigError('--on ray needs Ray, which is not installed: pip install "psa-tui[ray]"') from None
        self._ray = ray
        if address is not None:
            _check_answers(address)
        heard = signal.getsignal(signal.SIGTERM)
        try:
            # A stop that is sent to the whole process group must not end a cluster started here before its tasks.
            with isolated_children():
                ray.init(
                    address=address or "local",
                    num_cpus=slots if address is None else None,
                    include_dashboard=False if address is None else None,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise RetryableError(
                f"no Ray cluster answers at {address or 'this machine'} ({' '.join(str(error).split())[:120]}); "
                "ray start --head starts one, ray status shows it"
            ) from None
        finally:
            # Ray takes over TERM; a study that is asked to stop hands over what it has first.
            signal.signal(signal.SIGTERM, heard)
        if device == "auto":
            device = "cuda" if ray.cluster_resources().get("GPU") else "cpu"
        kind = "GPU" if device == "cuda" else "CPU"
        found = int(ray.cluster_resources().get(kind, 0))
        if not found:
            ray.shutdown()
            raise ConfigError(f"the Ray cluster has no {kind}; choose another --device or --address")
        self.workers = [f"slot {number}" for number in range(1, (slots or found) + 1)]
        needs = {"num_cpus": 0, "num_gpus": 1} if kind == "GPU" else {"num_cpus": 1}
        self._advance = ray.remote(max_retries=_RETRIES, **needs)(advance_part)
        self._arguments = (spec, dataset_dir, device, backend)
        self._slots: dict[str, _Slot] = {}
        self._stopping = False

    def submit(self, worker: str, part: Part, saved: bytes | None) -> None:
        """Let a free slot train ``part``, from ``saved`` on if that is given."""
        self._slots[worker] = _Slot(part, self._advance.remote(*self._arguments, part, saved, worker))

    def messages(self, timeout_s: float) -> list[Message]:
        """Return what happened; empty when nothing did within ``timeout_s``."""
        tasks = {slot.task: worker for worker, slot in self._slots.items()}
        if not tasks:
            time.sleep(timeout_s)
            return []
        ready, _ = self._ray.wait(list(tasks), num_returns=len(tasks), timeout=timeout_s)
        return [self._collect(tasks[task]) for task in ready]

    def _collect(self, worker: str) -> Message:
        slot = self._slots.pop(worker)
        try:
            step: PartProgress = self._ray.get(slot.task)
        except self._ray.exceptions.RayTaskError as error:
            return PartFailed.of(worker, slot.part, error.cause if isinstance(error.cause, Exception) else error)
        except self._ray.exceptions.RayError as error:
            text = " ".join(str(error).split())[:200]
            return PartFailed(worker, slot.part, f"lost {_RETRIES + 1} times, at last: {text}", permanent=True)
        if not step.done and not self._stopping:
            self.submit(worker, slot.part, step.state)
        return step

    def stop(self) -> None:
        """Send no more tasks; ``messages`` brings what is finished while the driver waits."""
        self._stopping = True

    def close(self) -> None:
        """Leave the cluster; tasks under way are cancelled."""
        for slot in self._slots.values():
            self._ray.cancel(slot.task, force=True)
        self._slots = {}
        self._ray.shutdown()


def _check_answers(address: str) -> None:
    """Make sure that something answers, for Ray itself waits for minutes and then ends the process.

    Raises:
        RetryableError: nothing listens at ``address`` (``host:port``).
    """
    host, _, port = address.rpartition(":")
    if not port.isdigit() or not host or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except OSError as error:
        raise RetryableError(
            f"no Ray cluster answers at {address} ({error.strerror or error}); ray start --head starts one"
        ) from None


_loaded: dict[tuple[str, str], StudyData] = {}
"""What this process has in memory; Ray uses its processes for many tasks."""


def advance_part(
    spec: StudySpec, dataset_dir: Path, device: str, backend: str, part: Part, saved: bytes | None, worker: str
) -> PartProgress:
    """Train ``part`` from ``saved`` on for some seconds, at least one meta-loop: the body of a task."""
    from psa_tui.machine.devices import set_threads
    from psa_tui.studies.training import PartRun, load_study_data

    set_threads(1)
    key = (spec.dataset_fingerprint, device)
    if key not in _loaded:
        _loaded[key] = load_study_data(spec, dataset_dir, device)
    run = PartRun(spec, part, _loaded[key], saved, backend=backend)
    loops: list[TrialLoop] = []
    until = time.monotonic() + _TASK_S
    for progress in run.run(worker, save_every_s=math.inf):
        loops += progress.loops
        if progress.done or (progress.loops and time.monotonic() >= until):
            break
    return replace(progress, loops=tuple(loops), state=None if progress.done else run.state())
