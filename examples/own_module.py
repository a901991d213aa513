"""A network of your own as PyTorch people write it: a module, and a factory that makes it. Nothing else is needed.

    psa train --network examples/own_module.py:build --arch 8 --dataset mnist5k --mode hidden --meta-loops 20

trains one with 8 channels; ``psa resume --network examples/own_module.py:build`` goes on with it. A module that can be
imported is named ``package.module:build``. The file is run because the command line names it, never for another reason:
a checkpoint, a psa.toml or an .env that names it is not enough.

    python examples/own_module.py

shows what an ablation can hit: the units that ``psa.units`` is sure of, and what it refuses, with the reasons. A
factory may choose among them, or add its own, by an attribute ``units``: a function from that list to another. Dropout
acts where the module has ``nn.Dropout`` layers, at the rate of ``--dropout``, in modes that have it. The checkpoint has
the tensors under the module's own names; ``load`` below reads them back.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn


class Block(nn.Module):
    """A residual block: two convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        """Keep as many channels as come in."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Add to ``inputs`` what the branch makes of them."""
        return (inputs + self.norm2(self.conv2(self.norm1(self.conv1(inputs)).relu()))).relu()


def build(architecture: str, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return a module for images of ``input_shape``; ``architecture`` is what ``--arch`` says: the channels."""
    channels = int(architecture)
    return nn.Sequential(
        nn.Conv2d(input_shape[0], channels, 5, stride=3),
        nn.ReLU(),
        Block(channels),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(9 * channels, 32),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(32, classes),
    )


build.default_architecture = "8"  # type: ignore[attr-defined]


def load(checkpoint: Path, architecture: str, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return a module with the weights of a checkpoint, ready to classify."""
    module = build(architecture, input_shape, classes)
    # What optimisers and promotion rules keep beside the weights stands under other names.
    module.load_state_dict({name: one for name, one in load_file(checkpoint).items() if name in module.state_dict()})
    return module.eval()


if __name__ == "__main__":
    import psa_tui as psa

    print(psa.units(build("8", (1, 28, 28), 10), example_input=torch.randn(2, 1, 28, 28)))
