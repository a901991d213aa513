"""What kernels tell the processor beside arithmetic: fetch memory ahead, flush denormals, wait for other threads."""

from __future__ import annotations

import os
import platform
from functools import cache
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from psa_tui.engine.backends.numba.kernels.vector_type import element_pointer

_IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
_FLUSH = 0x8040
"""Of the register MXCSR: results that are denormal, and operands, count as zero."""
_PATIENCE = 20_000
"""Of a waiting thread: so many looks, tens of microseconds, before it lets others have its core."""
_CAN_YIELD = os.name == "posix"
_I8, _I32, _I64 = (ir.IntType(bits) for bits in (8, 32, 64))


@cache
def has_wide_registers() -> bool:
    """Return whether there are 32 registers of sixteen numbers, as AVX-512 has; else fewer have room for a sum."""
    return bool(get_host_cpu_features().get("avx512f"))


def _prefetch(typing: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line of ``array[at]``, which may lie beyond its end, and do not wait for it."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        element = context.get_value_type(array.dtype)
        place = element_pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], element)
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.bitcast(place, _I8.as_pointer()), _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, at), generate


def _flush_denormals(typing: Any) -> Any:
    """Make numbers too small for all their digits zero, in this thread; return the state before, for ``restore``.

    Such numbers take a processor a hundred times as long. Only x86 is told; elsewhere nothing happens.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = cgutils.alloca_once_value(builder, _I32(0))
        if not _IS_X86:
            return builder.load(place)
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer()])
        store = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.stmxcsr")
        builder.call(store, [builder.bitcast(place, _I8.as_pointer())])
        before = builder.load(place)
        _set_state(builder, builder.or_(before, _I32(_FLUSH)))
        return before

    return types.uint32(), generate


def _restore(typing: Any, state: Any) -> Any:
    """Take back what ``flush_denormals`` did."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if _IS_X86:
            _set_state(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.uint32), generate


def _set_state(builder: Any, state: Any) -> None:
    place = cgutils.alloca_once(builder, _I32)
    builder.store(state, place)
    kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer()])
    load = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.ldmxcsr")
    builder.call(load, [builder.bitcast(place, _I8.as_pointer())])


def _meet(typing: Any, arrivals: Any, expected: Any) -> Any:
    """Wait until ``expected`` arrivals were counted in ``arrivals[0]``, int64, this one included.

    What a thread wrote before is seen by all after it. One that waits long lets others have its core: there may be
    fewer cores than threads.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = element_pointer(context, builder, sig.args[0], args[0], types.int64, _I64(0), _I64)
        expected = context.cast(builder, args[1], sig.args[1], types.int64)
        builder.atomic_rmw("add", place, _I64(1), "seq_cst")
        yielding = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_I32, []), "sched_yield")
        turns = cgutils.alloca_once_value(builder, _I64(0))
        again, end = builder.append_basic_block("again"), builder.append_basic_block("met")
        builder.branch(again)
        builder.position_at_end(again)
        found = builder.load_atomic(place, "seq_cst", 8)
        turn = builder.add(builder.load(turns), _I64(1))
        builder.store(turn, turns)
        with builder.if_then(builder.icmp_signed(">", turn, _I64(_PATIENCE)), likely=False):
            if _CAN_YIELD:
                builder.call(yielding, [])
        builder.cbranch(builder.icmp_signed("<", found, expected), again, end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(arrivals, expected), generate


prefetch, flush_denormals, restore = (intrinsic(one) for one in (_prefetch, _flush_denormals, _restore))
meet = intrinsic(_meet)
