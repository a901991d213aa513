"""Persistent Stochastic Ablation in a training run of Lightning: a callback makes each epoch a meta-loop."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

try:
    from lightning.fabric.utilities import move_data_to_device
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.utilities import rank_zero_warn
except ModuleNotFoundError:
    raise ImportError('this callback needs Lightning; pip install "psa-tui[lightning]"') from None

from psa_tui.errors import CheckpointError, ConfigError, PsaError
from psa_tui.formatting import printable
from psa_tui.method.events import Verdict
from psa_tui.method.progress import MOST_LOOPS
from psa_tui.method.variants import Variant
from psa_tui.networks.tracing.finding import units as find_units
from psa_tui.networks.unit import Unit
from psa_tui.search.loop import Loop
from psa_tui.search.search import InitialWeights, Search


class PersistentStochasticAblation(Callback):
    """Restores and damages the LKG when an epoch begins, and promotes or rolls back after its last validation.

    ::

        ablation = psa_tui.PersistentStochasticAblation("val_acc", variant="output", seed=7)
        Trainer(max_epochs=100, callbacks=[ablation]).fit(model, train_loader, validation_loader)

    Each epoch has the optimisers and schedulers of a new call of ``configure_optimizers``, and begins with the global
    states of PyTorch, NumPy and Python seeded by ``loop.seed("lightning")``. The search is in Lightning's checkpoints,
    so ``fit(ckpt_path=...)`` goes on, to the bit. When ``fit`` ends, the LKG is in the module. One process only.
    """

    def __init__(
        self,
        monitor: str,
        variant: str | Variant,
        seed: int = 0,
        *,
        units: Iterable[Unit] | None = None,
        weight_decay: float | None = None,
        dropout: float | None = None,
        initial_weights: InitialWeights | None = None,
    ) -> None:
        """Say what is damaged, and what decides.

        Args:
            monitor: the accuracy, a fraction, that the module logs when it validates.
            variant: what is damaged and promoted, as ``Search`` takes it.
            seed: of all draws, as ``Search`` takes it.
            units: what can be ablated; those that ``psa_tui.units`` finds by the module's ``example_input_array``,
                where none are given.
            weight_decay: of all optimisers' parameters in loops whose variant decays weights; 0 in others. Without it
                it is the module's.
            dropout: of all dropout layers in loops whose variant has dropout; 0 in others. Without it it is the
                module's.
            initial_weights: as ``Search`` takes it.
        """
        super().__init__()
        self.monitor, self.variant, self.seed = monitor, variant, seed
        self.search: Search | None = None
        """Its progress, history and units, once training began."""
        self.loop: Loop | None = None
        """That of the epoch under way, or of the last one."""
        self._units, self._initial_weights = units, initial_weights
        self._weight_decay, self._dropout = weight_decay, dropout
        self._loaded: Mapping[str, Any] | None = None
        self._loops: Iterator[Loop] = iter(())

    def state_dict(self) -> dict[str, Any]:
        """Return the search's, for Lightning's checkpoint; before it began, what was loaded."""
        if self.search is None:
            return dict(self._loaded or {})
        within = self.loop is not None and self.loop.event is None
        return {**self.search.state_dict(), "within_epoch": within}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the state of a checkpoint for the training that goes on with it."""
        self.search, self._loaded = None, state_dict or None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the search from the weights that the module has, or go on with that of the checkpoint."""
        if trainer.world_size > 1:
            raise ConfigError(f"{trainer.world_size} processes; this callback is for one, so take Trainer(devices=1)")
        if self._loaded is not None and self._loaded.get("within_epoch"):
            raise CheckpointError(
                "the checkpoint was saved within an epoch, and a meta-loop has no middle to go on from; take one that "
                "was saved after the epoch's last validation"
            )
        search = self._found_search(pl_module)
        for one in search.variant.all_variants:
            for name, applies in (("weight_decay", one.weight_decay), ("dropout", one.dropout)):
                if applies and getattr(self, f"_{name}") is None:
                    raise ConfigError(f"variant {one.name} has {name.replace('_', ' ')}: say how much by {name}=...")
        last = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs >= 0 else MOST_LOOPS
        self._loops = search.loops(last)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore and damage the LKG, make fresh optimisers, and seed what draws."""
        loop = self.loop = next(self._loops, None)
        if loop is None:
            raise PsaError(f"all meta-loops up to {trainer.max_epochs} are done; give Trainer a larger max_epochs")
        trainer.strategy.setup_optimizers(trainer)
        if self._weight_decay is not None:
            _set_weight_decay(trainer, loop.weight_decay(self._weight_decay))
        if self._dropout is not None:
            _set_dropout(pl_module, loop.dropout(self._dropout))
        _seed_everything(loop.seed("lightning"))
        fit = trainer.fit_loop
        if trainer.current_epoch == 0 or fit.is_resuming or fit.epoch_loop.restarting:
            # Lightning made this epoch's iterator before this hook, with draws of its own; all others it makes after.
            iter(fit._data_fetcher)  # type: ignore[arg-type]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Promote or roll back, after the validation that follows the last step of an epoch."""
        if self.loop is None or self.loop.event is not None or trainer.sanity_checking or not trainer.is_last_batch:
            return
        found = trainer.callback_metrics.get(self.monitor)
        if found is None:
            known = ", ".join(sorted(trainer.callback_metrics)) or "nothing"
            raise ConfigError(
                f"no metric {self.monitor!r} after validation; the module logged {printable(known)[:200]}"
            )
        self.loop.report(found)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what became of the candidate as ``psa/promoted`` and ``psa/lkg``."""
        if self.loop is None:
            return
        if self.loop.event is not None:
            promoted = float(self.loop.event.verdict is Verdict.PROMOTED)
            pl_module.log_dict({"psa/promoted": promoted, "psa/lkg": self.loop.event.progress.lkg_accuracy or 0.0})
        elif trainer.is_last_batch:
            raise ConfigError(
                f"epoch {trainer.current_epoch} ended without a validation after its last step, which decides; take "
                "Trainer(check_val_every_n_epoch=1) and a val_check_interval that divides the epoch"
            )
        else:
            rank_zero_warn(f"training stopped within meta-loop {self.loop.number}, which is not counted")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the module the LKG, if any."""
        self._loops, self.loop = iter(()), None
        if self.search is None and self._loaded is None:
            return
        search = self._found_search(pl_module)
        if search.progress.lkg_correct is not None:
            search.load_best_()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Tell those who watch the search that it stopped; the loop under way never was."""
        self._loops = iter(())

    def _found_search(self, module: LightningModule) -> Search:
        """Return the search of ``module``: the one that goes on, the checkpoint's, or a new one."""
        if self.search is None or self.search.model is not module:
            if self._units is None and module.example_input_array is None:
                raise ConfigError("give units=..., or the module an example_input_array, by which they are found")
            units = self._units
            if units is None:
                units = find_units(module, move_data_to_device(module.example_input_array, module.device))
            search = Search(module, units, self.variant, self.seed, initial_weights=self._initial_weights)
            if self._loaded is not None:
                search.load_state_dict(self._loaded)
                self._loaded = None
            self.search = search
        return self.search


def _set_weight_decay(trainer: Trainer, rate: float) -> None:
    for optimizer in trainer.optimizers:
        for group in optimizer.param_groups:
            if "weight_decay" not in group:
                raise ConfigError(f"{type(optimizer).__name__} has no weight decay; take an optimiser that has")
            group["weight_decay"] = rate


def _set_dropout(module: nn.Module, rate: float) -> None:
    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            part.p = rate


def _seed_everything(seed: int) -> None:
    """As Lightning's function of that name, without a mark in the environment that children would read."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
