import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.engine.backends.torch.sparse_pixels import PixelScale, divide_pixels

AS_THEY_ARE = PixelScale(0.0, None, 1.0)


def digits(count, busy, strays, seed):
    """``busy`` pixels of 784 full of ink, and ``strays`` single pixels in the others."""
    draws = np.random.default_rng(seed)
    pixels = np.zeros((count, 784), dtype=np.uint8)
    positions = draws.permutation(784)
    pixels[:, positions[:busy]] = draws.integers(1, 256, (count, busy))
    if busy < 784:
        pixels[draws.integers(0, count, strays), draws.choice(positions[busy:], strays)] = 200
    return torch.from_numpy(pixels)


def products(factors, orders, batch, divided):
    """What the factors of each step are the product of: [orders, batch, sparse]."""
    for index, value in zip(factors.index, factors.value, strict=True):
        dense = torch.zeros(orders, factors.rank, batch + divided.sparse_count, dtype=torch.float64)
        dense.view(-1)[index] = value
        assert not dense[:, 0].any()
        yield dense[:, :, :batch].mT @ dense[:, :, batch:]


@given(st.integers(0, 784), st.integers(0, 40), st.integers(0, 2**32), st.integers(1, 64), st.integers(1, 3))
def test_dense_pixels_and_factors_together_are_the_pixels(busy, strays, seed, batch, orders):
    pixels = digits(320, busy, strays, seed)
    divided = divide_pixels(pixels)
    draws = np.random.default_rng(seed)
    visits = torch.from_numpy(np.stack([draws.permutation(320) for _ in range(orders)]))
    visits = visits[:, : 320 - 320 % batch].view(orders, -1, batch)
    factors = divided.factors(visits, AS_THEY_ARE, torch.float64)
    assert sorted(divided.pixel_order.tolist()) == list(range(784))
    assert len(factors.index) == visits.shape[1]
    for step, sparse in enumerate(products(factors, orders, batch, divided)):
        images = visits[:, step]
        together = torch.cat([divided.dense[images].double(), sparse], 2)
        assert torch.equal(together, pixels[images][:, :, divided.pixel_order].double())


def test_steps_that_see_only_some_of_the_images_have_factors_of_those():
    pixels = digits(300, 500, 9, 1)
    divided = divide_pixels(pixels)
    images = torch.arange(300).flip(0)[256:]
    (sparse,) = products(divided.factors(images.view(1, 1, -1), AS_THEY_ARE, torch.float64), 1, 44, divided)
    assert torch.equal(sparse[0], pixels[images][:, divided.pixel_order[divided.dense.shape[1] :]].double())


def test_an_image_is_one_factor_however_much_ink_it_has_in_sparse_pixels():
    pixels = digits(320, 500, 0, 1)
    black = (pixels == 0).all(0).nonzero().squeeze(1)
    pixels[7, black[:50]] = 9
    pixels[8, black[:20]] = 9
    divided = divide_pixels(pixels)
    factors = divided.factors(torch.arange(320).view(1, 5, 64), AS_THEY_ARE, torch.float32)
    # Of the pixels that are black elsewhere 12 fill up the dense ones.
    assert (divided.sparse_count, factors.rank) == (784 - 512, 1 + 2)
    assert [len(index) for index in factors.index] == [2 + 38 + 8, 0, 0, 0, 0]


def test_few_pixels_are_dense_where_most_are_black_and_all_where_none_is():
    assert divide_pixels(digits(320, 500, 10, 1)).dense.shape == (320, 512)
    assert divide_pixels(digits(320, 784, 0, 1)).sparse_count == 0
