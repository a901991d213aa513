"""Messages on their way to one target, through Apprise. No text of it holds an address, which is a secret."""

from __future__ import annotations

import logging
import time
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from psa_tui.errors import ConfigError
from psa_tui.settings.targets import DESKTOP, Target

if TYPE_CHECKING:
    from apprise import Apprise

_DESKTOPS = ("macosx://", "windows://", "dbus://", "glib://", "gnome://")
"""What Apprise calls the desktops it knows."""


class Message(NamedTuple):
    """What is sent."""

    title: str
    body: str
    failed: bool


class Sender:
    """Sends messages to a target one after another, in a thread that nobody has to wait for."""

    def __init__(self, target: Target, origin: str) -> None:
        """Find the service of ``target``; nothing is sent.

        Raises:
            ConfigError: Apprise is not installed, or does not know it; ``origin`` says where it was named.
        """
        self._name = f"{origin} {target}"
        self._service = _service(target, origin)
        self._messages: SimpleQueue[Message | None] = SimpleQueue()
        self._fault = ""
        # A daemon, because a server that does not answer must not keep the program.
        self._thread = Thread(target=self._work, name="notify", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Send ``message`` when those before it are sent."""
        self._messages.put(message)

    def finish(self) -> None:
        """Note that no message follows."""
        self._messages.put(None)

    def wait_until(self, deadline: float) -> None:
        """Wait for the last message, at most until ``deadline`` (``time.monotonic``)."""
        self._thread.join(max(deadline - time.monotonic(), 0))
        if self._thread.is_alive():
            self._fault = f"{self._name} did not answer in time; nothing else is affected"

    def take_fault(self) -> str:
        """Return what went wrong since it was last asked for; empty where nothing did."""
        fault, self._fault = self._fault, ""
        return fault

    def _work(self) -> None:
        while (message := self._messages.get()) is not None:
            try:
                kind = "failure" if message.failed else "info"
                sent = bool(self._service.notify(message.body, message.title, kind, body_format="text"))
            except Exception:
                # Its own words may hold the address.
                sent = False
            if not sent:
                self._fault = f"{self._name}: a message could not be sent; nothing else is affected"


def _service(target: Target, origin: str) -> Apprise:
    # Its lines, and those of what it sends with, may hold addresses; where nobody listens, Python prints them.
    for library in ("apprise", "requests", "urllib3"):
        logger = logging.getLogger(library)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    try:
        from apprise import Apprise, AppriseAsset
    except ImportError:
        raise ConfigError(
            f"{origin} {target} needs the package apprise, which is missing; pip install 'psa-tui[notify]'"
        ) from None
    asset = AppriseAsset(storage_mode="memory")
    addresses = _DESKTOPS if target.text == DESKTOP else (target.text,)
    for address in addresses:
        service = Apprise(asset=asset)
        if service.add(address):
            return service
    if target.text == DESKTOP:
        raise ConfigError(
            f"{origin} {target}: Apprise reaches no desktop here; it needs dbus-python or PyGObject on Linux, "
            "terminal-notifier on macOS"
        )
    raise ConfigError(
        f"{origin}: {target} is no address that Apprise knows; https://appriseit.com/services/ has their forms"
    )
