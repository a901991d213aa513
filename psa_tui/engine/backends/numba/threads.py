"""The threads that kernels run in: they stay from call to call, for starting one takes as long as a step."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

Work = Callable[[int], None]
"""Does one thread's share, of this number."""
Calls = SimpleQueue[tuple[Future[None], Work]]

_calls: list[Calls] = []
"""What each thread is to do next."""
if hasattr(os, "register_at_fork"):
    # A fork has none of the threads.
    os.register_at_fork(after_in_child=_calls.clear)


def in_threads(work: Work, shares: int) -> list[Future[None]]:
    """Begin to do ``work`` in as many threads as it has ``shares``, and do not wait for it."""
    while len(_calls) < shares:
        calls: Calls = SimpleQueue()
        # A daemon, because a process that must end at once does not wait for the end of a step.
        Thread(target=_answer, args=(calls, len(_calls)), daemon=True).start()
        _calls.append(calls)
    futures = [Future[None]() for _ in range(shares)]
    for calls, future in zip(_calls, futures, strict=False):
        calls.put((future, work))
    return futures


def _answer(calls: Calls, share: int) -> None:
    _move_apart(share)
    while True:
        _do(share, *calls.get())


def _do(share: int, future: Future[None], work: Work) -> None:
    try:
        work(share)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)


def _move_apart(share: int) -> None:
    """Let this thread begin on a core of its own; it may be moved from there.

    Linux often begins several threads on one core, and takes milliseconds to divide them: as long as an epoch.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        with suppress(OSError):
            os.sched_setaffinity(0, {cores[(os.getpid() + share) % len(cores)]})
        os.sched_setaffinity(0, cores)
