"""Networks that are modules of the user's own: as the engine sees them, and what of them is refused."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from psa_tui.engine.activity import mean_activations
from psa_tui.engine.backend import ADAMW_BETAS, BACKENDS
from psa_tui.engine.backends.module.training import network_inputs
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import flat_weights, initial_population_row, named_weights
from psa_tui.errors import ConfigError
from psa_tui.method.randomness import DropoutMaskDraws
from psa_tui.method.variants import DECAY, DROPOUT, HIDDEN, NONE, find_variant
from psa_tui.networks import NETWORKS
from psa_tui.networks.modules.code import run_named_code
from psa_tui.settings import load_settings
from tests.engine.trials import HYPERPARAMETERS, end_of, finished, population, prepare, real_images, resumed_copy

CODE = '''
import pathlib, sys
with open(pathlib.Path(__file__).with_suffix(".ran"), "a") as ran:
    ran.write("once\\n")

import numpy, torch
from torch import nn


def build(architecture, input_shape, classes):
    """Two layers with BatchNorm and dropout: so many channels, and so many neurons."""
    channels, neurons = map(int, architecture.split("+"))
    return nn.Sequential(
        *(nn.Conv2d(input_shape[0], channels, 6, stride=4), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Dropout(0.5), nn.Flatten(), nn.Linear(9 * channels, neurons), nn.BatchNorm1d(neurons), nn.ReLU()),
        *(nn.Dropout(0.9), nn.Linear(neurons, classes)),
    )


class Own(nn.Module):
    def __init__(self, forward, *layers):
        super().__init__()
        self.a, self.b = nn.Linear(784, 6), nn.Linear(6, 10)
        self.layers = nn.ModuleList(layers)
        self.run = forward

    def forward(self, inputs):
        return self.run(self, inputs.flatten(1))


def made(forward, *layers):
    return lambda architecture, input_shape, classes: Own(forward, *layers)


plain = made(lambda net, x: net.b(net.a(x).relu()))
on_inputs = made(lambda net, x: net.b(net.a(net.layers[0](x)).relu()), nn.Dropout())
noisy = made(lambda net, x: net.b(net.a(x).relu() * torch.rand(1)))
numpy_noise = made(lambda net, x: net.b(net.a(x).relu() * float(numpy.random.rand())))
wrong_shape = made(lambda net, x: net.a(x))
tied = made(lambda net, x: net.b(net.a(net.a(x).relu() @ torch.zeros(6, 784)).relu()))
fails = lambda architecture, input_shape, classes: 1 / 0
fails_later = made(lambda net, x: net.b(x))
no_module = lambda architecture, input_shape, classes: [1, 2]
doubles = lambda architecture, input_shape, classes: plain(0, 0, 0).double()
def stateful(state, forward, persistent=True):
    """A module with a buffer that ``state`` makes; ``forward`` is called with it in each pass."""

    def run(net, inputs):
        forward(net)
        return net.b(net.a(inputs).relu())

    def make(architecture, input_shape, classes):
        net = Own(run)
        net.register_buffer("state", state(), persistent)
        return net

    return make


def replace(net):
    net.state = net.state + 1


zero = lambda: torch.zeros(3)
counting = stateful(lambda: torch.zeros(3, dtype=torch.int64), lambda net: net.state.add_(net.training))
replacing = stateful(zero, lambda net: net.training and replace(net))
replacing_ints = stateful(lambda: torch.tensor(3), lambda net: net.training and replace(net))
while_evaluated = stateful(zero, lambda net: net.state.add_(not net.training))
random_ints = stateful(lambda: torch.randperm(20), lambda net: None)
random_hidden = stateful(lambda: torch.randn(20), lambda net: None, persistent=False)
constant = stateful(lambda: torch.arange(20), lambda net: None)
cache = stateful(zero, replace, persistent=False)
running = stateful(zero, lambda net: net.state.add_(net.training))
cumulative = made(lambda net, x: net.b(net.layers[0](net.a(x)).relu()), nn.BatchNorm1d(6, momentum=None))


def numpy_weights(architecture, input_shape, classes):
    net = plain(0, 0, 0)
    net.a.bias.data += float(numpy.random.rand())
    return net


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows, self.head = nn.Linear(28, 8), nn.Linear(8, 10)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)

    def forward(self, inputs):
        return self.head(self.encoder(self.rows(inputs.flatten(1, 2))).mean(1))


transformer = lambda architecture, input_shape, classes: Encoder()
only_neurons = made(lambda net, x: net.b(net.a(x).relu()))
only_neurons.units = lambda units: [one for one in units if one.name != "a[0]"]
nothing_chosen = made(lambda net, x: net.b(net.a(x).relu()))
nothing_chosen.units = lambda units: []
'''
IMAGE = (1, 28, 28)


@pytest.fixture
def file(tmp_path):
    """The user's file; what it registered is gone afterwards."""
    before = dict(NETWORKS._items)
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    yield path
    NETWORKS._items.clear()
    NETWORKS._items.update(before)


def network(file, factory="build", architecture="4+6"):
    return NETWORKS.find(run_named_code(f"{file}:{factory}")).parse(architecture, IMAGE, 10)


@pytest.fixture(scope="module")
def images():
    train, validation = real_images("mnist5k", "")
    return train[:300], validation[:200]


def test_a_row_has_the_parameters_then_the_buffers_under_the_modules_own_names(file):
    found = network(file)
    module = found.code.factory("4+6", IMAGE, 10)
    buffers = [f"{layer}.running_{which}" for layer in (1, 7) for which in ("mean", "var")]
    assert [spec.name for spec in found.tensors] == [*dict(module.named_parameters()), *buffers]
    assert [spec.name for spec in found.buffers] == buffers
    assert found.tensors[-1].offset + found.tensors[-1].size == found.parameters
    assert found.unit_counts == (4, 6, 10)
    assert (found.depth, found.hidden_units, found.family) == (2, 10, "mine.py:build")
    assert [block.name for block in found.blocks()] == ["without units", "0", "6", "10"]
    assert sum(block.parameters for block in found.blocks()) == found.parameters


def test_the_first_weights_are_the_factorys_own_under_an_addressed_generator(file):
    found = network(file)
    draws = np.random.default_rng(7)
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng(7).integers(2**63 - 1)))
        module = found.code.factory("4+6", IMAGE, 10)
    row = found.initial_weights(draws)
    assert row.dtype == np.float32
    for spec in found.tensors:
        assert np.array_equal(spec.view(row[None])[0], module.state_dict()[spec.name].numpy())
    assert not np.array_equal(found.initial_weights(draws), row)


def plain_epoch(found, row, inputs, labels, epoch, member):
    """One epoch of the module itself, as anyone would write it, with the engine's masks where it drops."""
    module = found.code.factory("4+6", IMAGE, 10).to(row.dtype)
    state = {spec.name: spec.view(row[None])[0].clone() for spec in found.tensors}
    module.load_state_dict(state)
    for dropout in (4, 9):
        module[dropout] = nn.Identity()
    rates, draws = epoch.hyperparameters, epoch.dropout[member]
    moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in module.parameters()]
    batches = torch.split(epoch.orders[epoch.order_of[member]], rates.batch_size)
    for steps, batch in enumerate(batches, start=1):
        seen = module[:5](inputs[batch])
        masks = torch.ones(10, len(batch), dtype=row.dtype)
        if draws is not None:
            draws.fill_dropout_mask(masks.numpy())
        hidden = module[5:10](seen * masks[:4].t()[:, :, None, None])
        loss = cross_entropy(module[10](hidden * masks[4:].t()), labels[batch])
        found_gradients = torch.autograd.grad(loss, list(module.parameters()))
        for one, gradient, (first, second) in zip(module.parameters(), found_gradients, moments, strict=True):
            first.mul_(ADAMW_BETAS[0]).add_((1 - ADAMW_BETAS[0]) * gradient)
            second.mul_(ADAMW_BETAS[1]).add_((1 - ADAMW_BETAS[1]) * gradient**2)
            step = first / (1 - ADAMW_BETAS[0] ** steps) / ((second / (1 - ADAMW_BETAS[1] ** steps)).sqrt() + 1e-8)
            one.data -= rates.learning_rate * (epoch.weight_decay[member] * one.data + step)
    return torch.cat([module.state_dict()[spec.name].flatten() for spec in found.tensors])


def test_an_epoch_is_the_one_of_the_module_itself_with_running_means_decay_and_dropout(file, images):
    found, (train, _) = network(file), images
    members = [(1, NONE), (2, DECAY), (3, DROPOUT), (4, HIDDEN)]
    weights, epoch = prepare(found, members, len(train), torch.float64)
    expected, once = weights.clone(), epoch()
    inputs = network_inputs(train, torch.arange(len(train)), torch.float64)
    for member, row in enumerate(weights):
        expected[member] = plain_epoch(found, row, inputs, train.labels, once, member)
    end_of(BACKENDS.find("module").train_epoch(weights, found, train, epoch()))
    torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-12)
    assert not torch.equal(weights[:, -12:], prepare(found, members, 300, torch.float64)[0][:, -12:])


def test_hidden_units_are_seen_by_what_reads_them(file, images):
    found, (_, validation) = network(file), images
    row = torch.from_numpy(initial_population_row(found, 3))
    for place in found.unit_parameters(1, 2).bias:
        row[place] = -100
    active = torch.zeros(1, 10, dtype=torch.bool)
    BACKENDS.find("module").count_correct(row[None], found, validation, active)
    assert active[0].tolist() == [True] * 6 + [False] + [True] * 3
    module = found.code.factory("4+6", IMAGE, 10).eval()
    module.load_state_dict({spec.name: spec.view(row[None])[0] for spec in found.tensors})
    inputs = network_inputs(validation, torch.arange(200), torch.float32)
    with torch.no_grad():
        channels, neurons = module[:4](inputs).mean((0, 2, 3)), module[:9](inputs).mean(0)
    expected = torch.cat([channels, neurons])
    torch.testing.assert_close(torch.from_numpy(mean_activations(row, found, validation)), expected)


@pytest.mark.parametrize("variant", ["hidden", "dropout", "dormant"])
def test_meta_loops_that_are_resumed_end_with_the_same_bits(file, images, variant):
    found = network(file)
    whole = population(found, (1, find_variant(variant)), backend="module")
    assert len(finished(run_meta_loops(whole, *images, HYPERPARAMETERS, 4))) == 4
    first = population(found, (1, find_variant(variant)), backend="module")
    list(run_meta_loops(first, *images, HYPERPARAMETERS, 2))
    first.lkg = torch.from_numpy(flat_weights(found, named_weights(found, first.lkg)))[None]
    torch.manual_seed(99)
    torch.rand(5)
    again = resumed_copy(first)
    list(run_meta_loops(again, *images, HYPERPARAMETERS, 4))
    assert torch.equal(again.lkg, whole.lkg)


def test_a_frozen_parameter_is_not_trained(file, images):
    found, (train, _) = network(file, "plain", "x"), images
    found.built  # noqa: B018
    module = found.code.factory
    frozen = replace(found, code=replace(found.code, name="frozen", factory=lambda *a: _freeze(module(*a))))
    assert [spec.name for spec in frozen.buffers] == ["a.weight"]
    weights, epoch = prepare(frozen, [(1, DECAY)], len(train))
    before = weights.clone()
    end_of(BACKENDS.find("module").train_epoch(weights, frozen, train, epoch()))
    (still,) = frozen.buffers
    assert torch.equal(still.view(weights), still.view(before))
    assert not torch.equal(weights[0, : still.offset], before[0, : still.offset])
    assert still.offset + still.size == frozen.parameters


def _freeze(module):
    module.a.weight.requires_grad_(False)
    return module


def test_a_transformer_trains_without_its_own_randomness_and_its_units_are_not_seen(file, images):
    found = network(file, "transformer", "x")
    assert found.unit_counts == (2, 12, 10)
    with pytest.raises(ConfigError, match=r"what the units of encoder.self_attn give on cannot be seen"):
        find_variant("dormant").check_network(found)
    with pytest.raises(ConfigError, match=r"its layer encoder.dropout1 drops what is not only hidden units"):
        DROPOUT.check_network(found)
    trained = population(found, (1, HIDDEN), backend="module")
    (first, *_) = finished(run_meta_loops(trained, *images, HYPERPARAMETERS, 2))
    assert first.progress.lkg_inactive is None


def test_the_factory_chooses_among_the_units(file):
    assert network(file, "only_neurons", "x").unit_counts == (5, 10)


REFUSED = {
    "counting": r"its buffer state \(int64\) changes in training; what changes must be a float32 buffer",
    "replacing": r"its buffer state is replaced in training; change it in place",
    "replacing_ints": r"its buffer state \(int64\) changes in training",
    "while_evaluated": r"its buffer state \(float32\) changes in evaluation",
    "random_ints": "its buffer state is drawn at random and in no checkpoint",
    "random_hidden": "its buffer state is drawn at random and in no checkpoint",
    "noisy": "its forward pass draws random numbers other than those of nn.Dropout layers",
    "numpy_noise": "its forward pass draws random numbers",
    "wrong_shape": r"expected logits of shape \(3, 10\) from it, found \(3, 6\)",
    "tied": "whose hidden units are not sure",
    "fails": r"mine.py:fails fails \(ZeroDivisionError: division by zero; line \d+ of mine.py\)",
    "fails_later": "it cannot be run in training mode .RuntimeError: mat1 and mat2",
    "no_module": "mine.py:no_module makes a list, expected a torch.nn.Module",
    "doubles": "a.weight is torch.float64 on cpu, expected float32 on the CPU",
    "cumulative": r"layers.0 averages over all batches so far; give it a momentum",
    "numpy_weights": "draws from another generator than PyTorch's",
    "nothing_chosen": "whose output units are not sure",
    "build": "say --arch TEXT, which mine.py:build gets",
}


@pytest.mark.parametrize(("factory", "kept"), [("constant", False), ("cache", False), ("running", True)])
def test_constants_and_caches_are_the_factorys_and_running_numbers_are_in_the_row(file, factory, kept):
    found = network(file, factory, "x")
    assert ("state" in {spec.name for spec in found.tensors}) == kept


@pytest.mark.parametrize("factory", REFUSED)
def test_what_cannot_be_trained_is_refused_in_a_line(file, factory):
    with pytest.raises(ConfigError, match=REFUSED[factory]) as error:
        network(file, factory, "" if factory == "build" else "x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("factory", "reason"), [("plain", "it has no layer nn.Dropout"), ("on_inputs", "layers.0")])
def test_dropout_is_refused_where_it_has_no_place(file, factory, reason):
    with pytest.raises(ConfigError, match=f"mine.py:{factory} x cannot be trained with dropout: .*{reason}"):
        DROPOUT.check_network(network(file, factory, "x"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{file}:nothing", "nothing in it can be called nothing"),
        ("{file}x.py:build", "cannot be read"),
        ("no.such.module:build", "cannot be run .ModuleNotFoundError: No module named 'no'"),
        ("{folder}:build", "expected one of mlp"),
    ],
)
def test_code_that_is_not_there_is_an_error_in_a_line(file, text, said):
    text = text.format(file=file, folder=file.parent)
    with pytest.raises(ConfigError, match=said):
        load_settings({"network": text}).get("network")


def test_code_runs_for_the_command_line_alone(file, tmp_path, monkeypatch):
    def settings(**flags):
        return load_settings(flags, tmp_path)

    for name, text in (("psa.toml", 'network = "{}"\n'), (".env", "PSA_NETWORK={}\n")):
        (tmp_path / name).write_text(text.format(f"{file}:build"))
        with pytest.raises(
            ConfigError, match=r"mine.py:build is code of yours, which runs only where the command line"
        ):
            settings().network()
        (tmp_path / name).unlink()
    monkeypatch.setenv("PSA_NETWORK", f"{file}:build")
    with pytest.raises(ConfigError, match=r"PSA_NETWORK: network mine.py:build is code of yours"):
        settings().network()
    with pytest.raises(ConfigError, match="is code of yours"):
        NETWORKS.find("mine.py:build")
    assert NETWORKS.get("mine.py:build") is None
    assert not file.with_suffix(".ran").exists()
    assert settings(network=f"{file}:build").get("network") == "mine.py:build"
    assert settings(network=f"{file}:plain").get("network") == "mine.py:plain"
    assert file.with_suffix(".ran").read_text() == "once\n" * 2


def test_another_process_on_another_machine_runs_what_the_file_held(file):
    found = network(file)
    sent = pickle.dumps(found)
    NETWORKS._items.pop("mine.py:build")
    file.write_text("raise SystemExit")
    again = pickle.loads(sent)
    assert again == found
    assert again.versions == found.versions
    file.unlink()
    NETWORKS._items.pop("mine.py:build")
    assert pickle.loads(pickle.dumps(again)).tensors == found.tensors


def test_a_module_that_is_another_one_in_another_process_is_refused(file, monkeypatch):
    monkeypatch.syspath_prepend(file.parent)
    installed = file.rename(file.with_name("psa_installed.py"))
    name = run_named_code("psa_installed:build")
    sent = pickle.dumps(NETWORKS.find(name).parse("4+6", (1, 28, 28), 10))
    for changed, message in ((CODE, None), (CODE + "\n", "not the file that the command began with")):
        installed.write_text(changed)
        NETWORKS._items.pop(name)
        del sys.modules["psa_installed"]
        if message is None:
            assert str(pickle.loads(sent)) == "4+6"
            continue
        with pytest.raises(ConfigError, match=message):
            pickle.loads(sent)


def test_masks_are_of_the_units_and_not_of_the_layers_own_rate(file):
    found = network(file)
    row = torch.from_numpy(initial_population_row(found, 3))
    tensors = {spec.name: spec.view(row[None])[0] for spec in found.tensors}
    inputs = torch.randn(5, *IMAGE)

    def logits(dropout):
        return found.train_forward({name: one.clone() for name, one in tensors.items()}, inputs, dropout)

    assert torch.equal(logits(None), logits(lambda seen, first: torch.ones_like(seen)))
    gone = logits(lambda seen, first: torch.zeros_like(seen))
    assert torch.equal(gone, tensors["10.bias"].expand(5, 10))
    assert DropoutMaskDraws(1, 1, 0.5).scale == 2
    plain = functional_call(found.built.evaluated, tensors, (inputs,))
    assert torch.equal(found.forward(tensors, inputs, None), plain)


def test_operations_and_memory_are_those_of_its_layers(file):
    found = network(file)
    convolution, linear, head = 36 * 4 * 36, 36 * 6, 6 * 10
    assert found.built.operations == 2 * (convolution + linear + head)
    assert found.meta_loop_operations(10, 5) == found.built.operations * 35
    assert found.training_bytes(100) > 24 * found.parameters + 8 * 100 * (36 * 4 * 3)
