"""How many instructions this processor can issue: it is given instructions that do nothing."""

from __future__ import annotations

import time
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_AT_ONCE, _CALLS = 64, 1_000_000
_MEASURE_S = 0.1


def _nops(typing: Any) -> Any:
    """Do nothing, in so many instructions; x86 and ARM have one of this name."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.asm(ir.FunctionType(ir.VoidType(), []), "nop\n" * _AT_ONCE, "", [], True)
        return context.get_dummy_value()

    return types.void(), generate


_nop = intrinsic(_nops)


def _repeat(times: int) -> None:
    for _ in range(times):
        _nop()


def slots_per_s() -> float:
    """Return the most instructions that one core was seen to issue in a second."""
    llvmlite.binding.initialize_native_asmparser()
    repeat = numba.njit(nogil=True)(_repeat)
    repeat(1)
    best = 0.0
    ends = time.perf_counter() + _MEASURE_S
    while (started := time.perf_counter()) < ends:
        repeat(_CALLS)
        best = max(best, _AT_ONCE * _CALLS / (time.perf_counter() - started))
    return best
