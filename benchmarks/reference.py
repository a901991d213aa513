"""The plain loop that the engine is compared with: what a competent user of PyTorch would write."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from psa_tui.data import Dataset, Split
from psa_tui.networks.mlp import Mlp
from psa_tui.networks.stacked import StackedNetwork

LEARNING_RATE = 1e-4
BATCH = 256


class Reference:
    """One trial of variant ``none``."""

    def __init__(self, network: StackedNetwork, data: Dataset) -> None:
        """Build the network, and the loaders over inputs that are normalised once, beforehand."""
        modules = _plain(network) if isinstance(network, Mlp) else _residual(network)
        self.model = nn.Sequential(*modules, nn.Linear(network.groups[-1].width, network.classes))
        self.train = DataLoader(_tensors(data, data.train), batch_size=BATCH, shuffle=True)
        self.validation = DataLoader(_tensors(data, data.validation), batch_size=BATCH)

    def meta_loop(self) -> int:
        """Train one epoch with a fresh AdamW, then count the validation images that are classified correctly."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
        self.model.train()
        for inputs, labels in self.train:
            optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(inputs), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        self.model.eval()
        correct = 0
        with torch.no_grad():
            for inputs, labels in self.validation:
                correct += int((self.model(inputs).argmax(1) == labels).sum())
        return correct


class _Block(nn.Module):
    """A residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear1, self.dropout, self.linear2 = nn.Linear(width, width), nn.Dropout(0.0), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.linear2(self.dropout(torch.relu(self.linear1(x)))))


def _plain(network: Mlp) -> list[nn.Module]:
    widths = [network.inputs, *network.hidden_widths()]
    return [module for one in pairwise(widths) for module in (nn.Linear(*one), nn.ReLU(), nn.Dropout(0.0))]


def _residual(network: StackedNetwork) -> list[nn.Module]:
    modules: list[nn.Module] = []
    width = network.inputs
    for group in network.groups:
        if group.width != width:
            modules += [nn.Linear(width, group.width), nn.ReLU(), nn.Dropout(0.0)]
        width = group.width
        modules += [_Block(width) for _ in range(group.count)]
    return modules


def _tensors(data: Dataset, split: Split) -> TensorDataset:
    inputs: Tensor = (torch.from_numpy(split.pixels).float() / 255 - data.spec.mean[0]) / data.spec.std[0]
    return TensorDataset(inputs, torch.from_numpy(split.labels))
