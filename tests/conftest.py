import gc
import logging
import os
import sys

import hypothesis
import pytest

from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.progress import Progress
from psa_tui.networks import NETWORKS
from psa_tui.storage.checkpoint import Checkpoint
from psa_tui.storage.header import Record
from tests import program
from tests.terminal import Terminal

WHOLE_PROGRAMS = {"browser", "nodes", "offline", "psa", "psa_dataset", "terminal"}
"""Fixtures whose tests are slow."""


# How long an example takes says nothing where other programs run too.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


def pytest_configure(config):
    # All processes of pytest-xdist have their programs forked by the same ones.
    if shared := getattr(config, "workerinput", {}).get("forkers"):
        program.forkers = lambda: shared


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["forkers"] = program.forkers()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    # All that is imported and collected stays to the end: looking through it meanwhile takes a third of that time.
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    for item in items:
        if not WHOLE_PROGRAMS.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.slow)
    # Files are divided among processes; the quick ones come last, so that all have something to do to the end.
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture(autouse=True)
def log():
    """Commands that run in this process send the log where they want it; the next test has it as it was."""
    logger = logging.getLogger("psa_tui")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture(autouse=True)
def denormals():
    """What trains in this process flushes them from then on, and examples of properties are such numbers too."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def command():
    """The command line, built once: Typer builds it anew in every process, in a tenth of a second."""
    import typer

    from psa_tui.cli.app import app

    return typer.main.get_command(app)


@pytest.fixture
def psa(tmp_path, monkeypatch):
    """Run the program as a user does, in an empty folder, with no settings but those the test makes."""
    for name in [name for name in os.environ if name.startswith("PSA_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **options):
        command = [sys.executable, "-m", "psa_tui", *arguments]
        return program.run(command, capture_output=True, text=True, errors="replace", timeout=120, **options)

    return run


@pytest.fixture
def checkpoint():
    """A small valid checkpoint of [2*4, 1*3], three meta-loops old."""
    import torch

    from psa_tui.engine.population import initial_population_row, named_weights, stack

    network = NETWORKS.find("mlp").parse("[2*4, 1*3]", (1, 28, 28), 10)
    record = Record(
        run="20260101-000000-abcd",
        network="mlp",
        input_shape=network.input_shape,
        classes=network.classes,
        architecture=str(network),
        parameters=network.parameters,
        mode_history=((1, "none"), (3, "hidden")),
        seed=7,
        dataset="mnist5k",
        dataset_requested="mnist5k",
        dataset_fingerprint="0" * 64,
        hyperparameters=Hyperparameters(),
        last_meta_loop=5,
        progress=Progress(
            meta_loop=3,
            validation_count=500,
            lkg_correct=123,
            lkg_meta_loop=2,
            best_correct=123,
            best_meta_loop=2,
            promotions=2,
            rollbacks=1,
            rollbacks_in_a_row=1,
        ),
        test_correct=None,
        test_count=500,
        device="cpu",
        threads=2,
        backend="torch",
        machine="a machine",
        versions={"psa-tui": "0.1.0"},
    )
    weights = named_weights(network, stack([initial_population_row(network, 7)], torch.device("cpu")))
    return Checkpoint(record, weights)


@pytest.fixture
def terminal(tmp_path):
    """Start a program in a terminal; it is ended with the test."""
    opened = []

    def start(command, **options):
        opened.append(Terminal(command, tmp_path, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.end()
