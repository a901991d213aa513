import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.engine.columns import divide_columns


def sparse_pixels(count, busy, strays, seed):
    """``busy`` columns of 784 full of ink, and ``strays`` single pixels in the others."""
    draws = np.random.default_rng(seed)
    pixels = np.zeros((count, 784), dtype=np.uint8)
    columns = draws.permutation(784)
    pixels[:, columns[:busy]] = draws.integers(1, 256, (count, busy))
    if busy < 784:
        pixels[draws.integers(0, count, strays), draws.choice(columns[busy:], strays)] = 200
    return torch.from_numpy(pixels)


@given(st.integers(0, 784), st.integers(0, 40), st.integers(0, 2**32), st.integers(1, 64))
def test_common_columns_and_factors_together_are_the_centred_pixels(busy, strays, seed, batch):
    pixels = sparse_pixels(320, busy, strays, seed)
    columns = divide_columns(pixels)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(320))
    visits = order[: 320 - 320 % batch].view(-1, batch)
    factors = columns.factors(visits, 33.5, torch.float64)
    assert sorted(columns.order.tolist()) == list(range(784))
    for step, images in enumerate(visits):
        common = columns.common[images].double() - 33.5
        others = factors[step, :, :batch].t() @ factors[step, :, batch:]
        assert torch.equal(torch.cat([common, others], 1), pixels[images][:, columns.order].double() - 33.5)


def test_steps_that_see_only_some_of_the_images_have_factors_of_those():
    pixels = sparse_pixels(300, 500, 9, 1)
    columns = divide_columns(pixels)
    images = torch.arange(300).flip(0)[256:]
    factors = columns.factors(images.unsqueeze(0), 0.0, torch.float64)
    others = factors[0, :, :44].t() @ factors[0, :, 44:]
    assert torch.equal(others, pixels[images][:, columns.order[columns.common.shape[1] :]].double())


def test_few_columns_are_common_where_most_are_black_and_all_where_none_is():
    assert divide_columns(sparse_pixels(320, 500, 10, 1)).common.shape == (320, 512)
    assert divide_columns(sparse_pixels(320, 784, 0, 1)).others == 0


def test_columns_that_are_always_black_are_one_factor_of_all_that_are_not_common():
    columns = divide_columns(sparse_pixels(320, 500, 0, 1))
    assert columns.factors(torch.arange(320).view(5, 64), 33.5, torch.float32).shape == (5, 1, 64 + 784 - 512)
