"""What workers on this machine train on, as one of them finds it: this process needs no PyTorch to know."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from psa_tui.errors import PsaError
from psa_tui.machine.devices import Capabilities, detect, flush_denormals
from psa_tui.machine.signals import StopRequest
from psa_tui.studies.worker_process import start_worker


@dataclass(frozen=True, slots=True)
class WorkerMachine:
    """A machine and its libraries."""

    capabilities: Capabilities
    flushes_denormals: bool

    @property
    def versions(self) -> Mapping[str, str]:
        """What a session's row says it trained with."""
        libraries = {name: version for name, version in self.capabilities.versions.items() if version}
        return libraries | ({"denormals": "flushed"} if self.flushes_denormals else {})


def this_process() -> WorkerMachine:
    """Return what this process finds; it loads PyTorch."""
    return WorkerMachine(detect(), flush_denormals())


def find_machine() -> WorkerMachine:
    """Return what a worker finds, which is started for that and ends.

    Raises:
        LeaveAtOnce: Ctrl-C, TERM or HUP came.
        PsaError: it ended without an answer.
    """
    with StopRequest():
        process, pipe = start_worker(_serve, name="psa devices")
        try:
            found: WorkerMachine = pipe.recv()
        except (EOFError, OSError):
            raise PsaError(
                "a worker ended before it had looked for devices; is there memory left? psa device says what it finds"
            ) from None
        finally:
            process.kill()
            process.join()
            pipe.close()
        return found


def _serve(pipe: Connection) -> None:
    # Whoever asked may have left.
    with suppress(OSError):
        pipe.send(this_process())
