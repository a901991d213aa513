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
def test_common_columns_and_factors_together_are_the_pixels(busy, strays, seed, batch):
    pixels = sparse_pixels(320, busy, strays, seed)
    columns = divide_columns(pixels)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(320))
    starts = range(0, 320 - 320 % batch, batch)
    factors = columns.factors(order, starts, batch, torch.float64)
    assert sorted(columns.order.tolist()) == list(range(784))
    for step, start in enumerate(starts):
        seen = pixels[order[start : start + batch]][:, columns.order].double()
        rare = factors[step, :, :batch].t() @ factors[step, :, batch:]
        common = columns.common[order[start : start + batch]].double()
        black = torch.zeros(batch, 784 - common.shape[1] - rare.shape[1])
        assert torch.equal(torch.cat([common, rare, black], 1), seen)


def test_a_last_smaller_batch_has_its_own_factors():
    pixels = sparse_pixels(300, 500, 9, 1)
    columns = divide_columns(pixels)
    order = torch.arange(300).flip(0)
    factors = columns.factors(order, range(256, 300, 64), 44, torch.float64)
    rare = factors[0, :, :44].t() @ factors[0, :, 44:]
    begin = columns.common.shape[1]
    assert torch.equal(rare, pixels[order[256:]][:, columns.order[begin : begin + columns.rare]].double())


def test_few_columns_are_common_where_most_are_black_and_all_where_none_is():
    assert divide_columns(sparse_pixels(320, 500, 10, 1)).common.shape == (320, 512)
    assert divide_columns(sparse_pixels(320, 784, 0, 1)).rare == 0


def test_columns_that_are_always_black_are_in_no_product():
    columns = divide_columns(sparse_pixels(320, 500, 20, 1))
    assert (columns.common.shape[1], columns.rare) == (512, 7)
