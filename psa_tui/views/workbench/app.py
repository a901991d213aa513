"""The application: its screens, its themes, and the way to the command line and back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import App, SuspendNotSupported, SystemCommand
from textual.binding import Binding
from textual.screen import Screen
from textual.worker import WorkerFailed

from psa_tui.errors import CheckpointError, NoCheckpointError
from psa_tui.formatting import printable
from psa_tui.settings import Settings
from psa_tui.views.workbench.base import WorkbenchScreen, key
from psa_tui.views.workbench.commands import (
    Words,
    delete_words,
    follow_words,
    from_here,
    resume_words,
    run_in_foreground,
    run_quietly,
    shown,
    undo_words,
)
from psa_tui.views.workbench.entries import Entry, Results
from psa_tui.views.workbench.palette import LIGHT_THEME
from psa_tui.views.workbench.runs_screen import RunsScreen
from psa_tui.views.workbench.screens import Amount, Help, Label

DARK, LIGHT = "textual-dark", LIGHT_THEME.name
_LIGHT_BACKGROUNDS = ("7", "15")
"""What a terminal with a light background ends COLORFGBG with."""


class Workbench(App[None]):
    """The runs and studies of a results folder."""

    TITLE = "psa"
    CSS_PATH = "workbench.tcss"
    BINDINGS: ClassVar = [
        key("t", "light_or_dark", "theme", "Light or dark"),
        key("ctrl+p", "command_palette", "commands", "List of all commands", "^p"),
        key("question_mark", "help", "help", "Help: keys and signs", "?"),
        key("ctrl+z", "suspend_process", "", "Stop it and go back to the shell; fg comes back", "^z", show=False),
        key("q", "quit", "quit", "Quit"),
        Binding("ctrl+q", "quit", show=False, priority=True),
    ]

    def __init__(self, settings: Settings) -> None:
        """Show what is in the results folder that ``settings`` name."""
        super().__init__()
        self.settings = settings
        self.failure: BaseException | None = None
        """What ended the program, if it was a defect."""
        self.deletions: list[Words] = []
        """The commands of this session that moved something into a trash, and were not undone."""
        self.results = Results(settings.get("results_dir"))
        self.register_theme(LIGHT_THEME)
        is_light = os.environ.get("COLORFGBG", "").rpartition(";")[2] in _LIGHT_BACKGROUNDS
        self.theme = LIGHT if is_light else DARK

    def on_mount(self) -> None:
        """Restore the terminal also where somebody ends the program."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, partial(self.exit, return_code=128 + number))

    def _handle_exception(self, error: Exception) -> None:
        # Textual would print the values of variables.
        super()._handle_exception(error)
        self._exit_renderables.clear()
        self.failure = self.failure or (error.error if isinstance(error, WorkerFailed) else error)

    def get_default_screen(self) -> Screen[None]:
        """Return the table of runs and studies."""
        return RunsScreen(self.results)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Go through what the screen can do, each with its command line, then what Textual offers."""
        if isinstance(screen, WorkbenchScreen):
            yield from screen.system_commands()
        yield from (one for one in super().get_system_commands(screen) if one.title in ("Theme", "Screenshot"))

    def say(self, message: str, *, is_error: bool = False) -> None:
        """Show a message for a few seconds; it is no markup."""
        self.clear_notifications()
        self.notify(message, markup=False, severity="error" if is_error else "information", timeout=6)

    def action_light_or_dark(self) -> None:
        """Go from a dark theme to the light one and back."""
        self.theme = LIGHT if self.current_theme.dark else DARK

    def action_command_palette(self) -> None:
        """List all commands, with nothing that was said before over them."""
        self.clear_notifications()
        super().action_command_palette()

    def action_help(self) -> None:
        """Explain the keys of the screen."""
        if isinstance(self.screen, WorkbenchScreen):
            self.push_screen(Help(self.screen.keys(), self.screen.SIGNS))

    def follow(self, entry: Entry) -> None:
        """Follow a run in its own screen."""
        if (words := follow_words(entry)) is not None:
            self.leave_for(words, wait=False)

    def resume(self, entry: Entry) -> None:
        """Go on with a run or a study; ask how far with a run that has all its loops."""
        words = resume_words(entry, self.results.folder)
        if entry.state == "running":
            self.say(f"{entry.label} is being trained: f follows it")
        elif not self._holds_checkpoint(entry):
            return
        elif entry.run is None or not entry.has_ended:
            self.leave_for(words)
        else:

            def go_on(loops: int | None) -> None:
                if loops is not None:
                    self.leave_for([*words, "--meta-loops", str(loops)])

            question = f"{entry.label} has all its {entry.last:,} meta-loops. How many more?"
            self.push_screen(Amount(question, entry.last), go_on)

    def delete(self, entry: Entry) -> None:
        """Move a run's checkpoint, or a study, into the trash, which needs no question: ``undo`` brings it back."""
        words = delete_words(entry)
        if entry.state == "running":
            self.say(f"{entry.label} is being trained: stop it first")
        elif self._holds_checkpoint(entry):
            self.run_beside(words, lambda: self.deletions.append(words))

    def undo(self) -> None:
        """Bring back what was deleted last."""
        self.run_beside(self.undo_words(), lambda: self.deletions and self.deletions.pop())

    def undo_words(self) -> Words:
        """Return the command that brings back what was deleted last."""
        return undo_words(self.deletions[-1] if self.deletions else None)

    def label(self, entry: Entry) -> None:
        """Let somebody write a run's tags and note."""
        if entry.run is None:
            self.say("a study has no tags and no note")
            return

        def write(words: Words | None) -> None:
            if words is not None:
                self.run_beside(words)

        self.push_screen(Label(entry), write)

    def _holds_checkpoint(self, entry: Entry) -> bool:
        """Whether the file that the history names is still the run's: what lies there may be anything."""
        from psa_tui.storage.checkpoint import read_checkpoint

        if entry.run is None:
            return True
        path = from_here(Path(entry.run.checkpoint))
        try:
            run = read_checkpoint(path).record.run
        except NoCheckpointError:
            self.say(f"the checkpoint of {entry.label} is gone: {path}; u brings back what was deleted", is_error=True)
        except CheckpointError as error:
            self.say(printable(str(error)), is_error=True)
        else:
            if run == entry.run.run:
                return True
            self.say(f"the checkpoint of {entry.label} is another run's now: {path}", is_error=True)
        return False

    def leave_for(self, words: Words, *, wait: bool = True) -> None:
        """Give the terminal to a command and come back after it; with ``wait`` a key is waited for before."""
        try:
            with self.suspend():
                code = run_in_foreground(words, wait=wait, no_color=self.no_color)
        except SuspendNotSupported:
            self.say(f"this terminal cannot be left and come back to; type: {shown(words)}", is_error=True)
            return
        self.refresh(layout=True)
        if code and not wait:
            self.say(f"exit code {code}: {shown(words)}", is_error=True)
        self.reload()

    @work(thread=True)
    def run_beside(self, words: Words, done: Callable[[], object] = lambda: None) -> None:
        """Run a short command and say what came of it; ``done`` is called if that was what was wanted."""
        code, said = run_quietly(words)
        if not code:
            self.call_later(done)
        self.call_later(self.say, said or shown(words), is_error=bool(code))
        self.call_later(self.reload)

    def reload(self) -> None:
        """Let every screen read the history again."""
        self.results.forget()
        for screen in self.screen_stack:
            if isinstance(screen, WorkbenchScreen):
                screen.reload()


def run_workbench(settings: Settings) -> int:
    """Show the workbench until somebody leaves it, and return the exit code."""
    app = Workbench(settings)
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0
