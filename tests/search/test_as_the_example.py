"""A search around a training loop of one's own is ``examples/psa_in_60_lines.py``, ``psa train``, and a plain loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import psa_tui
from examples import psa_in_60_lines
from psa_tui.engine.backends.torch import TorchBackend
from psa_tui.engine.epoch import epoch_of
from psa_tui.engine.images import Images
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import named_weights
from psa_tui.method.events import Verdict
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import PUBLISHED, find_variant
from psa_tui.networks import NETWORKS
from tests.engine.trials import end_of, finished, population
from tests.search.conftest import CLASSES, PIXELS, assert_same, blobs, mlp_units, values

SEED, LOOPS = 11, 10


@pytest.mark.parametrize(
    ("mode", "counts"), [*((variant.name, True) for variant in PUBLISHED), ("full", False)], ids=str
)
def test_a_search_is_the_sixty_line_example_to_the_bit(mode, counts):
    train, validation = blobs(64, 1, torch.float64), blobs(80, 2, torch.float64)
    rates = {"lr": 1e-2, "batch": 16}
    expected = list(psa_in_60_lines.psa(train, validation, [7, 5], mode, SEED, LOOPS, **rates))

    model = psa_in_60_lines.network([PIXELS, 7, 5, 10], SEED).double()
    search = psa_tui.Search(model, mlp_units(model), variant=mode, seed=SEED)
    found = []
    for loop in search.loops(LOOPS):
        loop.weight_decay(1e-4), loop.dropout(0.1)
        psa_in_60_lines.train_epoch(model, *train, mode, SEED, loop.number, **rates)
        correct = psa_in_60_lines.count_correct(model, *validation)
        event = loop.report(correct=correct, total=80) if counts else loop.report(correct / 80)
        damaged = event.ablation and (event.ablation.units[0].layer, event.ablation.units[0].unit)
        found.append((loop.number, damaged, correct, event.verdict is Verdict.PROMOTED))
    search.load_best_()
    assert found == [one[:4] for one in expected]
    assert {promoted for *_, promoted in found} == {True, False}
    assert_same(values(model), values(expected[-1][4]))


VARIANTS = (
    "full+amount=3+promote=patience:2",
    "hidden+effect=noise+promote=anneal:5,0.9",
    "output+effect=scatter",
    "output+effect=reinit",
    "smallest+amount=20%",
    "ratchet-free",
    "layer:1+effect=bias",
    "none:2>hidden:3>output:50",
    "sham",
)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_axis_of_a_variant_is_that_of_psa_train_to_the_bit(name):
    """Both train by the same arithmetic, so that whatever differs is the search's."""
    network = NETWORKS.find("mlp").parse("[2*6]", (PIXELS,), CLASSES)
    hyperparameters = Hyperparameters(learning_rate=1e-2, batch_size=16)
    train, validation = (images_of(*blobs(count, seed)) for count, seed in ((64, 1), (80, 2)))
    variant = find_variant(name)
    engine = population(network, (SEED, variant), count=80)
    model = module_of(network, engine.lkg[0])
    expected = finished(run_meta_loops(engine, train, validation, hyperparameters, LOOPS))

    search = psa_tui.Search(
        model,
        mlp_units(model),
        variant=variant,
        seed=SEED,
        initial_weights=lambda draws: by_name(network, network.initial_weights(draws)),
    )
    backend, trial = TorchBackend(), engine.trials[0]
    found = []
    for loop in search.loops(LOOPS):
        weights = torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])[None]
        epoch = epoch_of([trial], [loop.variant], hyperparameters, loop.number, train, weights, None)
        (loss,) = end_of(backend.train_epoch(weights, network, train, epoch)).tolist()
        model.load_state_dict(by_name(network, weights[0]))
        correct = int(backend.count_correct(weights, network, validation)[0])
        found.append(loop.report(correct=correct, total=80, train_loss=loss))
    assert [same(event) for event in found] == [same(event) for event in expected]
    search.load_best_()
    assert_same(values(model), {n: torch.from_numpy(a) for n, a in named_weights(network, engine.lkg).items()})


def same(event):
    """What a search knows of a loop; it does not see which units the validation images leave inactive."""
    progress = replace(event.progress, lkg_inactive=None, held_inactive=None)
    return replace(event, seconds=0.0, train_accuracy=None, progress=progress)


def by_name(network, row):
    rows = torch.as_tensor(np.asarray(row))[None]
    return {spec.name: spec.view(rows)[0].clone() for spec in network.tensors}


def module_of(network, row):
    widths = [PIXELS, *network.unit_counts]
    model = psa_in_60_lines.network(widths, 0)
    model.load_state_dict(by_name(network, row))
    return model


def images_of(images, labels):
    """Images of one channel whose pixels are whole numbers, as the engine has them."""
    pixels = (images * 40 + 128).clamp(0, 255).to(torch.uint8)
    return Images(pixels, labels, (0.5,), (0.25,), (PIXELS,))
