"""Compile a kernel for arguments of new types, in a process of its own that can be left at any moment.

A compiler that is at work in this process could not be interrupted, nor can the interpreter end before it does.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from typing import Any

import numba

from psa_tui.engine.backends.numba.kernels import steps

log = logging.getLogger(__name__)


def ensure_compiled(*arguments: Any) -> None:
    """Make sure that machine code of ``run_steps`` for such arguments is in the cache, where there is one.

    What is missing is said before it is compiled, which takes some ten seconds.
    """
    signature = tuple(map(numba.typeof, arguments))
    kernel: Any = steps.run_steps
    if signature in kernel.overloads:
        return
    is_cached = kernel.stats.cache_path is not None
    if is_cached and _is_in_cache(kernel, signature):
        return
    log.info("compiling kernels for networks of this kind, %s: about ten seconds", "once" if is_cached else "uncached")
    if not is_cached:
        return
    # As for all children: nothing is imported from the current folder, and Ctrl-C in a terminal is for the program.
    safe = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    compiler = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **safe},
        start_new_session=True,
    )
    try:
        # Where it fails, the kernel is compiled when it is called.
        compiler.communicate(pickle.dumps(signature))
    finally:
        compiler.kill()
        compiler.wait()


def load_compiler() -> None:
    """Load what the first call of a kernel takes most of a second for, so that forks of this process have it."""
    kernel: Any = steps.run_steps
    kernel.targetctx.refresh()


def _is_in_cache(kernel: Any, signature: tuple[Any, ...]) -> bool:
    """Return whether the cache has it; ``load_overload`` would load it too, which is left to the call."""
    key = kernel._cache._index_key(signature, kernel.targetctx.codegen())
    return kernel._cache._cache_file.load(key) is not None


if __name__ == "__main__":
    compiled: Any = steps.run_steps
    compiled.compile(pickle.load(sys.stdin.buffer))
