"""What a dashboard sends its drawing process, and when."""

import io
from dataclasses import replace

import pytest

from psa_tui.method.event_codec import decode_event
from psa_tui.method.events import EpochProgressed, MetaLoopFinished, RunFinished
from psa_tui.runs.controls import Control
from psa_tui.views import dashboard
from psa_tui.views.dashboard import DashboardView
from psa_tui.views.state import RunState
from tests.views.test_notify import run_finished


class Recorder:
    """In place of the drawing process: the events of each write, with when they happened."""

    def __init__(self, stream, control, on_failure, **options):
        self.writes, self._added, self._on_failure = [], [], on_failure
        self.is_open, self.is_behind, self.is_gone = True, False, False

    def add(self, values):
        happened_at = values.pop("happened_at")
        self._added.append((decode_event(values), happened_at))

    def flush(self):
        if self._added:
            self.writes.append(self._added)
            self._added = []
        if self.is_gone:
            self._on_failure()

    def close(self):
        self.is_open = False

    @property
    def sent(self):
        return [one for write in self.writes for one in write]


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(dashboard.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def view(monkeypatch, clock):
    monkeypatch.setattr(dashboard, "Drawing", Recorder)
    return DashboardView(io.StringIO(), Control(), ascii_only=False)


def progressed(loop, images):
    return EpochProgressed(meta_loop=loop, images=images, image_count=900, loss=0.5, seconds=0.001)


def told(view, clock, events, seconds):
    """Tell ``view`` of ``events``, loops that last ``seconds``; return them all, and when they happened."""
    happened = []
    for event in events:
        if isinstance(event, MetaLoopFinished):
            # An epoch reports once before it ends.
            happened.append((progressed(event.meta_loop, 300), clock[0]))
            view.handle(happened[-1][0])
            clock[0] += seconds
        happened.append((event, clock[0]))
        view.handle(event)
    return happened


def folded(events):
    state = RunState()
    for event, happened_at in events:
        state.fold(event, happened_at)
    return state


def test_a_run_of_many_loops_a_second_is_sent_twenty_times_a_second_and_nothing_that_is_over(view, clock, build):
    events = [
        replace(event, train_accuracy=0.5) if isinstance(event, MetaLoopFinished) else event
        for event in build.story("[2*8]", range(100, 300))
    ]
    happened = told(view, clock, events, 0.004)
    sent = view._drawing.sent
    assert [event for event, _ in sent if isinstance(event, MetaLoopFinished)][:180] == [
        event for event, _ in happened if isinstance(event, MetaLoopFinished)
    ][:180]
    # 0.8 seconds.
    assert 10 <= len(view._drawing.writes) <= 20
    assert len(sent) < 1.2 * 200
    view.flush()
    assert folded(view._drawing.sent) == folded(happened)


def test_a_loop_that_takes_its_time_is_sent_when_it_ends_as_is_what_it_reports(view, clock, build):
    for event in build.story("[2*8]", [100, 200, 150]):
        view.handle(event)
        clock[0] += 0.06
        if isinstance(event, MetaLoopFinished):
            assert view._drawing.sent[-1] == (event, clock[0] - 0.06)
            view.handle(progressed(event.meta_loop + 1, 10))
            assert view._drawing.sent[-1] == (progressed(event.meta_loop + 1, 10), clock[0])
            clock[0] += 1


def test_the_end_brings_all_that_waits(view, clock, build):
    events = build.story("[2*8]", [100, 200, 150])
    happened = told(view, clock, events, 0.001)
    assert len(view._drawing.sent) < len(happened)
    end = run_finished(events)
    view.handle(end)
    loops = [event for event, _ in view._drawing.sent if isinstance(event, MetaLoopFinished | RunFinished)]
    assert loops == [*(event for event in events if isinstance(event, MetaLoopFinished)), end]
    assert not view.is_drawing
    assert "meta-loop" in view._stream.getvalue()


def test_what_waited_for_a_drawing_process_that_is_gone_is_told_in_lines(view, clock, build):
    events = build.story("[2*8]", [100, 200, 150, 300])
    told(view, clock, events, 0.001)
    waiting = [event for event, _ in view._held if isinstance(event, MetaLoopFinished)]
    view._drawing.is_gone = True
    view.flush()
    assert len(waiting) == 4
    assert all(f"{event.validation_accuracy:.2%}".replace("%", " %") in view._stream.getvalue() for event in waiting)
