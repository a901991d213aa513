from psa_tui.machine.throughput import Benchmark


def test_a_prediction_is_the_work_of_a_meta_loop_at_the_measured_rates():
    measured = Benchmark(
        architecture="[1*1024]",
        parameters=814_090,
        operations=123_000_000_000,
        batch_size=256,
        matrix_product_flop_per_s=1e11,
        training_images_per_s=25_000.0,
        evaluation_images_per_s=40_000.0,
    )
    assert measured.meta_loop_s == 2.25
    assert measured.floor_s == 1.23
