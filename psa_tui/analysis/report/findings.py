"""What a study found, in sentences made from its numbers. A sentence whose numbers are not there is not written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psa_tui.analysis.comparison import compare_sources, compare_with_control
from psa_tui.analysis.figures.ablation_effect import NOTABLE
from psa_tui.analysis.figures.late_breakthroughs import breakthroughs
from psa_tui.analysis.figures.study_results import ABLATIVE, BASELINES, MODES, Material
from psa_tui.analysis.regimes import Regime
from psa_tui.analysis.sources import PUBLISHED, load_trials
from psa_tui.analysis.summary import other_settings
from psa_tui.formatting import percent, points

_SIGNIFICANT = 0.05


def findings(material: Material) -> list[str]:
    """The sentences, the most general first."""
    parts = (_extent, _best, _regimes, _effects, _escapes, _tests, _instability, _late, _test_accuracy, _published)
    return [sentence for part in parts for sentence in part(material)]


def _extent(material: Material) -> Iterator[str]:
    trials, cells = material.trials, material.cells
    least, most = int(cells["n"].min()), int(cells["n"].max())
    each = f"{_count(most, 'trial')}" if least == most else f"{least} to {most} trials"
    shapes, modes = len(material.shapes), cells["mode"].nunique()
    yield (
        f"{_count(len(trials), 'complete trial')} of {_count(shapes, 'shape')} in {_count(modes, 'mode')} "
        f"({each} in each of {_count(len(cells), 'cell')})."
    )


def _best(material: Material) -> Iterator[str]:
    best = material.cells.loc[material.cells["mean"].idxmax()]
    spread = f" (standard deviation {100 * best['std']:.2f} points over {best['n']} trials)" if best["n"] > 1 else ""
    where = f"{best['architecture']}, mode {best['mode']}"
    yield f"The highest mean validation accuracy is {percent(best['mean'])}{spread}: {where}."
    if material.majority is None:
        return
    wins = material.shapes[[f"max_{mode}" for mode in MODES]].max(axis=1) > material.majority + 1e-9
    yield (
        f"In {int(wins.sum())} of {_count(len(wins), 'shape')}, at least one trial did better than always "
        f"answering the most frequent class ({percent(material.majority)})."
    )


def _regimes(material: Material) -> Iterator[str]:
    if material.regimes is None:
        return
    counts = material.regimes["regime"].value_counts()
    found = [f"{counts[regime]} {regime.full_name}" for regime in Regime if regime in counts]
    if found:
        yield f"By the study's rules, {int(counts.sum())} shapes fall into these regimes: {', '.join(found)}."
    unknown = len(material.regimes) - int(counts.sum())
    if unknown:
        yield f"{_count(unknown, 'shape')} cannot be classified, for want of trials in all six modes."


def _effects(material: Material) -> Iterator[str]:
    effect = material.shapes["effect"].dropna()
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
            row = material.shapes.loc[name]
            yield (
                f"The largest {direction} is at {name}: {percent(row['baseline'])} without ablation, "
                f"{percent(row['ablative'])} with it ({points(effect[name])} points)."
            )


def _escapes(material: Material) -> Iterator[str]:
    """Shapes in which every baseline trial stayed at the majority class and an ablative one did not."""
    if material.majority is None:
        return
    shapes = material.shapes
    baselines, ablative = shapes[[f"max_{m}" for m in BASELINES]], shapes[[f"max_{m}" for m in ABLATIVE]]
    level = material.majority + 1e-9
    escaped = ablative[(baselines.max(axis=1) <= level) & (ablative.max(axis=1) > level)]
    if len(escaped):
        name = escaped.max(axis=1).idxmax()
        mode = escaped.loc[name].idxmax().removeprefix("max_")
        yield (
            f"In {_count(len(escaped), 'shape')} no baseline trial rose above the majority class but an ablative one "
            f"did; the furthest is {name}, mode {mode}, with {percent(escaped.loc[name].max())} in its best trial."
        )


def _tests(material: Material) -> Iterator[str]:
    if not {"none"} <= set(material.cells["mode"]) or not set(ABLATIVE) & set(material.cells["mode"]):
        return
    table = compare_with_control(material.trials)
    clear = table[table["p_holm"] < _SIGNIFICANT]
    yield (
        f"Of {_count(len(table), 'comparison')} of an ablative mode with its control none, {len(clear)} differ clearly "
        f"(Mann-Whitney, Holm-corrected p below {_SIGNIFICANT:g}): {int((clear['difference'] > 0).sum())} better, "
        f"{int((clear['difference'] < 0).sum())} worse."
    )


def _instability(material: Material) -> Iterator[str]:
    several = material.cells[material.cells["n"] > 1]
    if several.empty:
        yield "Each cell has one trial: nothing can be said about the spread between trials."
        return
    most = several.loc[several["std"].idxmax()]
    yield (
        f"Trials differ most at {most['architecture']}, mode {most['mode']}: from {percent(most['min'])} to "
        f"{percent(most['max'])} (standard deviation {100 * most['std']:.2f} points)."
    )


def _late(material: Material) -> Iterator[str]:
    if material.loops is None:
        return
    found = breakthroughs(material.loops)
    if len(found):
        top = found.iloc[0]
        yield (
            f"{_count(len(found), 'promotion')} in the second half of a trial gained a point or more; the largest, "
            f"{points(top['lkg_gain'])} points, at meta-loop {top['meta_loop']} of {top['architecture']}, mode "
            f"{top['mode']}, trial {top['trial']}."
        )
    else:
        yield "No promotion in the second half of a trial gained a point or more."


def _test_accuracy(material: Material) -> Iterator[str]:
    known = material.trials.dropna(subset=["test_accuracy"])
    if known.empty:
        return
    gap = (known["test_accuracy"] - known["best_validation_accuracy"]).mean()
    yield (
        f"On the test images, which decide nothing, the {_count(len(known), 'trial')} with a test accuracy differ by "
        f"{points(gap)} points on average from their best validation accuracy, which is selected."
    )


def _published(material: Material) -> Iterator[str]:
    table = against_published(material)
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


def against_published(material: Material) -> Any:
    """``compare_sources`` with the published trials, of the study's own cells; None where that means nothing."""
    attrs = material.trials.attrs
    if attrs.get("source") == PUBLISHED or attrs.get("quick") or attrs.get("dataset") not in (None, "mnist"):
        return None
    if other_settings(material.trials):
        return None
    table = compare_sources(material.trials, load_trials(PUBLISHED))
    return table[table["n_a"] > 0]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
