import pytest
import torch

from psa_tui.engine.backends.torch.training import train_epoch
from tests.engine import oracle
from tests.engine.test_backend_contract import SCATTERED
from tests.engine.trials import HYPERPARAMETERS, MIXED, SIX_VARIANTS, end_of, prepare, ten_steps
from tests.engine.twins import assert_near, of_twins


@pytest.mark.parametrize(("most", "chunks"), [(1, 12), (2, 7), (5, 4), (9, 2)])
def test_a_population_in_several_chunks_is_the_oracles_too(most, chunks, monkeypatch, train_images):
    budget = 4 * 10 * HYPERPARAMETERS.batch_size * most
    monkeypatch.setattr("psa_tui.engine.backends.torch.chunking._ACTIVATION_BYTES", budget)
    images = ten_steps(train_images)
    weights, epoch = prepare(MIXED, SCATTERED, len(images))
    expected = weights.clone()
    twins, _ = of_twins(MIXED, weights, images, epoch)
    progress = [(seen, float(losses.sum())) for seen, losses in train_epoch(weights, MIXED, images, epoch())]
    end_of(oracle.train_epoch(expected, MIXED, images, epoch()))
    assert_near(weights, expected, twins)
    assert len(progress) == chunks * 10
    assert progress[-1][0] == len(images)
    assert progress == sorted(progress)


class _Reading(torch.utils._python_dispatch.TorchDispatchMode):
    """Fails when a number is read out of a tensor, which would make a GPU and its host wait for one another."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name()
        assert name not in ("aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero"), name
        return function(*args, **(kwargs or {}))


def test_no_step_reads_a_number_out_of_a_tensor(train_images):
    weights, epoch = prepare(MIXED, SIX_VARIANTS, len(train_images))
    steps = train_epoch(weights, MIXED, train_images, epoch())
    next(steps)
    with _Reading():
        assert len(list(steps)) == len(train_images) // HYPERPARAMETERS.batch_size
    with pytest.raises(AssertionError, match="_local_scalar_dense"), _Reading():
        weights.sum().item()
