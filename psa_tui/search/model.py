"""What a search holds of a PyTorch module: its parameters and buffers by name, and its parameters as one row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import chain, pairwise

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from psa_tui.errors import ConfigError
from psa_tui.networks.base import ParameterSpec
from psa_tui.networks.unit import Unit

Tensors = dict[str, Tensor]
"""Parameters and buffers by name, each once."""
RESERVED = "psa."
"""Beginning of the names, in a search's file, of what is no parameter or buffer of the LKG's ``state_dict``."""


class Model:
    """A module whose tensors are copied, restored and damaged in place; it must keep their names, shapes and types."""

    def __init__(self, module: nn.Module) -> None:
        """Take note of its tensors.

        Raises:
            ConfigError: it holds what cannot be copied back: the message says what.
        """
        self.module = module
        now, self.aliases = _named(module)
        _check(module, now, self.aliases)
        self.shapes = _shapes(now)
        self.parameters: tuple[ParameterSpec, ...] = ()
        """Its floating-point parameters, laid out in a row."""
        offset = 0
        for name, tensor in now.items():
            if isinstance(tensor, nn.Parameter) and tensor.is_floating_point():
                self.parameters += (ParameterSpec(name, tuple(tensor.shape), offset),)
                offset += tensor.numel()
        self.size = offset

    def tensors(self) -> Tensors:
        """Return its tensors as they are now.

        Raises:
            ConfigError: it has others than when the search began.
        """
        now, aliases = _named(self.module)
        if _shapes(now) != self.shapes or aliases != self.aliases:
            raise ConfigError(f"the model has changed since the search began: {self.difference(_shapes(now))}")
        return now

    def difference(self, other: dict[str, tuple[tuple[int, ...], torch.dtype]]) -> str:
        """Return the first difference between its tensors and ``other`` ones, in words."""
        for name in [*self.shapes, *other]:
            mine, theirs = self.shapes.get(name), other.get(name)
            if mine != theirs:
                return f"{name} is {_in_words(theirs)}, expected {_in_words(mine)}"
        return "other tensors are tied"

    def copy(self) -> Tensors:
        """Return copies of its tensors, on their devices."""
        return {name: tensor.detach().clone() for name, tensor in self.tensors().items()}

    @torch.no_grad()
    def restore(self, saved: Tensors) -> None:
        """Give its tensors the values of ``saved``, in place, and forget gradients of before."""
        for name, tensor in self.tensors().items():
            tensor.copy_(saved[name])
            tensor.grad = None

    def row(self, tensors: Tensors) -> Tensor:
        """Return a copy of the floating-point parameters of ``tensors`` [parameters], in a type that holds them all."""
        parts = [tensors[one.name].detach() for one in self.parameters]
        if not parts:
            return torch.zeros(0)
        # NumPy, which draws the noise, has no type of sixteen bits that is PyTorch's.
        dtype = reduce(torch.promote_types, [part.dtype for part in parts], torch.float32)
        return torch.cat([part.reshape(-1).to(parts[0].device, dtype) for part in parts])

    @torch.no_grad()
    def put(self, row: Tensor) -> None:
        """Give its floating-point parameters the values of ``row`` [parameters], in place."""
        now = self.tensors()
        for one in self.parameters:
            now[one.name].copy_(one.view(row[None])[0])

    def check_untied(self, units: Sequence[Unit]) -> None:
        """Refuse units of parameters that have several names: damaging one would damage the others, unsaid.

        Raises:
            ConfigError: there is one.
        """
        tied = self.aliases | {name: alias for alias, name in self.aliases.items()}
        for unit in units:
            for place in (*unit.incoming, *unit.outgoing):
                if place.parameter in tied:
                    raise ConfigError(
                        f"unit {unit.name}: {place.parameter} is {tied[place.parameter]} too (tied), so damage to one "
                        "is damage to the other; leave the unit out"
                    )

    def is_finite(self) -> bool:
        """Whether no parameter is infinite, and no number at all is NaN; a buffer may hold infinities, as masks do."""
        floats = [tensor.detach() for tensor in self.tensors().values() if tensor.is_floating_point()]
        return all(
            bool(torch.isfinite(one).all()) if isinstance(one, nn.Parameter) else not bool(one.isnan().any())
            for one in floats
        )


def _named(module: nn.Module) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors of a module, and for every further name of one the name that it has here."""
    tensors: Tensors = {}
    aliases: dict[str, str] = {}
    first: dict[int, str] = {}
    for name, tensor in chain(
        module.named_parameters(remove_duplicate=False), module.named_buffers(remove_duplicate=False)
    ):
        known = first.setdefault(id(tensor), name)
        if known == name:
            tensors[name] = tensor
        else:
            aliases[name] = known
    return tensors, aliases


def _shapes(tensors: Tensors) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {
        # One that is not made yet has no shape.
        name: (() if is_lazy(tensor) else tuple(tensor.shape), tensor.dtype)
        for name, tensor in tensors.items()
    }


def _in_words(found: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "not there" if found is None else f"{str(found[1]).removeprefix('torch.')} of shape {found[0]}"


def _check(module: nn.Module, tensors: Tensors, aliases: dict[str, str]) -> None:
    for name, part in module.named_modules():
        if type(part).get_extra_state is not nn.Module.get_extra_state:
            raise ConfigError(
                f"{name or 'the model'} has extra state ({type(part).__name__}.get_extra_state), which a search cannot "
                "copy back; keep it in a buffer"
            )
    for name, tensor in tensors.items():
        if is_lazy(tensor):
            raise ConfigError(f"{name} has no shape yet; show the model a batch before the search begins")
        if tensor.device.type == "meta" or tensor.layout is not torch.strided:
            raise ConfigError(
                f"{name} is on device {tensor.device}, {tensor.layout}; expected a tensor with its numbers"
            )
        if any(size > 1 and stride == 0 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
            raise ConfigError(f"{name} is an expanded view, which cannot be written to; make it contiguous")
    for name in [*tensors, *aliases]:
        if name.startswith(RESERVED):
            raise ConfigError(f"{name}: names that begin with {RESERVED!r} are a search's own; call it something else")
    spans = sorted((str(one.device), *_span(one), name) for name, one in tensors.items() if one.numel())
    for (device, _, end, name), (other_device, begin, _, other) in pairwise(spans):
        if device == other_device and begin < end:
            raise ConfigError(f"{name} and {other} share memory without being one tensor; tie them, or copy one")


def _span(tensor: Tensor) -> tuple[int, int]:
    """Return where in memory a tensor begins and ends."""
    begin = tensor.data_ptr()
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return begin, begin + (last + 1) * tensor.element_size()
