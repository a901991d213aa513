"""Persistent Stochastic Ablation in Lightning: one callback, and each epoch of the Trainer is a meta-loop.

    pip install "psa-tui[lightning]"
    python examples/own_lightning.py

Stop it in any way and start it again: it goes on with ``checkpoints/last.ckpt``, to the bit.
"""

from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import psa_tui as psa
from psa_tui.data import load_dataset


class Digits(LightningModule):
    """A network as anyone writes it; the units that can be ablated are found by its ``example_input_array``."""

    def __init__(self):
        """Make the layers."""
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
        self.example_input_array = torch.zeros(2, 28, 28)

    def forward(self, images):
        """Return logits [N, 10]."""
        return self.net(images)

    def training_step(self, batch, _):
        """Return the loss of a batch."""
        return cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, _):
        """Log what decides."""
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).double().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Return an optimiser; each meta-loop asks for a fresh one."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


if __name__ == "__main__":
    seed_everything(7)
    digits = load_dataset("mnist5k", Path("dataset"))
    train, validation = (
        TensorDataset(torch.from_numpy(part.pixels).float() / 255, torch.from_numpy(part.labels))
        for part in (digits.train, digits.validation)
    )
    ablation = psa.PersistentStochasticAblation("val_acc", variant="output", seed=7)
    keep = ModelCheckpoint("checkpoints", save_last=True)
    trainer = Trainer(max_epochs=5, callbacks=[ablation, keep], accelerator="cpu", logger=False)
    trainer.fit(
        Digits(), DataLoader(train, 64, shuffle=True), DataLoader(validation, 500), ckpt_path="last", weights_only=True
    )
    progress = ablation.search.progress
    print(f"{progress.promotions} promotions in {progress.meta_loop} meta-loops, LKG {progress.lkg_accuracy:.2%}")
