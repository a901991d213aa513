"""The ablation: choosing one neuron of a candidate, and zeroing it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from psa_tui.engine.population import Linear
from psa_tui.method.randomness import Purpose, generator
from psa_tui.method.variants import AblationMode


@dataclass(frozen=True, slots=True)
class Target:
    """A neuron: ``layer`` indexes the linear layers (the last is the output layer), ``neuron`` its outputs."""

    layer: int
    neuron: int


def choose(mode: AblationMode, layers: tuple[Linear, ...], seed: int, meta_loop: int) -> Target:
    """The neuron that ``mode`` ablates in ``meta_loop``.

    ``full`` picks a linear layer uniformly, then one of its neurons uniformly; ``hidden`` picks uniformly
    among all hidden neurons, so a wide layer is hit more often; ``output`` picks an output neuron uniformly.

    Raises:
        ValueError: ``mode`` does not ablate.
    """
    draws = generator(seed, meta_loop, Purpose.ABLATION)
    last = len(layers) - 1
    if mode is AblationMode.FULL:
        layer = int(draws.integers(len(layers)))
        return Target(layer, int(draws.integers(layers[layer].outputs)))
    if mode is AblationMode.HIDDEN:
        neuron = int(draws.integers(sum(layer.outputs for layer in layers[:last])))
        for layer in range(last):
            if neuron < layers[layer].outputs:
                return Target(layer, neuron)
            neuron -= layers[layer].outputs
    if mode is AblationMode.OUTPUT:
        return Target(last, int(draws.integers(layers[last].outputs)))
    raise ValueError(f"mode {mode} ablates nothing")


def ablate(
    flat: Tensor, member: int, mode: AblationMode, layers: tuple[Linear, ...], target: Target
) -> tuple[int, int]:
    """Zero ``target`` in row ``member`` of ``flat`` [M, parameters], in place.

    Its incoming weights and its bias become zero, and in mode ``hidden`` its outgoing weights too.

    Returns:
        The number of incoming and of outgoing weights that were zeroed.
    """
    layer = layers[target.layer]
    layer.weight(flat)[member, target.neuron] = 0.0
    layer.bias(flat)[member, target.neuron] = 0.0
    if mode is not AblationMode.HIDDEN:
        return layer.inputs, 0
    following = layers[target.layer + 1]
    following.weight(flat)[member, :, target.neuron] = 0.0
    return layer.inputs, following.outputs
