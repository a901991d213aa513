"""Compile kernels for networks of a new kind, in processes of their own that can be left at any moment.

A compiler that is at work in this process could not be interrupted, nor can the interpreter end before it does.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import types

from psa_tui.engine.backends.numba.kernels.calling import address, signature
from psa_tui.engine.backends.numba.kernels.memory import Task, numba_type
from psa_tui.engine.backends.numba.kernels.steps import Phases, phases_for, run_steps
from psa_tui.storage.locks import take_lock

log = logging.getLogger(__name__)

_COMPILERS, _KERNELS_EACH = 2, 4
"""At most so many processes compile at the same time, each about so many kernels: starting one takes as long as one."""


@cache
def phase_addresses(dtype: np.dtype, *kind: Any) -> tuple[int, ...]:
    """Return where the machine code of the phases of a ``kind`` is, see ``phases_for``, for ``run_steps`` to call.

    What is not in the cache is compiled, which takes seconds and is said before.
    """
    kernels = _kernels(*kind)
    steps = kernels["run_steps"]
    if _missing(kernels, dtype):
        folder = steps.stats.cache_path
        how = "uncached" if folder is None else "once"
        log.info("compiling kernels for networks of this kind, %s: about ten seconds", how)
        if folder is not None:
            with _alone_in(Path(folder)):
                # Another process may have compiled them meanwhile, as workers of a study do that start together.
                numbers = [list(kernels).index(name) for name in _missing(kernels, dtype)]
                _compile(json.dumps([str(dtype), *kind]), numbers)
    steps.disable_compile(False)
    steps.compile(_signature(steps, dtype))
    # A phase trusts that a task is of the type it was compiled for, so one of another type is an error.
    steps.disable_compile()
    return tuple(address(kernels[name], numba_type(Task, dtype)) for name in Phases._fields)


def _kernels(*kind: Any) -> dict[str, Any]:
    return {**phases_for(*kind)._asdict(), "run_steps": run_steps}


def _missing(kernels: dict[str, Any], dtype: np.dtype) -> list[str]:
    return [name for name, kernel in kernels.items() if not _is_compiled(kernel, _signature(kernel, dtype))]


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process compiles for the cache ``folder``, where it can be locked."""
    try:
        lock = take_lock(folder / "compiling.lock", wait=True)
    except OSError as error:
        log.debug("kernels may be compiled by several processes at the same time: %s", error)
        yield
        return
    try:
        yield
    finally:
        os.close(lock)


def _signature(kernel: Any, dtype: np.dtype) -> tuple[Any, ...]:
    """Return the Numba types of the arguments of a phase, or of ``run_steps``."""
    task = numba_type(Task, dtype)
    return (task, *(types.int64,) * (1 + len(Phases._fields))) if kernel is run_steps else signature(task)


def _is_compiled(kernel: Any, wanted: tuple[Any, ...]) -> bool:
    """Return whether it is loaded or in the cache; ``load_overload`` would load it, which is left to the call."""
    if wanted in kernel.overloads:
        return True
    if kernel.stats.cache_path is None:
        return False
    key = kernel._cache._index_key(wanted, kernel.targetctx.codegen())
    return kernel._cache._cache_file.load(key) is not None


def _compile(kind: str, numbers: list[int]) -> None:
    """Compile kernels by their ``numbers`` in other processes. Where that fails, they are when they are called."""
    reading, writing = os.pipe()
    os.write(writing, bytes(numbers))
    os.close(writing)
    # As for all children: nothing is imported from the current folder, and Ctrl-C in a terminal is for the program.
    safe = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    compilers = []
    try:
        for _ in range(min(_COMPILERS, -(-len(numbers) // _KERNELS_EACH))):
            compilers.append(
                subprocess.Popen(
                    [sys.executable, "-m", __name__, kind],
                    stdin=reading,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, **safe},
                    start_new_session=True,
                )
            )
        for compiler in compilers:
            compiler.wait()
    finally:
        os.close(reading)
        for compiler in compilers:
            compiler.kill()
            compiler.wait()


if __name__ == "__main__":
    # What a compiler makes is kept until it ends, so looking for garbage finds little and takes a tenth of the time.
    gc.disable()
    dtype, *kind = json.loads(sys.argv[1])
    kernels = list(_kernels(*kind).values())
    # The processes share the pipe: each takes the next number when it has compiled one.
    while number := os.read(sys.stdin.fileno(), 1):
        kernel = kernels[number[0]]
        kernel.compile(_signature(kernel, np.dtype(dtype)))
