"""Telling somebody who does not look how a run or a study ended, or that a run escaped: ``--notify``.

The terminal's bell is rung at once. Everything else is sent by a process of its own, so that nothing waits for a
server; only the end waits for the last messages, for some seconds. What cannot be sent is a warning.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from psa_tui.formatting import count, duration, network_words, percent, printable
from psa_tui.method.events import Event, MetaLoopFinished, Outcome, RunFinished, RunStarted
from psa_tui.method.progress import ESCAPE_ABOVE_MAJORITY
from psa_tui.settings.targets import BELL, Targets
from psa_tui.studies.events import StudyEvent, StudyFinished, StudyOutcome, StudyStarted
from psa_tui.views.messages import print_warning
from psa_tui.views.messenger import Messenger
from psa_tui.views.text import format_finished

log = logging.getLogger(__name__)

_PATIENCE_S = 6.0
"""How long the end waits. Apprise itself lets 5.5 seconds pass between two messages to most services."""


class NotifyView:
    """Tells of the end, of a failure, of an interruption, and of the first loop whose LKG has escaped."""

    def __init__(self, targets: Targets, origin: str) -> None:
        """Make sure, before anything runs, that all targets are known.

        Raises:
            ConfigError: one of them is not, or Apprise is not installed; ``origin`` says where it was named.
        """
        others = [target for target in targets.all if target.text != BELL]
        self._rings = len(others) < len(targets.all)
        self._messenger = Messenger(others, origin) if others else None
        self._under_way = ""
        """The run or study that has begun and not ended, in words."""
        self._escape_at: float | None = None
        """The accuracy that is an escape; None where there was one, or nothing to compare with."""
        self._started: RunStarted | None = None

    def handle(self, event: Event | StudyEvent) -> None:
        """Send a message where the event is worth one."""
        if self._messenger is not None:
            for fault in self._messenger.faults():
                log.warning(fault)
        match event:
            case RunStarted():
                self._under_way, self._started = f"run {event.name or event.run}", event
                majority, lkg = event.majority_class_accuracy, event.progress.lkg_accuracy
                self._escape_at = None if majority is None else majority + ESCAPE_ABOVE_MAJORITY
                if self._escape_at is not None and lkg is not None and lkg >= self._escape_at:
                    self._escape_at = None
            case MetaLoopFinished():
                self._tell_escape(event)
            case RunFinished():
                reason = [event.reason] if event.outcome is Outcome.FAILED else []
                self._tell(event.outcome, *reason, *format_finished(event), failed=event.outcome is Outcome.FAILED)
                self._under_way = ""
            case StudyStarted():
                self._under_way = f"study {event.study}"
            case StudyFinished():
                failed = event.outcome in (StudyOutcome.INCOMPLETE, StudyOutcome.FAILED)
                counts = f"{count(event.complete, 'trial')} complete, {event.failed:,} failed"
                go_on = "" if event.outcome is StudyOutcome.FINISHED else f"go on with: {event.go_on}"
                self._tell(event.outcome, f"{counts}, {duration(event.seconds)}", event.reason, go_on, failed=failed)
                self._under_way = ""

    def close(self) -> None:
        """Wait for the last messages, and tell of an end that no event told of."""
        if self._under_way:
            # Where the study's driver was left, or failed, there is no last event.
            self._tell("ended early", str(sys.exception() or "it was left at once"), failed=True)
            self._under_way = ""
        if self._messenger is not None:
            for fault in self._messenger.close(_PATIENCE_S):
                print_warning(fault)

    def _tell_escape(self, event: MetaLoopFinished) -> None:
        lkg, started = event.progress.lkg_accuracy, self._started
        if self._escape_at is None or started is None or lkg is None or lkg < self._escape_at:
            return
        self._escape_at = None
        self._tell(
            "escaped",
            f"LKG {percent(lkg)} at meta-loop {event.meta_loop}, majority class "
            f"{percent(started.majority_class_accuracy)}",
            f"{network_words(started.network, started.architecture)}, mode {event.mode}, data {started.dataset}",
        )

    def _tell(self, what: str, *lines: str, failed: bool = False) -> None:
        if self._rings:
            _ring()
        if self._messenger is not None:
            body = "\n".join(printable(line) for line in lines if line)
            self._messenger.send(printable(f"psa: {self._under_way} {what}"), body, failed=failed)


def _ring() -> None:
    """Ring the bell of the terminal, if there is one and it is still there."""
    for stream in (sys.stderr, sys.stdout):
        with suppress(OSError, ValueError):
            if stream.isatty():
                stream.write("\a")
                stream.flush()
                return
