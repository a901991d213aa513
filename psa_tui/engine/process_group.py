"""Processes that train one network together; what each of them computes is the backend's matter.

What they exchange lies in memory that all of them see. Little has to be: they run the same meta-loops, draw the same
numbers and come to the same verdicts.

They are processes because a narrow network's step is mostly calls from Python, and threads would wait for one
another at the interpreter; forked, because that takes milliseconds and copies no images. They meet at barriers, once
or twice a step, and spin there: waking a process that sleeps takes longer than a narrow network's step.
"""

from __future__ import annotations

import mmap
import os
import platform
import signal
import sys
import time
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

import torch
from torch import Tensor

from psa_tui.errors import PsaError

_LINE_BYTES = 64
"""What different processes write lies in different cache lines."""
_SPIN_S = 200e-6
_YIELD_S = 5e-3
_SLEEP_S, _LONGEST_SLEEP_S = 500e-6, 2e-3
_MESSAGE_BYTES = 2048
_IGNORED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGTSTP)
"""Signals from a terminal or a user are the business of a run's first process; the others wait for that one."""


def can_train_together() -> bool:
    """Return whether processes can train together on this machine.

    Barriers rely on one core seeing another's stores in order, which x86 promises. Forking after libraries have
    computed is sound on Linux; on macOS the system's own libraries forbid it.
    """
    return sys.platform == "linux" and platform.machine() == "x86_64"


class ProcessGroup:
    """The processes that train one network; each has a copy of this object, and they share the tensors in it.

    As a context it ends the other processes on leaving, whatever they are doing.
    """

    def __init__(
        self, size: int, parameters: int, batch_size: int, classes: int, dtype: torch.dtype, hidden_units: int = 0
    ) -> None:
        """Allocate the shared memory of ``size`` processes that train one network.

        Args:
            size: how many processes, this one included.
            parameters: numbers of the network.
            batch_size: images of a step, of all processes together.
            classes: logits of an image.
            dtype: of the weights.
            hidden_units: those whose activity is measured.
        """
        self.size = size
        self.rank = 0
        self.weights = _shared(parameters, dtype)
        """[parameters], in the order of the backend."""
        self.gradients = [_shared(parameters, dtype) for _ in range(size)]
        """What each process finds for its images: [parameters]."""
        self.losses = _shared(size * batch_size, dtype).view(size, batch_size)
        """Each process's losses so far."""
        self.logits = [[_shared(classes * batch_size, dtype) for _ in range(size)] for _ in range(2)]
        """Two buffers, used alternately, for each process's logits: [classes * batch]."""
        self.counts = _shared(size, torch.int64)
        """Each process's count of correct images."""
        self.active = _shared(size * hidden_units, torch.bool).view(size, hidden_units)
        """The hidden units that each process found active."""
        self._broadcast = mmap.mmap(-1, _MESSAGE_BYTES)
        """The length of a message, two bytes, and the message."""
        self._ticks = memoryview(mmap.mmap(-1, size * _LINE_BYTES)).cast("q")[:: _LINE_BYTES // 8]
        """How many barriers each process has come to."""
        self._error = mmap.mmap(-1, _MESSAGE_BYTES)
        self._tick = 0
        self._parent = os.getpid()
        self._children: dict[int, int] = {}
        """The process id of each other process that has not been seen to end, and its rank."""
        self._ended: dict[int, int] = {}
        """The rank of each process that has ended, and its status."""
        self._sigchld: Any = signal.SIG_DFL

    def partition(self, count: int) -> slice:
        """Return this process's part of ``count`` items: consecutive, of the size of the others' give or take one."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def start(self, work: Callable[[], object]) -> None:
        """Fork the other processes and let them do ``work``, each with its own copy of everything but the rank.

        Raises:
            PsaError: the system lets no process start.
        """
        if torch.get_num_threads() != 1:
            raise ValueError("processes that train together compute on one thread each")
        # Where it is ignored, as some parents leave it, the system forgets how a process ended.
        self._sigchld = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED_SIGNALS)
        try:
            for rank in range(1, self.size):
                with warnings.catch_warnings():
                    # Python warns of threads that a child would miss; NumPy's and PyTorch's are prepared for it.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    child = os.fork()
                if child == 0:
                    self.rank = rank
                    self._run_child(work)
                self._children[child] = rank
        except OSError as error:
            raise PsaError(
                f"a second process for the training cannot be started ({error.strerror}); "
                "try again with --threads 1, or stop other programs"
            ) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _run_child(self, work: Callable[[], object]) -> NoReturn:
        """Do ``work`` in a child, then exit; it closes all that its parent has open first."""
        code = 1
        try:
            for number in _IGNORED_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            signal.set_wakeup_fd(-1)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _IGNORED_SIGNALS)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(null, stream)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            work()
            code = 0
        except BaseException as error:
            message = f"{type(error).__name__}: {error}".encode()[: _MESSAGE_BYTES - 1]
            self._error[: len(message)] = message
        finally:
            os._exit(code)

    def barrier(self) -> None:
        """Wait until every process has come here.

        Raises:
            PsaError: one of them ended instead.
        """
        self._tick += 1
        self._ticks[self.rank] = self._tick
        for other in range(self.size):
            if self._ticks[other] < self._tick:
                self._wait_for(other)

    def _wait_for(self, other: int) -> None:
        ticks, tick = self._ticks, self._tick
        started = time.perf_counter()
        waited = 0.0
        while ticks[other] < tick:
            if waited > _YIELD_S:
                time.sleep(min(max(_SLEEP_S, waited / 10), _LONGEST_SLEEP_S))
            elif waited > _SPIN_S:
                os.sched_yield()
            else:
                for _ in range(50):
                    if ticks[other] >= tick:
                        return
            waited = time.perf_counter() - started
            if waited > _SPIN_S:
                self._check_alive()

    def _check_alive(self) -> None:
        """Exit when the parent is gone; in the parent, fail when a process ended before this barrier.

        Raises:
            PsaError: one did.
        """
        if self.rank:
            if os.getppid() != self._parent:
                os._exit(0)
            return
        for child, rank in list(self._children.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del self._children[child]
                self._ended[rank] = status
        for rank, status in self._ended.items():
            # One that has come here may go, because the run can be over for it; if not, the next barrier misses it.
            if self._ticks[rank] < self._tick:
                raise PsaError(
                    f"a process of this training ended ({self._cause(status)}); every finished meta-loop is kept: "
                    "psa resume goes on"
                )

    def _cause(self, status: int) -> str:
        message = bytes(self._error).rstrip(b"\0").decode(errors="replace")
        code = os.waitstatus_to_exitcode(status)
        return message or (f"signal {-code}" if code < 0 else f"exit code {code}")

    def broadcast(self, message: bytes) -> bytes:
        """Return the first process's ``message`` in all of them; the others' own is ignored.

        Raises:
            ValueError: it is longer than the buffer.
        """
        if self.rank == 0:
            if len(message) > _MESSAGE_BYTES - 2:
                raise ValueError(f"a message of {len(message)} bytes, expected at most {_MESSAGE_BYTES - 2}")
            self._broadcast[: 2 + len(message)] = len(message).to_bytes(2, "little") + message
        self.barrier()
        return bytes(self._broadcast[2 : 2 + int.from_bytes(self._broadcast[:2], "little")])

    def __enter__(self) -> ProcessGroup:
        """Return it; nothing has started yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the other processes, at once: they have nothing that could be lost."""
        for child in self._children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        if self._children or self._ended:
            signal.signal(signal.SIGCHLD, self._sigchld)
        self._children, self._ended = {}, {}


def _shared(count: int, dtype: torch.dtype) -> Tensor:
    """Return zeros in memory that processes forked from here share: [count]."""
    return torch.frombuffer(mmap.mmap(-1, max(1, count) * dtype.itemsize), dtype=dtype)[:count]
