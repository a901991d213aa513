"""The errors psa-tui raises on purpose, each with the exit code of the command that meets it.

::

    PsaError           1  the work could not be done
    ├── ConfigError    2  an option, a setting or a combination of them is wrong
    ├── DataError      1  a data set is missing, damaged or altered
    ├── CheckpointError 1 an LKG file is damaged, foreign, newer or in use
    ├── HistoryError   1  the history database cannot be read or written
    ├── AwsError       1 AWS refused: access, a name or a region is wrong
    └── RetryableError 3  the network or a service failed; the same command may succeed later

A message says what was found, what was expected and what to do, in one line.
"""


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


class DataError(PsaError):
    """A data set is missing, damaged or altered."""


class CheckpointError(PsaError):
    """An LKG file is damaged, foreign, from a newer version or in use."""


class HistoryError(PsaError):
    """The history database cannot be read or written."""


class AwsError(PsaError):
    """AWS refused what was asked; doing the same again will not help."""


class RetryableError(PsaError):
    """The network or a remote service failed; the same command may succeed later."""

    exit_code = 3
