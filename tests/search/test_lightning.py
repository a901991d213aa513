"""The callback for Lightning is a search around a plain training loop, to the bit, stopped and resumed too."""

import random
import sys

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("lightning")

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

import psa_tui
from psa_tui.errors import CheckpointError, ConfigError
from tests.search.conftest import assert_same, blobs, count_correct, small_mlp, values

pytestmark = [
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # Lightning's own calls of PyTorch.
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]

SEED, LOOPS, BATCH = 5, 6, 16
TRAIN, VALIDATION = blobs(64, 1, torch.float64), blobs(80, 2, torch.float64)


class Classifier(LightningModule):
    """A user's own, that knows nothing of the search."""

    def __init__(self, draws=0.0):
        super().__init__()
        torch.manual_seed(1)
        self.net = torch.nn.Sequential(*small_mlp(dtype=torch.float64), torch.nn.BatchNorm1d(4).double())
        self.noise = torch.nn.Dropout(draws)
        self.example_input_array = VALIDATION[0][:2]

    def forward(self, images):
        return self.net(self.noise(images))

    def training_step(self, batch, _):
        images, labels = batch
        return cross_entropy(self(images), labels)

    def validation_step(self, batch, _):
        images, labels = batch
        self.log("val_acc", (self(images).argmax(1) == labels).double().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.03, weight_decay=0.5)
        return [optimizer], [{"scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5), "interval": "step"}]


def train_loader(workers=0):
    return DataLoader(TensorDataset(*TRAIN), BATCH, shuffle=True, num_workers=workers)


def fit(model, callbacks, folder, epochs=LOOPS, ckpt_path=None, workers=0, **options):
    named = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=epochs, callbacks=callbacks, default_root_dir=folder, **(named | options))
    validation = DataLoader(TensorDataset(*VALIDATION), len(VALIDATION[1]))
    trainer.fit(model, train_loader(workers), validation, ckpt_path=ckpt_path)
    return trainer


def ablation(variant="full", **named):
    return psa_tui.PersistentStochasticAblation("val_acc", variant, SEED, **named)


def plain(variant, model, decay=0.5):
    """What a user would write around a search."""
    search = psa_tui.Search(model, psa_tui.units(model, model.example_input_array), variant, SEED)
    for loop in search.loops(LOOPS):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.03, weight_decay=decay)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
        loop.weight_decay(decay), loop.dropout(0.1)
        torch.manual_seed(loop.seed("lightning"))
        model.train()
        for images, labels in train_loader():
            optimizer.zero_grad()
            cross_entropy(model(images), labels).backward()
            optimizer.step()
            scheduler.step()
        loop.report(count_correct(model, *VALIDATION) / len(VALIDATION[1]))
    search.load_best_()
    return search


def outcomes(search):
    found = search.history
    return list(zip(found.meta_loops, found.promoted, found.ablations, found.gains, strict=True))


class Manual(Classifier):
    """One that steps its optimiser itself."""

    def __init__(self, draws):
        super().__init__(draws)
        self.automatic_optimization = False

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, index))
        optimizer.step()
        self.lr_schedulers().step()


@pytest.mark.parametrize(
    ("variant", "kind"), [("full", Classifier), ("output+promote=patience:2", Classifier), ("full", Manual)]
)
def test_a_trainer_with_the_callback_is_a_plain_loop_around_a_search_to_the_bit(variant, kind, tmp_path):
    expected, model = Classifier(draws=0.1), kind(draws=0.1)
    search = plain(variant, expected)
    callback = ablation(variant)
    fit(model, [callback], tmp_path, enable_checkpointing=False)
    assert outcomes(callback.search) == outcomes(search)
    assert {True, False} == set(search.history.promoted)
    assert_same(values(model), values(expected))


class Interrupt(Callback):
    """Leaves training in the middle of an epoch, as a kill does."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_batch_end(self, trainer, *_):
        if trainer.current_epoch == self.epoch:
            raise RuntimeError("killed")


@pytest.mark.parametrize(("at_train_epoch_end", "workers"), [(None, 0), (True, 0), (True, 1)])
def test_training_that_is_killed_and_resumed_is_training_that_was_not(at_train_epoch_end, workers, tmp_path):
    whole, undisturbed = Classifier(draws=0.1), ablation()
    fit(whole, [undisturbed], tmp_path, workers=workers, enable_checkpointing=False)

    keep = {"dirpath": tmp_path, "save_last": True, "save_on_train_epoch_end": at_train_epoch_end}
    with pytest.raises(RuntimeError, match="killed"):
        fit(Classifier(draws=0.1), [ablation(), Interrupt(3), ModelCheckpoint(**keep)], tmp_path, workers=workers)
    torch.manual_seed(99)
    model, resumed = Classifier(draws=0.1), ablation()
    fit(model, [resumed, ModelCheckpoint(**keep)], tmp_path, ckpt_path=tmp_path / "last.ckpt", workers=workers)
    assert resumed.search.history == undisturbed.search.history
    assert_same(values(model), values(whole))


def test_what_a_variant_says_of_training_is_done_where_the_rates_are_given(tmp_path):
    model, expected = Classifier(draws=0.5), Classifier(draws=0.1)
    model.configure_optimizers = lambda: torch.optim.AdamW(model.parameters(), lr=0.03, weight_decay=0.9)
    seen = []
    model.on_train_batch_start = lambda *_: seen.append(
        (model.noise.p, *(group["weight_decay"] for one in model.trainer.optimizers for group in one.param_groups))
    )
    fit(model, [ablation("dropout:2>decay:1>output:9", weight_decay=0.5, dropout=0.1)], tmp_path, 4)
    assert list(dict.fromkeys(seen)) == [(0.1, 0.0), (0.0, 0.5), (0.0, 0.0)]

    search = plain("dropout", expected, decay=0.0)
    model, callback = Classifier(draws=0.5), ablation("dropout", weight_decay=0.5, dropout=0.1)
    fit(model, [callback], tmp_path, enable_checkpointing=False)
    assert outcomes(callback.search) == outcomes(search)
    assert_same(values(model), values(expected))


def test_a_search_that_is_finished_gives_the_module_its_lkg_when_it_is_resumed(tmp_path):
    model, callback = Classifier(), ablation()
    trainer = fit(model, [callback], tmp_path, enable_checkpointing=False)
    assert not callback.search.history.promoted[-1]
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    again, resumed = Classifier(), ablation()
    fit(again, [resumed], tmp_path, ckpt_path=tmp_path / "end.ckpt", enable_checkpointing=False)
    assert resumed.search.history == callback.search.history
    assert_same(values(again), values(model))
    fit(again, [resumed], tmp_path, 8, ckpt_path=tmp_path / "end.ckpt", enable_checkpointing=False)
    assert resumed.search.progress.meta_loop == 8
    for other, message in ((ablation("output"), "variant full, expected output"), (ablation(), "seed 5, expected 6")):
        other.seed += message.endswith("6")
        with pytest.raises(CheckpointError, match=message):
            fit(Classifier(), [other], tmp_path, 7, ckpt_path=tmp_path / "end.ckpt", enable_checkpointing=False)


def test_an_epoch_that_is_cut_short_is_no_meta_loop(tmp_path):
    callback, model = ablation(), Classifier()
    with pytest.warns(UserWarning, match="stopped within meta-loop 3, which is not counted"):
        trainer = fit(model, [callback], tmp_path, enable_checkpointing=False, max_steps=10)
    assert callback.search.progress.meta_loop == 2
    with pytest.raises(RuntimeError, match="killed"):
        fit(model, [ablation(), Interrupt(2), keeper := ModelCheckpoint(tmp_path, every_n_train_steps=1)], tmp_path)
    assert trainer.global_step == 10
    with pytest.raises(CheckpointError, match="saved within an epoch"):
        fit(Classifier(), [ablation(), keeper], tmp_path, ckpt_path=keeper.best_model_path)


@pytest.mark.parametrize(
    ("message", "make", "options"),
    [
        ("no metric 'acc' after validation; the module logged val_acc", {"monitor": "acc"}, {}),
        ("epoch 0 ended without a validation after its last step", {}, {"val_check_interval": 3}),
        ("epoch 0 ended without a validation", {}, {"check_val_every_n_epoch": 2}),
        ("variant decay has weight decay: say how much by weight_decay=", {"variant": "decay"}, {}),
        ("variant dropout has dropout: say how much by dropout=", {"variant": "dropout"}, {}),
        ("variant plain .*a search does not see", {"variant": "plain"}, {}),
        ("2 processes; this callback is for one", {}, {"world_size": 2}),
        ("or the module an example_input_array", {"units": None}, {}),
        ("SGD has no weight decay", {"weight_decay": 0.1}, {}),
    ],
    ids=str,
)
def test_what_would_be_another_method_is_refused(message, make, options, tmp_path, monkeypatch):
    model = Classifier()
    if "weight_decay" in make:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        del optimizer.param_groups[0]["weight_decay"]
        model.configure_optimizers = lambda: optimizer
    if "world_size" in options:
        monkeypatch.setattr(Trainer, "world_size", options.pop("world_size"))
    if "units" in make:
        model.example_input_array = None
    callback = psa_tui.PersistentStochasticAblation(**({"monitor": "val_acc", "variant": "full"} | make))
    with pytest.raises(ConfigError, match=message):
        fit(model, [callback], tmp_path, enable_checkpointing=False, **options)


def test_validation_within_an_epoch_and_the_sanity_check_decide_nothing(tmp_path):
    callback, counted = ablation("none"), []
    seen = Callback()
    seen.on_validation_end = lambda trainer, _: counted.append(
        (trainer.sanity_checking, 0 if callback.search is None else callback.search.progress.meta_loop)
    )
    fit(Classifier(), [callback, seen], tmp_path, 2, enable_checkpointing=False, val_check_interval=0.5)
    assert counted == [(True, 0), (False, 0), (False, 1), (False, 1), (False, 2)]


def test_draws_of_every_library_repeat_and_a_second_fit_goes_on(tmp_path):
    drawn, counted = [], []
    for _ in range(2):
        model, callback = Classifier(), ablation("none")
        model.on_train_batch_start = lambda *_: drawn.append(
            (np.random.random(), random.random(), torch.rand(()).item())
        )
        fit(model, [callback], tmp_path, 1, enable_checkpointing=False)
    assert drawn[:4] == drawn[4:]

    def fail(*_):
        if callback.search is not None and callback.search.progress.meta_loop == 1 and not counted:
            counted.append(1)
            raise RuntimeError("killed")

    model, callback = Classifier(), ablation("none")
    model.on_validation_epoch_start = fail
    with pytest.raises(RuntimeError, match="killed"):
        fit(model, [callback], tmp_path, 3, enable_checkpointing=False)
    trainer = model.trainer
    trainer.fit_loop.max_epochs = 4
    trainer.fit(model, train_loader(), DataLoader(TensorDataset(*VALIDATION), 80))
    assert callback.search.progress.meta_loop == 4


def test_without_lightning_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.fabric.utilities", None)
    monkeypatch.delitem(sys.modules, "psa_tui.search.lightning")
    with pytest.raises(ImportError, match=r'needs Lightning; pip install "psa-tui\[lightning\]"$'):
        psa_tui.PersistentStochasticAblation  # noqa: B018
