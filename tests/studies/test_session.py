import pickle
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe
from types import SimpleNamespace

import pytest

from psa_tui.errors import PsaError
from psa_tui.machine import signals
from psa_tui.settings import load_settings
from psa_tui.storage.study_store import open_store
from psa_tui.studies import session, worker_machine
from psa_tui.studies.chosen_backend import ChosenBackend
from psa_tui.studies.events import CellProgressed
from psa_tui.studies.worker_machine import WorkerMachine, find_machine, this_process
from tests.studies.workers import InProcess


def test_a_stop_whose_work_is_committed_is_a_stop_however_long_the_workers_take_to_leave(
    monkeypatch, tmp_path, small_study, study_data
):
    class SlowToClose(InProcess):
        def close(self):
            time.sleep(1.5)
            super().close()

    monkeypatch.setattr(signals, "_PATIENCE_S", 1.0)
    workers = lambda: SlowToClose(small_study, study_data, 1, ())  # noqa: E731
    machine = WorkerMachine(SimpleNamespace(versions={"PyTorch": "9"}), True)
    monkeypatch.setattr(session, "_executor", lambda *_: (workers, ChosenBackend("torch", ()), machine))
    said, events = [], []

    def handle(event):
        events.append(event)
        if sum(isinstance(one, CellProgressed) for one in events) == 1 and isinstance(event, CellProgressed):
            signal.raise_signal(signal.SIGTERM)

    view = SimpleNamespace(handle=handle, close=lambda: None)
    settings = load_settings({"results_dir": str(tmp_path)})
    code = session.run_session(small_study, settings, session.SessionOptions(workers=1), lambda _: view, said.append)
    assert (code, said) == (143, [])
    with open_store(tmp_path) as store:
        assert [(row.outcome, row.reason) for row in store.sessions("small")] == [("stopped", "TERM")]
        versions = {"PyTorch": "9", "denormals": "flushed", "backend": "torch"}
        assert [row.versions for row in store.sessions("small")] == [versions]


def test_a_driver_needs_no_pytorch():
    # What a process that only drives does on its way: division into splits, the answer of a worker, the session's code.
    code = (
        "import pickle, sys; from psa_tui.data.split import split_order; from psa_tui.studies import driver, session; "
        f"split_order(10); pickle.loads({pickle.dumps(this_process())!r}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_worker_that_dies_at_its_search_for_devices_is_an_error_with_a_remedy(monkeypatch):
    here, there = Pipe()
    there.close()
    process = SimpleNamespace(kill=lambda: None, join=lambda: None)
    monkeypatch.setattr(worker_machine, "start_worker", lambda *_, name: (process, here))
    with pytest.raises(PsaError, match="a worker ended before it had looked for devices; is there memory left"):
        find_machine()
