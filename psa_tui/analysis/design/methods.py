"""A methods paragraph and a checklist, written from what a study recorded of itself; what it does not know, it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.comparison import SELECTION, compare_with_control
from psa_tui.analysis.design.questions import design_of
from psa_tui.analysis.frames import shown_architectures
from psa_tui.analysis.report.provenance import hardware
from psa_tui.analysis.shapes import family_of
from psa_tui.analysis.summary import missing_cells
from psa_tui.data import DATASETS
from psa_tui.formatting import count, percent, printable
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import ordered
from psa_tui.studies.design.plan import Correction
from psa_tui.studies.design.registration import Registration
from psa_tui.studies.seeds import Seeding

if TYPE_CHECKING:
    from pandas import DataFrame

_SEEDING = {
    Seeding.PAIRED: "all variants of a trial share its seed, and are compared pair by pair",
    Seeding.INDEPENDENT: "every trial of every variant has a seed of its own",
    Seeding.SEPARATE: "all variants of a trial share a seed for their first weights and another for all later draws",
}
_NAMED = 8
_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Methods:
    """What a paper says of how its numbers came about."""

    paragraph: tuple[str, ...]
    """Sentences."""
    checklist: tuple[tuple[str, str], ...]
    """What is asked, and the answer."""


def methods(trials: DataFrame, results_dir: Path) -> Methods:
    """Return how the study of ``trials`` was made.

    Raises:
        DataError: the registered design was changed since.
    """
    registration = design_of(trials, results_dir)
    known = dict(hardware(trials, results_dir))
    paragraph = (*_trained(trials), *_drawn(trials), *_analysed(registration), SELECTION)
    checklist = (
        ("Data", _data(trials)),
        ("Seeds", " ".join(_drawn(trials))),
        ("Versions", known.get("versions", "not recorded")),
        ("Compute", _compute(known)),
        ("Registration", " ".join(_analysed(registration))),
        ("Deviations", _deviations(trials, registration)),
        ("Missing trials", _missing(trials)),
        ("Selection on validation", SELECTION),
        ("Test set", _test_set(trials)),
        ("Negative results", _negative(trials, registration)),
    )
    return Methods(
        tuple(map(printable, paragraph)), tuple((item, printable(answer)) for item, answer in checklist if answer)
    )


def _trained(trials: DataFrame) -> Iterator[str]:
    shapes, modes = shown_architectures(trials), ordered(trials["mode"].unique())
    settings = trials.attrs.get("settings") or {}
    loops = sorted(trials["meta_loops"].dropna().unique())
    each = sorted(set(trials.groupby(["architecture", "mode"]).size()))
    yield (
        f"Networks of the family {family_of(trials)} in {count(len(shapes), 'shape')} ({_names(shapes)}) were trained "
        f"with Persistent Stochastic Ablation, in the variants {_names(modes)}: {_span(each)} complete trials of each "
        f"shape and variant, {len(trials):,} in all, of {_span(loops) or 'an unknown number of'} meta-loops."
    )
    yield (
        "A meta-loop trains a copy of the last known good weights for one epoch, measures it on the validation images, "
        "and keeps or discards it by the variant's rule."
    )
    if settings:
        numbers = Hyperparameters.from_json(settings).as_json()
        said = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in numbers.items())
        yield f"Optimiser: AdamW; {said} (weight decay and dropout in the variants that have them)."
    yield f"Data: {_data(trials)}"


def _data(trials: DataFrame) -> str:
    name, settings = trials.attrs.get("dataset"), trials.attrs.get("settings") or {}
    if name is None:
        return "not recorded."
    counts = ""
    if name in DATASETS:
        spec = DATASETS.find(name)
        counts = (
            f": {spec.train_count:,} training, {spec.validation_count:,} validation, {spec.test_count:,} test images"
        )
    digest = settings.get("dataset_fingerprint")
    return f"{name}{counts}" + (f"; fingerprint of data and split {digest}." if digest else ".")


def _drawn(trials: DataFrame) -> Iterator[str]:
    seeds, settings = trials["seed"].dropna(), trials.attrs.get("settings") or {}
    if seeds.empty:
        yield "The trials' seeds are not recorded: variants are independent of each other, no trial can be repeated."
        return
    of_study = f" derived from the study's seed {settings['seed']}" if settings.get("seed") is not None else ""
    seeding = settings.get("seeding", Seeding.PAIRED)
    words = f": {_SEEDING[Seeding(seeding)]}" if of_study and seeding in tuple(Seeding) else ""
    yield f"Every trial has a recorded seed{of_study}{words}."


def _analysed(registration: Registration | None) -> Iterator[str]:
    if registration is None:
        yield "No design was registered beforehand: all comparisons are exploratory."
        return
    design = registration.design
    when = registration.registered_at[:16].replace("T", " ")
    yield f"The design was registered at {when} UTC (SHA-256 {registration.sha256})."
    bar = "" if design.escape_above is None else f"; escape is a test accuracy above {percent(design.escape_above)}"
    claims = "; ".join(map(str, design.hypotheses))
    corrected = ", Holm-corrected" if design.correction is Correction.HOLM else ""
    yield (
        f"{_hypotheses(len(design.hypotheses))} at alpha {design.alpha:g}{corrected}, "
        f"{'all shapes pooled as strata' if design.pooled else 'each shape alone'}: {claims}{bar}."
    )
    if len(design.looks) > 1:
        yield (
            f"{len(design.looks)} looks were planned, at {', '.join(map(str, design.looks))} trials of each shape and "
            f"variant, with {design.spending} spending; taken so far: {len(registration.looks)}."
        )


def _compute(known: dict[str, str]) -> str:
    parts = [f"{name} {known[name]}" for name in ("hardware", "machines", "time in trials") if known.get(name)]
    return "; ".join(parts) or "not recorded"


def _deviations(trials: DataFrame, registration: Registration | None) -> str:
    if registration is None:
        return "No design was registered that could be departed from."
    found = trials.attrs.get("departures") or []
    said = "; ".join(found)
    return f"{said[:1].upper()}{said[1:]}." if found else "None that the program could see."


def _missing(trials: DataFrame) -> str:
    missing = missing_cells(trials)
    lost = int((missing["expected"] - missing["n"]).sum()) if len(missing) else 0
    unfinished: list[dict[str, Any]] = trials.attrs.get("unfinished") or []
    failed = sum(one["state"] == "failed" for one in unfinished)
    diverged = sum(one["state"] == "complete" for one in unfinished)
    if not lost:
        return "None."
    more = [f"{failed:,} failed" * bool(failed), f"{diverged:,} never promoted anything" * bool(diverged)]
    return f"{lost:,} of {lost + len(trials):,}: {', '.join(filter(None, more)) or 'not trained yet, or not recorded'}."


def _test_set(trials: DataFrame) -> str:
    measured = int(trials["test_accuracy"].notna().sum())
    if not measured:
        return "No test accuracy is recorded: every accuracy is that of the images that selected it."
    which = "each trial" if measured == len(trials) else f"{measured:,} of {len(trials):,} trials"
    return f"Read once, at the end of {which}, with the last known good weights; it decided nothing."


def _negative(trials: DataFrame, registration: Registration | None) -> str:
    if registration is not None:
        if not registration.looks:
            return "No look has been taken: nothing is known yet of the registered hypotheses."
        last = registration.looks[-1].results
        missed = [
            one["hypothesis"] + (f" at {one['shape']}" if one["shape"] else "") for one in last if not one["shown_at"]
        ]
        return (
            f"Not shown, {len(missed)} of {len(last)}: {'; '.join(missed)}." if missed else "All hypotheses were shown."
        )
    table = compare_with_control(trials)
    if table.empty:
        return "Nothing was compared with a control."
    clear = int((table["p_holm"] < _SIGNIFICANT).sum())
    return (
        f"Of {count(len(table), 'comparison')} with the control none, {len(table) - clear:,} do not differ after "
        "Holm's correction; all of them are in the tables."
    )


def _hypotheses(number: int) -> str:
    return "1 hypothesis" if number == 1 else f"{number} hypotheses"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _span(numbers: Sequence[int]) -> str:
    """Return the smallest and the largest of ascending numbers, once where they are the same."""
    return " to ".join(f"{number:,}" for number in dict.fromkeys((*numbers[:1], *numbers[-1:])))
