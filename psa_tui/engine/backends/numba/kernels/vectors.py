"""What is done to vectors of sixteen numbers (see ``vector_type``): all that kernels need, and nothing else.

::

    x = load(array, at)            # array[at : at + 16]
    y = fma(splat(weight), x, y)   # weight * x + y, rounded once
    store(array, at, y)

Each does the same to every number, but ``sum_of`` and ``transposed_sums``. Comparisons are written so that what is not
a number stays so, as it does in PyTorch. An index is never counted from the end: that would cost a test.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from psa_tui.engine.backends.numba.kernels.vector_type import LANES, Vector, element_pointer, llvm_type

_I8, _I32, _I64 = (ir.IntType(bits) for bits in (8, 32, 64))


def _constant(kind: Any, value: float) -> Any:
    return ir.Constant(kind, [value] * LANES)


def _call(builder: Any, name: str, kind: Any, *arguments: Any) -> Any:
    """Call the LLVM intrinsic ``name``, of the vector type ``kind``."""
    name = f"llvm.{name}.v16f{32 if kind.element == ir.FloatType() else 64}"
    function = ir.FunctionType(kind, [kind] * len(arguments))
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), arguments)


def _filled(builder: Any, kind: Any, number: Any) -> Any:
    """Return a vector of the LLVM type ``kind``, all of whose numbers are ``number``."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, number, _I32(0))
    return builder.shuffle_vector(first, undefined, _constant(ir.VectorType(_I32, LANES), 0))


def _load(typing: Any, array: Any, at: Any) -> Any:
    """Return ``array[at : at + LANES]``."""
    result = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = element_pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], llvm_type(result))
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return result(array, at), generate


def _load_bytes(typing: Any, array: Any, at: Any, like: Any) -> Any:
    """Return ``array[at : at + LANES]``, bytes, as numbers of the dtype of the array ``like``."""
    result = Vector(like.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        raw = ir.VectorType(_I8, LANES)
        found = builder.load(
            element_pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], raw), align=1
        )
        # A signed conversion is one instruction, and bytes have no sign.
        return builder.sitofp(builder.zext(found, ir.VectorType(_I32, LANES)), llvm_type(result))

    return result(array, at, like), generate


def _copy_bytes(typing: Any, target: Any, at: Any, source: Any, begin: Any) -> Any:
    """Copy ``source[begin : begin + LANES]`` to ``target[at : at + LANES]``, bytes."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        raw = ir.VectorType(_I8, LANES)
        there, here = (
            element_pointer(context, builder, sig.args[k], args[k], sig.args[k + 1], args[k + 1], raw) for k in (0, 2)
        )
        builder.store(builder.load(here, align=1), there, align=1)
        return context.get_dummy_value()

    return types.void(target, at, source, begin), generate


def _store(typing: Any, array: Any, at: Any, vector: Any) -> Any:
    """Write ``vector`` to ``array[at : at + LANES]``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = element_pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], llvm_type(vector))
        builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, at, vector), generate


def _splat(typing: Any, number: Any) -> Any:
    """Return a vector all of whose numbers are ``number``."""
    result = Vector(number)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _filled(builder, llvm_type(result), args[0])

    return result(number), generate


def _splat_at(typing: Any, array: Any, at: Any) -> Any:
    """Return a vector all of whose numbers are ``array[at]``."""
    result = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        element = context.get_value_type(array.dtype)
        one = builder.load(element_pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], element))
        return _filled(builder, llvm_type(result), one)

    return result(array, at), generate


def _elementwise(generate: Callable[..., Any]) -> Any:
    """Make ``generate(builder, kind, *values)`` a function of vectors; ``kind`` is their type."""

    def typed(*vectors: Any) -> Any:
        def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return generate(builder, llvm_type(vectors[0]), *args)

        return vectors[0](*vectors), lower

    # Numba wants to know how many arguments there are.
    count = len(signature(generate).parameters) - 2
    one, two, three, four = (
        lambda typing, x: typed(x),
        lambda typing, x, y: typed(x, y),
        lambda typing, x, y, z: typed(x, y, z),
        lambda typing, x, y, z, u: typed(x, y, z, u),
    )
    return intrinsic((one, two, three, four)[count - 1])


@_elementwise
def fma(builder: Any, kind: Any, x: Any, y: Any, z: Any) -> Any:
    """Return ``x * y + z``, rounded once."""
    return _call(builder, "fma", kind, x, y, z)


@_elementwise
def square_root(builder: Any, kind: Any, x: Any) -> Any:
    """Return the square root of ``x``."""
    return _call(builder, "sqrt", kind, x)


@_elementwise
def maximum(builder: Any, kind: Any, x: Any, y: Any) -> Any:
    """Return ``x`` where it is larger, else ``y``."""
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


@_elementwise
def relu(builder: Any, kind: Any, x: Any) -> Any:
    """Return ``x`` where it is not below zero, else zero."""
    zero = _constant(kind, 0.0)
    return builder.select(builder.fcmp_ordered("<", x, zero), zero, x)


@_elementwise
def where_active(builder: Any, kind: Any, activation: Any, x: Any) -> Any:
    """Return ``x`` where ``activation`` is not zero or less, else zero."""
    zero = _constant(kind, 0.0)
    return builder.select(builder.fcmp_ordered("<=", activation, zero), zero, x)


@_elementwise
def where_equal(builder: Any, kind: Any, x: Any, y: Any, z: Any, u: Any) -> Any:
    """Return ``z`` where ``x`` is ``y``, else ``u``."""
    return builder.select(builder.fcmp_ordered("==", x, y), z, u)


@_elementwise
def exponential(builder: Any, kind: Any, x: Any) -> Any:
    """Return e to the power of ``x``, for ``x`` of at most zero; in float32 within two roundings.

    exp(x) = 2^n exp(r) with r within half of log 2, a polynomial of degree seven (Moshier, Cephes library, ``expf``).
    """
    if kind.element != ir.FloatType():
        return _call(builder, "exp", kind, x)
    integers, least = ir.VectorType(_I32, LANES), _constant(kind, -87.3)
    x = builder.select(builder.fcmp_ordered("<", x, least), least, x)
    # Adding and subtracting 1.5 * 2^23 rounds to a whole number.
    big = _constant(kind, 12582912.0)
    power = builder.fsub(builder.fadd(builder.fmul(x, _constant(kind, 1.44269504)), big), big)
    # The logarithm of 2 in two parts, the first of few digits: products with it are exact.
    rest = _call(builder, "fma", kind, power, _constant(kind, -0.693359375), x)
    rest = _call(builder, "fma", kind, power, _constant(kind, 2.12194440e-4), rest)
    result = _constant(kind, 1.9875691500e-4)
    for factor in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        result = _call(builder, "fma", kind, result, rest, _constant(kind, factor))
    one = builder.fadd(rest, _constant(kind, 1.0))
    result = _call(builder, "fma", kind, result, builder.fmul(rest, rest), one)
    exponent = builder.add(builder.fptosi(power, integers), _constant(integers, 127))
    return builder.fmul(result, builder.bitcast(builder.shl(exponent, _constant(integers, 23)), kind))


def _any_nonzero(typing: Any, x: Any) -> Any:
    """Whether any number of ``x`` is not zero; what is not a number is not."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = builder.fcmp_unordered("!=", args[0], _constant(llvm_type(x), 0.0))
        return builder.icmp_unsigned("!=", builder.bitcast(found, ir.IntType(LANES)), ir.IntType(LANES)(0))

    return types.boolean(x), generate


def _count_at_least(typing: Any, x: Any, y: Any) -> Any:
    """Return how many numbers of ``x`` are not less than those of ``y``; where one is not a number, it is less."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = builder.bitcast(builder.fcmp_ordered(">=", *args), ir.IntType(LANES))
        return builder.zext(builder.ctpop(found), ir.IntType(64))

    return types.int64(x, y), generate


def _sums_of_halves(builder: Any, x: Any, y: Any, distance: int) -> Any:
    """Add lanes ``distance`` apart: sums of ``x`` where a lane's number lacks that bit, of ``y`` in others."""
    both = []
    for offset in (0, distance):
        pick = [(LANES if lane & distance else 0) + (lane & ~distance) + offset for lane in range(LANES)]
        both.append(builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_I32, LANES), pick)))
    return builder.fadd(*both)


def _transposed_sums(typing: Any, array: Any, at: Any) -> Any:
    """Return the sums of the ``LANES`` vectors that begin at ``array[at]``, one in each lane."""
    result = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = element_pointer(context, builder, sig.args[0], args[0], sig.args[1], args[1], llvm_type(result))
        loads = [builder.load(builder.gep(first, [_I64(k)]), align=array.dtype.bitwidth // 8) for k in range(LANES)]
        while (half := len(loads) // 2) > 0:
            pairs = zip(loads[:half], loads[half:], strict=True)
            loads = [_sums_of_halves(builder, x, y, half) for x, y in pairs]
        return loads[0]

    return result(array, at), generate


def _transpose(typing: Any, source: Any, at: Any, stride: Any, target: Any, begin: Any, step: Any) -> Any:
    """Copy ``source[at + i * stride + j]`` to ``target[begin + j * step + i]``, for ``LANES`` i and as many j."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind, align = llvm_type(Vector(source.dtype)), source.dtype.bitwidth // 8
        strides = [context.cast(builder, args[k], sig.args[k], types.int64) for k in (2, 5)]
        here, there = (
            element_pointer(context, builder, sig.args[k], args[k], sig.args[k + 1], args[k + 1], kind.element)
            for k in (0, 3)
        )
        at = [builder.gep(here, [builder.mul(strides[0], _I64(k))]) for k in range(LANES)]
        rows = [builder.load(builder.bitcast(one, kind.as_pointer()), align=align) for one in at]
        for half in (8, 4, 2, 1):
            for k in range(LANES):
                if not k & half:
                    # Both keep one half of their blocks, and exchange the other.
                    low = [lane + (LANES - half if lane & half else 0) for lane in range(LANES)]
                    high = [lane + (LANES if lane & half else half) for lane in range(LANES)]
                    rows[k], rows[k + half] = (
                        builder.shuffle_vector(rows[k], rows[k + half], ir.Constant(ir.VectorType(_I32, LANES), pick))
                        for pick in (low, high)
                    )
        for k in range(LANES):
            place = builder.gep(there, [builder.mul(strides[1], _I64(k))])
            builder.store(rows[k], builder.bitcast(place, kind.as_pointer()), align=align)
        return context.get_dummy_value()

    return types.void(source, at, stride, target, begin, step), generate


def _sum_of(typing: Any, x: Any) -> Any:
    """Return the sum of a vector's numbers: halves, then quarters, and so on."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found, undefined = args[0], ir.Constant(llvm_type(x), ir.Undefined)
        for distance in (8, 4, 2, 1):
            pick = ir.Constant(ir.VectorType(_I32, LANES), [(lane + distance) % LANES for lane in range(LANES)])
            found = builder.fadd(found, builder.shuffle_vector(found, undefined, pick))
        return builder.extract_element(found, _I32(0))

    return x.dtype(x), generate


load, load_bytes, copy_bytes, store = (intrinsic(one) for one in (_load, _load_bytes, _copy_bytes, _store))
splat, splat_at = (intrinsic(one) for one in (_splat, _splat_at))
any_nonzero, count_at_least, sum_of = (intrinsic(one) for one in (_any_nonzero, _count_at_least, _sum_of))
transpose, transposed_sums = intrinsic(_transpose), intrinsic(_transposed_sums)
