"""The threads that kernels run in: they stay from call to call, for starting one takes as long as a step."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Barrier, Thread

Work = Callable[[int], None]
"""Does one thread's share, of this number."""

_calls: list[SimpleQueue[tuple[Future[None], Work, int, Barrier]]] = []
"""What each thread is to do next."""
if hasattr(os, "register_at_fork"):
    # A fork has none of the threads.
    os.register_at_fork(after_in_child=_calls.clear)


def in_threads(work: Work, shares: int) -> list[Future[None]]:
    """Begin to do ``work`` in as many threads as it has ``shares``, each on a core of its own; do not wait for it."""
    while len(_calls) < shares:
        calls: SimpleQueue[tuple[Future[None], Work, int, Barrier]] = SimpleQueue()
        # A daemon, because a process that must end at once does not wait for the end of a step.
        Thread(target=_answer, args=(calls,), daemon=True).start()
        _calls.append(calls)
    # One that is at work waits for the others on its core, where they could not begin.
    ready, futures = Barrier(shares), [Future[None]() for _ in range(shares)]
    for share, future in enumerate(futures):
        _calls[share].put((future, work, share, ready))
    return futures


def _answer(calls: SimpleQueue[tuple[Future[None], Work, int, Barrier]]) -> None:
    while True:
        _do(*calls.get())


def _do(future: Future[None], work: Work, share: int, ready: Barrier) -> None:
    try:
        if ready.parties > 1:
            ready.wait()
            _move_apart(share)
        work(share)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)


def _move_apart(share: int) -> None:
    """Let this thread begin on a core of its own; it may be moved from there.

    Linux often begins several threads on one core, or wakes them there, and takes milliseconds to divide them: as long
    as an epoch.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        with suppress(OSError):
            os.sched_setaffinity(0, {cores[(os.getpid() + share) % len(cores)]})
        os.sched_setaffinity(0, cores)
