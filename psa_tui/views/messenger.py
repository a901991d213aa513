"""Messages to people who do not look, by a process that sends them while this one goes on."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from psa_tui.errors import ConfigError
from psa_tui.machine.child_processes import isolated_children
from psa_tui.settings.targets import DESKTOP, Target

_DESKTOPS = ("macosx://", "windows://", "dbus://", "glib://", "gnome://")
"""What Apprise calls the desktops it knows."""
_START_S = 60.0
"""How long the process may take to begin, on a machine that has much else to do."""


class Messenger:
    """The process that sends to some targets (see ``sending``). Nothing here waits for it but start and end."""

    def __init__(self, targets: Sequence[Target], origin: str) -> None:
        """Start the process, and make sure that it can use all ``targets``, which ``origin`` names.

        Raises:
            ConfigError: Apprise is not installed, or does not know one of them.
        """
        self._names = [f"{origin} {target}" for target in targets]
        if find_spec("apprise") is None:
            raise ConfigError(f"{self._names[0]}: the package apprise is missing; pip install 'psa-tui[notify]'")
        with isolated_children():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "psa_tui.views.sending"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._answers = self._process.stdin, self._process.stdout
        os.set_blocking(self._input.fileno(), False)
        os.set_blocking(self._answers.fileno(), False)
        self._unsent, self._unread, self._is_over = bytearray(), bytearray(), False
        self._due = [0] * len(targets)
        """The answers that each target's messages still want."""
        try:
            # By the pipe, because anybody may read a command line.
            self._put([_DESKTOPS if target.text == DESKTOP else [target.text] for target in targets])
            self._check(targets)
        except BaseException:
            self._end()
            raise

    def send(self, title: str, body: str, *, failed: bool) -> None:
        """Send a message to all targets when those before it are sent."""
        self._put([title, body, failed])
        self._due = [count + 1 for count in self._due]

    def faults(self) -> Iterator[str]:
        """Say what could not be sent since it was last asked for."""
        self._flush()
        for number, sent in self._read():
            self._due[number] -= 1
            if not sent:
                yield f"{self._names[number]}: a message could not be sent; nothing else is affected"

    def close(self, patience_s: float) -> Iterator[str]:
        """Wait for the last messages, at most ``patience_s``; say what could not be sent."""
        deadline = time.monotonic() + patience_s
        while self._unsent and time.monotonic() < deadline:
            select.select([], [self._input], [], 0.1)
            self._flush()
        self._input.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(deadline - time.monotonic(), 0))
        yield from self.faults()
        self._end()
        for name, count in zip(self._names, self._due, strict=True):
            if count:
                yield f"{name}: a message got no answer in time; nothing else is affected"

    def _check(self, targets: Sequence[Target]) -> None:
        """Wait until the process has looked at its targets."""
        deadline = time.monotonic() + _START_S
        while not (answers := self._read()) and not self._is_over and (left := deadline - time.monotonic()) > 0:
            select.select([self._answers], [], [], left)
        if not answers:
            raise ConfigError(f"{self._names[0]}: Apprise does not start; python -c 'import apprise' may say why")
        ((number,),) = answers
        if number < 0:
            return
        if targets[number].text == DESKTOP:
            raise ConfigError(
                f"{self._names[number]}: Apprise reaches no desktop here; it needs dbus-python or PyGObject on Linux, "
                "terminal-notifier on macOS"
            )
        raise ConfigError(
            f"{self._names[number]}: no address that Apprise knows; https://appriseit.com/services/ has their forms"
        )

    def _put(self, values: object) -> None:
        self._unsent += json.dumps(values).encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._input.fileno(), self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            # The process is gone; its missing answers will tell.
            self._unsent.clear()

    def _read(self) -> list[list[int]]:
        """Return the answers that have come."""
        with contextlib.suppress(BlockingIOError):
            while found := os.read(self._answers.fileno(), 4096):
                self._unread += found
            self._is_over = True
        *lines, self._unread = self._unread.split(b"\n")
        return [[int(number) for number in line.split()] for line in lines]

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._answers.close()
