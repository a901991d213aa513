import sys

import psutil
import pytest
import torch

from psa_tui.errors import ConfigError
from psa_tui.machine.devices import Accelerator, Capabilities, Choice, choose, detect, set_threads
from psa_tui.settings import DEVICES
from tests import program

GPU = Accelerator("cuda:0", "Tesla T4", 15_843_721_216)
SECOND_GPU = Accelerator("cuda:1", "Tesla T4", 15_843_721_216)
METAL = Accelerator("mps", "Apple GPU (Metal)", None)
REASONS = {"cuda": "no driver", "mps": "no Mac"}


def machine(*accelerators):
    kinds = {accelerator.kind for accelerator in accelerators}
    return Capabilities(
        versions={"psa-tui": "1", "Python": "2", "PyTorch": "3", "NumPy": "4", "CUDA": None},
        system="Linux",
        cpu="A CPU",
        physical_cores=2,
        logical_cores=4,
        memory_bytes=2_000,
        available_memory_bytes=1_000,
        accelerators=accelerators,
        missing={kind: reason for kind, reason in REASONS.items() if kind not in kinds},
    )


@pytest.mark.parametrize(
    ("accelerators", "expected"),
    [
        ((), Choice("cpu", "neither CUDA nor MPS is usable")),
        ((METAL,), Choice("mps", "Apple GPU (Metal) is usable, and faster than the CPU on large shapes")),
        ((METAL, GPU), Choice("cuda:0", "Tesla T4 is usable, and faster than the CPU on large shapes")),
        ((GPU, SECOND_GPU), Choice("cuda:0", "Tesla T4 is usable, and faster than the CPU on large shapes")),
    ],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(accelerators, expected):
    assert choose("auto", machine(*accelerators)) == expected


def test_an_explicit_device_is_used_whatever_auto_would_take():
    full = machine(GPU, SECOND_GPU, METAL)
    asked = "it was asked for"
    assert choose("cpu", full) == Choice("cpu", asked)
    assert choose("cuda", full) == Choice("cuda:0", asked)
    assert choose("mps", full) == Choice("mps", asked)
    assert full.usable == ("cpu", "cuda", "mps")


@pytest.mark.parametrize(
    ("wanted", "accelerators", "message"),
    [
        ("cuda", (), "device cuda is not usable: no driver; choose --device auto or cpu"),
        ("mps", (GPU,), "device mps is not usable: no Mac; choose --device auto or cpu or cuda"),
        ("cuda", (METAL,), "device cuda is not usable: no driver; choose --device auto or cpu or mps"),
        ("tpu", (GPU,), "expected one of auto, cpu, cuda, mps, found 'tpu'; did you mean 'cpu'?"),
    ],
)
def test_an_explicit_device_that_is_not_usable_is_refused_and_nothing_taken_in_its_place(wanted, accelerators, message):
    with pytest.raises(ConfigError) as raised:
        choose(wanted, machine(*accelerators))
    assert str(raised.value) == message


def test_the_report_of_this_machine_agrees_with_torch_and_the_system():
    found = detect()
    assert (found.versions["PyTorch"], found.versions["CUDA"]) == (torch.__version__, torch.version.cuda)
    assert found.memory_bytes == psutil.virtual_memory().total >= found.available_memory_bytes > 0
    assert found.logical_cores == psutil.cpu_count()
    assert found.cpu
    assert ("cuda" in found.usable, "mps" in found.usable) == (
        torch.cuda.is_available(),
        torch.backends.mps.is_available(),
    )
    for wanted in DEVICES:
        if wanted in ("auto", *found.usable):
            torch.zeros(1, device=choose(wanted, found).device)
        else:
            assert found.missing[wanted]


@pytest.fixture
def one_thread():
    """Compute with one thread for the length of a test."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_threads_are_pytorchs(one_thread):
    set_threads(2)
    torch.set_flush_denormal(False)
    assert torch.get_num_threads() == 2


TRAINING = """
import torch
from dataclasses import replace
from psa_tui.engine.backend import BACKENDS
from psa_tui.machine.devices import set_threads
from tests.engine.conftest import random_images
from tests.engine.trials import SIX_VARIANTS, end_of, mlp, prepare
set_threads(2)
network, images = mlp("[1*600]"), random_images(64, 1)
weights, epoch = prepare(network, SIX_VARIANTS[:1], 64)
first = network.layers[0]
first.weight(weights).zero_()
first.bias(weights).fill_(-1)
moments = torch.full((1, 2, network.parameters), 1.2e-38)
end_of(BACKENDS.find("{backend}").train_epoch(weights, network, images, replace(epoch(), moments=moments)))
# No unit is live, so the first moments lose a tenth: in every thread that is too little for all digits.
assert (first.weight(moments[:, 0]) == 0).all(), first.weight(moments[:, 0])
assert (first.weight(moments[:, 1]) > 0).all()
"""


@pytest.mark.slow
@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush them")
@pytest.mark.parametrize("backend", ["torch", "module"])
def test_denormals_are_flushed_in_every_thread_of_a_process_that_trains(backend):
    done = program.run([sys.executable, "-c", TRAINING.format(backend=backend)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
