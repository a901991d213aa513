"""Events in words: what the plain view prints and the other views quote. ASCII only, any encoding shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from psa_tui.formatting import loop_time, network_words, percent, points, run_words, time_taken
from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.events import MetaLoopFinished, Outcome, RunFinished, RunStarted, SettingChange, Verdict
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.layer_names import OUTPUT, LayerNames
from psa_tui.method.progress import Progress
from psa_tui.method.promotion import ALWAYS, STRICT
from psa_tui.method.variants import OptimizerState, Variant, describe_variant


class UnitCounts(Protocol):
    """What knows of the LKG's hidden units: a trial's counters, or a run's row."""

    @property
    def lkg_dead(self) -> int | None:
        """Those whose incoming weights and bias are all zero."""

    @property
    def lkg_inactive(self) -> int | None:
        """Those that no validation image activates."""


_ZERO = "zero"
_IN_WORDS = {
    **{"none": "sham at", "bias": "bias zeroed at", "weights": "weights zeroed at", "reinit": "drawn anew at"},
    # The unit says how much; what is damaged is anywhere in the network.
    "scatter": "scattered as much as",
}
"""What effects are called where their names alone would puzzle."""
_SELECTIONS = {
    "full": "a neuron of a layer drawn first",
    "hidden": "a hidden neuron and what leaves it",
    "output": "an output neuron",
    "dormant": "the least active hidden neuron",
}
_EFFECTS = {
    "zero": "zeroes {}",
    "reinit": "draws {} anew",
    "noise": "adds noise to {}",
    "scatter": "adds noise anywhere, as much as zeroing {} is",
    "bias": "zeroes the bias of {}",
    "weights": "zeroes the weights of {}",
    "none": "draws {}, and leaves it as it is",
}
CONTROL = "control: nothing"
"""What a mode does that does nothing."""
_OPTIMIZER = {OptimizerState.KEEP: "keeps one optimiser", OptimizerState.LKG: "goes on with the LKG's optimiser"}
_UNITS_IN_A_LINE = 36
"""Characters that units may take in a plain line."""


def format_started(event: RunStarted) -> list[str]:
    """Return what runs, on what, from where to where."""
    done = event.progress.meta_loop
    first = "" if event.initialisation_seed is None else f", of the first weights {event.initialisation_seed}"
    where = f"going on after meta-loop {done}" if event.resumed else "from a random initialisation"
    run = run_words(event.run, event.name)
    if event.own_loop:
        where = where if event.resumed else "from the weights that the model has"
        return [
            f"{run}: {event.architecture}, {event.parameters:,} parameters, variant {event.mode}",
            f"{where}, to meta-loop {event.last_meta_loop}; seed {event.seed}",
            f"{event.dataset}, {event.device}, threads {event.threads}",
        ]
    network = network_words(event.network, event.architecture)
    return [
        f"run {run}: {network}, {event.parameters:,} parameters, mode {event.mode}",
        f"{where}, to meta-loop {event.last_meta_loop}; seed {event.seed}{first}",
        f"data {event.dataset}: {event.train_count:,} train, {event.validation_count:,} validation, "
        f"{event.test_count:,} test; majority class {percent(event.majority_class_accuracy)}",
        f"{format_settings(event.hyperparameters)}, {event.device}, threads {event.threads}, "
        f"checkpoint {event.checkpoint}",
    ]


def format_settings(hyperparameters: Hyperparameters) -> str:
    """Return what every mode trains with: "lr 0.01, batch 256"."""
    return f"lr {hyperparameters.learning_rate:g}, batch {hyperparameters.batch_size}"


def format_loop(event: MetaLoopFinished, last_meta_loop: int, names: LayerNames, width: int | None = None) -> str:
    """Return one meta-loop in one line; ``names`` are those of the network's layers.

    Where a ``width`` is given and it would have more characters, the loop's seconds are left out.

    Of a run of less than a hundred loops it has at most 80 columns for one ablated neuron that was not dead and the
    published promotion rule (and layers of less than a hundred neurons); under any other rule its reason stands behind.
    """
    digits = len(str(last_meta_loop))
    line = (
        f"loop {event.meta_loop:>{digits}}/{last_meta_loop}  {percent(event.validation_accuracy):>8}  "
        f"{format_verdict(event):<18}  LKG {percent(event.progress.lkg_accuracy):>8}"
    )
    if event.ablation is not None:
        line += f"  {format_units(event.ablation.units, names, _UNITS_IN_A_LINE)}"
    took = f"  {loop_time(event.seconds)}"
    reason = f"  ({event.reason})" if needs_reason(event) else ""
    return line + reason if width is not None and len(line + took + reason) > width else line + took + reason


def format_verdict(event: MetaLoopFinished) -> str:
    """Return promoted or rolled back, and by how many percentage points."""
    if not event.finite:
        return "not finite"
    verdict = "promoted" if event.verdict is Verdict.PROMOTED else "rolled back"
    return verdict if event.gain is None else f"{verdict} {points(event.gain)}"


def needs_reason(event: MetaLoopFinished) -> bool:
    """Whether the gain alone does not explain the verdict: another promotion rule than the published one decided."""
    return bool(event.reason) and variant_of(event.mode).promotion != STRICT


@lru_cache(maxsize=64)
def variant_of(mode: str) -> Variant:
    """Return the variant of that name, looked for once: for one that is not installed, that takes milliseconds."""
    return describe_variant(mode)


def format_variant(variant: Variant) -> str:
    """Return what a variant does to candidates and to their training, in a few words."""
    done = []
    if (ablation := variant.ablation) is not None:
        what, how = _SELECTIONS.get(ablation.selection), _EFFECTS.get(ablation.effect)
        is_told = what is not None and how is not None and ablation.amount == "1"
        done.append(how.format(what) if is_told and how is not None else f"ablates by {ablation}")
    done += ["weight decay"] if variant.weight_decay else []
    done += ["dropout"] if variant.dropout else []
    done += ["new first weights each loop"] if variant.restarts else []
    done += ["labels shuffled"] if variant.shuffled_labels else []
    if variant.promotion != STRICT:
        done.append("keeps every candidate" if variant.promotion == ALWAYS else f"promotes by {variant.promotion}")
    done += [_OPTIMIZER[variant.optimizer_state]] if variant.optimizer_state in _OPTIMIZER else []
    return ", ".join(done) or CONTROL


def format_units(units: Sequence[AblatedUnit], names: LayerNames, width: int | None = None) -> str:
    """Return which units were ablated; what was done to them is named where they were not simply zeroed.

    One is "layer 0 neuron 3" or "output neuron 3", several are "layer 0 neurons 3, 7 (dead); output neuron 1", where 7
    was dead already, and more than ``width`` characters hold are "12 units of 4 layers" or "12 units". Layers and
    neurons count from 0, as the tensors do.

    Args:
        units: in any order.
        names: what the network's layers are called.
        width: the room in characters; None where all are to be listed. One unit is always named, if need be without
            what was done to it.
    """
    if not units:
        return "no unit"
    effects: dict[str, list[AblatedUnit]] = {}
    for unit in units:
        effects.setdefault(unit.effect, []).append(unit)
    # A list takes a character a unit at least, so one that is far too long is not made first.
    if len(units) == 1 or width is None or len(units) <= width:
        # Zeroed ones come first: what follows "noise at" is all noise.
        parts = [_list_units(effects[name], names, name) for name in sorted(effects, key=lambda name: name != _ZERO)]
        listed = "; ".join(parts)
        if width is None or len(listed) <= width:
            return listed
        if len(units) == 1:
            place, effect = _list_units(units, names, _ZERO), units[0].effect
            short = f"{'sham' if effect == 'none' else effect}, {place}"
            return short if effect != _ZERO and len(short) <= width else place
    hit = sorted({unit.layer for unit in units})
    where = f" of {names.layer(hit[0])}" if len(hit) == 1 else f" of {len(hit)} layers"
    named = "" if len(effects) > 1 else _named(next(iter(effects)))
    of_output = [names.layer(layer) for layer in hit] == [OUTPUT]
    count = f"{named}{len(units)} output units" if of_output else f"{named}{len(units)} units{where}"
    return count if len(count) <= width else f"{named}{len(units)} units"


def _list_units(units: Sequence[AblatedUnit], names: LayerNames, effect: str) -> str:
    by_layer: dict[int, list[tuple[int, bool]]] = {}
    for unit in units:
        by_layer.setdefault(unit.layer, []).append((unit.unit, unit.dead))
    parts = []
    for layer, numbers in sorted(by_layer.items()):
        listed = ", ".join(f"{number} (dead)" if dead else str(number) for number, dead in sorted(numbers))
        parts.append(f"{names.layer(layer)} {names.kind(layer)}{'s' if len(numbers) > 1 else ''} {listed}")
    return _named(effect) + "; ".join(parts)


def _named(effect: str) -> str:
    return "" if effect == _ZERO else f"{_IN_WORDS.get(effect, f'{effect} at')} "


def format_ablation(units: Sequence[AblatedUnit], names: LayerNames, width: int | None = None) -> str:
    """Return what was done to ``units`` of ``format_units``: "zeroed layer 0 neuron 3", "noise at output neuron 1"."""
    zeroed = "zeroed " if all(unit.effect == _ZERO for unit in units) else ""
    return zeroed + format_units(units, names, None if width is None else width - len(zeroed))


def format_lkg(progress: Progress) -> str:
    """Return the accuracy of the weights in force, "LKG 95.10 % since meta-loop 12", or why there are none."""
    if progress.lkg_correct is not None:
        return f"LKG {percent(progress.lkg_accuracy)} since meta-loop {progress.lkg_meta_loop}"
    if not progress.meta_loop:
        return "no LKG yet: the first loop makes it"
    return f"no LKG yet: no candidate was {'finite' if _is_never_finite(progress) else 'promoted'}"


def _is_never_finite(progress: Progress) -> bool:
    return 0 < progress.non_finite == progress.meta_loop


def format_bounty(progress: Progress) -> str:
    """Return the best accuracy ever reached, of a run that has one: "bounty 95.40 % at meta-loop 30"."""
    return f"bounty {percent(progress.bounty)} at meta-loop {progress.best_meta_loop}"


def format_units_of_lkg(lkg: UnitCounts, hidden_units: int | None = None) -> str:
    """Return "4 of 64 dead, 9 never active": what is known of the LKG's ``hidden_units``; empty where nothing is."""
    of_all = "" if hidden_units is None else f" of {hidden_units}"
    dead = "" if lkg.lkg_dead is None else f"{lkg.lkg_dead}{of_all} dead"
    inactive = "" if lkg.lkg_inactive is None else f"{lkg.lkg_inactive} never active"
    return ", ".join(filter(None, (dead, inactive)))


def format_finished(event: RunFinished) -> list[str]:
    """Return how the run really ended, how to go on, and what it reached."""
    done, last = event.progress.meta_loop, event.last_meta_loop
    if event.outcome is Outcome.FINISHED:
        lines = [f"finished: {done} of {last} meta-loops, {time_taken(event.seconds)}"]
    elif event.outcome is Outcome.STOPPED:
        lines = [f"stopped by {event.reason} at meta-loop {done} of {last}; go on with: {event.resume_command}"]
    else:
        lines = [f"failed at meta-loop {done} of {last}; once mended, go on with: {event.resume_command}"]
    result = format_lkg(event.progress)
    if event.progress.lkg_correct is not None:
        result = format_bounty(event.progress)
        if event.progress.lkg_correct != event.progress.best_correct:
            result += f", {format_lkg(event.progress)}"
    if event.test_accuracy is not None:
        result += f", test accuracy of the LKG {percent(event.test_accuracy)}"
    if _is_never_finite(event.progress):
        result += "; a lower learning rate may help"
    elif event.progress.non_finite:
        result += f"; candidates that were not finite: {event.progress.non_finite}"
    if event.progress.lkg_dead or event.progress.lkg_inactive:
        result += f"; hidden units: {format_units_of_lkg(event.progress)}"
    changes = format_changes(event.setting_changes)
    return [*lines, result, *([f"settings changed: {'; '.join(changes)}"] if changes else [])]


def format_end(event: RunFinished) -> list[str]:
    """Return how the run ended, and of one that failed first of all why: for where no error says it."""
    failure = [f"failure: {event.reason}"] if event.outcome is Outcome.FAILED else []
    return [*failure, *format_finished(event)]


def format_session(
    started: RunStarted | None,
    modes: Sequence[str],
    loops: Sequence[MetaLoopFinished],
    finished: RunFinished,
    width: int | None = None,
) -> list[str]:
    """Return what is left of a session when its screen is gone: what ran, its last ``loops``, and how it ended.

    ``modes`` are those in force one after another, of which the session began with the first; ``width`` is that of
    the terminal.
    """
    lines, names = [], LayerNames()
    if started is not None:
        names = started.names
        lines = format_started(replace(started, mode=", then ".join(modes) if modes else started.mode))
    return [
        *lines,
        *(format_loop(loop, finished.last_meta_loop, names, width) for loop in loops),
        *format_finished(finished),
    ]


def format_changes(changes: Iterable[SettingChange]) -> list[str]:
    """Return the changes of a run's settings, a text a loop: "from meta-loop 11 on lr 0.001 (before: 0.01)"."""
    by_loop: dict[int, list[str]] = {}
    for one in changes:
        text = f"{one.name.replace('_', ' ')} {one.after} (before: {one.before})"
        by_loop.setdefault(one.meta_loop, []).append(text)
    return [f"from meta-loop {loop} on {', '.join(texts)}" for loop, texts in by_loop.items()]
