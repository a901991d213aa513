"""Dead and inactive hidden units of every LKG, beside plain PyTorch."""

import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import initial_population_row
from psa_tui.method.dead_units import dead_units
from psa_tui.method.events import Verdict
from psa_tui.method.variants import FULL, HIDDEN, find_variant
from tests.engine import oracle
from tests.engine.trials import HYPERPARAMETERS, MIXED, finished, population

LOOPS = 14


def plainly(row, images):
    """Layer and index of the dead hidden units of ``row``, and how many no image activates, by an ordinary module."""
    model = torch.nn.Sequential()
    for layer in MIXED.layers:
        linear = torch.nn.Linear(layer.inputs, layer.outputs)
        linear.weight.data = layer.weight(row[None])[0].clone()
        linear.bias.data = layer.bias(row[None])[0].clone()
        model.extend([linear, torch.nn.ReLU()])
    activations, inactive, dead = oracle.inputs(images, images.pixels, row.dtype), 0, []
    for place, (linear, relu) in enumerate(zip(model[:-2:2], model[1:-2:2], strict=True)):
        activations = relu(linear(activations))
        inactive += sum(bool((column == 0).all()) for column in activations.T)
        numbers = torch.cat([linear.weight, linear.bias[:, None]], 1)
        dead += [(place, unit) for unit, own in enumerate(numbers) if not own.any()]
    return tuple(dead), inactive


@pytest.mark.parametrize("backend", ["torch", "module", "numba"])
@pytest.mark.parametrize("name", ["hidden", "full", "hidden+amount=3+promote=patience:2"])
def test_every_lkg_is_told_with_its_dead_and_its_inactive_units(backend, name, train_images, validation_images):
    trained = population(MIXED, (3, find_variant(name)), backend=backend)
    before, hits, deadest = (), [], 0
    events = []
    for loop in range(1, LOOPS + 1):
        # A resume in all but name: what is known of units is in the counters or comes from the weights.
        settings = train_images, validation_images, HYPERPARAMETERS
        (event,) = finished(run_meta_loops(trained, *settings, loop))
        if event.ablation is not None:
            assert [unit.dead for unit in event.ablation.units] == [
                (unit.layer, unit.unit) in before for unit in event.ablation.units
            ]
            hits += event.ablation.units
        before, inactive = plainly(trained.lkg[0], validation_images)
        assert event.dead_units == (before if event.verdict is Verdict.PROMOTED else None)
        assert (event.progress.lkg_dead, event.progress.lkg_inactive) == (len(before), inactive)
        deadest = max(deadest, len(before))
        events.append(event)
    assert deadest, "nothing died"
    assert {unit.dead for unit in hits} == {True, False}, "else the test says little"
    if "patience" in name:
        assert any("of meta-loop" in event.reason for event in events), "no held candidate was promoted"


def test_activity_is_of_all_images_however_many_and_marks_are_only_added(train_images, validation_images):
    rows = torch.stack([torch.from_numpy(initial_population_row(MIXED, seed)) for seed in range(12)])
    for backend in map(BACKENDS.find, ("torch", "module", "numba")):
        for images in (validation_images, train_images, train_images[:1]):
            active = torch.zeros(len(rows), MIXED.hidden_units, dtype=torch.bool)
            plain = backend.count_correct(rows, MIXED, images)
            assert torch.equal(plain, backend.count_correct(rows, MIXED, images, active))
            assert (~active).sum(1).tolist() == [plainly(row, images)[1] for row in rows]
            spread = torch.zeros(len(rows), 2 * MIXED.hidden_units, dtype=torch.bool)
            backend.count_correct(rows, MIXED, images, spread[:, ::2])
            assert torch.equal(spread[:, ::2], active)
            assert not spread[:, 1::2].any()
            before = active.clone()
            backend.count_correct(rows, MIXED, images[:0], active)
            assert torch.equal(active, before)


def test_a_backend_that_cannot_measure_activity_leaves_it_unknown_and_dead_units_known(train_images, validation_images):
    class Earlier:
        name = "earlier"
        train_epoch = staticmethod(BACKENDS.find("torch").train_epoch)

        def count_correct(self, weights, network, images, group=None):
            return BACKENDS.find("torch").count_correct(weights, network, images)

    trained = population(MIXED, (3, HIDDEN))
    trained.backend = Earlier()
    events = finished(run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 12))
    assert {event.progress.lkg_inactive for event in events} == {None}
    assert events[-1].progress.lkg_dead == len(plainly(trained.lkg[0], validation_images)[0]) > 0


@pytest.mark.parametrize("as_array", [True, False])
def test_a_unit_is_dead_when_bias_and_all_incoming_weights_are_zero(as_array):
    row = initial_population_row(MIXED, 1)
    row = row if as_array else torch.from_numpy(row)
    assert dead_units(row, MIXED) == ()
    for layer, unit in ((2, 4), (0, 1), (3, 0)):
        own = MIXED.unit_parameters(layer, unit)
        row[own.incoming[0]] = 0.0
        assert (layer, unit) not in dead_units(row, MIXED), "its bias is left"
        row[own.bias[0]] = 0.0
    assert dead_units(row, MIXED) == ((0, 1), (2, 4)), "in order, and no output unit"
    row[MIXED.unit_parameters(0, 1).incoming[0].stop - 1] = 1e-30
    assert dead_units(row, MIXED) == ((2, 4),)


def test_members_of_a_population_have_counts_of_their_own(train_images, validation_images):
    members = [(seed, variant) for seed in (3, 4) for variant in (HIDDEN, FULL)]
    together = population(MIXED, *members)
    list(run_meta_loops(together, train_images, validation_images, HYPERPARAMETERS, 15))
    for trial, row in zip(together.trials, together.lkg, strict=True):
        dead, inactive = plainly(row, validation_images)
        assert (trial.progress.lkg_dead, trial.progress.lkg_inactive) == (len(dead), inactive)
    assert len({trial.progress.lkg_dead for trial in together.trials}) > 1
