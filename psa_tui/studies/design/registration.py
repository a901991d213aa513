"""A design frozen before its results are known: its file, whose SHA-256 stands for it, and the ledger beside it.

``registrations/NAME/design.json`` is the design in one canonical form, so that ``sha256sum`` of it is the number that
``psa study register`` prints, and the same design has the same number everywhere. ``ledger.json`` beside it says that
number, when it was registered, and every look that was taken. A design that is not what its ledger says is refused, and
so is a ledger that was edited.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from psa_tui.errors import ConfigError, DataError, PsaError
from psa_tui.outside import is_plain_name, open_outside, outside_json
from psa_tui.storage.atomic_write import atomic_write, make_folder
from psa_tui.storage.database import now
from psa_tui.storage.locks import lock_path, take_lock
from psa_tui.studies.design.plan import Design
from psa_tui.studies.spec import StudySpec

_FORMAT = 1
_LARGEST_BYTES = 10_000_000
NOT_FROZEN = ("earlier", "quick", "sizes")
"""What of a study's settings is no part of its design."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenLook:
    """A look at the data, as it was counted."""

    taken_at: str
    trials: int
    """Complete ones of each network and variant that was looked at."""
    fraction: float
    """Of the information of all registered trials, at most 1."""
    results: tuple[dict[str, Any], ...]
    """What was found of each hypothesis, and the boundary that was in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A registered design, and what has been done under it."""

    study: Mapping[str, Any]
    """The study's settings, as ``StudySpec.as_settings`` has them, without what may grow."""
    design: Design
    sha256: str
    registered_at: str
    looks: tuple[TakenLook, ...] = ()

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self.study["name"])


def register(results_dir: Path, spec: StudySpec, design: Design) -> tuple[Registration, bool]:
    """Freeze the design of a study; return its registration, and whether it is new.

    Raises:
        ConfigError: another design is registered under the study's name.
        DataError: the registered design was changed since.
        PsaError: it cannot be written.
    """
    content = _canonical(_frozen(spec), design)
    digest = hashlib.sha256(content).hexdigest()
    with changing(results_dir, spec.name):
        if (found := load_registration(results_dir, spec.name)) is not None:
            if found.sha256 != digest:
                differences = "; ".join(differences_of(found, _frozen(spec), design))
                raise ConfigError(
                    f"study {spec.name} is registered with another design ({differences}; SHA-256 "
                    f"{found.sha256[:12]}...): what is registered stays; give this one another name in its file"
                )
            return found, False
        made = Registration(study=_frozen(spec), design=design, sha256=digest, registered_at=now())
        _write(design_path(results_dir, spec.name), content)
        write_ledger(results_dir, made)
        return made, True


def load_registration(results_dir: Path, study: str) -> Registration | None:
    """Return the registration of a study; None where it was never registered.

    Raises:
        DataError: its files are damaged, or were changed since.
    """
    if not is_plain_name(study):
        return None
    path, ledger = design_path(results_dir, study), _ledger_path(results_dir, study)
    content, ledger_content = _read(path), _read(ledger)
    if ledger_content is None:
        return None  # A kill before the ledger was written: nothing was printed yet.
    remedy = "put back the registered files, or begin a study of another name"
    if content is None:
        raise DataError(f"{path}: missing, although {ledger.name} says that a design was registered; {remedy}")
    try:
        values = outside_json(ledger_content)
        digest, wanted = hashlib.sha256(content).hexdigest(), values["sha256"]
        if values["digest"] != _ledger_digest(values):
            raise DataError(f"{ledger}: changed since psa wrote it; {remedy}")
        if digest != wanted:
            raise DataError(
                f"{path}: changed since it was registered: its SHA-256 is {digest[:12]}..., "
                f"expected {str(wanted)[:12]}...; {remedy}"
            )
        frozen = outside_json(content)
        if (values["format"], frozen["format"]) != (_FORMAT, _FORMAT):
            raise DataError(f"{path}: of a newer psa-tui; update this one")
        return Registration(
            study=frozen["study"],
            design=Design.from_json(frozen["design"]),
            sha256=digest,
            registered_at=values["registered_at"],
            looks=tuple(TakenLook(**one | {"results": tuple(one["results"])}) for one in values["looks"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path} or {ledger.name}: damaged ({type(error).__name__}); {remedy}") from None


def registered_names(results_dir: Path) -> list[str]:
    """Return the names of the studies that have a registration."""
    return sorted(path.parent.name for path in _ledger_path(results_dir, "*").parent.parent.glob("*/ledger.json"))


@contextmanager
def changing(results_dir: Path, study: str) -> Iterator[None]:
    """Hold the lock of a study's registration while the block runs, and wait for it.

    Raises:
        PsaError: the folder cannot be written.
    """
    path = design_path(results_dir, study)
    make_folder(path.parent, "--results-dir")
    try:
        descriptor = take_lock(lock_path(path), wait=True)
    except OSError as error:
        raise PsaError(f"{path.parent}: cannot be written ({error.strerror}); choose another --results-dir") from None
    try:
        yield
    finally:
        os.close(descriptor)


def with_look(registration: Registration, look: TakenLook) -> Registration:
    """Return the registration with one more look."""
    return replace(registration, looks=(*registration.looks, look))


def write_ledger(results_dir: Path, registration: Registration) -> None:
    """Write what was done under a registration, durably; its lock is held.

    Raises:
        PsaError: it cannot be written; what was there is intact.
    """
    ledger = {
        "format": _FORMAT,
        "sha256": registration.sha256,
        "registered_at": registration.registered_at,
        "looks": [asdict(look) for look in registration.looks],
    }
    ledger |= {"digest": _ledger_digest(ledger)}
    _write(_ledger_path(results_dir, registration.name), (json.dumps(ledger, indent=2) + "\n").encode())


def differences_of(registration: Registration, study: Mapping[str, Any], design: Design | None = None) -> list[str]:
    """Return in what a study's settings, and its analysis where it is given, differ from what was registered."""
    registered = dict(registration.study) | ({} if design is None else registration.design.as_json())
    found = dict(study) | ({} if design is None else design.as_json())
    return [
        f"{name.replace('_', ' ')} registered {_brief(registered.get(name))}, found {_brief(found.get(name))}"
        for name in registered | found
        if registered.get(name) != found.get(name)
    ]


def design_path(results_dir: Path, study: str) -> Path:
    """Return where a study's registered design is kept."""
    return results_dir / "registrations" / study / "design.json"


def _ledger_path(results_dir: Path, study: str) -> Path:
    return design_path(results_dir, study).with_name("ledger.json")


def _frozen(spec: StudySpec) -> dict[str, Any]:
    return {name: value for name, value in spec.as_settings().items() if name not in NOT_FROZEN}


def _canonical(study: Mapping[str, Any], design: Design) -> bytes:
    """Return one form of a design: keys in order, two spaces a level, numbers as Python's shortest, UTF-8."""
    values = {"format": _FORMAT, "study": study, "design": design.as_json()}
    return (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _ledger_digest(ledger: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a ledger's content, by which a change with an editor is noticed."""
    values = {name: value for name, value in ledger.items() if name != "digest"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        with open_outside(path) as file:
            return file.read(_LARGEST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _write(path: Path, content: bytes) -> None:
    try:
        atomic_write(path, content)
    except OSError as error:
        raise PsaError(f"{path}: cannot be written ({error.strerror}); see to space and permissions") from None


def _brief(value: object) -> str:
    if isinstance(value, list):
        texts = [_claim(one) if isinstance(one, dict) else str(one) for one in value]
        return ", ".join(texts) if len(texts) <= 4 else f"{len(texts)}: {', '.join(texts[:2])}, ..."
    return "nothing" if value is None else str(value)


def _claim(values: Mapping[str, Any]) -> str:
    return f"{values['treatment']} - {values['control']} {values['direction']} ({values['endpoint']})"
