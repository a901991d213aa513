"""The process that sends notifications through Apprise: ``python -m psa_tui.views.sending``, started by ``Messenger``.

It reads lines of JSON: first each target's addresses, of which the first that Apprise can use is taken; then messages,
until there are no more. It answers with the number of the first target that has none, or -1; then, for each message and
target, with the target's number and whether it was sent.

A process of its own can be ended while it waits for a server, which a thread of Apprise's cannot, and its error stream
leads nowhere: what libraries complain of may hold an address.
"""

from __future__ import annotations

import json
import os
import sys
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from apprise import Apprise, AppriseAsset


class Message(NamedTuple):
    """What is sent."""

    title: str
    body: str
    failed: bool


def main() -> None:
    """Send all messages to all targets, each target's one after another."""
    services = []
    for number, addresses in enumerate(json.loads(sys.stdin.readline())):
        service = next(filter(None, map(_service, addresses)), None)
        if service is None:
            _answer(number)
            return
        services.append(service)
    _answer(-1)
    queues: list[SimpleQueue[Message | None]] = [SimpleQueue() for _ in services]
    threads = [Thread(target=_send_all, args=one) for one in zip(range(len(services)), services, queues, strict=True)]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        for queue in queues:
            queue.put(Message(*json.loads(line)))
    for queue, thread in zip(queues, threads, strict=True):
        queue.put(None)
        thread.join()
    # Threads of Apprise's that it has given up would be waited for.
    os._exit(0)


def _service(address: str) -> Apprise | None:
    service = Apprise(asset=AppriseAsset(storage_mode="memory"))
    return service if service.add(address) else None


def _send_all(number: int, service: Apprise, messages: SimpleQueue[Message | None]) -> None:
    while (message := messages.get()) is not None:
        try:
            kind = "failure" if message.failed else "info"
            sent = bool(service.notify(message.body, message.title, kind, body_format="text"))
        except Exception:
            sent = False
        _answer(number, int(sent))


def _answer(*numbers: int) -> None:
    """Write a line at once: so short a one is never mixed with another thread's."""
    os.write(sys.stdout.fileno(), (" ".join(map(str, numbers)) + "\n").encode())


if __name__ == "__main__":
    main()
