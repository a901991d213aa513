"""The application on the terminal: shows what comes through the pipe, at most twice a second, and at once on a key."""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
from textual.app import App, ComposeResult
from textual.drivers.linux_driver import LinuxDriver
from textual.timer import Timer
from textual.widgets import Static

from psa_tui.formatting import network_words, percent, printable
from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.base import LiveScreen
from psa_tui.views.live.feed import Feed
from psa_tui.views.resources import Resources
from psa_tui.views.state import RunState

_FRAME_S = 0.5
_BUSY = 0.025
"""The part of one core that drawing may take: costly frames make the next one wait longer."""
_TICK_S = 1.0
"""But nothing that changed waits longer."""
_READS_APART_S = 0.05
"""After what has come was taken in, until more is."""
_PUSH_TITLE, _POP_TITLE = "\x1b[22;2t", "\x1b[23;2t"
_NO_PROGRESS = "\x1b]9;4;0;\x07"
"""What takes the bar off the terminal's tab."""


def is_in_foreground() -> bool:
    """Whether this job may touch the terminal now."""
    try:
        return os.tcgetpgrp(1) == os.getpgrp()
    except OSError:
        return False


def _leave_what_is_gone() -> None:
    """End at once where the terminal was closed: there is nothing to restore, and a run may go on without."""
    try:
        termios.tcgetattr(1)
    except termios.error:
        os._exit(0)


def pause_after(cost_s: float) -> float:
    """Return how many seconds nothing is drawn after a frame that took ``cost_s`` of processor time."""
    return min(max(_FRAME_S, cost_s / _BUSY), _TICK_S)


class _Terminal(LinuxDriver):
    """The terminal; Textual would read what is no keyboard over and over."""

    is_left = False
    """Whether the process is about to end."""

    def run_input_thread(self) -> None:
        """Pass on what is typed, where somebody can type."""
        if self.input_tty:
            super().run_input_thread()

    def disable_input(self) -> None:
        """Listen to the keyboard no more.

        Textual waits until its thread looks up, every tenth of a second; at the end a run would wait as well.
        """
        if not self.is_left:
            super().disable_input()
        elif not self.exit_event.is_set():
            signal.signal(signal.SIGWINCH, signal.SIG_IGN)
            self._disable_mouse_support()
            self.exit_event.set()
            with suppress(termios.error):
                termios.tcflush(self.fileno, termios.TCIFLUSH)


class LiveApp(App[None]):
    """Shows a run or a study until the events end."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { background: ansi_default; } #loading { width: 1fr; height: 1fr; }"

    def __init__(self, feed: Feed, options: DisplayOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds, as that of ``feed`` does."""
        # The terminal's own colours are right on a light background too.
        super().__init__(driver_class=_Terminal, ansi_color=True)
        self.theme = "ansi-dark"
        self._feed, self._options, self._clock = feed, options, clock
        self._timer: Timer | None = None
        self._cost_s = 0.0
        """The processor time that was spent when a frame was last put off."""
        self._told = ""
        self._is_ours = True
        self._trainer = None if options.read_only else psutil.Process(os.getppid())
        self.failure: Exception | None = None
        """What ended the application, if it did not end in good order."""

    def compose(self) -> ComposeResult:
        """Say what is waited for, until something begins."""
        yield Static(id="loading", markup=False)

    def on_mount(self) -> None:
        """Listen to the pipe."""
        if not self.is_headless:
            # The run decides what these mean; this process ends with its events.
            for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGTTOU, signal.SIGTTIN):
                signal.signal(number, signal.SIG_IGN)
            self._listen()
            self.set_interval(_TICK_S, self._tick)
            if self._trainer is not None:
                # What is taken is reckoned from here on.
                self._trainer.cpu_percent()
            self._write(_PUSH_TITLE)
            # What a run's screen needs is loaded while the run itself is, behind a frame that is there.
            self.call_after_refresh(_run_screen)
        self.show()

    def show(self) -> None:
        """Draw what is known now, if the terminal is ours."""
        state = self._feed.state
        if self._timer is not None:
            # One that still runs would draw as well, and be followed by one of its own: twice as often, for good.
            self._timer.stop()
            self._timer = None
        if not self._is_ours:
            return
        if isinstance(self.screen, LiveScreen) or state.started is not None:
            self._choose_screen()
        if isinstance(self.screen, LiveScreen):
            self.screen.redraw()
        elif state.started is None and self.screen.query("#loading"):
            lines = [f"{self._feed.waits_for} ...", "", *state.messages]
            self.query_one("#loading", Static).update("\n".join(lines))
        self._tell_terminal()

    def _choose_screen(self) -> None:
        if self._feed.state.started is None:
            return
        kind = _run_screen() if isinstance(self._feed.state, RunState) else _study_screen()
        if not any(isinstance(one, kind) for one in self.screen_stack):
            while len(self.screen_stack) > 1:
                self.pop_screen()
            self.push_screen(kind(self._feed, self._options, self._clock))

    def _listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._feed.events, self._read)

    def _read(self) -> None:
        """Take in what has come; leave when nothing more will."""
        _leave_what_is_gone()
        if not self._feed.read():
            self._leave()
            return
        if not self._feed.is_behind and not self._feed.is_urgent:
            # Each event would wake this process, and stop a thread that trains, some hundred times a second. After the
            # last one comes the end, for which the run waits.
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._feed.events)
            loop.call_later(_READS_APART_S, self._listen)
        if self._feed.must_confirm:
            self._give_back()
        elif not self._is_ours:
            return
        elif self._feed.is_urgent:
            self._feed.is_urgent = False
            self.show()
        elif self._timer is None:
            spent_s = time.process_time()
            self._timer = self.set_timer(pause_after(spent_s - self._cost_s), self.show)
            self._cost_s = spent_s

    def _tick(self) -> None:
        """Let the clock go on; take the terminal again once this job is in the foreground."""
        _leave_what_is_gone()
        if not self._is_ours:
            if not self._feed.is_suspended and is_in_foreground():
                self._take()
            return
        state = self._feed.state
        if isinstance(state, RunState) and self._trainer is not None and state.finished is None:
            # Once it is gone, its last word comes next.
            with suppress(psutil.Error):
                state.resources.add(_measure(self._trainer), _TICK_S)
        # A frame that is put off brings the time as well; before it the clock's panels would tell of loops that the
        # others do not show yet.
        if self._timer is None and not state.is_still and isinstance(self.screen, LiveScreen):
            self.screen.redraw(only_clock=True)

    def _give_back(self) -> None:
        if self._is_ours and self._driver is not None:
            self._is_ours = False
            self._write(_NO_PROGRESS + _POP_TITLE)
            self._driver.suspend_application_mode()
        self._feed.confirm_suspended()

    def _take(self) -> None:
        assert self._driver is not None
        self._is_ours, self._told = True, ""
        self._driver.resume_application_mode()
        for number in (signal.SIGTTOU, signal.SIGTTIN):
            signal.signal(number, signal.SIG_IGN)
        self._write(_PUSH_TITLE)
        self.refresh(layout=True, repaint=True)
        self.screen.refresh(layout=True, repaint=True)
        self.show()

    def _leave(self) -> None:
        asyncio.get_running_loop().remove_reader(self._feed.events)
        if not self._is_ours:
            # The terminal is another's: nothing that an orderly end would restore is ours.
            os._exit(0)
        self.show()
        self._write(_NO_PROGRESS + _POP_TITLE)
        if isinstance(self._driver, _Terminal):
            self._driver.is_left = True
        # What came last is seen before the screen is left.
        self.call_after_refresh(self.exit)

    def _handle_exception(self, error: Exception) -> None:
        """End without the page that Textual would print, which shows the values of variables."""
        if self.is_headless:
            super()._handle_exception(error)
        else:
            self.failure = error
            self.exit(return_code=1)

    def _tell_terminal(self) -> None:
        """Show in the terminal's title and tab how far the run is."""
        state = self._feed.state
        if not isinstance(state, RunState) or state.started is None or state.progress is None:
            return
        part = 100 * state.progress.meta_loop // max(state.started.last_meta_loop, 1)
        network = network_words(state.started.network, state.started.architecture)
        title = f"psa {network} {part} % LKG {percent(state.progress.lkg_accuracy)}"
        told = f"\x1b]2;{printable(title)}\x07" + (_NO_PROGRESS if state.finished else f"\x1b]9;4;1;{part}\x07")
        if told != self._told:
            self._told = told
            self._write(told)

    def _write(self, codes: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(codes)


def _run_screen() -> type[LiveScreen]:
    # It loads NumPy, which the first frame does not wait for.
    from psa_tui.views.live.run_screen import RunScreen

    return RunScreen


def _study_screen() -> type[LiveScreen]:
    from psa_tui.views.live.study_screen import StudyScreen

    return StudyScreen


def _measure(process: psutil.Process) -> Resources:
    """Return what ``process`` has taken since it was asked last."""
    return Resources(process.cpu_percent(), process.memory_info().rss)
