"""Log lines of the package, on stderr or wherever a view has room for them."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable

from psa_tui.formatting import printable


class _LogHandler(logging.Handler):
    """Writes log lines with ``write``: on stderr, or on the dashboard, which has the screen to itself."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        # What is only worth knowing is said in its own words.
        is_note = record.levelno == logging.INFO
        # A line that nobody can be shown, as the terminal is gone, is no reason to fail.
        with contextlib.suppress(OSError):
            self._write(printable(f"psa: {record.getMessage()}" if is_note else self.format(record)))


def start_logging(view: object, *, debug: bool) -> None:
    """Write log lines where they do not disturb ``view``: into it when it has a place for them, else on stderr."""
    handler = _LogHandler(getattr(view, "message", _write_to_stderr))
    handler.setFormatter(logging.Formatter("psa: %(levelname)s: %(name)s: %(message)s"))
    logger = logging.getLogger("psa_tui")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False


def _write_to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
