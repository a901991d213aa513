"""What was asked of AWS, written down before it is asked: ``results/aws/launches.json``.

A job is *intended* before its request is sent, and *launched* or *refused* once AWS has answered without
doubt. After a crash or a doubtful answer the intention stays, and its cell is launched again only under the
same job name, which SageMaker accepts once: a second request cannot start a second job.

A launch ``--again`` is an *order*: which of its cells are yet to be launched is written in the same moment as
that a job is. It stays open until a command has seen, and said, that all its cells are launched.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from psa_tui.aws.jobs import Cell, parse_job
from psa_tui.aws.redaction import safe
from psa_tui.errors import PsaError
from psa_tui.outside import open_outside, outside_json
from psa_tui.storage.atomic_write import atomic_write
from psa_tui.storage.locks import take_lock

FILE_NAME = "launches.json"
_SCHEMA = 2
"""1 had no orders."""
_LATELY = timedelta(hours=6)


class LaunchState(StrEnum):
    """What is known of a request."""

    INTENDED = "intended"
    LAUNCHED = "launched"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Launch:
    """One request for one job."""

    job: str
    place: str
    """A digest of region, bucket and prefix, so that two accounts' requests are kept apart without naming them."""
    study: str
    state: LaunchState
    at: str


@dataclass(frozen=True, slots=True)
class AgainOrder:
    """Cells that one confirmed launch ``--again`` trains anew, each once, however often it is repeated."""

    command: str
    """A digest of what was asked for; the same command goes on with the order."""
    place: str
    at: str
    left: tuple[Cell, ...] = ()
    """Its cells that are yet to be launched."""
    jobs: tuple[str, ...] = ()
    """The jobs launched for its other cells."""
    closed: bool = False

    @property
    def launched(self) -> dict[Cell, str]:
        """The jobs by their cells."""
        return {job.cell: job.name for job in map(parse_job, self.jobs) if job is not None}

    @property
    def since(self) -> str:
        """When it was confirmed, as people write it."""
        return f"{datetime.fromisoformat(self.at):%Y-%m-%d %H:%M} UTC"

    def after(self, name: str) -> AgainOrder:
        """Return the order as it is once the job called ``name`` is launched."""
        job = parse_job(name)
        if job is None or job.cell not in self.left:
            return self
        return replace(self, left=tuple(cell for cell in self.left if cell != job.cell), jobs=(*self.jobs, name))


def digest(*parts: str) -> str:
    """Return a few letters that stand for ``parts``: a bucket's name may hold an account number."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


class LaunchJournal:
    """The launches of one results folder; every change is on the disk before the method returns."""

    def __init__(self, folder: Path) -> None:
        """Read what is there; ``folder`` need not exist.

        Raises:
            PsaError: the file is there and cannot be read: launching without it could start a job twice.
        """
        self.path = folder / FILE_NAME
        self._launches, self._orders = _read(self.path)

    def intended(self, place: str) -> list[Launch]:
        """Return the requests whose outcome is not known."""
        return [launch for launch in self._launches.values() if launch.place == place and launch.state == "intended"]

    def launched_lately(self, place: str) -> list[str]:
        """Return the jobs launched in the last hours, which AWS may not list yet."""
        since = (datetime.now(UTC) - _LATELY).isoformat(timespec="seconds")
        launched = [launch for launch in self._launches.values() if launch.state == LaunchState.LAUNCHED]
        return [launch.job for launch in launched if launch.place == place and launch.at >= since]

    def intend(self, job: str, place: str, study: str) -> None:
        """Record that ``job`` is about to be asked for."""
        self._launches[job] = Launch(job, place, study, LaunchState.INTENDED, _now())
        self._write()

    def settle(self, job: str, state: LaunchState) -> None:
        """Record what became of ``job``; once launched, its cell is left in no open order."""
        self._launches[job] = launch = replace(self._launches[job], state=state)
        if state == LaunchState.LAUNCHED:
            self._orders = [order.after(job) if order.place == launch.place else order for order in self._orders]
        self._write()

    def open_order(self, command: str, place: str, known: Collection[str] = ()) -> AgainOrder | None:
        """Return the open order of ``command``; intended jobs among ``known``, which AWS has, count as launched."""
        for order in self._orders:
            if (order.command, order.place, order.closed) == (command, place, False):
                for launch in self.intended(place):
                    order = order.after(launch.job) if launch.job in known else order
                return order
        return None

    def order(self, command: str, place: str, cells: Collection[Cell]) -> None:
        """Record that ``cells`` are about to be launched: in the open order of ``command``, or else in a new one."""
        order = self.open_order(command, place) or AgainOrder(command, place, _now())
        self._replace(order, replace(order, left=tuple(dict.fromkeys((*order.left, *cells)))))

    def close(self, order: AgainOrder) -> None:
        """Record that all cells of ``order`` are launched: the same command is a new order from now on."""
        self._replace(order, replace(order, closed=True))

    def _replace(self, old: AgainOrder, new: AgainOrder) -> None:
        self._orders = [*(order for order in self._orders if order != old), new]
        self._write()

    def _write(self) -> None:
        content = {
            "schema": _SCHEMA,
            "launches": [asdict(launch) for launch in self._launches.values()],
            "orders": [asdict(order) for order in self._orders],
        }
        try:
            atomic_write(self.path, json.dumps(content, indent=1).encode())
        except OSError as error:
            raise PsaError(f"{self.path}: cannot be written ({error.strerror}); see to space and permissions") from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> tuple[dict[str, Launch], list[AgainOrder]]:
    try:
        with open_outside(path) as file:
            content = outside_json(file.read())
        if content["schema"] not in (1, _SCHEMA):
            raise ValueError(f"schema {content['schema']}, this version reads {_SCHEMA}")
        launches = [_read_launch(values) for values in content["launches"]]
        orders = [_read_order(values) for values in (content["orders"] if content["schema"] == _SCHEMA else ())]
    except FileNotFoundError:
        return {}, []
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise PsaError(
            f"{path}: cannot be read ({safe(error, 80)}), and without it a job could be launched twice; restore it, or "
            "move it away once psa aws status shows every job you expect"
        ) from None
    return {launch.job: launch for launch in launches}, orders


def _read_launch(values: dict[str, Any]) -> Launch:
    if not all(isinstance(value, str) for value in values.values()):
        raise ValueError("a launch whose fields are no texts")
    return Launch(**{**values, "state": LaunchState(values["state"])})


def _read_order(values: dict[str, Any]) -> AgainOrder:
    left = tuple((str(shape), str(mode)) for shape, mode in values["left"])
    order = AgainOrder(**{**values, "left": left, "jobs": tuple(values["jobs"])})
    datetime.fromisoformat(order.at)
    if len(order.launched) < len(order.jobs):
        raise ValueError("an order has a job that is none")
    return order


@contextmanager
def launching(folder: Path) -> Iterator[LaunchJournal]:
    """Open the journal of ``folder``, with every other launcher kept out while the block runs.

    Raises:
        PsaError: another process launches, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = take_lock(folder / f".{FILE_NAME}.lock", wait=False)
    except BlockingIOError:
        raise PsaError(f"{folder}: another psa aws launch is at work; wait for it to end") from None
    except OSError as error:
        raise PsaError(f"{folder}: cannot be written ({error.strerror}); choose another --results-dir") from None
    try:
        yield LaunchJournal(folder)
    finally:
        os.close(descriptor)
