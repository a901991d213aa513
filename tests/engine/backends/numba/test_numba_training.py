import importlib
import json
import os
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from psa_tui.engine.backend import BACKENDS, choose_backend
from psa_tui.engine.backends.numba import compilation, layout, training
from psa_tui.engine.backends.numba.kernels import compiling
from psa_tui.engine.backends.numba.kernels.memory import END, STEPS, STOP
from psa_tui.engine.backends.numba.kernels.steps import run_steps
from psa_tui.engine.backends.numba.layout import Layout
from psa_tui.engine.backends.numba.prepared_images import begins_of, listed, patched, pixel_order
from psa_tui.engine.backends.numba.training import chunks
from psa_tui.engine.images import Images
from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import NONE
from psa_tui.networks import NETWORKS
from psa_tui.studies.grids import parse_grid
from tests.engine import oracle
from tests.engine.conftest import random_images
from tests.engine.trials import HYPERPARAMETERS, MIXED, SIX_VARIANTS, end_of, mlp, prepare, real_images

pytestmark = pytest.mark.slow

NUMBA = BACKENDS.find("numba")


WIDE = [pytest.param(text, marks=pytest.mark.slow) for text in ("[2*200, 1*40]", "[1*1024]")]


@pytest.mark.parametrize("text", ["[18*18]", "[1*48]", "[1*64]", *WIDE])
def test_ten_steps_in_float32_are_the_oracles_in_float64_within_1e_5(text):
    images = real_images("mnist5k")[0][: 10 * 256 - 100]
    weights, epoch = prepare(mlp(text), SIX_VARIANTS[:6], len(images), hyperparameters=Hyperparameters())
    expected = weights.double()
    end_of(oracle.train_epoch(expected, mlp(text), images, epoch()))
    end_of(NUMBA.train_epoch(weights, mlp(text), images, epoch()))
    assert (weights - expected).abs().max() <= 1e-5


@pytest.mark.parametrize("seed", [7, 14])
def test_where_float32_strays_further_a_unit_was_within_a_rounding_of_zero(seed):
    # Among a thousand units times thousands of images, rounding takes a few to the other side of ReLU: a whole image is
    # then in a gradient or not, and AdamW, which divides by a gradient's size, makes that a part of the learning rate.
    network, images = mlp("[1*1024]"), real_images("mnist5k")[0][: 10 * 256 - 100]
    weights, epoch = prepare(network, [(seed, NONE)], len(images), hyperparameters=Hyperparameters())
    layer, exact = network.layers[0], weights.double()
    nearest = torch.full((1024,), torch.inf, dtype=torch.float64)
    steps = oracle.train_epoch(exact, network, images, epoch())
    for chosen in epoch().orders[0].split(256):
        inputs = oracle.inputs(images, images.pixels[chosen], torch.float64)
        sums = inputs @ layer.weight(exact)[0].T + layer.bias(exact)[0]
        nearest = nearest.minimum(sums.abs().amin(0))
        next(steps)
    end_of(NUMBA.train_epoch(weights, network, images, epoch()))
    strayed = layer.weight((weights - exact).abs())[0].amax(1)
    assert (nearest < 1e-6).sum() < 20
    assert strayed[nearest >= 1e-6].max() <= 1e-5
    assert strayed.max() <= 10 * 1e-4


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("[1*64]", (1, 28, 28)),
        pytest.param("[2*150]", (5, 9), marks=pytest.mark.campaign),
        pytest.param("[1*131, 1*5]", (137,), marks=pytest.mark.campaign),
    ],
)
@pytest.mark.parametrize(("count", "batch_size"), [(1, 64), (5, 1), (300, 1000), (300, 129)])
def test_wide_layers_are_the_oracles_whatever_fills_no_block(text, shape, count, batch_size, threads):
    NUMBA.use_threads(threads)
    pixels = random_images(count, 4).pixels[:, -int(np.prod(shape)) :].contiguous()
    pixels[count // 2] = 0
    images = Images(pixels, torch.arange(count) % 10, (0.1307,), (0.3081,), shape)
    network = mlp(text, shape)
    hyperparameters = Hyperparameters(learning_rate=1e-3, batch_size=batch_size, weight_decay=0.1, dropout=0.25)
    weights, epoch = prepare(network, SIX_VARIANTS, count, torch.float64, hyperparameters)
    expected = weights.clone()
    losses = end_of(NUMBA.train_epoch(weights, network, images, epoch()))
    torch.testing.assert_close(losses, end_of(oracle.train_epoch(expected, network, images, epoch())))
    assert (weights - expected).abs().max() <= 1e-12
    assert torch.equal(NUMBA.count_correct(weights, network, images), oracle.count_correct(expected, network, images))


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 7, 8), (5, 9), (37,)])
def test_patches_hold_every_pixel_once_and_no_black_patch(shape):
    count = int(np.prod(shape))
    pixels = random_images(20, 3).pixels[:, :count].contiguous()
    pixels[4] = 0
    found, order = patched(Images(pixels, torch.zeros(20), (0.1,), (0.3,), shape))
    rebuilt = np.zeros((20, len(order)), np.uint8)
    for image in range(20):
        record = found.values[16 * int(found.begins[image]) : 16 * int(found.begins[image + 1])]
        head, *patches = record.view(np.uint16)
        patches = patches[: patches.index(END)]
        values = record.reshape(-1, 16)[head:]
        assert values.any(1).all()
        rebuilt[image].reshape(-1, 16)[patches] = values
    assert sorted(order[order >= 0]) == list(range(count))
    assert (rebuilt[:, order >= 0] == pixels.numpy()[:, order[order >= 0]]).all()
    assert not rebuilt[:, order < 0].any()
    assert (order == pixel_order(shape)).all()


def test_lists_of_pixels_hold_each_that_is_not_black_and_are_made_in_little_memory():
    pixels = torch.randint(1, 256, (500, 784), dtype=torch.uint8)
    pixels[torch.rand(pixels.shape) < 0.8] = 0
    pixels[7] = 0
    tracemalloc.start()
    found, order = listed(Images(pixels, torch.zeros(500), (0.1,), (0.3,), (1, 28, 28)))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    seen = pixels.numpy()
    np.testing.assert_array_equal(order, np.arange(784))
    np.testing.assert_array_equal(found.ids, seen.nonzero()[1])
    np.testing.assert_array_equal(found.values, seen[seen.nonzero()])
    # Eight strips of 98 pixels each.
    strips = (seen != 0).reshape(500 * 8, 98).sum(1)
    np.testing.assert_array_equal(found.begins, [0, *strips.cumsum()])
    assert most < 3 * seen.nbytes


def test_denormals_are_flushed_while_it_trains_and_not_afterwards(train_images):
    weights, epoch = prepare(MIXED, SIX_VARIANTS[:1], 64)
    first = MIXED.layers[0]
    first.weight(weights).zero_()
    first.bias(weights).fill_(-1)
    moments = torch.full((1, 2, MIXED.parameters), 1.2e-38)
    end_of(NUMBA.train_epoch(weights, MIXED, train_images[:64], replace(epoch(), moments=moments)))
    # No unit is live, so the first moments lose a tenth, and what is left has not all its digits.
    assert 0 < np.float32(1.2e-38) * np.float32(0.9) < np.finfo(np.float32).tiny
    assert (first.weight(moments[:, 0]) == 0).all()
    assert (first.weight(moments[:, 1]) > 0).all()


def test_a_kernel_that_is_to_stop_ends_after_the_step_that_it_is_at(monkeypatch, train_images):
    taken = []

    def stopped_early(task, *arguments):
        task.space.control[STOP] = 1
        run_steps(task, *arguments)
        taken.append(task.space.control[STEPS])

    monkeypatch.setattr(training, "run_steps", stopped_early)
    weights, epoch = prepare(MIXED, SIX_VARIANTS[:1], len(train_images))
    steps = NUMBA.train_epoch(weights, MIXED, train_images, epoch())
    next(steps)
    steps.close()
    assert len(train_images) > 2 * HYPERPARAMETERS.batch_size
    assert taken == [1]


@pytest.mark.parametrize(("wide_registers", "expected"), [(False, 30), (True, 58)])
def test_the_published_study_compiles_few_kernels(wide_registers, expected, monkeypatch):
    monkeypatch.setattr(layout, "has_wide_registers", lambda: wide_registers)
    images, networks = random_images(2, 1), parse_grid("published", "mnist")
    # One trial, or some of those that share an order, or all that are evaluated together.
    counts = (1, 2, 3, 4, 5, 6, 60)
    kinds = {Layout(network, images, 1, (count,)).kind for network in networks for count in counts}
    # Machine code is found in the cache by these names.
    functions = [kernel.py_func for kind in kinds for kernel in compilation._kernels(*kind).values()]
    kernels = {(function.__module__, function.__qualname__) for function in functions}
    # Each takes a quarter to three quarters of a second of processor time.
    assert (len(networks), len(kernels)) == (98, expected)


def test_members_of_one_order_adjoin_in_calls_of_as_many_as_fit_the_cache():
    assert chunks([0, 1, 0, 0, 1], 1) == [[0, 2, 3, 1, 4]]
    assert chunks([0, 1, 0, 0, 1], 16 << 20 >> 2) == [[0], [2], [3], [1], [4]]
    assert chunks([0, 1, 0, 0, 1], (16 << 20) // 9) == [[0, 2, 3], [1, 4]]


def test_progress_counts_the_images_that_members_of_several_orders_have_seen(monkeypatch, train_images):
    batch = HYPERPARAMETERS.batch_size

    def held_up(task, share, *arguments):
        if share == 0:
            # A step of the second order, whose members are the second and the last, after the first order's.
            task.space.control[STEPS] = -(-len(train_images) // batch) + 1
            time.sleep(3 * training._PROGRESS_EVERY_S)
        run_steps(task, share, *arguments)

    monkeypatch.setattr(training, "run_steps", held_up)
    weights, epoch = prepare(MIXED, SIX_VARIANTS[:4], len(train_images))
    twice = replace(epoch(), orders=epoch().orders.repeat(2, 1), order_of=(0, 1, 0, 1))
    images, _ = next(NUMBA.train_epoch(weights, MIXED, train_images, twice))
    assert images == (2 * len(train_images) + 2 * batch) // 4


def test_more_than_32_bits_count_is_refused_before_a_place_is_taken_for_another():
    most = 2**32 - 1
    assert begins_of(np.array([[most - 1], [1]]), "pixels").tolist() == [0, most - 1, most]
    with pytest.raises(ConfigError, match=r"^4,294,967,296 pixels, more than kernels count; use --backend torch$"):
        begins_of(np.array([most, 1]), "pixels")


def test_what_it_cannot_do_it_refuses_in_words(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match=r"numba: trains on the CPU only, not on cuda:0"):
        choose_backend("numba", MIXED, "cuda:0")
    for shape, classes in (((1, 1024, 1024), 10), ((1, 2, 2), 65_537)):
        network = NETWORKS.find("mlp").parse("[1*2]", shape, classes)
        with pytest.raises(ConfigError, match=r"numba: trains on at most 1,048,560 pixels and 65,536 classes"):
            choose_backend("numba", network, "cpu")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".numba_config.yaml").write_text("cache_dir: .")
    with pytest.raises(ConfigError, match=r"settings from \.numba_config\.yaml in the current folder"):
        choose_backend("numba", MIXED, "cpu")
    monkeypatch.setattr("psa_tui.engine.backends.numba.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"numba is not installed"):
        choose_backend("numba", MIXED, "cpu")


@pytest.mark.skipif(sys.platform == "win32", reason="folders of one user")
def test_machine_code_is_kept_only_where_nobody_else_can_write(monkeypatch, tmp_path):
    find = compiling._cache_folder.__wrapped__
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = find()
    assert folder.is_relative_to(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert find() == folder
    (tmp_path / "psa-tui").chmod(0o777)
    assert find() is None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert (found := find()) is None or found.is_relative_to(tmp_path / "home")


def test_what_numba_need_not_load_seems_absent_for_a_moment(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with compiling._without("this"), pytest.raises(ImportError):
        importlib.import_module("this")
    assert "this" not in sys.modules
    with compiling._without("json"):
        assert importlib.import_module("json") is json


PROGRAM = """
import hashlib, sys
from psa_tui.engine.backend import BACKENDS
from tests.engine.conftest import random_images
from tests.engine.trials import HYPERPARAMETERS, MIXED, SIX_VARIANTS, end_of, prepare
images = random_images(300, 1)
weights, epoch = prepare(MIXED, SIX_VARIANTS, len(images))
end_of(BACKENDS.find("numba").train_epoch(weights, MIXED, images, epoch()))
print(hashlib.sha256(weights.numpy().tobytes()).hexdigest())
"""


@pytest.mark.campaign
def test_cached_machine_code_gives_the_bits_of_code_compiled_afresh_and_lies_in_the_users_cache(tmp_path, train_images):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": os.getcwd()}
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    weights, epoch = prepare(MIXED, SIX_VARIANTS, len(train_images))
    end_of(NUMBA.train_epoch(weights, MIXED, train_images, epoch()))
    assert runs[0] == runs[1]
    assert list((tmp_path / "cache").rglob("*run_steps*.nbc"))


def test_kernels_refuse_arrays_that_they_were_not_compiled_for(monkeypatch, train_images):
    run_steps = training._run_steps

    def with_strides(task, layout):
        members, units = task.active.shape
        return run_steps(task._replace(active=np.zeros((members, 2 * units), np.bool_)[:, ::2]), layout)

    weights, _ = prepare(MIXED, SIX_VARIANTS, len(train_images))
    monkeypatch.setattr(training, "_run_steps", with_strides)
    with pytest.raises(TypeError, match="No matching definition"):
        NUMBA.count_correct(weights, MIXED, train_images)
