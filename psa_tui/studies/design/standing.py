"""How a study stands to its registration, for those who show the study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psa_tui.errors import DataError
from psa_tui.studies.design.departures import departures
from psa_tui.studies.design.registration import load_registration


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A study's registration in short."""

    sha256: str | None
    """None where the registered design cannot be trusted."""
    registered_at: str | None
    hypotheses: tuple[str, ...]
    planned_looks: tuple[int, ...]
    """Trials of each network and variant at each."""
    looks_taken: int
    departures: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield it in words."""
        if self.sha256 is not None:
            when = str(self.registered_at)[:16].replace("T", " ")
            looks = f"{self.looks_taken} of {len(self.planned_looks)} looks taken"
            yield f"registered {when} UTC, SHA-256 {self.sha256[:16]}...; {looks}"
        for one in self.departures:
            yield f"departs from its registration: {one}"


def standing(results_dir: Path, study: str) -> Standing | None:
    """Return how a study stands to its registration; None where it was never registered.

    Raises:
        HistoryError: the database cannot be read.
    """
    try:
        found = load_registration(results_dir, study)
    except DataError as error:
        return Standing(
            sha256=None,
            registered_at=None,
            hypotheses=(),
            planned_looks=(),
            looks_taken=0,
            departures=(str(error),),
        )
    if found is None:
        return None
    return Standing(
        sha256=found.sha256,
        registered_at=found.registered_at,
        hypotheses=tuple(map(str, found.design.hypotheses)),
        planned_looks=found.design.looks,
        looks_taken=len(found.looks),
        departures=tuple(departures(results_dir, study)),
    )
