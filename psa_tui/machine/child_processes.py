"""How this program starts interpreters beside its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a keyboard, a scheduler or a closed terminal sends, often to the whole process group."""


@contextlib.contextmanager
def isolated_children(blocked: tuple[signal.Signals, ...] = STOP_SIGNALS) -> Iterator[None]:
    """Let interpreters that are started here import what this one does and nothing else, and be deaf to ``blocked``.

    Left alone, a new interpreter looks for modules in the current folder first, where anything may lie. A signal that
    comes to this process meanwhile is not lost: it arrives when the context ends.
    """
    changed = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    before = {name: os.environ.get(name) for name in changed}
    # Blocked signals stay blocked in a new process, from its first moment on.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
