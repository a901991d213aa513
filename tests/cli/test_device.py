import json

import pytest
import torch

from psa_tui.machine.devices import choose, detect


def test_the_report_names_versions_hardware_and_what_each_device_would_do(psa):
    result = psa("device", "--device", "cpu", "--threads", "1")
    assert (result.returncode, result.stderr) == (0, "")
    found = detect()
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[0] == "this machine"
    assert f"  PyTorch         {torch.__version__}" in lines
    assert f"  CPU             {found.cpu}" in lines
    assert any(line.startswith("  cores") and line.endswith("; 1 used by a run") for line in lines)
    start = lines.index("--device")
    auto = choose("auto", found)
    assert lines[start + 1].startswith(f"  auto            uses {auto.device}: ")
    assert lines[start + 2] == "  cpu             uses cpu: it was asked for"
    assert lines[-3:] == [
        "would be used",
        "  cpu             with --device cpu: it was asked for",
        "  backend         numba",
    ]
    assert max(len(line) for line in lines) <= 80
    assert "\x1b" not in result.stdout


def test_one_json_object_holds_the_same(psa):
    result = psa("device", "--json", "--device", "cpu", "--threads", "1")
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert report["machine"]["versions"]["PyTorch"] == torch.__version__
    assert set(report["choices"]) == {"auto", "cpu", "cuda", "mps"}
    assert {key: report[key] for key in ("wanted", "device", "reason", "backend", "threads", "benchmark")} == {
        "wanted": "cpu",
        "device": "cpu",
        "reason": "it was asked for",
        "backend": "numba",
        "threads": 1,
        "benchmark": None,
    }


def test_a_backend_that_was_asked_for_is_the_one_that_would_be_used(psa):
    result = psa("device", "--json", "--device", "cpu", "--threads", "1", "--backend", "module")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["backend"] == "module"


def test_a_backend_that_is_not_installed_is_refused_with_those_that_are(psa):
    result = psa("device", "--backend", "abacus")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "psa: error: --backend: expected one of auto, numba, torch, module, found 'abacus'\n"


def test_a_device_that_is_not_usable_is_refused(psa):
    missing = detect().missing
    if not missing:
        pytest.skip("every device is usable here")
    wanted, reason = next(iter(missing.items()))
    result = psa("device", "--device", wanted)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"psa: error: device {wanted} is not usable: {reason}; choose --device auto")


def test_a_benchmark_measures_and_predicts_a_meta_loop_of_the_shape(psa):
    shape = ("--arch", "[1*16]", "--batch-size", "500", "--device", "cpu", "--threads", "1")
    result = psa("device", "--bench", "--json", *shape)
    assert result.stderr == "psa: measuring cpu; this takes a few seconds\n"
    speed = json.loads(result.stdout)["benchmark"]
    assert (speed["architecture"], speed["parameters"], speed["batch_size"]) == ("[1*16]", 12_730, 500)
    rates = (speed["training_images_per_s"], speed["evaluation_images_per_s"])
    assert speed["meta_loop_s"] == pytest.approx(50_000 / rates[0] + 10_000 / rates[1])
    assert speed["floor_s"] == pytest.approx((12_730 * 320_000 - 12_544 * 100_000) / speed["matrix_product_flop_per_s"])


def test_a_shape_that_does_not_fit_is_refused_before_it_is_measured(psa):
    result = psa("device", "--bench", "--device", "cpu", "--arch", "[999999999*999]")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("psa: error: [999999999*999] has 998,999,998,796,215 parameters and needs about ")
