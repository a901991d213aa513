"""The type of sixteen numbers that kernels compute with at once, and of a few such in registers.

A ``Vector`` is what LLVM calls ``<16 x float>`` (or double). LLVM makes one register of it with AVX-512, two with AVX2,
four on ARM; the numbers are the same. ``+ - * /`` are elementwise. ``registers(tile, like)`` are ``len(tile)``
vectors: ``tile`` is a tuple, whose length is a part of its type, so Numba compiles for it, LLVM unrolls every loop
over it, and the array is one of registers.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 16


class Vector(types.Type):  # type: ignore[misc]
    """``LANES`` numbers of ``dtype``, float32 or float64."""

    def __init__(self, dtype: Any) -> None:
        """Make the type; Numba takes those of one name as one."""
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")


class Registers(types.Type):  # type: ignore[misc]
    """A few vectors, by index."""

    def __init__(self, vector: Vector) -> None:
        """Make the type; Numba takes those of one name as one."""
        self.vector = vector
        super().__init__(name=f"Registers({vector})")


def llvm_type(vector: Vector) -> Any:
    """Return what LLVM calls a vector."""
    return ir.VectorType(ir.FloatType() if vector.dtype == types.float32 else ir.DoubleType(), LANES)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, llvm_type(vector))


@register_model(Registers)
class _RegistersModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, found: Registers) -> None:
        super().__init__(manager, found, llvm_type(found.vector).as_pointer())


def element_pointer(
    context: Any, builder: Any, array_type: Any, array: Any, index_type: Any, index: Any, target: Any
) -> Any:
    """Return the address of ``array[index]``, as one of the LLVM type ``target``."""
    data = context.make_array(array_type)(context, builder, array).data
    index = context.cast(builder, index, index_type, types.int64)
    return builder.bitcast(builder.gep(data, [index]), target.as_pointer())


def _registers(typing: Any, tile: Any, like: Any) -> Any:
    """Return ``len(tile)`` vectors of the dtype of the array ``like``, not yet set."""
    result = Registers(Vector(like.dtype))

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        whole = cgutils.alloca_once(builder, ir.ArrayType(llvm_type(result.vector), tile.count))
        return builder.bitcast(whole, llvm_type(result.vector).as_pointer())

    return result(tile, like), generate


registers = intrinsic(_registers)


class _Elementwise(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
            return signature(args[0], *args)
        return None


def _element_of(function: Any) -> None:
    @infer_global(function)
    class _Indexed(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            if not isinstance(args[0], Registers):
                return None
            if function is operator.getitem:
                return signature(args[0].vector, args[0], types.intp)
            return signature(types.none, args[0], types.intp, args[0].vector)


for _operator, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    infer_global(_operator)(type("Elementwise", (_Elementwise,), {"key": _operator}))

    def _lower(context: Any, builder: Any, sig: Any, args: Any, instruction: str = _instruction) -> Any:
        return getattr(builder, instruction)(*args)

    lower_builtin(_operator, Vector, Vector)(_lower)
_element_of(operator.getitem)
_element_of(operator.setitem)


def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(builder.gep(args[0], [args[1]]))


def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], builder.gep(args[0], [args[1]]))
    return context.get_dummy_value()


lower_builtin(operator.getitem, Registers, types.Integer)(_get)
lower_builtin(operator.setitem, Registers, types.Integer, Vector)(_set)
