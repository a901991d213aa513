"""Seeing every PyTorch function that a module calls, with its real arguments, while it runs once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from psa_tui.networks.tracing import layers
from psa_tui.networks.tracing import operations as op
from psa_tui.networks.tracing.units import Knowledge, Layer, Traced


def _rules() -> dict[str, op.Rule]:
    groups: dict[op.Rule, str] = {
        op.elementwise: "relu gelu silu tanh leaky_relu elu selu celu relu6 hardtanh hardswish mish softsign "
        "tanhshrink hardshrink softshrink prelu rrelu sigmoid hardsigmoid softplus logsigmoid threshold abs neg "
        "negative square sqrt sin sinh cos tan arctan atan asinh erf sign round floor ceil trunc exp exp2 log1p expm1 "
        "pow __pow__ clamp clip clamp_ masked_fill masked_fill_ relu_ tanh_ leaky_relu_ elu_ hardtanh_ silu_ sigmoid_ "
        "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout "
        "clone contiguous detach to type float double half bfloat16 cpu cuda",
        op.moves_numbers: "view reshape flatten unflatten permute transpose swapaxes movedim moveaxis t T mT squeeze "
        "unsqueeze expand expand_as repeat roll flip narrow select __getitem__ pixel_shuffle pixel_unshuffle "
        "chunk split tensor_split unbind view_as reshape_as channel_shuffle tile diagonal",
        op.joins: "cat concat concatenate stack hstack vstack",
        op.pools(1): "max_pool1d avg_pool1d adaptive_avg_pool1d adaptive_max_pool1d lp_pool1d",
        op.pools(2): "max_pool2d avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d lp_pool2d",
        op.pools(3): "max_pool3d avg_pool3d adaptive_avg_pool3d adaptive_max_pool3d",
        op.pools(None): "interpolate upsample",
        op.reduces: "mean sum amax amin",
        op.softmax: "softmax log_softmax softmin",
        op.adds: "add sub subtract add_ sub_ __rsub__ __add__ __radd__ __iadd__ rsub",
        op.multiplies: "mul multiply mul_ __mul__ __rmul__ __imul__",
        op.divides: "div divide true_divide div_ __truediv__ __itruediv__",
        op.pads: "pad",
        layers.linear: "linear",
        layers.convolution(1): "conv1d",
        layers.convolution(2): "conv2d",
        layers.convolution(3): "conv3d",
        layers.normalisation(1, weight=3): "batch_norm instance_norm",
        layers.normalisation(1, weight=2, mixes=True): "group_norm",
        layers.normalisation(-1, weight=2, mixes=True): "layer_norm",
        layers.normalisation(-1, weight=2, mixes=True, has_bias=False): "rms_norm",
        layers.products: "matmul bmm mm __matmul__",
        layers.dot_product_attention: "scaled_dot_product_attention",
        layers.attention: "multi_head_attention_forward",
    }
    return {name: rule for rule, names in groups.items() for name in names.split()}


RULES = _rules()
_SUMS = {name for name, rule in RULES.items() if rule is op.adds}
_LAYERS = {"linear", "conv1d", "conv2d", "conv3d", "multi_head_attention_forward"}
_ABOUT = {
    *("shape", "size", "dim", "ndim", "dtype", "device", "numel", "nelement", "requires_grad", "stride", "layout"),
    *("get_device", "element_size", "storage_offset", "names", "grad", "grad_fn"),
    *("__len__", "__repr__", "__format__", "__hash__"),
}
"""What tells of a tensor, and nothing of its numbers."""


class Recorder(TorchFunctionMode):
    """Follows the units of a module through one forward pass, made inside it."""

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        """``parameters`` has all names, also where two are of one tensor."""
        super().__init__()
        self.known = Knowledge()
        self.inputs: dict[str, Traced | None] = {}
        """What the modules read, by name."""
        self.activations = 0
        """Numbers of all results so far."""
        self.operations = 0
        """Multiplications and additions by weights so far."""
        self._names: dict[int, str] = {}
        self._uses: dict[str, int] = {}
        self._found: dict[int, tuple[Tensor, Traced]] = {}
        """What is known of tensors, which are kept so that no other one takes their place in memory."""
        for name, parameter in parameters.items():
            if (first := self._names.setdefault(id(parameter), name)) != name:
                self.known.share(first, f"tied weights: {first} is {name}")

    def watch(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        """Return the hook that notes what the module ``name`` reads."""

        def note(module: nn.Module, arguments: tuple[Any, ...]) -> None:
            self.inputs[name] = self.traced(arguments[0]) if arguments else None

        return note

    def traced(self, value: Any) -> Traced | None:
        """Return what is known of a value; of a tensor that was there before, that it has no units."""
        if not isinstance(value, Tensor):
            return None
        if id(value) not in self._found:
            self._found[id(value)] = value, Traced()
        return self._found[id(value)][1]

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        """Call ``function`` and note what it does to units."""
        options = options or {}
        name = function.__self__.__name__ if function.__name__ == "__get__" else function.__name__
        own = [key for one in op.tensors_in((arguments, options)) if (key := self._names.get(id(one))) is not None]
        result = function(*arguments, **options)
        if name in _ABOUT or name.startswith("is_"):
            return result
        for key in own:
            self._uses[key] = self._uses.get(key, 0) + 1
            if self._uses[key] > 1:
                self.known.share(key, f"tied weights: {key} is used more than once")
        outputs = op.tensors_in(result)
        self.activations += sum(output.numel() for output in outputs)
        weights = [one for one in op.tensors_in((arguments, options)) if id(one) in self._names and one.dim() > 1]
        if weights and outputs:
            self.operations += 2 * outputs[0].numel() // len(weights[-1]) * sum(one.numel() for one in weights)
        call = op.Call(
            name=name,
            function=function,
            arguments=arguments,
            options=options,
            result=outputs[0] if outputs else Tensor(),
            known=self.known,
            traced=self.traced,
            parameter=lambda one: self._names.get(id(one)) if isinstance(one, Tensor) else None,
        )
        if any(output is one for output in outputs for one in call.tensors()):
            self._check_alone(call, outputs[0])
        self._note(call, outputs)
        return result

    def _note(self, call: op.Call, outputs: list[Tensor]) -> None:
        """Let the rule of a call say what is known of its ``outputs``."""
        rule = RULES.get(call.name, op.unknown)
        if len(outputs) > 1 and rule is op.moves_numbers:
            self._split(call, outputs)
            return
        parents = call.parents
        if not outputs or not call.tensors() or (len(outputs) > 1 and rule is not layers.attention):
            rule = op.unknown
        if call.name in _SUMS:
            self._find_block(call)
        before = len(self.known.layers)
        noted = rule(call)
        for output in outputs[:1]:
            self._found[id(output)] = output, noted or Traced(parents=parents)
        for output in outputs[1:]:
            # The weights of attention are of all its heads: whoever looks at them looks at more than one unit.
            made = self.known.layers[before:]
            heads = {unit for layer in made if layer.kind == "head" for unit in layer.units}
            self._found[id(output)] = output, self._mixture(heads, output, parents)

    @staticmethod
    def _mixture(units: set[int], like: Tensor, parents: tuple[Traced, ...]) -> Traced:
        if not units or not like.numel():
            return Traced(parents=parents)
        labels = torch.tensor(sorted(units)).repeat(-(-like.numel() // len(units)))[: like.numel()].view(like.shape)
        return Traced(labels, "attention's weights are of all heads", True, parents)

    def _split(self, call: op.Call, outputs: list[Tensor]) -> None:
        """Do to the labels what took a tensor apart."""
        first = call.arguments[0]
        labels, found = call.labels(first), call.traced(first)
        whole = torch.zeros(first.shape, dtype=torch.int64) if labels is None else labels.contiguous()
        parts: list[Tensor] = list(call.function(whole, *call.arguments[1:], **call.options))
        for output, part in zip(outputs, parts, strict=True):
            loud, mixed = (None, False) if found is None else (found.loud, found.mixed)
            self._found[id(output)] = output, Traced(part, loud, mixed, call.parents)

    def _check_alone(self, call: op.Call, changed: Tensor) -> None:
        """Refuse what else lies where a function writes: what is known of it would not be true any more."""
        if not (call.name.endswith("_") or call.options.get("inplace") or "out" in call.options):
            return
        place = changed.untyped_storage().data_ptr()
        for tensor, found in list(self._found.values()):
            if tensor is not changed and tensor.untyped_storage().data_ptr() == place:
                self.known.refuse_traced(found, f"{call.name} writes into a tensor that others look at")

    def _find_block(self, call: op.Call) -> None:
        """Note a residual block where a branch's last layer is added to what the branch came from."""
        sides = [found for one in call.arguments[:2] if (found := self.traced(one)) is not None]
        if len(sides) < 2 or call.name in ("sub", "sub_", "subtract", "__rsub__", "rsub"):
            return
        both = (self._last_layer(branch, stream) for branch, stream in (sides, sides[::-1]))
        ends = [layer for layer in both if layer is not None]
        if len(ends) == 1:
            ends[0].ends_branch = True

    def _last_layer(self, branch: Traced, stream: Traced) -> Layer | None:
        """Return the layer that a branch off ``stream`` ends with; None where it is none.

        Its input comes from the stream, or from what one layer of a projection shortcut reads; the shortcut knows
        nothing of it.
        """
        layer, shortcut = self._only_layer(branch), self._only_layer(stream)
        if layer is None or branch.loud is not None or stream.comes_from(branch):
            return None
        origin = stream if branch.comes_from(stream) else None if shortcut is None else shortcut.source
        if origin is None or not layer.source.comes_from(origin):
            return None
        is_symmetric = origin is not stream and stream.comes_from(layer.source)
        return None if is_symmetric else layer

    def _only_layer(self, traced: Traced) -> Layer | None:
        labels = self.known.live(traced)
        if labels is None or not bool(labels.all()):
            return None
        found = {id(layer): layer for layer in map(self.known.layer_of, self.known.units_in(labels))}
        return next(iter(found.values())) if len(found) == 1 else None
