"""The modules behind a ``ModuleNetwork``: one in training mode, one in evaluation mode, and the units found in them.

Neither has weights of its own in use: those of a row take their places for a call (``torch.func.functional_call``).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.dropout import _DropoutNd

from psa_tui.errors import ConfigError
from psa_tui.method.events import Block
from psa_tui.networks.base import DropoutMasks, ParameterSpec
from psa_tui.networks.modules.activations import Masked, Places, units_of
from psa_tui.networks.modules.code import in_a_line
from psa_tui.networks.tracing.finding import Trace, UnitList, trace
from psa_tui.networks.unit import OUTPUT, Unit, UnitTable

if TYPE_CHECKING:
    import numpy as np

    from psa_tui.networks.modules.network import ModuleNetwork

_EXAMPLES = 3
"""An odd number, so that no other dimension is taken for the examples."""


class Built:
    """A module of the user's own, made once, and used with the weights of any row."""

    def __init__(self, network: ModuleNetwork) -> None:
        """Make the module, and look at it.

        Raises:
            ConfigError: the factory fails, or what it makes cannot be trained here.
        """
        self.evaluated = _made(network, 0).eval()
        _check(network, self.evaluated)
        specs = _tensors(self.evaluated)
        self.tensors = [spec for spec, _ in specs]
        self.buffers = [spec for spec, is_trained in specs if not is_trained]
        self._others = {
            name: one
            for name, one in self.evaluated.named_buffers()
            if name not in {spec.name for spec in self.tensors}
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self._example = torch.randn(_EXAMPLES, *network.input_shape)
        self.trained = copy.deepcopy(self.evaluated).train()
        self._masked = self._replace_dropout()
        self._check_outputs(network)
        self._check_buffers()
        found = trace(self.evaluated, (self._example,))
        self.activations = found.activations // _EXAMPLES
        self.operations = found.operations // _EXAMPLES
        chosen = _chosen(network, found)
        self.table = UnitTable(self.tensors, chosen)
        self.dropout_refusal = self._place_masks(found)
        self._watched, self.activity_refusal = self._place_watchers(found)

    def evaluate(self, tensors: Mapping[str, Tensor], inputs: Tensor, shown: DropoutMasks | None) -> Tensor:
        """Compute logits in evaluation mode, and show the activations of the hidden units."""
        if shown is None:
            return self._call(self.evaluated, tensors, inputs)
        hooks = [
            self.evaluated.get_submodule(name).register_forward_pre_hook(places.watch(shown, first))
            for name, places, first in self._watched
        ]
        try:
            return self._call(self.evaluated, tensors, inputs)
        finally:
            for hook in hooks:
                hook.remove()

    def train(self, tensors: Mapping[str, Tensor], inputs: Tensor, dropout: DropoutMasks | None) -> Tensor:
        """Compute logits in training mode, with the masks of ``dropout`` where the module has dropout layers."""
        if dropout is not None:
            count = sum(self.table.unit_counts[layer] for layer in self.table.hidden_layers)
            masks = dropout(inputs.new_ones(len(inputs), count), 0)
            for one in self._masked.values():
                one.masks = masks
        try:
            return self._call(self.trained, tensors, inputs)
        finally:
            for one in self._masked.values():
                one.masks = None

    def blocks(self) -> Sequence[Block]:
        """Return the rows of its table."""
        rows = [
            Block(name=name, units=len(units), parameters=_numbers(self.table, units))
            for name, units in self.table.layers.items()
        ]
        rest = sum(spec.size for spec in self.tensors) - sum(row.parameters for row in rows)
        return [Block(name="without units", units=0, parameters=rest), *rows] if rest > 0 else rows

    def _call(self, module: nn.Module, tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        # Counters and constants are copies, too: nothing that a call does to a module outlives it.
        others = {name: one.to(inputs.device, copy=True) for name, one in self._others.items()}
        logits: Tensor = functional_call(module, {**others, **tensors}, (inputs,))
        return logits

    def _replace_dropout(self) -> dict[str, Masked]:
        """Take the module's own dropout layers out, and return what stands there now, by name."""
        masked = {}
        for name, part in list(self.trained.named_modules()):
            if isinstance(part, nn.MultiheadAttention):
                part.dropout = 0.0
            if isinstance(part, _DropoutNd):
                parent, _, attribute = name.rpartition(".")
                masked[name] = Masked()
                setattr(self.trained.get_submodule(parent), attribute, masked[name])
        return masked

    def _place_masks(self, found: Trace) -> str | None:
        """Tell what stands for the dropout layers which units it drops; return why one cannot."""
        for name, one in self._masked.items():
            one.places = units_of(found.inputs.get(name), found.units, self.table, _EXAMPLES)
            if one.places is None:
                return f"its layer {name} drops what is not only hidden units"
        return None if self._masked else "it has no layer nn.Dropout, and that is where it would act"

    def _place_watchers(self, found: Trace) -> tuple[list[tuple[str, Places, int]], str | None]:
        """Find the modules whose inputs are the activations of each hidden layer."""
        watched, first = [], 0
        for units in [list(self.table.layers.values())[layer] for layer in self.table.hidden_layers]:
            readers = [place.parameter.rpartition(".")[0] for place in units[0].outgoing]
            name = next((one for one in readers if one in found.inputs), None)
            labels = None if name is None else found.inputs[name]
            places = units_of(labels, found.units, self.table, _EXAMPLES, range(first, first + len(units)))
            if name is None or places is None:
                return [], f"what the units of {units[0].layer} give on cannot be seen"
            watched.append((name, places, first))
            first += len(units)
        return watched, None

    def _check_outputs(self, network: ModuleNetwork) -> None:
        """Make sure that it computes logits, and the same ones again in training.

        Raises:
            ConfigError: it does not.
        """
        row = {spec.name: value for spec, value in zip(self.tensors, _values(self.evaluated), strict=True)}
        outputs = []
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            for seed in range(2):
                torch.manual_seed(seed)
                try:
                    outputs.append(self.train({name: one.clone() for name, one in row.items()}, self._example, None))
                except Exception as error:
                    raise ConfigError(f"it cannot be run in training mode ({in_a_line(error)})") from error
        found = outputs[0]
        if not isinstance(found, Tensor) or found.shape != (_EXAMPLES, network.classes):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ConfigError(f"expected logits of shape ({_EXAMPLES}, {network.classes}) from it, found {shape}")
        if not torch.equal(*outputs):
            raise ConfigError(
                "its forward pass draws random numbers other than those of nn.Dropout layers; they would be others "
                "after a resume: leave them out"
            )

    def _check_buffers(self) -> None:
        """Make sure that what its forward pass leaves in buffers is in the row: floats, changed in place by training.

        Raises:
            ConfigError: something else of its state changes, and would be lost after each call.
        """
        in_row = {spec.name for spec in self.tensors}
        for module, mode in ((self.trained, "in training"), (self.evaluated, "in evaluation")):
            one = copy.deepcopy(module)
            before = _lasting_buffers(one)
            values = {name: buffer.clone() for name, buffer in before.items()}
            with torch.no_grad():
                one(self._example)
            for name, now in _lasting_buffers(one).items():
                if name in before and torch.equal(now, values[name]):
                    continue
                if mode != "in training" or name not in in_row:
                    kind = str(now.dtype).removeprefix("torch.")
                    raise ConfigError(
                        f"its buffer {name} ({kind}) changes {mode}; what changes must be a float32 buffer of the "
                        "state_dict, and change in training alone, to be in checkpoints"
                    )
                if now is not before[name]:
                    raise ConfigError(f"its buffer {name} is replaced in training; change it in place (copy_, add_)")


def initial_row(network: ModuleNetwork, seed: int) -> np.ndarray:
    """Return the weights that the factory begins with when PyTorch's generator has ``seed``: float32 [parameters]."""
    module = _made(network, seed)
    return torch.cat([value.detach().flatten() for value in _values(module)]).numpy()


def _made(network: ModuleNetwork, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            module = network.code.factory(network.architecture, network.input_shape, network.classes)
        except Exception as error:
            raise ConfigError(f"{network.code.name} fails ({in_a_line(error)})") from error
    if not isinstance(module, nn.Module):
        raise ConfigError(f"{network.code.name} makes a {type(module).__name__}, expected a torch.nn.Module")
    return module


def _state(module: nn.Module) -> list[tuple[str, Tensor, bool]]:
    """Return names, tensors and whether they are trained: such come first, then frozen ones and floating buffers."""
    kept = module.state_dict(keep_vars=True)
    parameters = [(name, one, one.requires_grad) for name, one in module.named_parameters()]
    buffers = [(name, one, False) for name, one in module.named_buffers() if name in kept and one.is_floating_point()]
    return sorted(parameters + buffers, key=lambda one: not one[2])


def _lasting_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Return the buffers of its state, without those that only count batches."""
    kept = module.state_dict(keep_vars=True)
    counters = {
        id(part.num_batches_tracked)
        for part in module.modules()
        if isinstance(part, _NormBase) and part.num_batches_tracked is not None
    }
    return {name: one for name, one in module.named_buffers() if name in kept and id(one) not in counters}


def _values(module: nn.Module) -> list[Tensor]:
    return [value for _, value, _ in _state(module)]


def _tensors(module: nn.Module) -> list[tuple[ParameterSpec, bool]]:
    found, offset = [], 0
    for name, value, is_trained in _state(module):
        found.append((ParameterSpec(name, tuple(value.shape), offset), is_trained))
        offset += value.numel()
    return found


def _check(network: ModuleNetwork, module: nn.Module) -> None:
    """Make sure that its state is such as a row can hold.

    Raises:
        ConfigError: it is not.
    """
    state = _state(module)
    for name, value, _ in state:
        if value.dtype != torch.float32 or value.device.type != "cpu":
            raise ConfigError(f"{name} is {value.dtype} on {value.device}, expected float32 on the CPU")
        if not name.isprintable():
            raise ConfigError("a parameter has a name that cannot be printed")
    if not any(is_trained for *_, is_trained in state):
        raise ConfigError(f"what {network.code.name} makes has no parameter to train")
    for name, part in module.named_modules():
        if isinstance(part, _BatchNorm) and part.track_running_stats and part.momentum is None:
            raise ConfigError(f"{name} averages over all batches so far; give it a momentum")
    again, other = _made(network, 0), _made(network, 1)
    beside = {name for name, _ in module.named_buffers()} - {name for name, *_ in state}
    for name in sorted(beside):
        if not torch.equal(module.get_buffer(name), other.get_buffer(name)):
            raise ConfigError(
                f"its buffer {name} is drawn at random and in no checkpoint; make it a float32 buffer of the state_dict"
            )
    if not all(torch.equal(one, other) for one, other in zip(_values(module), _values(again), strict=True)):
        raise ConfigError(f"{network.code.name} draws from another generator than PyTorch's: a seed would say nothing")


def _chosen(network: ModuleNetwork, found: Trace) -> list[Unit]:
    """Return the units that are ablated: what the factory's ``units`` says, else all but whole blocks."""
    choose: Any = getattr(network.code.factory, "units", None)
    if choose is None:
        chosen: list[Unit] = [unit for unit in found.units if unit.kind != "block"]
    else:
        try:
            chosen = list(choose(UnitList(found.units, found.refused)))
        except Exception as error:
            raise ConfigError(f"{network.code.name}.units fails ({in_a_line(error)})") from error
    for what, kinds in (("output", {OUTPUT}), ("hidden", {unit.kind for unit in chosen} - {OUTPUT})):
        if not any(unit.kind in kinds for unit in chosen):
            raise ConfigError(
                f"{network.code.name} makes a module whose {what} units are not sure; give the factory an attribute "
                "units, a function from the units that were found to those that are meant",
                "\n".join(map(str, found.refused)),
            )
    return chosen


def _numbers(table: UnitTable, units: Sequence[Unit]) -> int:
    """Return how many numbers lead into units."""
    own = {place for unit in units for place in unit.incoming}
    shapes = {name: spec.shape for name, spec in table.parameters.items()}
    return sum(table.parameters[one.parameter].size // shapes[one.parameter][one.dimension] for one in own)
