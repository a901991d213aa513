"""The errors psa-tui raises on purpose, each with the exit code of the command that meets it.

::

    PsaError           1  the work could not be done
    ├── ConfigError    2  an option, a setting or a combination of them is wrong
    │   └── UnknownNameError  a value is none of the names it may be
    ├── DataError      1  a data set is missing, damaged or altered
    ├── CheckpointError 1 an LKG file is damaged, foreign, newer or in use
    │   └── NoCheckpointError 2 there is none where one was named
    ├── HistoryError   1  the history database cannot be read or written
    ├── AwsError       1 AWS refused: access, a name or a region is wrong
    └── RetryableError 3  the network or a service failed; the same command may succeed later

What was named and is not there is 2, what is there and cannot serve is 1. A message says what was found, what was
expected and what to do, in one line.
"""

from collections.abc import Iterable

from psa_tui.formatting import did_you_mean


class PsaError(Exception):
    """The work could not be done; ``str(error)`` is the one line a user reads, ``detail`` what may follow it."""

    exit_code = 1

    def __init__(self, message: str, detail: str = "") -> None:
        """``detail`` has whole lines, such as a text with a caret under its fault."""
        super().__init__(message)
        self.detail = detail


class ConfigError(PsaError):
    """An option, a setting or a combination of them is wrong."""

    exit_code = 2


class UnknownNameError(ConfigError):
    """A value is none of the names it may be; the message has the value, the names and the one that was meant."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        """``text`` is the value, ``names`` are those that are known."""
        known = list(names)
        super().__init__(f"expected one of {', '.join(known)}, found {text[:80]!r}{did_you_mean(text, known)}")


class DataError(PsaError):
    """A data set is missing, damaged or altered."""


class CheckpointError(PsaError):
    """An LKG file is damaged, foreign, from a newer version or in use."""


class NoCheckpointError(CheckpointError):
    """There is no LKG file where one was named, as for a run, a study or any other file that was."""

    exit_code = ConfigError.exit_code


class HistoryError(PsaError):
    """The history database cannot be read or written."""


class AwsError(PsaError):
    """AWS refused what was asked; doing the same again will not help."""


class RetryableError(PsaError):
    """The network or a remote service failed; the same command may succeed later."""

    exit_code = 3
