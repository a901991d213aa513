"""What PyTorch's functions do to units: each rule returns what is known of the result, and refuses what it cannot know.

Units travel by the functions themselves: whatever moves numbers about (views, transpositions, flattening, slices) is
applied to their labels just as it was to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from psa_tui.networks.tracing.units import ADDED, RESIDUAL, Knowledge, Traced

Rule = Callable[["Call"], Traced | None]


@dataclass
class Call:
    """One call of a function, as a rule sees it."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    result: Tensor
    known: Knowledge
    traced: Callable[[Any], Traced | None]
    """Returns what is known of an argument; None for what is no tensor."""
    parameter: Callable[[Any], str | None]
    """Returns the name of an argument that is a parameter."""

    def argument(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument, by its place or by its name."""
        return self.arguments[place] if place < len(self.arguments) else self.options.get(name, default)

    def labels(self, argument: Any) -> Tensor | None:
        """Return the labels of an argument; None where it has no units."""
        return self.known.live(self.traced(argument))

    def tensors(self) -> list[Tensor]:
        """Return all tensors among the arguments, those in lists too."""
        return tensors_in((self.arguments, self.options))

    def refuse(self, reason: str, *arguments: Any) -> None:
        """Refuse the units of ``arguments``, of all where none is named; the result has none."""
        for one in arguments or self.tensors():
            self.known.refuse_traced(self.traced(one), reason)

    def share(self, reason: str) -> None:
        """Let no unit touch the parameters among the arguments."""
        for one in self.tensors():
            if (name := self.parameter(one)) is not None:
                self.known.share(name, reason)

    @property
    def parents(self) -> tuple[Traced, ...]:
        """What the result was computed from."""
        return tuple(found for one in self.tensors() if (found := self.traced(one)) is not None)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors of nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return tensors_in(list(value.values()))
    return [found for one in value for found in tensors_in(one)] if isinstance(value, list | tuple) else []


def unknown(call: Call) -> Traced:
    """Refuse whatever goes into a function of which nothing is known, its parameters too."""
    reason = f"{call.name}: what it does to units is not known"
    call.refuse(reason)
    call.share(reason)
    return Traced(parents=call.parents)


def elementwise(call: Call) -> Traced | None:
    """Pass on what works on every number by itself; whether it makes zero of zero, the function itself is asked."""
    first, *others = call.tensors()
    labels = call.labels(first)
    if any(call.labels(one) is not None for one in others):
        return unknown(call)
    found = call.traced(first)
    if found is None or labels is None:
        return Traced(parents=call.parents)
    of_zero = call.function(torch.zeros_like(first), *call.arguments[1:], **call.options)
    loud = None if not bool(of_zero.any()) else f"{call.name} makes of zero something else"
    return Traced(labels, found.loud or loud, found.mixed, (found,))


def moves_numbers(call: Call) -> Traced | None:
    """Do to the labels what was done to the numbers."""
    first = call.arguments[0]
    found = call.traced(first)
    labels = call.labels(first)
    if any(call.labels(one) is not None for one in call.tensors()[1:]) and not call.name.endswith("_as"):
        return unknown(call)
    if found is None or labels is None:
        return found
    function: Callable[..., Any] = torch.Tensor.reshape if call.name == "view" else call.function
    try:
        moved = function(labels.contiguous(), *call.arguments[1:], **call.options)
    except (RuntimeError, TypeError, NotImplementedError):
        return unknown(call)
    if not isinstance(moved, Tensor) or moved.shape != call.result.shape or moved.dtype != labels.dtype:
        return unknown(call)
    return replace(found, labels=moved, parents=(found,))


def joins(call: Call) -> Traced | None:
    """Do to the labels of several tensors what was done to them: ``cat`` and ``stack``."""
    parts = list(call.argument(0, "tensors"))
    labels = [call.labels(one) for one in parts]
    traced = [found for one in parts if (found := call.traced(one)) is not None]
    if all(one is None for one in labels):
        return Traced(parents=tuple(traced))
    pairs = zip(parts, labels, strict=True)
    filled = [torch.zeros(part.shape, dtype=torch.int64) if one is None else one for part, one in pairs]
    moved = call.function(filled, *call.arguments[1:], **{k: v for k, v in call.options.items() if k != "tensors"})
    loud = next((one.loud for one in traced if one.loud), None)
    return Traced(moved, loud, any(one.mixed for one in traced), tuple(traced))


def pools(dimensions: int | None) -> Rule:
    """Return the rule of what takes one number of several along the last ``dimensions``, all but two where None."""

    def rule(call: Call) -> Traced | None:
        first = call.arguments[0]
        labels, found = call.labels(first), call.traced(first)
        if labels is None or found is None:
            return found
        last = tuple(range(-(labels.dim() - 2 if dimensions is None else dimensions), 0))
        if not is_constant(labels, last):
            return unknown(call)
        expanded = labels.amax(last, keepdim=True).expand(call.result.shape).clone()
        return replace(found, labels=expanded, parents=(found,))

    return rule


def reduces(call: Call) -> Traced | None:
    """Pass on the mean or the sum along dimensions that belong to one unit."""
    first = call.arguments[0]
    labels, found = call.labels(first), call.traced(first)
    if labels is None or found is None:
        return found
    dims = call.argument(1, "dim", None)
    every = tuple(range(labels.dim())) if dims is None else (dims,) if isinstance(dims, int) else tuple(dims)
    if not is_constant(labels, every):
        return unknown(call)
    reduced = labels.amax(every, keepdim=bool(call.argument(2, "keepdim", False)))
    return replace(found, labels=reduced, parents=(found,)) if reduced.shape == call.result.shape else unknown(call)


def softmax(call: Call) -> Traced | None:
    """Make loud what a softmax runs along; between units it mixes them, and only the output may be so."""
    first = call.arguments[0]
    labels, found = call.labels(first), call.traced(first)
    if labels is None or found is None:
        return found
    dim = call.argument(1, "dim", None)
    mixed = not isinstance(dim, int) or not is_constant(labels, (dim,))
    return Traced(labels, found.loud or f"{call.name} makes of zero something else", found.mixed or mixed, (found,))


def adds(call: Call) -> Traced | None:
    """Follow a sum: what one unit adds to itself stays its own, and a stream with several writers is nobody's."""
    first, second = (*call.arguments, call.options.get("other"))[:2]
    labels = [call.labels(one) for one in (first, second)]
    parents = call.parents
    one, two = labels
    if one is None and two is None:
        return Traced(parents=parents)
    if one is None or two is None:
        mine, other = (first, second) if two is None else (second, first)
        found = call.traced(mine)
        assert found is not None
        silent = not isinstance(other, Tensor) and other == 0
        loud = found.loud if silent else found.loud or ADDED
        return Traced(broadcast(_either(one, two), call), loud, found.mixed, parents)
    one, two = broadcast(one, call), broadcast(two, call)
    both = (one != 0) & (two != 0)
    if bool((one != two)[both].any()):
        call.refuse(RESIDUAL)
        return Traced(parents=parents)
    alone = ADDED if bool((one != two).any()) else None
    loud = next((p.loud for p in parents if p.loud), alone)
    return Traced(torch.maximum(one, two), loud, any(p.mixed for p in parents), parents)


def multiplies(call: Call) -> Traced | None:
    """Follow a product: where two units meet, as in a gate, they are one unit from there on."""
    first, second = (*call.arguments, call.options.get("other"))[:2]
    one, two = (call.labels(value) for value in (first, second))
    parents = call.parents
    if any(parent.mixed for parent in parents):
        return unknown(call)
    if one is None and two is None:
        return Traced(parents=parents)
    if one is None or two is None:
        found = call.traced(first if two is None else second)
        assert found is not None
        return Traced(broadcast(_either(one, two), call), found.loud, False, parents)
    one, two = broadcast(one, call), broadcast(two, call)
    pairs = torch.unique(torch.stack([one.flatten(), two.flatten()]), dim=1).t().tolist()
    for pair in pairs:
        if all(pair):
            call.known.join(pair)
    louds = [found.loud for found in (call.traced(first), call.traced(second)) if found is not None]
    whole = bool(one.all()) and bool(two.all())
    loud = next((loud for loud in louds if loud), None)
    silent = not all(louds) if whole else not any(louds)
    return Traced(torch.maximum(one, two), None if silent else loud, False, parents)


def divides(call: Call) -> Traced | None:
    """Follow a quotient; what it is divided by must be nobody's."""
    if len(call.arguments) > 1 and call.labels(call.arguments[1]) is not None:
        return unknown(call)
    return multiplies(call)


def pads(call: Call) -> Traced | None:
    """Let what surrounds the numbers be nobody's, or who it is copied from."""
    first = call.arguments[0]
    labels, found = call.labels(first), call.traced(first)
    if labels is None or found is None:
        return found
    widths, mode = call.argument(1, "pad"), call.argument(2, "mode", "constant")
    padded = torch.nn.functional.pad(labels.double(), widths, mode).to(torch.int64)
    return Traced(padded, found.loud, found.mixed, (found,))


def _either(one: Tensor | None, two: Tensor | None) -> Tensor:
    found = two if one is None else one
    assert found is not None
    return found


def is_constant(labels: Tensor, dimensions: tuple[int, ...]) -> bool:
    """Return whether labels do not change along ``dimensions``."""
    return not dimensions or bool((labels.amax(dimensions) == labels.amin(dimensions)).all())


def broadcast(labels: Tensor, call: Call) -> Tensor:
    """Return labels in the shape of the result."""
    return labels.expand(call.result.shape).clone()
