"""Processes whose system calls on files fail, or kill, at a given one: ``faults.c``, preloaded, counts and strikes.

``preloaded`` starts the calling script again with it; from there ``run`` forks a ``psa``, which need not load PyTorch.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
PATIENCE_S = 60.0
_VARIABLE = "PSA_TOOLS_FAULTS"
_PR_SET_CHILD_SUBREAPER = 36
KILL = -1
KINDS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EROFS": errno.EROFS, "EINTR": errno.EINTR, "SIGKILL": KILL}


@dataclass(frozen=True, slots=True)
class Fault:
    """What strikes, at which call (counted from 1), and whether it goes on from there."""

    kind: str
    at: int
    lasts: bool = False

    def __str__(self) -> str:
        """Say it as in a report."""
        return f"{self.kind} at call {self.at}{' and after' if self.lasts else ''}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call on a file of the folder."""

    number: int
    name: str
    result: int
    path: str
    other: str
    offset: int
    length: int
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Done:
    """How a process ended; ``code`` is negative for a signal, and None when it did not end in time."""

    code: int | None
    out: str
    err: str
    calls: list[Call] = field(default_factory=list)


def compiler() -> str | None:
    """Return a C compiler's path; None where there is none, or no ``LD_PRELOAD``."""
    return shutil.which("cc") or shutil.which("gcc") if sys.platform == "linux" else None


def preloaded() -> None:
    """Start this script again with the shim, built for it, unless that has been done.

    Raises:
        SystemExit: there is no compiler.
    """
    if _VARIABLE in os.environ:
        return
    found = compiler()
    if found is None:
        raise SystemExit("a C compiler (cc or gcc) on Linux is needed")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "faults.so"
        subprocess.run([found, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PSA_")}
        variables |= {_VARIABLE: str(library), "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
        variables["PYTHONPATH"] = os.pathsep.join([str(SOURCE.parents[1]), *filter(None, sys.path)])
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=variables).returncode)


@cache
def _shim() -> ctypes.CDLL:
    shim = ctypes.CDLL(os.environ[_VARIABLE])
    # What a killed process leaves is ours to wait for: a forked worker holds its locks as long as it lives.
    shim.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return shim


def mark(what: str) -> None:
    """Put a line of one's own into the log of calls."""
    _shim().fault_mark(what.encode())


def run(folder: Path, work: Callable[[], None], fault: Fault | None = None, *, records: bool = False) -> Done:
    """Do ``work`` in a forked process in ``folder``, and return how it ended; with ``records``, what it wrote too."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as log:
        sys.stdout.flush()
        _shim()
        # What was loaded before is not looked through, and so not copied, by each child.
        gc.freeze()
        child = os.fork()
        if not child:
            _become(folder, work, fault, (out.fileno(), err.fileno(), log.fileno()), records)
        code = _wait(child)
        texts = []
        for stream in (out, err, log):
            stream.seek(0)
            texts.append(stream.read())
    return Done(code, texts[0].decode(errors="replace"), texts[1].decode(errors="replace"), _calls(texts[2], records))


def _become(folder: Path, work: Callable[[], None], fault: Fault | None, streams: Sequence[int], records: bool) -> None:
    code = 99
    try:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(streams[0], 1)
        os.dup2(streams[1], 2)
        at, kind, lasts = (fault.at, KINDS[fault.kind], fault.lasts) if fault else (0, 0, False)
        place = os.fsencode(folder.resolve())
        _shim().fault_arm(place, streams[2], ctypes.c_long(at), kind, int(lasts), int(records))
        work()
        code = 0
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    finally:
        with contextlib.suppress(Exception):
            if code == 99:
                __import__("traceback").print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait(child: int) -> int | None:
    descriptor = os.pidfd_open(child)
    try:
        ended = bool(select.select([descriptor], [], [], PATIENCE_S)[0])
    finally:
        os.close(descriptor)
    # What it started goes with it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-child, 0)
    return os.waitstatus_to_exitcode(status) if ended else None


def _calls(log: bytes, records: bool) -> list[Call]:
    found, start = [], 0
    while (end := log.find(b"\n", start)) >= 0:
        number, name, result, path, other, offset, length = log[start:end].decode(errors="replace").split("\t")
        start = end + 1
        size = int(result) if records and name in ("write", "pwrite") else 0
        content = log[start : start + max(size, 0)]
        start += len(content)
        found.append(Call(int(number), name, int(result), path, other, int(offset), int(length), content))
    return found
