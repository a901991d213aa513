import json
from dataclasses import replace

import pytest

from psa_tui.machine.devices import Accelerator, Capabilities
from psa_tui.machine.oracle import Strays
from psa_tui.machine.verification import Check
from psa_tui.views.verification_text import Verification, print_check

MACHINE = Capabilities(
    versions={"psa-tui": "0.1.0", "Python": "3.12.1", "PyTorch": "2.9.0", "NumPy": "2.1.0", "CUDA": None},
    system="Linux 6.1 x86_64",
    cpu="A processor",
    physical_cores=4,
    logical_cores=8,
    memory_bytes=1,
    available_memory_bytes=1,
    accelerators=(Accelerator("cuda:0", "A GPU", 1),),
    missing={},
)
BOUND = Strays(1e-8, 1e-5)
RIGHT = Check(
    backend="torch",
    architecture="[1*8]",
    bound=BOUND,
    strays=Strays(1e-9, 1e-6),
    miscounted=0,
    meta_loops_per_s=12.345,
)
FAR = replace(RIGHT, backend="module", strays=Strays(2e-8, 1e-6))
MISCOUNTED = replace(RIGHT, backend="module", miscounted=3)
BROKEN = Check(backend="module", architecture="[1*8]", bound=BOUND, error="RuntimeError: no kernel \x1b image")


def verification(*checks, device="cuda:0", product_error=1e-7):
    return Verification(MACHINE, device, product_error, checks)


def test_the_line_has_the_program_the_hardware_the_versions_and_what_each_backend_did():
    begin, rest = verification(RIGHT, BROKEN).line.split("; products ")
    assert begin.startswith(
        "psa-tui 0.1.0; cuda:0: A GPU; A processor, 8 cores, Linux 6.1 x86_64; "
        "Python 3.12.1, PyTorch 2.9.0, NumPy 2.1.0, Numba "
    )
    assert rest == (
        "1e-07; torch [1*8] 1.0e-09 of 1.0e-08, 1.0e-06 of 1.0e-05, 12.35 loops/s; "
        "module [1*8] WRONG: RuntimeError: no kernel \N{REPLACEMENT CHARACTER} image"
    )


@pytest.mark.parametrize("wrong", [FAR, MISCOUNTED, BROKEN])
def test_the_fault_names_what_is_wrong_and_what_is_not(wrong):
    assert verification(RIGHT).fault == ""
    assert verification(RIGHT, wrong).fault == (
        "module cannot be trusted on cuda:0: train with --backend torch, and send the line that begins psa-tui"
    )
    assert verification(wrong).fault == (
        "module cannot be trusted on cuda:0: train with another --backend or --device, "
        "and send the line that begins psa-tui"
    )


@pytest.mark.parametrize("error", [8e-5, float("nan")])
def test_a_device_that_multiplies_with_fewer_digits_is_told_before_all_else(error):
    found = verification(FAR, product_error=error)
    assert "; products NOT FLOAT32" in found.line.replace(f" {error:.0e}", "")
    assert found.fault == (
        f"cuda:0 multiplies float32 with fewer digits, as TF32 does ({error:.0e} off): "
        "unset NVIDIA_TF32_OVERRIDE and TORCH_ALLOW_TF32_CUBLAS_OVERRIDE, and check again"
    )


def test_its_json_holds_the_same():
    nan = float("nan")
    found = verification(RIGHT, BROKEN, replace(RIGHT, strays=Strays(nan, nan)), product_error=nan)
    content = json.loads(found.as_json(), parse_constant=pytest.fail)
    assert (content["schema"], content["device"], content["line"]) == (1, "cuda:0", found.line)
    assert content["checks"][0] == {
        "backend": "torch",
        "architecture": "[1*8]",
        "bound": [1e-8, 1e-5],
        "strays": [1e-9, 1e-6],
        "miscounted": 0,
        "meta_loops_per_s": 12.345,
        "error": "",
        "passed": True,
    }
    assert [one["strays"] for one in content["checks"][1:]] == [[], [None, None]]
    assert [one["passed"] for one in content["checks"]] == [True, False, False]
    assert content["product_error"] is None


def test_a_row_says_what_is_wrong(capsys):
    for check in (RIGHT, FAR, MISCOUNTED, BROKEN):
        print_check(check)
    assert capsys.readouterr().out.splitlines() == [
        "torch   [1*8]       1.0e-09 1.0e-08 1.0e-06 1.0e-05   12.35",
        "module  [1*8]       2.0e-08 1.0e-08 1.0e-06 1.0e-05   12.35 WRONG",
        "module  [1*8]       1.0e-09 1.0e-08 1.0e-06 1.0e-05   12.35 WRONG, 3 images",
        "module  [1*8]       WRONG: RuntimeError: no kernel \N{REPLACEMENT CHARACTER} image",
    ]
