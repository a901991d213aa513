"""The threads that kernels run in: they stay from call to call, for starting one takes as long as a step."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Barrier, Thread

Work = Callable[[int], None]
"""Does one thread's share, of this number."""

Ends = SimpleQueue[BaseException | None]
"""Where each thread puts None when it has done its share, or what went wrong."""

_calls: list[SimpleQueue[tuple[Work, int, Barrier, Ends]]] = []
"""What each thread is to do next."""
if hasattr(os, "register_at_fork"):
    # A fork has none of the threads.
    os.register_at_fork(after_in_child=_calls.clear)


def in_threads(work: Work, shares: int) -> Ends:
    """Begin to do ``work`` in as many threads as it has ``shares``, each on a core of its own; do not wait for it."""
    while len(_calls) < shares:
        calls: SimpleQueue[tuple[Work, int, Barrier, Ends]] = SimpleQueue()
        # A daemon, because a process that must end at once does not wait for the end of a step.
        Thread(target=_answer, args=(calls,), daemon=True).start()
        _calls.append(calls)
    # One that is at work waits for the others on its core, where they could not begin.
    ready, ends = Barrier(shares), Ends()
    for share in range(shares):
        _calls[share].put((work, share, ready, ends))
    return ends


def _answer(calls: SimpleQueue[tuple[Work, int, Barrier, Ends]]) -> None:
    while True:
        _do(*calls.get())


def _do(work: Work, share: int, ready: Barrier, ends: Ends) -> None:
    try:
        if ready.parties > 1:
            ready.wait()
            _move_apart(share)
        work(share)
    except BaseException as error:
        ends.put(error)
    else:
        ends.put(None)


def _move_apart(share: int) -> None:
    """Let this thread begin on a core of its own; it may be moved from there.

    Linux often begins several threads on one core, or wakes them there, and takes milliseconds to divide them: as long
    as an epoch. Where a sandbox forbids to move threads, they stay where they are.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        with suppress(OSError):
            os.sched_setaffinity(0, {cores[(os.getpid() + share) % len(cores)]})
            os.sched_setaffinity(0, cores)
