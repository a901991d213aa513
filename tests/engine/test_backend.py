import subprocess
import sys

import pytest

from examples.own_network import Filters
from psa_tui.engine.backend import BACKENDS, choose_backend, second_choice
from psa_tui.errors import ConfigError
from tests.engine.trials import mlp

FILTERS = Filters(4, (1, 28, 28), 10)


def test_auto_takes_the_fast_backend_where_it_can_and_any_other_network_the_module_backend():
    assert choose_backend("auto", mlp("[2*6]"), "cpu").name == "numba"
    assert choose_backend("auto", mlp("[2*6]"), "cuda:0").name == "torch"
    assert choose_backend("auto", FILTERS, "cpu").name == "module"
    assert choose_backend("auto", mlp("[2*6]", (3, 32, 32)), "cpu").name == "torch"
    assert choose_backend("module", mlp("[2*6]"), "cpu").name == "module"


def test_what_trained_so_far_goes_on_where_it_can_and_nobody_asks_for_another():
    assert choose_backend("auto", mlp("[2*6]"), "cpu", before="module").name == "module"
    assert choose_backend("auto", mlp("[2*6]"), "cuda:0", before="numba").name == "torch"
    assert choose_backend("numba", mlp("[2*6]"), "cpu", before="torch").name == "numba"
    with pytest.raises(ConfigError, match=r"no backend 'abacus', expected one of numba, torch, module"):
        choose_backend("auto", mlp("[2*6]"), "cpu", before="abacus")


def test_auto_says_when_its_first_choice_lacks_something_here_and_not_when_it_is_for_other_networks(monkeypatch):
    assert second_choice("auto", mlp("[2*6]"), "cpu") == []
    monkeypatch.setattr("psa_tui.engine.backends.numba.find_spec", lambda name: None)
    said = ["--backend auto takes torch here, not numba: numba is not installed"]
    assert second_choice("auto", mlp("[2*6]"), "cpu") == said
    assert second_choice("auto", mlp("[2*6]"), "cpu", before="numba") == said
    assert second_choice("auto", mlp("[2*6]"), "cpu", before="torch") == []
    assert second_choice("torch", mlp("[2*6]"), "cpu") == []
    assert second_choice("auto", FILTERS, "cpu") == second_choice("auto", mlp("[2*6]"), "cuda:0") == []
    monkeypatch.undo()
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert second_choice("auto", mlp("[2*6]"), "cpu") == [
        "--backend auto takes torch here, not numba: its kernels are for x86-64 and 64-bit ARM, not for riscv64"
    ]


def test_what_a_backend_cannot_do_it_refuses_in_words():
    with pytest.raises(ConfigError, match=r"--backend torch cannot train 4 on cpu \(torch: .* of family filters\)"):
        choose_backend("torch", FILTERS, "cpu")
    for shape in ((3, 32, 32), (3, 32)):
        with pytest.raises(ConfigError, match=r"images of one channel only, not of 3"):
            choose_backend("numba", mlp("[2*6]", shape), "cpu")


def test_floats_are_given_only_to_a_backend_that_takes_them_and_auto_says_what_it_takes_in_its_place():
    assert choose_backend("auto", mlp("[2*6]"), "cpu", floats=True).name == "torch"
    assert second_choice("auto", mlp("[2*6]"), "cpu", floats=True) == [
        "--backend auto takes torch here, not numba: it trains on images of bytes (uint8) only, and these are floats"
    ]
    assert second_choice("auto", FILTERS, "cpu", floats=True) == []
    with pytest.raises(ConfigError, match=r"--backend numba cannot .* these are floats"):
        choose_backend("numba", mlp("[2*6]"), "cpu", floats=True)


def test_a_backend_that_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no backend 'jax', expected one of numba, torch, module"):
        choose_backend("jax", FILTERS, "cpu")


def test_a_network_that_no_backend_can_train_is_refused_with_all_reasons(monkeypatch):
    module = BACKENDS.find("module")
    monkeypatch.setattr(type(module), "refusal", lambda self, network, device: "not today")
    with pytest.raises(ConfigError, match=r"\(numba: .*; torch: .*; module: not today\)"):
        choose_backend("auto", FILTERS, "cpu")


def test_choosing_a_backend_imports_no_torch():
    program = """
import sys
from psa_tui.engine.backend import choose_backend
from psa_tui.networks import NETWORKS
choose_backend("auto", NETWORKS.find("mlp").parse("[2*6]", (1, 28, 28), 10), "cpu")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
