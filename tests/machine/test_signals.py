import signal

import pytest

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
