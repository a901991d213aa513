import logging

import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.parallelism import processes_for, threads_for
from psa_tui.machine.devices import set_threads
from tests.engine.trials import mlp


def chosen(text, backend="torch", batch_size=256, device="cpu", wanted=None):
    return threads_for(mlp(text), BACKENDS.find(backend), batch_size, device, wanted)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr("psa_tui.engine.parallelism._cores", lambda: 4)


@pytest.mark.parametrize("backend", ["torch", "module"])
def test_pytorch_has_all_cores_for_a_wide_first_layer_and_one_for_any_other(backend):
    assert chosen("[1*64]", backend) == 4
    assert chosen("[1*63]", backend) == 1
    assert chosen("[1*18, 1*1024]", backend) == 1
    assert chosen("[1*1024]", backend, batch_size=1) == 4


def test_compiled_kernels_have_all_cores_where_a_step_has_enough_images_for_each():
    assert chosen("[1*1]", "numba") == 4
    assert chosen("[1*16]", "numba", batch_size=255) == 3
    assert chosen("[1*16]", "numba", batch_size=63) == 1


def test_while_kernels_have_threads_of_their_own_pytorch_has_one():
    # One that looks out for work of PyTorch's would have the core that a kernel's thread needs.
    torch.set_num_threads(2)
    set_threads(3, BACKENDS.find("numba"))
    assert torch.get_num_threads() == 1
    set_threads(2, BACKENDS.find("torch"))
    assert torch.get_num_threads() == 2


def test_a_gpu_is_fed_by_one_thread():
    assert chosen("[1*1024]", device="mps") == 1


def test_the_threads_that_are_asked_for_are_taken_whatever_they_are_for():
    for backend in ("torch", "module", "numba"):
        assert chosen("[1*4]", backend, batch_size=1, wanted=3) == 3
        assert chosen("[1*1024]", backend, wanted=1) == 1


def test_a_plug_in_of_an_earlier_version_has_the_threads_of_pytorch():
    class Earlier:
        name = "earlier"

    assert threads_for(mlp("[1*64]"), Earlier(), 256, "cpu", None) == 4
    assert threads_for(mlp("[1*4]"), Earlier(), 256, "cpu", None) == 1


def test_what_was_chosen_is_said_to_those_who_ask(caplog):
    with caplog.at_level(logging.DEBUG, logger="psa_tui"):
        chosen("[1*1024]")
    assert "threads: 4 for [1*1024], batch 256 on cpu, 4 cores (--threads overrules)" in caplog.text


def test_a_population_has_a_process_for_every_core_and_member_but_one_on_a_gpu():
    assert processes_for(60, "cpu") == 4
    assert processes_for(3, "cpu") == 3
    assert processes_for(60, "cuda:0") == 1
