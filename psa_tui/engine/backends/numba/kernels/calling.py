"""Phases of a step: kernels that are compiled apart, and called by their addresses.

Numba compiles a function together with all that it calls. Phases are compiled for the width of a tile, the loop that
calls them is not; so no combination of phases has to be compiled, and several can be at the same time. They get a
reference to what they work on: Numba would take tuples of arrays apart for every call, hundreds of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, lower_getattr_generic, register_model

from psa_tui.engine.backends.numba.kernels.memory import Task

Phase = Callable[[Task, int, int, int], None]
"""Does the part of thread ``share`` in a step of a member: called with (task, share, step, member)."""


class Reference(types.Type):  # type: ignore[misc]
    """Where a named tuple lies in memory; its attributes are those of the tuple."""

    def __init__(self, to: Any) -> None:
        """Make the type; Numba takes those of one name as one."""
        self.to = to
        super().__init__(name=f"Reference({to})")

    def attribute(self, index: int) -> Any:
        """Return the type of an attribute: a reference again, where it is a tuple."""
        found = self.to[index]
        return Reference(found) if isinstance(found, types.BaseNamedTuple) else found


@register_model(Reference)
class _ReferenceModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, reference: Reference) -> None:
        super().__init__(manager, reference, manager.lookup(reference.to).get_data_type().as_pointer())


@infer_getattr
class _Attributes(AttributeTemplate):  # type: ignore[misc]
    key = Reference

    def generic_resolve(self, reference: Reference, name: str) -> Any:
        return reference.attribute(reference.to.fields.index(name)) if name in reference.to.fields else None


@lower_getattr_generic(Reference)  # type: ignore[untyped-decorator]
def _attribute(context: Any, builder: Any, reference: Reference, value: Any, name: str) -> Any:
    index = reference.to.fields.index(name)
    place, found = builder.gep(value, [ir.IntType(32)(0), ir.IntType(32)(index)]), reference.attribute(index)
    return place if isinstance(found, Reference) else context.unpack_value(builder, found, place)


def signature(task: Any) -> tuple[Any, ...]:
    """Return the Numba types of a phase's arguments, given that of its task."""
    return (Reference(task), types.int64, types.int64, types.int64)


def address(phase: Phase, task: Any) -> int:
    """Return where the machine code of ``phase`` is, for tasks of the Numba type ``task``; compile it if need be."""
    dispatcher: Any = phase
    dispatcher.compile(signature(task))
    compiled = dispatcher.overloads[signature(task)]
    found: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    return found


def _refer(typing: Any, task: Any) -> Any:
    """Return a reference to a copy of the tuple ``task`` that lives as long as the call of the function."""
    result = Reference(task)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = cgutils.alloca_once(builder, context.get_data_type(task))
        context.pack_value(builder, task, args[0], place)
        return place

    return result(task), generate


def _call(typing: Any, place: Any, task: Any, share: Any, step: Any, member: Any) -> Any:
    """Call the phase whose machine code is at the address ``place``; ``task`` is a reference."""
    taken = signature(task.to)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = context.call_conv.get_function_type(types.none, taken)
        function = builder.inttoptr(args[0], kind.as_pointer())
        status, _ = context.call_conv.call_function(builder, function, types.none, taken, args[1:])
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(types.int64, *taken), generate


refer, call = intrinsic(_refer), intrinsic(_call)
