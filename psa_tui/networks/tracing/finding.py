"""``psa_tui.units``: what can be ablated in a PyTorch module.

The module runs once on an example, in evaluation mode, while every PyTorch function that it calls is seen with its
real arguments (``recorder``). What is sure is returned, and tried on the example; the rest is refused, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from psa_tui.errors import ConfigError
from psa_tui.formatting import printable
from psa_tui.networks.tracing.check import Trial, failing
from psa_tui.networks.tracing.operations import tensors_in
from psa_tui.networks.tracing.recorder import Recorder
from psa_tui.networks.tracing.units import ADDED, Knowledge, Layer, Traced
from psa_tui.networks.unit import OUTPUT, Place, Unit

BLOCKS = "blocks"
"""The layer that residual blocks are units of."""
NOT_SHOWN = "its units do not behave so on the example"
UNREAD = "nothing that could be followed reads it"


@dataclass(frozen=True, slots=True)
class Refused:
    """A layer whose units are not sure, and why."""

    layer: str
    units: int
    reason: str

    def __str__(self) -> str:
        """Return it in a line."""
        return printable(f"{self.layer} ({self.units:,}): {self.reason}")


@dataclass(eq=False)
class Trace:
    """What one run of a module showed."""

    units: list[Unit]
    refused: tuple[Refused, ...]
    activations: int
    """Numbers that were computed on the way."""
    operations: int
    """Multiplications and additions by weights."""
    inputs: dict[str, Tensor] = field(default_factory=dict)
    """Of modules whose input has units: which unit of ``units`` each number belongs to, -1 where to none."""


class UnitList(list[Unit]):
    """Units in order of computation, and the layers that were ``refused``: never guessed, never ablated."""

    def __init__(self, units: Sequence[Unit], refused: tuple[Refused, ...] = ()) -> None:
        """``refused`` are the layers that have no units here, with the reasons."""
        super().__init__(units)
        self.refused = refused

    def __repr__(self) -> str:
        """Return a table of the layers, and those that are refused."""
        layers: dict[tuple[str, str], list[Unit]] = {}
        for unit in self:
            layers.setdefault((unit.layer, unit.kind), []).append(unit)
        head = ("layer", "kind", "units", "in", "out")
        rows: list[tuple[str, ...]] = [head]
        for (layer, kind), some in layers.items():
            numbers = (len(some), len(some[0].incoming), len(some[0].outgoing))
            rows.append((printable(layer), printable(kind), *(f"{number:,}" for number in numbers)))
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = [
            "  ".join(f"{c:<{w}}" if n < 2 else f"{c:>{w}}" for n, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        ]
        refused = [f"refused: {one}" for one in self.refused]
        return "\n".join([f"{len(self):,} units", *lines, *refused])


def units(model: nn.Module, example_input: Any, *, strict: bool = False) -> UnitList:
    """Return what can be ablated in ``model``, in order of computation.

    Args:
        model: any module; it runs in evaluation mode, and is left as it was.
        example_input: a batch of what it reads, of two examples or so; a tuple where it takes several arguments.
        strict: whether a layer that has to be refused is an error.

    Raises:
        ConfigError: the module cannot be run on the example, no unit is sure, or ``strict`` is, and some are not.
    """
    found = trace(model, example_input if isinstance(example_input, tuple) else (example_input,))
    if found.refused and (strict or not found.units):
        raise ConfigError(
            f"{len(found.refused)} of the layers cannot be ablated for sure, and "
            f"{'strict was asked for' if found.units else 'no others are left'}; add units of your own for them",
            "\n".join(map(str, found.refused)),
        )
    if not found.units:
        raise ConfigError("no units: the module calls no layer with weights of its own (a scripted one shows none)")
    return UnitList(found.units, found.refused)


def trace(model: nn.Module, arguments: tuple[Any, ...]) -> Trace:
    """Return what one run of ``model`` shows.

    Raises:
        ConfigError: it cannot be run.
    """
    recorder = Recorder(dict(model.named_parameters(remove_duplicate=False)))
    with _in_evaluation(model), torch.no_grad():
        hooks = [one.register_forward_pre_hook(recorder.watch(name)) for name, one in model.named_modules() if name]
        try:
            with recorder:
                output = model(*arguments)
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(f"the module cannot be run on the example ({_brief(error)})") from None
        finally:
            for hook in hooks:
                hook.remove()
        known = recorder.known
        _note_output(known, [found for one in tensors_in(output) if (found := recorder.traced(one)) is not None])
        hidden = {id(layer): _units_of(known, layer, own) for layer, own in known.sure()}
        _check(model, arguments, known, hidden)
    return _collected(known, recorder, hidden)


def _note_output(known: Knowledge, outputs: list[Traced]) -> None:
    """Let the layer that makes the first output be the output layer; units that are returned otherwise are refused."""
    for place, traced in enumerate(outputs):
        labels = known.live(traced)
        if labels is None:
            continue
        layers = {id(one): one for one in map(known.layer_of, known.units_in(labels))}
        if place or len(layers) > 1 or not bool(labels.all()) or traced.loud == ADDED:
            known.refuse_traced(traced, traced.loud or "it is returned beside something else")
            continue
        (layer,) = layers.values()
        if any(known.outgoing.get(unit) for unit in layer.units) or layer.kind == "head":
            known.refuse(layer.units, "it is returned, and read by other layers")
        layer.returned = True
        layer.kind = OUTPUT
    for layer in known.layers:
        if layer.refusal is None and not layer.returned:
            groups = known.groups()
            own = [groups[unit] for unit in layer.units if unit in groups]
            if any(not any(known.outgoing.get(unit) for unit in group) for group in own):
                known.refuse(layer.units, UNREAD)


def _units_of(known: Knowledge, layer: Layer, groups: list[list[int]]) -> list[Unit]:
    """Return the units of a layer; ``groups`` are the numbers of each."""
    names = dict.fromkeys(known.layer_of(unit).name for group in groups for unit in group)
    name = "+".join(names)

    def places(which: dict[int, list[Place]], group: list[int]) -> tuple[Place, ...]:
        return tuple(dict.fromkeys(place for unit in group for place in which.get(unit, ())))

    return [
        Unit(f"{name}[{index}]", layer.kind, name, places(known.incoming, group), places(known.outgoing, group))
        for index, group in enumerate(groups)
    ]


def _check(model: nn.Module, arguments: tuple[Any, ...], known: Knowledge, found: dict[int, list[Unit]]) -> None:
    """Try the hidden units of ``found`` on the example, and refuse those that fail."""
    hidden = [layer for layer in known.layers if id(layer) in found and not layer.returned]
    normalised = [any(known.layer_of(unit).normalised for unit in layer.units) for layer in hidden]
    trial = Trial(model, arguments)
    for index in failing(trial, [found[id(layer)] for layer in hidden], normalised):
        known.refuse(hidden[index].units, NOT_SHOWN)
    for layer in known.layers:
        if layer.refusal is not None:
            found.pop(id(layer), None)


def _collected(known: Knowledge, recorder: Recorder, found: dict[int, list[Unit]]) -> Trace:
    """Return units in order of computation: a block stands behind its last layer, the output is the last of all."""
    blocks: list[Unit] = []
    refused: list[Refused] = []
    units: list[Unit] = []
    for layer in known.layers:
        units += found.get(id(layer), [])
        if layer.ends_branch:
            own = tuple(dict.fromkeys(place for unit in layer.units for place in known.incoming[unit]))
            tied = next((known.shared[place.parameter] for place in own if place.parameter in known.shared), None)
            if tied is None:
                blocks.append(Unit(f"{BLOCKS}[{layer.name}]", "block", BLOCKS, own))
            else:
                refused.append(Refused(f"{BLOCKS}[{layer.name}]", 1, tied))
        if layer.refusal is not None:
            refused.append(Refused(layer.name, layer.count, layer.refusal))
    named = {one.layer for one in refused}
    rest: dict[str, str] = {}
    for parameter, reason in known.shared.items():
        if (owner := parameter.rpartition(".")[0] or parameter) not in named:
            rest.setdefault(owner, reason)
    refused += [Refused(owner, 0, reason) for owner, reason in rest.items()]
    units = sorted([*units, *blocks], key=lambda unit: unit.kind == OUTPUT)
    return Trace(
        units,
        tuple(dict.fromkeys(refused)),
        recorder.activations,
        recorder.operations,
        dict(_inputs(known, recorder, found, units)),
    )


def _inputs(
    known: Knowledge, recorder: Recorder, found: dict[int, list[Unit]], units: list[Unit]
) -> Iterator[tuple[str, Tensor]]:
    """Go through the modules whose input has units that were found."""
    places = {id(unit): place for place, unit in enumerate(units)}
    table = torch.full((sum(layer.count for layer in known.layers) + 1,), -1)
    for layer, groups in known.sure():
        for unit, group in zip(found[id(layer)], groups, strict=True):
            table[group] = places[id(unit)]
    for name, traced in recorder.inputs.items():
        if (labels := known.live(traced)) is not None:
            yield name, table[labels]


@contextmanager
def _in_evaluation(model: nn.Module) -> Iterator[None]:
    """Put ``model`` in evaluation mode, and every part of it back into its own mode afterwards."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def _brief(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}".splitlines()[0])[:200]
