"""How kernels are compiled: once, cached for later processes, always to the same machine code.

Numba runs what it finds in its cache. So the cache lies in the user's own cache folder, which nobody else may write
to, and is named by what the machine code is made of: the text of all kernels, for Numba would not see that a function
in another file has changed, and the versions of the compilers.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

import llvmlite
import numba
import platformdirs
from numba.core import config
from numba.core.registry import cpu_target

log = logging.getLogger(__name__)

_OPTIONS = {"_nrt": False, "fastmath": {"contract"}, "error_model": "numpy", "boundscheck": False}

Function = TypeVar("Function", bound=Callable[..., object])


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Let a ``module`` that is not loaded look as if it were not installed."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


# What the first kernel would do: later ones, and forks of this process, have it. Numba would look whether SciPy has
# linear algebra, which takes a third of the time; kernels do without, and for what a user compiles it looks again.
with _without("scipy.linalg"):
    cpu_target.target_context.refresh()


def kernel(function: Function) -> Function:
    """Compile ``function`` when it is first called with arguments of some types.

    Products and sums contract to fused multiply-adds; nothing else is reordered, so that bits depend on the code alone.
    """
    # Machine code is called by the function's name. Functions that are made for some width need a name for each.
    made_for = inspect.getclosurevars(function).nonlocals.values()
    function.__qualname__ += "".join(f"_{width}" for width in made_for if isinstance(width, int))
    folder, before = _cache_folder(), config.CACHE_DIR
    compiled = numba.njit(cache=folder is not None, nogil=True, no_cfunc_wrapper=True, **_OPTIONS)
    config.CACHE_DIR = "" if folder is None else str(folder)
    try:
        return cast(Function, compiled(function))
    finally:
        config.CACHE_DIR = before


def part(function: Function) -> Function:
    """Make ``function`` a part of the kernels that call it; Python cannot call it."""
    return cast(Function, numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function))


@cache
def _cache_folder() -> Path | None:
    """Return where machine code is kept, a folder that only the user can write to; None where there is none."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    folder = platformdirs.user_cache_path("psa-tui") / "kernels" / digest.hexdigest()[:16]
    try:
        if not folder.is_absolute():
            raise PermissionError(f"{folder} depends on the current folder")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in (folder, folder.parent, folder.parent.parent):
            found = part.lstat()
            if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
                raise PermissionError(f"{part} is not a folder of this user")
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise PermissionError(f"others may write to {part}")
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} cannot be written")
    except OSError as error:
        log.debug("kernels are compiled anew in every process: %s", error)
        return None
    return folder
