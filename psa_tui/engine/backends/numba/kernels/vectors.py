"""Sixteen numbers that are computed with at once, as a type of Numba's: what kernels need, and nothing else.

A ``Vector`` is what LLVM calls ``<16 x float>`` (or double). LLVM makes one register of it with AVX-512, two with AVX2, four on
ARM; the numbers are the same. Inside a kernel::

    x = load(array, at)            # array[at : at + 16]
    y = fma(splat(weight), x, y)   # weight * x + y, rounded once
    store(array, at, y)

``+ - * /`` are elementwise. ``registers(tile, like)`` is an array of ``len(tile)`` vectors that LLVM keeps in registers: ``tile`` is
a tuple, whose length is a part of its type, so Numba compiles for it and LLVM unrolls every loop over it. Comparisons are
written so that what is not a number stays so, as it does in PyTorch. The law of a vector is that of its numbers:
every function here but ``sum_of`` and ``transposed_sums`` does the same to each lane.
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
_I8, _I32, _I64 = (ir.IntType(bits) for bits in (8, 32, 64))


class Vector(types.Type):
    """``LANES`` numbers of ``dtype``, float32 or float64."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"Vector({dtype})")


class Registers(types.Type):
    """A few vectors, by index."""

    def __init__(self, vector: Vector) -> None:
        self.vector = vector
        super().__init__(name=f"Registers({vector})")


def _llvm(vector: Vector) -> Any:
    return ir.VectorType(ir.FloatType() if vector.dtype == types.float32 else ir.DoubleType(), LANES)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, _llvm(vector))


@register_model(Registers)
class _RegistersModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, found: Registers) -> None:
        super().__init__(manager, found, _llvm(found.vector).as_pointer())


def _constant(kind: Any, value: float) -> Any:
    return ir.Constant(kind, [value] * LANES)


def _call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call the LLVM intrinsic ``name``, of the vector type ``result``."""
    suffix = "v16f32" if result.element == ir.FloatType() else "v16f64"
    kind = ir.FunctionType(result, [one.type for one in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{suffix}"), arguments)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index_type: Any, index: Any, target: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    index = context.cast(builder, index, index_type, types.int64)
    return builder.bitcast(builder.gep(data, [index]), target.as_pointer())


def _load(typing: Any, array: Any, at: Any) -> Any:
    """Return ``array[at : at + LANES]``."""
    result = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], _llvm(result))
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return result(array, at), generate


def _load_bytes(typing: Any, array: Any, at: Any, like: Any) -> Any:
    """Return ``array[at : at + LANES]``, bytes, as numbers of the dtype of the array ``like``."""
    result = Vector(like.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        raw = ir.VectorType(_I8, LANES)
        found = builder.load(_pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], raw), align=1)
        # A signed conversion is one instruction, and bytes have no sign.
        return builder.sitofp(builder.zext(found, ir.VectorType(_I32, LANES)), _llvm(result))

    return result(array, at, like), generate


def _copy_bytes(typing: Any, target: Any, at: Any, source: Any, begin: Any) -> Any:
    """Copy ``source[begin : begin + LANES]`` to ``target[at : at + LANES]``, bytes."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        raw = ir.VectorType(_I8, LANES)
        there, here = (
            _pointer(context, builder, sig.args[k], args[k], sig.args[k + 1], args[k + 1], raw) for k in (0, 2)
        )
        builder.store(builder.load(here, align=1), there, align=1)
        return context.get_dummy_value()

    return types.void(target, at, source, begin), generate


def _store(typing: Any, array: Any, at: Any, vector: Any) -> Any:
    """Write ``vector`` to ``array[at : at + LANES]``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], _llvm(vector))
        builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, at, vector), generate


def _splat(typing: Any, number: Any) -> Any:
    """Return a vector all of whose numbers are ``number``."""
    result = Vector(number)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        undefined = ir.Constant(_llvm(result), ir.Undefined)
        one = builder.insert_element(undefined, args[0], _I32(0))
        return builder.shuffle_vector(one, undefined, _constant(ir.VectorType(_I32, LANES), 0))

    return result(number), generate


def _splat_at(typing: Any, array: Any, at: Any) -> Any:
    """Return a vector all of whose numbers are ``array[at]``; ``at`` is not counted from the end, which costs a test."""
    result = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        element = context.get_value_type(array.dtype)
        one = builder.load(_pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], element))
        undefined = ir.Constant(_llvm(result), ir.Undefined)
        first = builder.insert_element(undefined, one, _I32(0))
        return builder.shuffle_vector(first, undefined, _constant(ir.VectorType(_I32, LANES), 0))

    return result(array, at), generate


def _prefetch(typing: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line of ``array[at]``, which may lie beyond its end, and do not wait for it."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        element = context.get_value_type(array.dtype)
        place = _pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], element)
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.bitcast(place, _I8.as_pointer()), _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, at), generate


def _fma(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """Return ``x * y + z``, rounded once."""
    return x(x, y, z), lambda context, builder, sig, args: _call(builder, "fma", _llvm(x), list(args))


def _square_root(typing: Any, x: Any) -> Any:
    return x(x), lambda context, builder, sig, args: _call(builder, "sqrt", _llvm(x), list(args))


def _maximum(typing: Any, x: Any, y: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return x(x, y), generate


def _relu(typing: Any, x: Any) -> Any:
    """Return ``x`` where it is not below zero."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = _constant(_llvm(x), 0.0)
        return builder.select(builder.fcmp_ordered("<", args[0], zero), zero, args[0])

    return x(x), generate


def _where_active(typing: Any, activation: Any, x: Any) -> Any:
    """Return ``x`` where ``activation`` is not zero or less, else zero."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = _constant(_llvm(x), 0.0)
        return builder.select(builder.fcmp_ordered("<=", args[0], zero), zero, args[1])

    return x(activation, x), generate


def _any_nonzero(typing: Any, x: Any) -> Any:
    """Whether any number of ``x`` is not zero; what is not a number is not."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = builder.fcmp_unordered("!=", args[0], _constant(_llvm(x), 0.0))
        return builder.icmp_unsigned("!=", builder.bitcast(found, ir.IntType(LANES)), ir.IntType(LANES)(0))

    return types.boolean(x), generate


def _exponential(typing: Any, x: Any) -> Any:
    """Return e to the power of ``x``, for ``x`` of at most zero; in float32 within two roundings.

    exp(x) = 2^n exp(r) with r within half of log 2, a polynomial of degree seven (Moshier, Cephes library, ``expf``).
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = _llvm(x)
        if x.dtype != types.float32:
            return _call(builder, "exp", kind, list(args))
        integers, least = ir.VectorType(_I32, LANES), _constant(kind, -87.3)
        value = builder.select(builder.fcmp_ordered("<", args[0], least), least, args[0])
        # Adding and subtracting 1.5 * 2^23 rounds to a whole number.
        big = _constant(kind, 12582912.0)
        power = builder.fsub(builder.fadd(builder.fmul(value, _constant(kind, 1.44269504)), big), big)
        rest = _call(builder, "fma", kind, [power, _constant(kind, -0.693359375), value])
        rest = _call(builder, "fma", kind, [power, _constant(kind, 2.12194440e-4), rest])
        result = _constant(kind, 1.9875691500e-4)
        for factor in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
            result = _call(builder, "fma", kind, [result, rest, _constant(kind, factor)])
        result = _call(
            builder, "fma", kind, [result, builder.fmul(rest, rest), builder.fadd(rest, _constant(kind, 1.0))]
        )
        exponent = builder.add(builder.fptosi(power, integers), _constant(integers, 127))
        return builder.fmul(result, builder.bitcast(builder.shl(exponent, _constant(integers, 23)), kind))

    return x(x), generate


def _sums_of_halves(builder: Any, x: Any, y: Any, distance: int) -> Any:
    """Add lanes that are ``distance`` apart: sums of ``x`` in lanes without that bit in their number, of ``y`` in others."""
    both = []
    for offset in (0, distance):
        pick = [(LANES if lane & distance else 0) + (lane & ~distance) + offset for lane in range(LANES)]
        both.append(builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_I32, LANES), pick)))
    return builder.fadd(*both)


def _transposed_sums(typing: Any, array: Any, at: Any) -> Any:
    """Return the sums of the ``LANES`` vectors that begin at ``array[at]``, one in each lane."""
    result = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = _pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], _llvm(result))
        loads = [builder.load(builder.gep(first, [_I64(k)]), align=array.dtype.bitwidth // 8) for k in range(LANES)]
        while (half := len(loads) // 2) > 0:
            pairs = zip(loads[:half], loads[half:], strict=True)
            loads = [_sums_of_halves(builder, x, y, half) for x, y in pairs]
        return loads[0]

    return result(array, at), generate


def _sum_of(typing: Any, x: Any) -> Any:
    """Return the sum of a vector's numbers: halves, then quarters, and so on."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found, undefined = args[0], ir.Constant(_llvm(x), ir.Undefined)
        for distance in (8, 4, 2, 1):
            pick = ir.Constant(ir.VectorType(_I32, LANES), [(lane + distance) % LANES for lane in range(LANES)])
            found = builder.fadd(found, builder.shuffle_vector(found, undefined, pick))
        return builder.extract_element(found, _I32(0))

    return x.dtype(x), generate


def _registers(typing: Any, tile: Any, like: Any) -> Any:
    """Return ``len(tile)`` vectors of the dtype of the array ``like``, not yet set."""
    result = Registers(Vector(like.dtype))

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        whole = cgutils.alloca_once(builder, ir.ArrayType(_llvm(result.vector), tile.count))
        return builder.bitcast(whole, _llvm(result.vector).as_pointer())

    return result(tile, like), generate


load, load_bytes, copy_bytes, store = (intrinsic(one) for one in (_load, _load_bytes, _copy_bytes, _store))
splat, splat_at, prefetch = (intrinsic(one) for one in (_splat, _splat_at, _prefetch))
fma, square_root, maximum, exponential = (intrinsic(one) for one in (_fma, _square_root, _maximum, _exponential))
relu, where_active, any_nonzero = (intrinsic(one) for one in (_relu, _where_active, _any_nonzero))
sum_of, transposed_sums, registers = (intrinsic(one) for one in (_sum_of, _transposed_sums, _registers))


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


@lower_builtin(operator.getitem, Registers, types.Integer)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(builder.gep(args[0], [args[1]]))


@lower_builtin(operator.setitem, Registers, types.Integer, Vector)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], builder.gep(args[0], [args[1]]))
    return context.get_dummy_value()
