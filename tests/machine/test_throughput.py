from dataclasses import replace

import pytest

from psa_tui.data import DATASETS
from psa_tui.engine.backend import BACKENDS
from psa_tui.machine.throughput import Benchmark, measure
from tests.engine.trials import mlp

pytestmark = pytest.mark.slow


def benchmark():
    return Benchmark(
        architecture="[1*1024]",
        parameters=814_090,
        operations=123_000_000_000,
        batch_size=256,
        matrix_product_flop_per_s=1e11,
        training_images_per_s=25_000.0,
        evaluation_images_per_s=40_000.0,
        train_count=50_000,
        validation_count=10_000,
    )


def test_a_prediction_is_the_work_of_a_meta_loop_at_the_measured_rates():
    measured = benchmark()
    assert measured.meta_loop_s == 2.25
    assert measured.floor_s == 1.23


def test_its_json_has_what_was_measured_and_what_is_predicted():
    assert benchmark().as_json() == {
        "architecture": "[1*1024]",
        "parameters": 814_090,
        "operations": 123_000_000_000,
        "batch_size": 256,
        "matrix_product_flop_per_s": 1e11,
        "training_images_per_s": 25_000.0,
        "evaluation_images_per_s": 40_000.0,
        "meta_loop_s": 2.25,
        "floor_s": 1.23,
    }


@pytest.mark.parametrize("backend", ["torch", "module"])
def test_what_is_measured_is_of_the_data_sets_shapes_and_splits(backend):
    spec = replace(DATASETS.find("mnist"), input_shape=(1, 4, 5), classes=3, train_count=2100, validation_count=100)
    network = mlp("[1*8]", (1, 4, 5), 3)
    found = measure(network, spec, BACKENDS.find(backend), 256, "cpu")
    assert found.operations == network.meta_loop_operations(2100, 100)
    assert found.meta_loop_s == 2100 / found.training_images_per_s + 100 / found.evaluation_images_per_s
    assert found.matrix_product_flop_per_s > 0
