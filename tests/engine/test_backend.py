import subprocess
import sys

import pytest

from examples.own_network import Filters
from psa_tui.engine.backend import BACKENDS, choose_backend
from psa_tui.errors import ConfigError
from tests.engine.trials import mlp

FILTERS = Filters(4, (1, 28, 28), 10)


def test_auto_takes_the_fast_backend_where_it_can_and_any_other_network_the_module_backend():
    assert choose_backend("auto", mlp("[2*6]"), "cpu").name == "torch"
    assert choose_backend("auto", FILTERS, "cpu").name == "module"
    assert choose_backend("auto", mlp("[2*6]", (3, 32, 32)), "cpu").name == "module"
    assert choose_backend("module", mlp("[2*6]"), "cpu").name == "module"


def test_what_a_backend_cannot_do_it_refuses_in_words():
    with pytest.raises(ConfigError, match=r"--backend torch cannot train 4 on cpu \(torch: .* mlp only, not filters\)"):
        choose_backend("torch", FILTERS, "cpu")
    with pytest.raises(ConfigError, match=r"images of one channel only, not of 3"):
        choose_backend("torch", mlp("[2*6]", (3, 32, 32)), "cpu")


def test_a_backend_that_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no backend 'jax', expected one of torch, module, numba"):
        choose_backend("jax", FILTERS, "cpu")


def test_a_network_that_no_backend_can_train_is_refused_with_all_reasons(monkeypatch):
    module = BACKENDS.find("module")
    monkeypatch.setattr(type(module), "refusal", lambda self, network, device: "not today")
    with pytest.raises(ConfigError, match=r"\(torch: .*; module: not today; numba: .*\)"):
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
