from types import SimpleNamespace

import pytest

from psa_tui.data import load_dataset
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import DROPOUT, HIDDEN, NONE
from psa_tui.studies.driver import Driver
from psa_tui.studies.grids import parse_network
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.training import load_study_data
from psa_tui.studies.work_queue import Limits
from tests.studies.workers import InProcess


@pytest.fixture(scope="session")
def small_study(tmp_path_factory):
    """A study of seconds, on the embedded digits."""
    data = load_dataset("mnist5k", tmp_path_factory.mktemp("none"))
    return StudySpec(
        name="small",
        networks=(parse_network("1*4"), parse_network("2*3")),
        variants=(NONE, DROPOUT, HIDDEN),
        trials=2,
        meta_loops=3,
        seed=5,
        dataset="mnist5k",
        dataset_fingerprint=data.fingerprint,
        hyperparameters=Hyperparameters(learning_rate=1e-3),
    )


@pytest.fixture(scope="session")
def study_data(small_study, tmp_path_factory):
    return load_study_data(small_study, tmp_path_factory.mktemp("none"), "cpu")


@pytest.fixture
def drive(small_study, study_data):
    """Run a session; returns its events, the executor and what the stop request ended as."""

    def run(store, folder, spec=small_study, script=(), executor=InProcess, limits=None, stop_when=None, workers=2):
        hands = executor(spec, study_data, workers, script)
        stop = SimpleNamespace(reason=None)
        driver = Driver(
            spec,
            store,
            folder,
            lambda: hands,
            cost_s=lambda network: network.parameters / 1e6,
            limits=limits or Limits(),
            stop=stop,
            versions={},
        )
        events = []
        for event in driver.run():
            events.append(event)
            if stop_when is not None and stop_when(event):
                stop.reason = "Ctrl-C"
        return events, hands

    return run
