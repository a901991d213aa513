from dataclasses import replace
from types import SimpleNamespace

import pytest

from psa_tui.data import load_dataset
from psa_tui.method.variants import AblationMode
from psa_tui.studies.driver import Driver, Limits
from psa_tui.studies.grids import Shape
from psa_tui.studies.spec import StudySpec
from psa_tui.studies.training import load_study_data
from tests.studies.workers import InProcess


@pytest.fixture(scope="session")
def small_study(tmp_path_factory):
    """A study of seconds, on the embedded digits."""
    data = load_dataset("mnist5k", tmp_path_factory.mktemp("none"))
    return StudySpec(
        name="small",
        shapes=(Shape(1, 4), Shape(2, 3)),
        modes=(AblationMode.NONE, AblationMode.DROPOUT, AblationMode.HIDDEN),
        trials=2,
        meta_loops=3,
        seed=5,
        dataset="mnist5k",
        dataset_fingerprint=data.fingerprint,
        learning_rate=1e-3,
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
        limits = limits or Limits()
        driver = Driver(spec, store, folder, lambda: hands, lambda shape: shape.parameters / 1e6, limits, stop, {})
        events = []
        for event in driver.run():
            events.append(event)
            if stop_when is not None and stop_when(event):
                stop.reason = "Ctrl-C"
        return events, hands

    return run


@pytest.fixture
def without_seconds():
    return lambda rows: [replace(row, seconds=0.0) for row in rows]
