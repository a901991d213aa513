"""What layers with weights do to units: they read those of their input, and make units of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from psa_tui.networks.tracing.operations import Call, is_constant, unknown
from psa_tui.networks.tracing.units import Traced
from psa_tui.networks.unit import Place

NOT_A_PARAMETER = "its weights are computed, or no parameters of the module"
_OF_ATTENTION = (
    *("query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias", "bias_k", "bias_v"),
    *("add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias"),
)
"""The arguments of PyTorch's function, in order."""


def linear(call: Call) -> Traced | None:
    """Read and make neurons: weight [out, in], numbers along the last dimension."""
    source, weight, bias = (call.argument(*which) for which in ((0, "input"), (1, "weight"), (2, "bias")))
    _read(call, source, weight, -1)
    return _make(call, source, weight, bias, "neuron", -1)


def convolution(dimensions: int) -> Any:
    """Return the rule of convolutions over so many dimensions: weight [out, in, ...], channels before them."""

    def rule(call: Call) -> Traced | None:
        source, weight, bias = (call.argument(*which) for which in ((0, "input"), (1, "weight"), (2, "bias")))
        if call.argument(6, "groups", 1) != 1:
            call.share("a grouped convolution, whose filters read some channels each")
            call.refuse(f"a grouped convolution reads it: {_layer_name(call, weight)}")
            return Traced(parents=call.parents)
        _read(call, source, weight, -1 - dimensions)
        return _make(call, source, weight, bias, "channel", -1 - dimensions)

    return rule


def normalisation(channel: int, *, weight: int, mixes: bool = False, has_bias: bool = True) -> Any:
    """Return the rule of a normalisation whose weight and bias each belong to one place along ``channel``.

    Args:
        channel: the dimension.
        weight: the place of the weight among the arguments; the bias is behind it.
        mixes: whether mean and variance are those of several units.
        has_bias: whether it adds a bias.
    """

    def rule(call: Call) -> Traced | None:
        source = call.argument(0, "input")
        found, labels = call.traced(source), call.labels(source)
        own = [call.argument(weight, "weight"), call.argument(weight + 1, "bias") if has_bias else None]
        if found is None or labels is None:
            return Traced(parents=call.parents)
        if found.loud is not None:
            call.refuse(found.loud, source)
            return Traced(parents=call.parents)
        names = [name for one in own if one is not None and (name := call.parameter(one)) is not None]
        others = tuple(dim for dim in range(labels.dim()) if dim != channel % labels.dim())
        if found.mixed or not is_constant(labels, others) or any(one is not None and one.dim() != 1 for one in own):
            return unknown(call)
        for unit, index in _along(labels, channel):
            for name in names:
                call.known.lead_in(unit, Place(name, 0, index))
            call.known.layer_of(unit).normalised |= mixes
        # A mean is taken away and a bias added: only what is multiplied by a zero of its own is zero.
        silent = len(names) == (2 if has_bias else 1)
        loud = None if silent else f"{call.name} without weights of its own makes of zero something else"
        return Traced(labels, loud, False, (found,))

    return rule


def attention(call: Call) -> Traced | None:
    """Follow ``torch.nn.MultiheadAttention``: its heads are units, and what leaves it are neurons of its last layer."""
    given = {name: call.argument(place, name) for place, name in enumerate(_OF_ATTENTION)}
    sources = [given["query"], given["key"], given["value"]]
    separate = call.options.get("use_separate_proj_weight", False)
    projections = [call.options[f"{one}_proj_weight"] for one in "qkv"] if separate else [given["in_proj_weight"]] * 3
    known, heads = call.known, given["num_heads"]
    width = given["embed_dim_to_check"]
    parents = call.parents
    name = _layer_name(call, given["out_proj_weight"]).removesuffix(".out_proj")
    layer = known.new_layer(name, "head", heads, Traced(parents=parents))
    weights = {call.parameter(one) for one in (*projections, given["out_proj_weight"])}
    if None in weights or given["bias_k"] is not None or given["bias_v"] is not None or width % heads:
        known.refuse(layer.units, "attention with rows for all heads, or without weights of its own")
    for source, projection in zip(sources, projections, strict=True):
        if separate:
            _read(call, source, projection, -1)
        elif any(one is not sources[0] for one in sources):
            call.refuse("attention reads several sources by one weight", source)
    if not separate and all(one is sources[0] for one in sources):
        _read(call, sources[0], projections[0], -1)
    size = width // heads
    for unit in layer.units if layer.refusal is None else ():
        rows = range((unit - layer.first) * size, (unit - layer.first + 1) * size)
        for part, projection in enumerate(projections):
            start = 0 if separate else part * width
            known_weight, bias = call.parameter(projection), call.parameter(given["in_proj_bias"])
            assert known_weight is not None
            for row in rows:
                known.lead_in(unit, Place(known_weight, 0, start + row))
                if bias is not None:
                    known.lead_in(unit, Place(bias, 0, part * width + row))
        out = call.parameter(given["out_proj_weight"])
        assert out is not None
        for column in rows:
            known.lead_out(unit, Place(out, 1, column))
    return _make(call, None, given["out_proj_weight"], given["out_proj_bias"], "neuron", -1)


def products(call: Call) -> Traced | None:
    """Follow a product of matrices: queries, keys and values that meet in one are a head from there on."""
    first, second = call.arguments[0], call.argument(1, "other", call.argument(1, "mat2"))
    return _contract(call, [first, second], second)


def dot_product_attention(call: Call) -> Traced | None:
    """Follow the softmax of queries times keys, times values."""
    given = [call.argument(place, name) for place, name in enumerate(("query", "key", "value"))]
    masks = call.argument(3, "attn_mask")
    if masks is not None and call.labels(masks) is not None:
        return unknown(call)
    return _contract(call, given, given[2])


def _contract(call: Call, operands: list[Tensor], last: Tensor) -> Traced | None:
    """Join the units of ``operands`` [..., rows, columns] matrix by matrix; ``last`` is what makes it silent."""
    labels = [call.labels(one) for one in operands]
    traced = [call.traced(one) for one in operands]
    parents = call.parents
    if all(one is None for one in labels):
        return Traced(parents=parents)
    if any(one is not None and one.mixed for one in traced) or any(one.dim() < 2 for one in operands):
        return unknown(call)
    if any(one is None for one in labels):
        return _by_one(call, operands, labels, parents)
    found = [one for one in labels if one is not None]
    leading = call.result.shape[:-2]
    if not all(bool(one.all()) for one in found) or any(one.shape[:-2] != leading for one in found):
        return unknown(call)
    together = torch.cat([one.reshape(*leading, -1) for one in found], -1).reshape(-1, sum(map(_matrix, found)))
    for units in torch.unique(together, dim=0):
        call.known.join(call.known.units_in(units), "head")
    louds = [one.loud for one in traced if one is not None]
    behind = call.traced(last)
    silent = behind is not None and behind.loud is None if len(operands) > 2 else not all(louds)
    first = torch.stack([one.flatten(-2)[..., 0] for one in found]).amax(0)
    joined = first[..., None, None].expand(call.result.shape).clone()
    return Traced(joined, None if silent else next(loud for loud in louds if loud), False, parents)


def _by_one(
    call: Call, operands: list[Tensor], labels: list[Tensor | None], parents: tuple[Traced, ...]
) -> Traced | None:
    """Follow a product with one operand that has units, which must be the same along what is summed over."""
    last = len(labels) - 1
    places = [place for place, one in enumerate(labels) if one is not None]
    if len(places) > 1 or (len(labels) > 2 and places != [last]):
        return unknown(call)
    found, traced = labels[places[0]], call.traced(operands[places[0]])
    assert found is not None
    assert traced is not None
    summed = -2 if places[0] == last else -1
    if not is_constant(found, (summed,)):
        return unknown(call)
    return Traced(found.amax(summed, keepdim=True).expand(call.result.shape).clone(), traced.loud, False, parents)


def _matrix(labels: Tensor) -> int:
    return labels.shape[-2] * labels.shape[-1]


def _read(call: Call, source: Tensor, weight: Tensor, channel: int) -> None:
    """Record who reads the units of ``source``, whose numbers along ``channel`` meet dimension 1 of ``weight``."""
    found, labels = call.traced(source), call.labels(source)
    if found is None or labels is None:
        return
    name = call.parameter(weight)
    others = tuple(dim for dim in range(labels.dim()) if dim != channel % labels.dim())
    if name is None:
        call.refuse(f"{call.name} reads it by numbers that are no parameter", source)
    elif found.loud is not None or found.mixed:
        call.refuse(found.loud or "others are mixed into it", source)
    elif not is_constant(labels, others):
        call.refuse(f"{_layer_name(call, weight)} reads all of them by the same numbers", source)
    else:
        for unit, index in _along(labels, channel):
            call.known.lead_out(unit, Place(name, 1, index))


def _make(
    call: Call, source: Tensor | None, weight: Tensor, bias: Tensor | None, kind: str, channel: int
) -> Traced | None:
    """Return the result with new units along ``channel``, one for each row of ``weight``."""
    name, parents = call.parameter(weight), call.parents
    result = call.result[0] if isinstance(call.result, tuple) else call.result
    if name is None or (bias is not None and call.parameter(bias) is None):
        if name is not None:
            call.share(NOT_A_PARAMETER)
        return Traced(parents=parents)
    read = None if source is None else call.traced(source)
    layer = call.known.new_layer(_layer_name(call, weight), kind, len(weight), read or Traced(parents=parents))
    for index, unit in enumerate(layer.units):
        call.known.lead_in(unit, Place(name, 0, index))
        if bias is not None:
            call.known.lead_in(unit, Place(call.parameter(bias) or "", 0, index))
    shape = [1] * result.dim()
    shape[channel] = -1
    labels = torch.tensor(layer.units).view(shape).expand(result.shape).clone()
    return Traced(labels, None, False, parents)


def _layer_name(call: Call, weight: Tensor) -> str:
    return (call.parameter(weight) or call.name).rpartition(".")[0] or call.name


def _along(labels: Tensor, channel: int) -> list[tuple[int, int]]:
    """Return each unit with its index along ``channel``, along which alone the labels change."""
    line = labels.movedim(channel, -1).reshape(-1, labels.shape[channel])[0]
    return [(unit, index) for index, unit in enumerate(line.tolist()) if unit]
