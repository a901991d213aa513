import pytest
import torch

from examples import psa_in_60_lines
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.population import named_weights
from psa_tui.method.events import Verdict
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import PUBLISHED
from tests.engine.trials import finished, mlp, population, real_images

HIDDEN = [6, 6, 5]
NETWORK = mlp("[2*6, 1*5]")
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
    train, validation = real_images("mnist5k")
    return train[:1000], validation[:300]


def by_the_program(variant, splits, backend):
    trained = population(NETWORK, (SEED, variant), count=len(splits[1]), backend=backend, dtype=torch.float64)
    hyperparameters = Hyperparameters(learning_rate=RATE)
    loops = [
        (
            event.meta_loop,
            event.ablation and [(unit.layer, unit.unit) for unit in event.ablation.units],
            event.validation_correct,
            event.verdict is Verdict.PROMOTED,
        )
        for event in finished(run_meta_loops(trained, *splits, hyperparameters, LOOPS))
    ]
    return loops, named_weights(NETWORK, trained.lkg)


def by_the_example(variant, splits):
    train, validation = [((part.pixels.double() / 255 - part.mean[0]) / part.std[0], part.labels) for part in splits]
    loops = list(psa_in_60_lines.psa(train, validation, HIDDEN, variant.name, SEED, LOOPS, lr=RATE))
    found = [(loop, ablated and [ablated], correct, promoted) for loop, ablated, correct, promoted, _ in loops]
    return found, loops[-1][4].state_dict()


@pytest.mark.parametrize("backend", ["torch", pytest.param("module", marks=pytest.mark.slow)])
@pytest.mark.parametrize("variant", PUBLISHED, ids=str)
def test_the_example_and_the_program_agree_on_every_loop(variant, backend, splits):
    loops, weights = by_the_example(variant, splits)
    expected, expected_weights = by_the_program(variant, splits, backend)
    assert loops == expected
    for name, array in expected_weights.items():
        torch.testing.assert_close(weights[name], torch.from_numpy(array), rtol=0, atol=1e-10)
    # Else agreement would say little.
    ablated = [promoted for _, units, _, promoted in loops if units]
    assert len(ablated) == (LOOPS - 1 if variant.ablates else 0)
    assert {promoted for *_, promoted in loops} == {True, False}
    assert not ablated or set(ablated) == {True, False}
