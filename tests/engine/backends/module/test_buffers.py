"""A network with running means: no gradient trains them, and they belong to the LKG."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import initial_population_row, named_state, named_weights
from psa_tui.method.ablation import Ablation, UnitParameters
from psa_tui.method.effects import EFFECTS
from psa_tui.method.events import Block
from psa_tui.method.probes import WeightNoise
from psa_tui.method.variants import DECAY, HIDDEN, NONE, OptimizerState
from psa_tui.networks import Network, ParameterSpec
from tests.engine.backends.module.test_module_training import coloured_images, seen
from tests.engine.trials import HYPERPARAMETERS, end_of, finished, population, prepare

MODULE = BACKENDS.find("module")
SHAPES = {
    "0.weight": (4, 216),
    "1.weight": (4,),
    "1.bias": (4,),
    "3.weight": (5, 4),
    "3.bias": (5,),
    "1.running_mean": (4,),
    "1.running_var": (4,),
}


@dataclass(frozen=True)
class Normed(Network):
    """Linear without bias, BatchNorm, ReLU, Linear."""

    family = "normed"
    input_shape: tuple[int, ...] = (3, 9, 8)
    classes: int = 5
    unit_counts = (4, 5)
    parameters, depth, hidden_units, input_parameters = 905, 1, 4, 864
    short_name = "normed"

    def __str__(self):
        return self.short_name

    @property
    def tensors(self):
        sizes = [int(np.prod(shape)) for shape in SHAPES.values()]
        begins = np.cumsum([0, *sizes]).tolist()
        return [ParameterSpec(name, shape, begin) for (name, shape), begin in zip(SHAPES.items(), begins, strict=False)]

    @property
    def buffers(self):
        return self.tensors[-2:]

    def unit_parameters(self, layer, unit):
        at = 216 * unit
        own = UnitParameters((slice(at, at + 216),), (slice(868 + unit, 869 + unit),), (slice(872 + unit, 892, 4),))
        return own if layer == 0 else UnitParameters((slice(872 + 4 * unit, 876 + 4 * unit),), (), ())

    def blocks(self):
        return [Block(name="normed", units=4, parameters=872), Block(name="output", units=5, parameters=25)]

    def initial_weights(self, draws):
        row = draws.uniform(-0.1, 0.1, 905).astype(np.float32)
        row[864:868], row[897:901], row[901:] = 1, 0, 1
        return row

    def forward(self, tensors, inputs, dropout):
        return self._logits(tensors, inputs, training=False)

    def train_forward(self, tensors, inputs, dropout):
        return self._logits(tensors, inputs, training=True)

    def _logits(self, tensors, inputs, training):
        own = (tensors[name] for name in ("1.running_mean", "1.running_var", "1.weight", "1.bias"))
        found = batch_norm(inputs.flatten(1) @ tensors["0.weight"].T, *own, training=training).relu()
        return found @ tensors["3.weight"].T + tensors["3.bias"]


NETWORK = Normed()


def plain(weights, member=0):
    """The same network as PyTorch's own modules."""
    model = nn.Sequential(nn.Linear(216, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 5))
    named = named_weights(NETWORK, weights, member)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in named.items()})
    return model.to(weights.dtype)


@pytest.mark.parametrize("variant", [NONE, DECAY], ids=str)
def test_an_epoch_with_batch_norm_is_plain_pytorchs(variant):
    images, others = coloured_images(150), coloured_images(1100, 2)
    weights, epoch = prepare(NETWORK, [(3, variant), (4, variant)], len(images), torch.float64)
    epoch = replace(epoch(), moments=torch.zeros(2, 2, NETWORK.parameters, dtype=torch.float64))
    models = [plain(weights, member) for member in range(2)]
    losses = end_of(MODULE.train_epoch(weights, NETWORK, images, epoch))
    inputs = seen(images).flatten(1)
    for member, model in enumerate(models):
        decay = HYPERPARAMETERS.weight_decay if variant.weight_decay else 0.0
        optimizer = torch.optim.AdamW(model.parameters(), lr=HYPERPARAMETERS.learning_rate, weight_decay=decay)
        total = 0.0
        for batch in epoch.orders[member].split(HYPERPARAMETERS.batch_size):
            loss = nn.functional.cross_entropy(model(inputs[batch]), images.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        assert losses[member].item() == pytest.approx(total / len(images), rel=1e-12)
        expected = model.eval().state_dict()
        moments = {
            name: state for (name, _), state in zip(model.named_parameters(), optimizer.state.values(), strict=True)
        }
        for tensor in NETWORK.tensors:
            found, *found_moments = (tensor.view(row[None])[0] for row in (weights[member], *epoch.moments[member]))
            torch.testing.assert_close(found, expected[tensor.name], rtol=0, atol=1e-12)
            own = moments.get(tensor.name, {"exp_avg": torch.zeros(()), "exp_avg_sq": torch.zeros(())})
            for moment, name in zip(found_moments, ("exp_avg", "exp_avg_sq"), strict=True):
                torch.testing.assert_close(moment, own[name].double().expand_as(moment), rtol=0, atol=1e-12)
        right = int((model(seen(others).flatten(1)).argmax(1) == others.labels).sum())
        assert MODULE.count_correct(weights, NETWORK, others).tolist()[member] == right


def test_buffers_go_with_the_lkg_and_a_loop_goes_on_from_them():
    train, validation = coloured_images(150), coloured_images(90, 2)
    kept = replace(HIDDEN, name="kept", optimizer_state=OptimizerState.LKG)
    whole, parts = (population(NETWORK, (3, kept), (3, NONE), count=90, backend="module") for _ in range(2))
    first = whole.lkg.clone()
    events = finished(run_meta_loops(whole, train, validation, HYPERPARAMETERS, 4))
    begun = finished(run_meta_loops(parts, train, validation, HYPERPARAMETERS, 2))
    rest = finished(run_meta_loops(parts, train, validation, HYPERPARAMETERS, 4))
    assert [replace(event, seconds=0) for event in begun + rest] == [replace(event, seconds=0) for event in events]
    assert torch.equal(whole.lkg, parts.lkg)
    assert not torch.equal(whole.lkg[:, 897:], first[:, 897:])
    assert (whole.lkg[:, 901:] > 0).all()
    assert not named_state(whole, ("a:", "b:", "c:", "d:", "e:"))["a:1.running_var"].any()


@pytest.mark.parametrize("effect", sorted(EFFECTS.names()))
def test_no_effect_reaches_a_running_variance(effect):
    variant = replace(HIDDEN, name="hit", ablation=Ablation("hidden", "4", effect))
    train, validation = coloured_images(64), coloured_images(90, 2)
    trained = population(NETWORK, (3, variant), count=90, backend="module")
    found = []
    real = MODULE.train_epoch

    class Watched(type(MODULE)):
        def train_epoch(self, weights, *others):
            found.append(weights.clone())
            return real(weights, *others)

    trained.backend = Watched()
    finished(run_meta_loops(trained, train, validation, HYPERPARAMETERS, 1))
    before = trained.lkg.clone()
    finished(run_meta_loops(trained, train, validation, HYPERPARAMETERS, 2))
    assert torch.equal(found[-1][:, 897:], before[:, 897:])
    assert torch.equal(found[-1], before) == (effect == "none")


def test_a_probes_noise_leaves_running_means_as_they_are():
    row = initial_population_row(NETWORK, 3)
    rows = row[None].copy()
    WeightNoise(levels=(1.0,), draws=1, seed=1).damage(rows, NETWORK, 1.0, 0)
    assert (rows[0, 897:] == row[897:]).all()
    assert (rows[0, :897] != row[:897]).mean() > 0.9


def test_buffers_that_are_not_the_last_are_refused():
    class Mixed(Normed):
        @property
        def buffers(self):
            return self.tensors[:1]

    assert "not the last" in MODULE.refusal(Mixed(), "cpu")
    assert MODULE.refusal(NETWORK, "cpu") is None
