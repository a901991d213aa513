import gc
import signal
import time

import pytest

from psa_tui.machine import signals
from psa_tui.machine.signals import LeaveAtOnce, StopRequest

NAMES = [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "TERM"), (signal.SIGHUP, "HUP")]


@pytest.mark.parametrize(("number", "name"), NAMES)
def test_a_request_while_libraries_load_is_answered_when_they_are_loaded(number, name):
    reached = []

    def load(stop):
        with stop.loading():
            signal.raise_signal(number)
            signal.raise_signal(number)
            reached.append(True)

    with StopRequest() as stop, pytest.raises(LeaveAtOnce, match=name) as left:
        load(stop)
    assert reached
    assert left.value.exit_code == 128 + number


def test_a_request_before_the_first_loop_is_answered_at_once_when_nothing_loads():
    with StopRequest() as stop:
        with stop.loading():
            pass
        with pytest.raises(LeaveAtOnce, match="Ctrl-C"):
            signal.raise_signal(signal.SIGINT)


def test_no_garbage_is_looked_for_while_libraries_load_and_again_when_they_are_or_cannot_be():
    def load(stop):
        with stop.loading():
            assert not gc.isenabled()
            raise ImportError

    with StopRequest() as stop, pytest.raises(ImportError):
        load(stop)
    assert gc.isenabled()


@pytest.mark.parametrize("is_reached", [False, True])
def test_patience_ends_when_all_is_committed(monkeypatch, is_reached):
    monkeypatch.setattr(signals, "_PATIENCE_S", 0.05)
    with StopRequest() as stop:
        stop.in_loops = True
        signal.raise_signal(signal.SIGTERM)
        if is_reached:
            stop.reached()
            time.sleep(0.2)
        else:
            with pytest.raises(LeaveAtOnce, match="TERM"):
                time.sleep(5)
    assert (stop.reason, stop.exit_code) == ("TERM", 143)
