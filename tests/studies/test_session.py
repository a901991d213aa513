import signal
import time
from types import SimpleNamespace

from psa_tui.machine import signals
from psa_tui.settings import load_settings
from psa_tui.storage.study_store import open_store
from psa_tui.studies import session
from psa_tui.studies.chosen_backend import ChosenBackend
from psa_tui.studies.events import CellProgressed
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
    monkeypatch.setattr(session, "_executor", lambda *_: (workers, ChosenBackend("torch", ())))
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
