from pathlib import Path

import pytest
import torch

from examples import psa_in_60_lines
from psa_tui.data import load_dataset
from psa_tui.engine.backends.torch.training import Images
from psa_tui.engine.meta_loop import Population, Recipe, Trial, run_meta_loops
from psa_tui.engine.population import initial_weights, layout, named_weights, stack
from psa_tui.method.events import MetaLoopFinished, Progress, Verdict
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import parse_architecture

HIDDEN = [6, 6, 5]
SEED = 2
LOOPS = 10
RATE = 1e-3


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small operations are quickest on one thread, and another process cannot slow them down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def splits():
    """1000 digits to train on and 300 to validate with, as the program has them."""
    data = load_dataset("mnist5k", Path())
    return [
        Images(torch.from_numpy(split.pixels[:count]), torch.from_numpy(split.labels[:count]), data.mean, data.std)
        for split, count in ((data.train, 1000), (data.validation, 300))
    ]


def by_the_program(mode, splits):
    layers = layout(parse_architecture("[2*6, 1*5]"))
    row = initial_weights(layers, SEED)
    trial = Trial(SEED, AblationMode(mode), Progress(validation_count=len(splits[1])))
    population = Population(layers, [trial], stack([row], torch.device("cpu")).double())
    recipe = Recipe(learning_rate=RATE, batch_size=256, weight_decay=1e-4, dropout=0.1)
    loops = [
        (
            event.meta_loop,
            event.ablation and (event.ablation.layer, event.ablation.neuron),
            event.validation_correct,
            event.verdict is Verdict.PROMOTED,
        )
        for event in run_meta_loops(population, *splits, recipe, LOOPS)
        if isinstance(event, MetaLoopFinished)
    ]
    return loops, named_weights(layers, population.lkg)


def by_the_example(mode, splits):
    train, validation = [((part.pixels.double() / 255 - part.mean) / part.std, part.labels) for part in splits]
    loops = list(psa_in_60_lines.psa(train, validation, HIDDEN, mode, SEED, LOOPS, lr=RATE))
    return [tuple(loop[:4]) for loop in loops], loops[-1][4].state_dict()


@pytest.mark.parametrize("mode", [str(mode) for mode in AblationMode])
def test_the_example_and_the_program_agree_on_every_loop(mode, splits):
    loops, weights = by_the_example(mode, splits)
    expected, expected_weights = by_the_program(mode, splits)
    assert loops == expected
    for name, array in expected_weights.items():
        torch.testing.assert_close(weights[name], torch.from_numpy(array), rtol=0, atol=1e-10)
    # Else agreement would say little.
    ablated = [promoted for _, neuron, _, promoted in loops if neuron]
    assert len(ablated) == (LOOPS - 1 if AblationMode(mode).ablates else 0)
    assert {promoted for *_, promoted in loops} == {True, False}
    assert not ablated or set(ablated) == {True, False}
