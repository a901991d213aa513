"""Taking a look: what the trials say so far, against the boundary that is in force, counted before it is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from psa_tui.analysis.design.boundaries import boundaries, nominal_level
from psa_tui.analysis.design.evidence import Evidence, LoopMeasures, Trial, measured, strata_of, weigh
from psa_tui.analysis.loop_measures import OF_LOOPS, loop_measures
from psa_tui.analysis.stored_studies import stored_meta_loops
from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean
from psa_tui.machine.optional_dependencies import require
from psa_tui.storage.database import now
from psa_tui.storage.study_rows import COMPLETE, FAILED, LOCAL, TrialRow
from psa_tui.storage.study_store import read_store
from psa_tui.studies.design.plan import Correction, Design, Hypothesis
from psa_tui.studies.design.registration import (
    Registration,
    TakenLook,
    changing,
    load_registration,
    registered_names,
    with_look,
    write_ledger,
)
from psa_tui.studies.seeds import Seeding


class Claim(NamedTuple):
    """One thing that is tested: a hypothesis, of all networks or of one."""

    hypothesis: Hypothesis
    shapes: tuple[str, ...]
    shape: str | None
    """None where it is of all."""


def registration_of(results_dir: Path, study: str) -> Registration:
    """Return a study's registration.

    Raises:
        ConfigError: it was never registered.
        DataError: its registered design was changed since.
    """
    found = load_registration(results_dir, study)
    if found is None:
        hint = did_you_mean(study, registered_names(results_dir))
        raise ConfigError(
            f"study {study[:64]} is not registered in {results_dir}; psa study register FILE does it, before the "
            f"results are known{hint}"
        )
    return found


def take_look(results_dir: Path, study: str) -> tuple[Registration, bool]:
    """Look at a registered study's trials; return its registration with all looks, and whether this one is new.

    A look is counted, durably, before anybody sees it. Without new trials since the last one, there is none.

    Raises:
        ConfigError: the study is not registered, or has no trial that can be looked at.
        DataError: the registered design was changed since.
        PsaError: the look cannot be recorded, or a package is missing.
    """
    require("numpy", "scipy")
    registration_of(results_dir, study)  # An error needs no folder.
    with changing(results_dir, study):
        registration = registration_of(results_dir, study)
        with read_store(results_dir) as store:
            rows = [] if store is None else store.trials(study)
        trials = min(settled_trials(rows, registration), registration.design.looks[-1])
        if registration.looks and trials <= registration.looks[-1].trials:
            return registration, False
        if trials == 0:
            raise ConfigError(
                f"study {study} has no trial that is complete in every network and variant; psa study run trains them"
            )
        look = TakenLook(
            taken_at=now(),
            trials=trials,
            fraction=trials / registration.design.looks[-1],
            results=tuple(results_of(registration, rows, trials, _of_loops(registration, results_dir))),
        )
        registration = with_look(registration, look)
        write_ledger(results_dir, registration)
        return registration, True


def settled_trials(rows: Sequence[TrialRow], registration: Registration) -> int:
    """Return how many trials, from the first on, are complete (or failed for good) in all networks and variants."""
    settled = {(row.architecture, row.mode, row.trial) for row in rows if row.state in (COMPLETE, FAILED)}
    cells = [(shape, mode) for shape in registration.study["shapes"] for mode in registration.study["modes"]]
    trials = 0
    while all((*cell, trials + 1) in settled for cell in cells):
        trials += 1
    return trials


def claims(registration: Registration) -> list[Claim]:
    """Return what is tested: each hypothesis, of all networks together or of each."""
    shapes = tuple(registration.study["shapes"])
    every = registration.design.hypotheses
    if registration.design.pooled:
        return [Claim(one, shapes, None) for one in every]
    return [Claim(one, (shape,), shape) for one in every for shape in shapes]


def planned_boundaries(design: Design, family: int) -> list[tuple[float, float]]:
    """Return Z and p-value of the two-sided boundary at each planned look, for the first of ``family`` claims."""
    fractions = [trials / design.looks[-1] for trials in design.looks]
    alpha = design.alpha / (1 if design.correction is Correction.NONE else family)
    found = boundaries(fractions, alpha, design.spending, two_sided=True)
    return [(bound, nominal_level(bound, two_sided=True)) for bound in found]


def results_of(
    registration: Registration, rows: Sequence[TrialRow], trials: int, of_loops: Mapping[Trial, LoopMeasures]
) -> Iterator[dict[str, Any]]:
    """Yield what the next look finds of each claim in the first ``trials`` trials of every network and variant.

    Holm's correction over the looks is that of Maurer and Bretz (2013): a claim that is shown leaves its share of alpha
    to the others, whose boundaries are those of a larger alpha from then on.
    """
    design = registration.design
    fractions = [*(look.fraction for look in registration.looks), trials / design.looks[-1]]
    paired = registration.study.get("seeding", Seeding.PAIRED) != Seeding.INDEPENDENT
    every = claims(registration)
    found = [_weighed(claim, rows, trials, paired, design, of_loops) for claim in every]
    shown = {
        place: number
        for number, look in enumerate(registration.looks, start=1)
        for place, result in enumerate(look.results)
        if result["shown_at"] == number
    }
    while True:
        open_ones = [place for place in range(len(every)) if place not in shown]
        family = 1 if design.correction is Correction.NONE else max(len(open_ones), 1)
        bounds = {
            two_sided: boundaries(fractions, design.alpha / family, design.spending, two_sided=two_sided)[-1]
            for two_sided in {one.hypothesis.two_sided for one in every}
        }
        levels = {two_sided: nominal_level(bound, two_sided=two_sided) for two_sided, bound in bounds.items()}
        crossed = [
            place
            for place in open_ones
            if (evidence := found[place]) is not None and evidence.p <= levels[every[place].hypothesis.two_sided]
        ]
        shown |= dict.fromkeys(crossed, len(fractions))
        if not crossed:
            break
    for place, (claim, evidence) in enumerate(zip(every, found, strict=True)):
        two_sided = claim.hypothesis.two_sided
        yield {
            "hypothesis": str(claim.hypothesis),
            "contrast": claim.hypothesis.contrast,
            "endpoint": str(claim.hypothesis.endpoint),
            "shape": claim.shape,
            **_numbers(evidence, bounds[two_sided]),
            "boundary_z": bounds[two_sided],
            "boundary_p": levels[two_sided],
            "shown_at": shown.get(place),
        }


def _of_loops(registration: Registration, results_dir: Path) -> dict[Trial, LoopMeasures]:
    """Return what the meta-loops of the study's trials tell, where a hypothesis asks for it.

    Raises:
        DataError: the study has none.
    """
    if not any(one.endpoint in OF_LOOPS for one in registration.design.hypotheses):
        return {}
    require("pandas")
    table = loop_measures(stored_meta_loops(LOCAL, results_dir, registration.name))
    return {
        (row.architecture, row.mode, row.trial): LoopMeasures(row.start, row.harm_rate) for row in table.itertuples()
    }


def _weighed(
    claim: Claim,
    rows: Sequence[TrialRow],
    trials: int,
    paired: bool,
    design: Design,
    of_loops: Mapping[Trial, LoopMeasures],
) -> Evidence | None:
    values = measured(rows, claim.hypothesis.endpoint, design.escape_above or 0.0, of_loops)
    strata = strata_of(values, claim.shapes, claim.hypothesis, paired=paired, trials=trials)
    return weigh(strata, claim.hypothesis, paired=paired) if strata else None


def _numbers(evidence: Evidence | None, bound: float) -> dict[str, Any]:
    """Return the evidence, with the repeated confidence interval (Jennison and Turnbull 1989): the boundary's width."""
    if evidence is None:
        return dict.fromkeys(("n", "estimate", "low", "high", "p", "test"))
    reach = bound * evidence.standard_error
    known = math.isfinite(reach)
    return {
        "n": evidence.n,
        "estimate": evidence.estimate,
        "low": max(evidence.estimate - reach, -1.0) if known else None,
        "high": min(evidence.estimate + reach, 1.0) if known else None,
        "p": evidence.p,
        "test": evidence.test,
    }
