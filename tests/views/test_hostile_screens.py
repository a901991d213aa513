"""Text that others wrote drives no terminal from the live screens: the bytes that would reach one are looked at."""

import asyncio
import json
import os
import signal

import pytest

from psa_tui.method.event_codec import encode_event
from psa_tui.studies.events import (
    CellFailed,
    CellFinished,
    CellStarted,
    StudyFinished,
    StudyNote,
    StudyOutcome,
    WorkerLost,
)
from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.app import LiveApp
from psa_tui.views.live.feed import Feed
from psa_tui.views.live.run_screen import RunScreen
from psa_tui.views.live.study_screen import StudyScreen
from tests.hostile import batches, driven, record
from tests.views.conftest import hostile_events
from tests.views.study.conftest import progressed, study_started

pytestmark = pytest.mark.slow


@pytest.fixture
def show(monkeypatch):
    """Show batches of (screen, lines of the pipe, keys) on the application of the drawing process, and look at each."""
    written = record(monkeypatch)
    monkeypatch.setattr("psa_tui.views.live.app._leave_what_is_gone", lambda: None)
    numbers = (signal.SIGTSTP, signal.SIGCONT, signal.SIGTTOU, signal.SIGTTIN)
    handlers = [signal.getsignal(number) for number in numbers]

    def run(size, acts):
        async def use():
            events, source = os.pipe()
            app = LiveApp(Feed(events, os.open(os.devnull, os.O_WRONLY)), DisplayOptions())
            async with app.run_test(size=size) as pilot:
                for screen, lines, keys, strings in acts:
                    for line in lines:
                        os.write(source, json.dumps(line).encode() + b"\n")
                        await asyncio.sleep(0)
                    await pilot.pause()
                    app.show()
                    await pilot.pause()
                    assert isinstance(app.screen, screen)
                    await pilot.press(*keys)
                    await pilot.pause()
                    assert isinstance(app.screen, screen)
                    assert not driven(written), (strings, driven(written))
                    written.clear()
                asyncio.get_running_loop().remove_reader(events)

        asyncio.run(use())

    yield run
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("size", [(140, 45), (80, 24)], ids=str)
def test_no_screen_of_a_run_lets_a_control_character_out(size, show):
    """Chart, map, log and panels; the list of modes; all facts; the title and the tab."""

    def acts():
        for strings in batches(50, 125):
            *before, finished = ({**values, "happened_at": 0.0} for values in hostile_events(strings))
            asked = {"paused": False, "stop_after_loop": False, "next_mode": strings[0], "log_level": strings[-1]}
            before += [{"event": "control_changed", "schema": 2, "happened_at": 0.0, **asked}]
            before += [{"message": text} for text in strings]
            few, every = ({**before[0], "notices": texts} for texts in (strings[:2], strings))
            yield RunScreen, [{"waits_for": strings[0]}, few, *before[1:]], ["m", "escape"], strings
            yield RunScreen, [finished], ["question_mark", "escape"], strings
            # All of them leave no room for anything else on the screen; a page of their own has them.
            pages = ["pagedown"] * (len(strings) // 5)
            yield RunScreen, [every], ["w", *pages, "escape"], strings

    show(size, acts())


@pytest.mark.parametrize("size", [(140, 45), (80, 24)], ids=str)
def test_no_screen_of_a_study_lets_a_control_character_out(size, show):
    """Map, workers, modes and messages; and what it is called."""
    trials = (1, 2, 3)

    def acts():
        for strings in batches(50, 250):
            one, other, *rest = [*strings, *"abc"]
            shapes = tuple(dict.fromkeys(strings))
            modes = tuple(dict.fromkeys(strings[:6]))
            about = {"shapes": shapes, "depths": (2,) * len(shapes), "widths": (8.0,) * len(shapes)}
            about |= {"costs_s": (1.0,) * len(shapes), "modes": modes, "study": other, "dataset": one}
            means = (0.5,) * len(modes)
            events = [
                study_started("8*8", notices=tuple(strings), **about),
                CellStarted(shape=one, worker=other, trials=trials, meta_loop=0),
                progressed(one, other, 3, trials=trials, bounties=((0.1, 0.2, None),) * len(modes)),
                CellFailed(shape=rest[0], worker=one, trials=trials, attempt=1, cause=rest[1], final=False),
                CellFinished(shape=one, worker=other, trials=trials, means=means),
                WorkerLost(worker=one, cause=other),
                *(StudyNote(text=text) for text in strings),
            ]
            end = StudyFinished(
                outcome=StudyOutcome.STOPPED, reason=one, complete=1, failed=1, seconds=1.0, go_on=other
            )
            yield StudyScreen, [encode_event(event) | {"happened_at": 0.0} for event in events], ["up", "down"], strings
            yield StudyScreen, [encode_event(end) | {"happened_at": 0.0}], ["question_mark", "escape"], strings

    show(size, acts())
