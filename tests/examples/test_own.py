"""The examples that a student copies: each trains when it is run, and when it is installed as its docstring says."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests import program

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
OPTIONS = {
    "own_rule": ("--dataset", "mnist5k", "--arch", "[2*8]"),
    "own_data": ("--arch", "[1*8]", "--mode", "full", "--lr", "1e-2"),
    "own_network": ("--dataset", "mnist5k", "--arch", "8", "--mode", "hidden"),
}
INSTALLED = {
    "own_rule": ("--mode", "weakest"),
    "own_data": ("--dataset", "stripes"),
    "own_network": ("--network", "filters"),
}
SMALL = ("--meta-loops", "2", "--seed", "1", "--threads", "1", "--json")


def events(command, folder, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PSA_")}
    done = program.run(
        [sys.executable, *command, *SMALL],
        cwd=folder,
        env={**kept, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def loops(found):
    """What became of every meta-loop, but for its time."""
    kept = [event for event in found if event["event"] == "meta_loop_finished"]
    return [{name: value for name, value in event.items() if name != "seconds"} for event in kept]


@pytest.mark.parametrize("name", OPTIONS)
def test_an_example_trains_alone_and_installed_as_it_says(name, tmp_path):
    example = EXAMPLES / f"{name}.py"
    alone = events([example, *OPTIONS[name]], tmp_path)
    assert alone[-1]["outcome"] == "finished"
    option, value = INSTALLED[name]
    assert alone[0][option.removeprefix("--")] == value

    group, line = re.search(r'\[project\.entry-points\."(.+?)"\]\n\s+(.+)\n', example.read_text()).groups()
    about = tmp_path / "installed" / "psa_own-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: psa-own\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n" + line.replace('"', "") + "\n")
    shutil.copy(example, about.parent)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = ["-m", "psa_tui", "train", *INSTALLED[name], *OPTIONS[name]]
    found = events(command, elsewhere, PYTHONPATH=str(about.parent))
    assert loops(found) == loops(alone)
    assert len(loops(found)) == 2


def test_the_callback_for_lightning_makes_meta_loops_of_epochs(tmp_path):
    pytest.importorskip("lightning")
    done = program.run(
        [sys.executable, EXAMPLES / "own_lightning.py"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^[1-5] promotions in 5 meta-loops, LKG [89]\d\.\d\d%$", done.stdout, re.MULTILINE)
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()


def test_the_weakest_unit_has_the_smallest_incoming_weights():
    import numpy as np

    from psa_tui.networks import NETWORKS

    module = load("own_rule")
    network = NETWORKS.find("mlp").parse("[1*5]", (4,), 3)
    row = np.ones(network.parameters)
    parts = network.unit_parameters(0, 3)
    row[parts.incoming[0]] = -0.5
    (hit,) = module.WeakestUnit().ablate(row, network, np.random.default_rng(0))
    assert (hit.layer, hit.unit, hit.incoming, hit.outgoing) == (0, 3, 4, 3)
    assert not row[parts.incoming[0]].any()


def test_the_filters_of_the_network_are_where_it_says():
    import numpy as np
    import torch

    network = load("own_network").FiltersFamily().parse("6", (2, 12, 12), 3)
    row = torch.rand(1, network.parameters)
    images = torch.rand(4, 2, 12, 12)

    def logits():
        return network.forward({spec.name: spec.view(row)[0] for spec in network.tensors}, images, None)

    assert network.tensors[-1].offset + network.tensors[-1].size == network.parameters
    assert network.initial_weights(np.random.default_rng(0)).shape == (network.parameters,)
    found = network.unit_parameters(0, 2)
    row[0, found.outgoing[0]] = 0
    before = logits()
    row[0, found.incoming[0]] = 7
    row[0, found.bias[0]] = -3
    assert torch.equal(logits(), before), "a filter that nothing reads changes nothing"
    head = network.unit_parameters(1, 1)
    row[0, head.incoming[0]], row[0, head.bias[0]] = 0, 0
    assert torch.equal(logits()[:, 1], torch.zeros(4))
    assert not head.outgoing


def load(name):
    import importlib.util

    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module
