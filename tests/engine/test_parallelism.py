import logging

import pytest

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.parallelism import parallelism_of, processes_for
from tests.engine.trials import mlp


def chosen(text, batch_size=256, device="cpu", threads=None, memory_bytes=1 << 40, backend="torch"):
    return parallelism_of(mlp(text), BACKENDS.find(backend), batch_size, device, threads, memory_bytes)


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr("psa_tui.engine.parallelism._cores", lambda: 8)


@pytest.fixture
def together(monkeypatch):
    """A machine where processes can train together, whatever this one is."""
    monkeypatch.setattr("psa_tui.engine.parallelism.can_train_together", lambda: True)


@pytest.fixture
def not_together(monkeypatch):
    monkeypatch.setattr("psa_tui.engine.parallelism.can_train_together", lambda: False)


def test_a_run_has_a_process_for_every_core_that_gets_enough_of_a_batch_and_says_so(eight_cores, together, caplog):
    with caplog.at_level(logging.DEBUG, logger="psa_tui"):
        assert chosen("[1*1024]") == (4, 1)
    assert "[1*1024], batch 256 on cpu, 8 cores: 4 processes of 1 threads" in caplog.text
    assert chosen("[1*1024]", batch_size=100_000) == (8, 1)
    assert chosen("[1*1024]", batch_size=100) == (1, 1)
    assert chosen("[1*1024]", device="cuda:0") == (1, 1)


def test_threads_that_are_said_are_processes_that_each_see_an_image(eight_cores, together):
    assert chosen("[1*1024]", threads=3) == (3, 1)
    assert chosen("[1*1024]", threads=3).total_threads == 3
    assert chosen("[1*1024]", batch_size=2, threads=3) == (2, 1)
    assert chosen("[1*1024]", threads=3, memory_bytes=0) == (3, 1)


def test_only_as_many_processes_are_chosen_as_fit_the_memory(eight_cores, together):
    need = mlp("[2*2048]").training_bytes
    assert chosen("[2*2048]", memory_bytes=need(256, processes=3)) == (3, 1)
    assert chosen("[2*2048]", memory_bytes=0) == (1, 1)


def test_where_processes_cannot_train_together_a_wide_first_layer_on_the_cpu_has_all_threads(eight_cores, not_together):
    assert chosen("[1*1024]") == (1, 8)
    assert chosen("[1*18, 1*1024]") == (1, 1)
    assert chosen("[1*18]", threads=3) == (1, 3)
    assert chosen("[1*1024]", device="mps") == (1, 1)


def test_a_backend_that_trains_in_one_process_has_all_threads_where_they_pay(eight_cores, together):
    assert chosen("[1*1024]", backend="module") == (1, 8)
    assert chosen("[18*18]", backend="module") == (1, 1)
    assert chosen("[18*18]", backend="module", threads=3) == (1, 3)


def test_a_population_has_a_process_for_every_core_and_member_but_one_on_a_gpu(eight_cores):
    assert processes_for(60, "cpu") == 8
    assert processes_for(3, "cpu") == 3
    assert processes_for(60, "cuda:0") == 1
