"""Every axis of a variant against a formula of its own, or against an ordinary PyTorch loop."""

import pytest
import torch

from psa_tui.engine.activity import hidden_activations
from psa_tui.engine.backends.module.training import network_inputs
from psa_tui.engine.epoch import Trial
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import Population, initial_population_row, load_state, named_state
from psa_tui.errors import ConfigError
from psa_tui.method.events import Verdict
from psa_tui.method.progress import Progress
from psa_tui.method.randomness import Purpose, generator, shuffled
from psa_tui.method.variants import CONTROLS, NONE, OUTPUT, find_variant
from psa_tui.storage.checkpoint import STATE
from tests.engine.trials import HYPERPARAMETERS, MIXED, finished, mlp, population, resumed_copy

pytestmark = pytest.mark.slow

BACKENDS = pytest.mark.parametrize("backend", ["torch", "module", "numba"])
AXES = [
    "output+optimizer=lkg",
    "output+optimizer=keep",
    "full+promote=patience:2+optimizer=lkg",
    "hidden+promote=patience:3+optimizer=keep+dropout",
    "none+promote=anneal:5,0.9+optimizer=lkg",
    "layer:0+amount=50%+effect=noise+decay",
    "smallest+effect=reinit+init=orthogonal",
    "dormant+effect=scatter",
    "none:2>output:2>plain:1",
    "output+promote=half",
    "none+promote=half:2>hidden+promote=half+optimizer=lkg:3",
]


def ordinary_training(seed, epochs, train):
    """What anyone writes: one model, one AdamW, epoch after epoch."""
    weights = torch.from_numpy(initial_population_row(MIXED, seed)).double()
    model = torch.nn.Sequential()
    for layer in MIXED.layers:
        linear = torch.nn.Linear(layer.inputs, layer.outputs).double()
        linear.weight.data = layer.weight(weights[None])[0].clone()
        linear.bias.data = layer.bias(weights[None])[0].clone()
        model.extend([linear, torch.nn.ReLU()])
    model = model[:-1]
    optimizer = torch.optim.AdamW(model.parameters(), lr=HYPERPARAMETERS.learning_rate, weight_decay=0)
    images = network_inputs(train, torch.arange(len(train)), torch.float64).flatten(1)
    for epoch in range(1, epochs + 1):
        order = torch.from_numpy(shuffled(seed, epoch, len(train)))
        for batch in order.split(HYPERPARAMETERS.batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images[batch]), train.labels[batch]).backward()
            optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@BACKENDS
def test_plain_is_an_ordinary_training_loop(backend, train_images, validation_images):
    trained = population(MIXED, (3, find_variant("plain")), backend=backend, dtype=torch.float64)
    events = finished(run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 3))
    assert (trained.lkg[0] - ordinary_training(3, 3, train_images)).abs().max() <= 1e-12
    assert [event.verdict for event in events] == [Verdict.PROMOTED] * 3
    assert trained.trials[0].progress.best_correct == max(event.validation_correct for event in events)


@pytest.mark.slow
@BACKENDS
@pytest.mark.parametrize("name", AXES)
def test_a_run_that_is_interrupted_after_any_loop_ends_with_the_same_bits(
    backend, name, train_images, validation_images
):
    settings = train_images, validation_images, HYPERPARAMETERS
    whole = population(MIXED, (7, find_variant(name)), backend=backend)
    events = finished(run_meta_loops(whole, *settings, 5))
    halting = population(MIXED, (7, find_variant(name)), backend=backend)
    again = []
    for loop in range(1, 6):
        again += finished(run_meta_loops(halting, *settings, loop))
        state = named_state(halting, STATE)
        halting = resumed_copy(halting)
        load_state(halting, state, STATE)
    assert torch.equal(whole.lkg, halting.lkg)
    assert [(e.validation_correct, e.verdict, e.progress) for e in events] == [
        (e.validation_correct, e.verdict, e.progress) for e in again
    ]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", pytest.param("module", marks=pytest.mark.campaign), "numba"])
def test_a_trial_ends_alike_alone_and_among_others_of_all_kinds(backend, train_images, validation_images):
    names = ["none", *AXES, *(control.name for control in CONTROLS)]
    settings = train_images, validation_images, HYPERPARAMETERS
    members = [(seed, find_variant(name)) for seed in (1, 2) for name in names]
    together = population(MIXED, *members, backend=backend, dtype=torch.float64)
    list(run_meta_loops(together, *settings, 4))
    for member, trial in enumerate(together.trials):
        alone = population(MIXED, (trial.seed, trial.variant), backend=backend, dtype=torch.float64)
        list(run_meta_loops(alone, *settings, 4))
        assert (alone.lkg[0] - together.lkg[member]).abs().max() <= 1e-10, trial.variant.name
        assert alone.trials[0].progress == trial.progress


@pytest.mark.parametrize("name", ["plain", "output+optimizer=lkg", "shuffled-labels", "none:2>plain:1"])
def test_a_backend_that_does_not_say_it_obeys_an_epochs_state_is_not_trained_with_in_silence(name):
    class Earlier:
        name = "earlier"

    trials = [Trial(1, find_variant(name), Progress(validation_count=1))]
    with pytest.raises(ConfigError, match="--backend earlier trains with a fresh optimiser"):
        Population(MIXED, trials, torch.zeros(1, MIXED.parameters), Earlier())
    Population(MIXED, [Trial(1, OUTPUT, trials[0].progress)], torch.zeros(1, MIXED.parameters), Earlier())


def test_restart_trains_a_new_initialisation_every_loop(train_images, validation_images):
    restarted = population(MIXED, (4, find_variant("restart")))
    events = finished(run_meta_loops(restarted, train_images, validation_images, HYPERPARAMETERS, 3))
    for loop, event in enumerate(events, start=1):
        fresh = population(MIXED, (4, NONE))
        # The first loop trains the initialisation, which is that of loop 0.
        row = initial_population_row(MIXED, 4, meta_loop=loop if loop > 1 else 0)
        fresh.lkg[0] = torch.from_numpy(row)
        fresh.trials[0].progress = Progress(validation_count=200, meta_loop=loop - 1)
        (alone,) = finished(run_meta_loops(fresh, train_images, validation_images, HYPERPARAMETERS, loop))
        assert alone.validation_correct == event.validation_correct


def test_shuffled_labels_are_the_same_labels_in_another_order_of_the_trials_own(train_images, validation_images):
    shuffled_run = population(MIXED, (4, find_variant("shuffled-labels")), dtype=torch.float64)
    list(run_meta_loops(shuffled_run, train_images, validation_images, HYPERPARAMETERS, 1))
    order = generator(4, 0, Purpose.LABELS).permutation(len(train_images))
    images = type(train_images)(
        train_images.pixels, train_images.labels[order], train_images.mean, train_images.std, train_images.input_shape
    )
    plain = population(MIXED, (4, NONE), dtype=torch.float64)
    list(run_meta_loops(plain, images, validation_images, HYPERPARAMETERS, 1))
    assert torch.equal(plain.lkg, shuffled_run.lkg)


def test_patience_goes_on_from_the_best_of_those_rolled_back(train_images, validation_images):
    patient = population(MIXED, (5, find_variant("hidden+amount=9+promote=patience:2")))
    events = finished(run_meta_loops(patient, train_images, validation_images, HYPERPARAMETERS, 30))
    lkg, window, seen = None, [], 0
    for event in events:
        window.append(event.validation_correct)
        if lkg is None or event.validation_correct > lkg:
            lkg, window = event.validation_correct, []
        elif len(window) == 2:
            lkg, window, seen = max(window), [], seen + 1
        assert event.progress.lkg_correct == lkg
    assert seen > 2, "it was never patient"
    assert events[-1].progress.accepted_worse > 0


def test_a_sham_draws_what_output_draws_and_trains_as_none(train_images, validation_images):
    sham, none, output = (population(MIXED, (6, variant)) for variant in (find_variant("sham"), NONE, OUTPUT))
    settings = train_images, validation_images, HYPERPARAMETERS
    events = [finished(run_meta_loops(one, *settings, 4)) for one in (sham, none, output)]
    assert torch.equal(sham.lkg, none.lkg)
    drawn = [[(unit.layer, unit.unit) for unit in e.ablation.units] for e in events[0][1:]]
    assert drawn == [[(unit.layer, unit.unit) for unit in e.ablation.units] for e in events[2][1:]]


def test_activations_are_those_of_an_ordinary_network(train_images):
    network = mlp("[1*7]")
    row = torch.from_numpy(initial_population_row(network, 1))
    found = hidden_activations(row, network, train_images)
    layer = network.layers[0]
    inputs = network_inputs(train_images, torch.arange(len(train_images)), row.dtype).flatten(1)
    expected = torch.relu(inputs @ layer.weight(row[None])[0].T + layer.bias(row[None])[0])
    torch.testing.assert_close(found, expected)
