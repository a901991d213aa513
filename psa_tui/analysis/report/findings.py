"""What a study found, in sentences made from its numbers. A sentence whose numbers are not there is not written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psa_tui.analysis.comparison import has_further_modes
from psa_tui.analysis.contrasts import DECLARED, PLACEBO
from psa_tui.analysis.figures.ablation_effect import NOTABLE
from psa_tui.analysis.figures.late_breakthroughs import breakthroughs
from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.frames import ABLATIVE, BASELINES
from psa_tui.analysis.regimes import Regime
from psa_tui.analysis.text_tables import probability
from psa_tui.formatting import percent, points

_SIGNIFICANT = 0.05


def findings(results: StudyResults) -> list[str]:
    """Return the sentences, the most general first."""
    parts = (
        _extent,
        _best,
        _regimes,
        _effects,
        _escapes,
        _pooled,
        _tests,
        _instability,
        _late,
        _test_accuracy,
        _published,
    )
    return [sentence for part in parts for sentence in part(results)]


def _extent(results: StudyResults) -> Iterator[str]:
    trials, cells = results.trials, results.cells
    least, most = int(cells["n"].min()), int(cells["n"].max())
    each = f"{_count(most, 'trial')}" if least == most else f"{least} to {most} trials"
    shapes, modes = len(results.shapes), cells["mode"].nunique()
    yield (
        f"{_count(len(trials), 'complete trial')} of {_count(shapes, 'shape')} in {_count(modes, 'mode')} "
        f"({each} in each of {_count(len(cells), 'cell')})."
    )


def _best(results: StudyResults) -> Iterator[str]:
    best = results.cells.loc[results.cells["mean"].idxmax()]
    spread = f" (standard deviation {100 * best['std']:.2f} points over {best['n']} trials)" if best["n"] > 1 else ""
    where = f"{best['architecture']}, mode {best['mode']}"
    yield f"The highest mean validation accuracy is {percent(best['mean'])}{spread}: {where}."
    if results.majority is None:
        return
    wins = results.shapes[[f"max_{mode}" for mode in results.modes]].max(axis=1) > results.majority + 1e-9
    yield (
        f"In {int(wins.sum())} of {_count(len(wins), 'shape')}, at least one trial did better than always "
        f"answering the most frequent class ({percent(results.majority)})."
    )


def _regimes(results: StudyResults) -> Iterator[str]:
    if results.regimes is None:
        return
    counts = results.regimes["regime"].value_counts()
    found = [f"{counts[regime]} {regime.full_name}" for regime in Regime if regime in counts]
    if found:
        yield f"By the study's rules, {int(counts.sum())} shapes fall into these regimes: {', '.join(found)}."
    unknown = len(results.regimes) - int(counts.sum())
    if unknown:
        yield f"{_count(unknown, 'shape')} cannot be classified, for want of trials in all six modes."


def _effects(results: StudyResults) -> Iterator[str]:
    effect = results.shapes["effect"].dropna()
    if effect.empty:
        return
    higher, lower = int((effect > NOTABLE).sum()), int((effect < -NOTABLE).sum())
    yield (
        f"Averaged over their modes, the ablative modes lie more than {100 * NOTABLE:g} points above the baselines in "
        f"{higher} of {_count(len(effect), 'shape')}, more than that below in {lower}, and within it in "
        f"{len(effect) - higher - lower}."
    )
    for name, direction in ((effect.idxmax(), "gain"), (effect.idxmin(), "loss")):
        if (effect[name] > 0) == (direction == "gain") and effect[name] != 0:
            row = results.shapes.loc[name]
            yield (
                f"The largest {direction} is at {name}: {percent(row['baseline'])} without ablation, "
                f"{percent(row['ablative'])} with it ({points(effect[name])} points)."
            )


def _escapes(results: StudyResults) -> Iterator[str]:
    """Name shapes in which every baseline trial stayed at the majority class and an ablative one did not."""
    if results.majority is None:
        return
    shapes = results.shapes
    baselines, ablative = shapes[[f"max_{m}" for m in BASELINES]], shapes[[f"max_{m}" for m in ABLATIVE]]
    level = results.majority + 1e-9
    escaped = ablative[(baselines.max(axis=1) <= level) & (ablative.max(axis=1) > level)]
    if len(escaped):
        name = escaped.max(axis=1).idxmax()
        mode = escaped.loc[name].idxmax().removeprefix("max_")
        yield (
            f"In {_count(len(escaped), 'shape')} no baseline trial rose above the majority class but an ablative one "
            f"did; the furthest is {name}, mode {mode}, with {percent(escaped.loc[name].max())} in its best trial."
        )


def _pooled(results: StudyResults) -> Iterator[str]:
    table = results.contrasts[results.contrasts["architecture"].isna()]
    declared = table[(table["kind"] == DECLARED) & table["low"].notna()]
    if declared.empty:
        return
    said = "; ".join(_contrast(row, f"p {probability(row.p_corrected)} after Holm") for row in declared.itertuples())
    yield f"Pooled over {_count(int(declared['shapes'].max()), 'shape')}, in points with 95 % intervals: {said}."
    placebos = table[(table["kind"] == PLACEBO) & table["low"].notna()]
    if len(placebos):
        yield (
            "Beside them, what chance alone does where both sides train alike (A/A): "
            f"{'; '.join(_contrast(row, f'p {probability(row.p)}') for row in placebos.itertuples())}."
        )


def _contrast(row: Any, p: str) -> str:
    return f"{row.contrast} {points(row.difference)} ({points(row.low)} to {points(row.high)}; {p})"


def _tests(results: StudyResults) -> Iterator[str]:
    table = results.against_control
    if table.empty:
        return
    clear = table[table["p_bh"] < _SIGNIFICANT]
    mode = "an ablative or further mode" if has_further_modes(results.trials) else "an ablative mode"
    yield (
        f"Of {_count(len(table), 'comparison')} of {mode} with its control none, {len(clear)} differ clearly "
        f"(p below {_SIGNIFICANT:g} after Benjamini and Hochberg; exploratory): "
        f"{int((clear['difference'] > 0).sum())} better, {int((clear['difference'] < 0).sum())} worse."
    )


def _instability(results: StudyResults) -> Iterator[str]:
    several = results.cells[results.cells["n"] > 1]
    if several.empty:
        yield "Each cell has one trial: nothing can be said about the spread between trials."
        return
    most = several.loc[several["std"].idxmax()]
    yield (
        f"Trials differ most at {most['architecture']}, mode {most['mode']}: from {percent(most['min'])} to "
        f"{percent(most['max'])} (standard deviation {100 * most['std']:.2f} points)."
    )


def _late(results: StudyResults) -> Iterator[str]:
    if results.loops is None:
        return
    found = breakthroughs(results.loops)
    if len(found):
        top = found.iloc[0]
        yield (
            f"{_count(len(found), 'promotion')} in the second half of a trial gained a point or more; the largest, "
            f"{points(top['lkg_gain'])} points, at meta-loop {top['meta_loop']} of {top['architecture']}, mode "
            f"{top['mode']}, trial {top['trial']}."
        )
    else:
        yield "No promotion in the second half of a trial gained a point or more."


def _test_accuracy(results: StudyResults) -> Iterator[str]:
    known = results.trials.dropna(subset=["test_accuracy"])
    if known.empty:
        return
    gap = (known["test_accuracy"] - known["best_validation_accuracy"]).mean()
    yield (
        f"On the test images, which decide nothing, the {_count(len(known), 'trial')} with a test accuracy differ by "
        f"{points(gap)} points on average from their best validation accuracy, which is selected."
    )


def _published(results: StudyResults) -> Iterator[str]:
    table = results.against_published
    if table is None:
        return
    both = table.dropna(subset=["difference"])
    if both.empty:
        return
    within = int(sum(bool(value) for value in both["within"]))
    far = both.loc[both["difference"].abs().idxmax()]
    gap = points(far["difference"])
    yield (
        f"Of {_count(len(both), 'cell')} that the published study has too, {within} have a mean within 2 points "
        f"of the published one; the furthest is {far['architecture']}, mode {far['mode']} ({gap} points)."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
