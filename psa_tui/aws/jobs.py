"""Names of training jobs, ``psa-<L>x<W>-<mode>-<timestamp>``: made, read, and the newest of a shape and mode.

A network of several groups is ``<L>x<W>-<L>x<W>``; one of another family than ``mlp`` is ``0<family>-<architecture>``,
where whatever is no letter or digit is two dashes and its code in hexadecimal: ``0resmlp-8--2a8``. The names of
SageMaker's jobs hold letters, digits and dashes, so what else a mode has is two dashes and a digit (``_SIGNS``), and
``+`` is two dashes alone: ``output+dropout`` is
``output--dropout``, ``full+amount=10%`` is ``full--amount--110--5``. A timestamp is read in the forms that jobs have:
``20250801-123456`` (the one ``job_name`` writes), ``20250801123456``, ``2025-08-01-12-34-56`` with or without a number
of milliseconds behind it, and seconds or milliseconds since 1970. Times are UTC. They are compared as times: the text
of one form sorts wrongly beside another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psa_tui.errors import ConfigError
from psa_tui.method.variants import Variant
from psa_tui.networks import Mlp, Network

MOST_CHARACTERS = 63
"""The longest name SageMaker gives a training job."""
_GROUP = "[1-9][0-9]{0,5}x[1-9][0-9]{0,5}"
_SHAPE = rf"{_GROUP}(?:-{_GROUP})*"
_SIGNS = {"": "+", "1": "=", "2": ":", "3": ",", "4": ".", "5": "%", "6": "_"}
_MODE = "[A-Za-z][A-Za-z0-9]*(?:--?[A-Za-z][A-Za-z0-9]*|--[1-6][A-Za-z0-9]*)*"
_TEXT = "(?:[A-Za-z0-9]|--[0-9a-f]{2})+"
_NAME = re.compile(
    rf"psa-(?:({_SHAPE})|0({_TEXT})-({_TEXT}))-({_MODE})-([0-9][0-9-]*)",
    re.ASCII,
)
_CALENDAR = re.compile(
    r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})-?([0-9]{2})\2([0-9]{2})\2([0-9]{2})(?:-([0-9]{3}))?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Cell = tuple[str, str]
"""A network's short name (``18*18``; ``resmlp 18*18``) and a variant's name: what one job trains all trials of."""


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """A job as its name tells it; jobs sort by time, and by name where times agree."""

    created: datetime
    name: str
    shape: str
    mode: str

    @property
    def cell(self) -> Cell:
        """The shape and mode of the job."""
        return self.shape, self.mode


def cell_of(network: Network, variant: Variant) -> Cell:
    """Return the cell of a network and a variant; where the family is no ``mlp``, it is part of it."""
    name = network.short_name
    return (name if network.family == Mlp.family else f"{network.family} {name}"), variant.name


def architecture_of(shape: str) -> str:
    """Return the network's short name in the shape of a cell."""
    return shape.partition(" ")[2] or shape


def job_name(cell: Cell, created: datetime) -> str:
    """Return the name of a job; ``parse_job`` reads it back. ``created`` is cut to whole seconds of UTC.

    Raises:
        ConfigError: the shape or the mode cannot stand in the name of a job.
    """
    name = f"psa-{cell_stem(cell)}-{created.astimezone(UTC):%Y%m%d-%H%M%S}"
    found = parse_job(name)
    if found is None or found.cell != cell:
        raise ConfigError(
            f"{' '.join(cell)}: a job's name cannot hold that; expected a mode of letters, digits and +=:,.%_, and "
            f"{MOST_CHARACTERS} ASCII characters at most in {name}: train it with psa study run"
        )
    return name


def cell_stem(cell: Cell) -> str:
    """Return a cell in the name of a job or folder: ``18x18-none``, ``18x18-output--dropout``."""
    shape, mode = cell
    for code, sign in _SIGNS.items():
        mode = mode.replace(sign, f"--{code}")
    family, blank, architecture = shape.partition(" ")
    if blank:
        return f"0{_escaped(family)}-{_escaped(architecture)}-{mode}"
    return f"{shape.strip('[]').replace('*', 'x').replace(',', '-')}-{mode}"


def _escaped(text: str) -> str:
    return re.sub("[^A-Za-z0-9]", lambda found: f"--{ord(found[0]):02x}", text)


def _unescaped(text: str) -> str:
    return re.sub("--([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text)


def parse_job(name: str) -> Job | None:
    """Return the job called ``name``, or None when no job of this program can have that name."""
    found = _NAME.fullmatch(name) if len(name) <= MOST_CHARACTERS else None
    if found is None:
        return None
    groups, family, architecture, mode, stamp = found.groups()
    if groups is None:
        family, architecture = _unescaped(family), _unescaped(architecture)
        shape = f"{family} {architecture}"
        # Anybody may have named a job; what is read of it goes to screens.
        if not (shape.isascii() and shape.isprintable()) or " " in family:
            return None
    else:
        shape = groups.replace("x", "*").replace("-", ",")
        shape = f"[{shape}]" if "," in shape else shape
    mode = re.sub("--([1-6]?)", lambda code: _SIGNS[code[1]], mode)
    try:
        return Job(_parse_time(stamp), name, shape, mode)
    except (ValueError, OverflowError):
        return None


def by_size(cell: Cell) -> tuple[list[int], str]:
    """Return what cells are sorted by: the numbers in the shape, then the mode."""
    shape, mode = cell
    return [int(number) for number in re.findall("[0-9]+", shape)], mode


def newest(jobs: Iterable[Job]) -> dict[Cell, Job]:
    """Return the newest job of each shape and mode that has one."""
    found: dict[Cell, Job] = {}
    for job in jobs:
        found[job.cell] = max(job, found.get(job.cell, job))
    return found


def _parse_time(stamp: str) -> datetime:
    calendar = _CALENDAR.fullmatch(stamp)
    if calendar is not None:
        year, _, month, day, hour, minute, second, thousandths = calendar.groups(default="0")
        whole = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        return whole + timedelta(milliseconds=int(thousandths))
    if len(stamp) in (10, 13) and stamp.isdigit():
        return _EPOCH + timedelta(milliseconds=int(stamp.ljust(13, "0")))
    raise ValueError(stamp)
