"""The Frustration Engine: meta-loops of clone, ablate, train, measure, then promote or roll back.

The method is Persistent Stochastic Ablation, from Tim Cotten's mini-paper "Beyond Pruning and Dropout:
Evolving Robust Networks via Persistent Stochastic Ablation".
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from psa_tui.engine.activity import mean_activations
from psa_tui.engine.backend import Epoch
from psa_tui.engine.epoch import Trial, epoch_of
from psa_tui.engine.images import Images
from psa_tui.engine.population import Population, initial_population_row
from psa_tui.engine.validation import Validated, validate
from psa_tui.method.ablation import Candidate
from psa_tui.method.events import EpochProgressed, MetaLoopFinished, UnitsAblated, Verdict
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.promotion import Decision, judge
from psa_tui.method.randomness import Purpose, generator, shuffled
from psa_tui.method.variants import OptimizerState, Variant

__all__ = ["LoopEvent", "Population", "Trial", "run_meta_loops"]

_PROGRESS_EVERY_S = 0.1

LoopEvent = UnitsAblated | EpochProgressed | MetaLoopFinished


def run_meta_loops(
    population: Population,
    train: Images,
    validation: Images,
    hyperparameters: Hyperparameters,
    last_meta_loop: int,
) -> Generator[LoopEvent, None, None]:
    """Run meta-loops until ``last_meta_loop`` is done, updating ``population`` in place after each one.

    When the first ``MetaLoopFinished`` of a loop is yielded, the whole population is already in its state
    after that loop. Closing the generator in the middle of an epoch abandons the candidates: the
    population stays as the last finished loop left it. A trial's variant is read when a loop begins.
    """
    network, trials, backend = population.network, population.trials, population.backend
    draw = getattr(backend, "shuffled", shuffled)
    while (meta_loop := trials[0].progress.meta_loop + 1) <= last_meta_loop:
        started = time.perf_counter()
        population.allocate()
        variants = [trial.variant.at(meta_loop) for trial in trials]
        candidates = population.lkg.clone()
        ablations = _damage(population, variants, candidates, meta_loop, validation)
        yield from (ablation for ablation in ablations if ablation is not None)

        moments = _moments_to_train(population, variants)
        epoch = epoch_of(trials, variants, hyperparameters, meta_loop, train, candidates, moments, draw)
        rows = _rows_to_train(candidates, epoch)
        trained = sorted(set(rows))
        if len(trained) < len(rows):
            candidates, epoch = candidates[trained], epoch.of(trained)
        losses = yield from _with_progress(
            backend.train_epoch(candidates, network, train, epoch), meta_loop, len(train)
        )
        validated = validate(backend, candidates, network, validation, variants)
        finite = torch.isfinite(losses) & torch.isfinite(candidates).all(1)

        measured = list(zip(losses.tolist(), epoch.accuracies(), validated, finite.tolist(), strict=True))
        candidate_of = [trained.index(row) for row in rows]
        steps = -(-len(train) // hyperparameters.batch_size)
        finished = []
        for member, (trial, row) in enumerate(zip(trials, candidate_of, strict=True)):
            seconds = time.perf_counter() - started
            variant, ablation = variants[member], ablations[member]
            event, decision = _decide(trial, variant, member, meta_loop, measured[row], ablation, seconds)
            inactive = validated[row].inactive
            moments_after = None if epoch.moments is None else epoch.moments[row]
            state = candidates[row], inactive, moments_after, epoch.steps[row] + steps
            counters = population.keep(member, variant, decision, event.finite, *state)
            trial.progress = replace(event.progress, **counters)
            dead = population.dead_units(member) if decision.promoted else None
            finished.append(replace(event, progress=trial.progress, dead_units=dead))
        yield from finished


def _damage(
    population: Population, variants: Sequence[Variant], candidates: Tensor, meta_loop: int, validation: Images
) -> list[UnitsAblated | None]:
    """Damage every candidate whose variant says so; never in loop 1, which has no LKG to damage."""
    ablations: list[UnitsAblated | None] = [None] * len(variants)
    network = population.network
    if meta_loop == 1:
        return ablations
    for member, (trial, variant) in enumerate(zip(population.trials, variants, strict=True)):
        law = variant.initialisation
        if variant.restarts:
            seed = trial.seed if trial.initialisation_seed is None else trial.initialisation_seed
            candidates[member] = torch.from_numpy(initial_population_row(network, seed, law, meta_loop))
        if variant.ablation is None:
            continue
        candidate = Candidate(
            candidates[member, : network.trained],
            partial(network.initial_weights_of, law),
            partial(mean_activations, population.lkg[member], network, validation),
        )
        draws = generator(trial.seed, meta_loop, Purpose.ABLATION)
        dead = () if variant.restarts else population.dead_units(member)
        units = variant.ablation.ablate(candidate, network, draws)
        ablations[member] = UnitsAblated(
            member=member,
            meta_loop=meta_loop,
            mode=trial.variant.name,
            layers=len(network.unit_counts),
            units=tuple(replace(unit, dead=(unit.layer, unit.unit) in dead) for unit in units),
        )
    return ablations


def _moments_to_train(population: Population, variants: Sequence[Variant]) -> Tensor | None:
    """Return the moments that the candidates begin with [M, 2, parameters]; None where all begin afresh."""
    if population.moments is None:
        return None
    moments = population.moments.clone()
    for member, variant in enumerate(variants):
        if variant.optimizer_state is OptimizerState.FRESH:
            moments[member] = 0
    return moments


def _rows_to_train(candidates: Tensor, epoch: Epoch) -> list[int]:
    """Return for every member the first one whose epoch is exactly the same.

    That is one of equal weights, order, labels, decay and optimiser, and without dropout. Such members train once. In a
    study all variants of a trial begin with the same weights, and ``decay`` at the published rates is nothing in
    float32: it stays the control to the bit.
    """
    rows: list[int] = []
    for member, weights in enumerate(candidates):
        same = [
            row
            for row in range(member)
            if rows[row] == row
            and epoch.order_of[row] == epoch.order_of[member]
            and epoch.weight_decay[row] == epoch.weight_decay[member]
            and epoch.dropout[row] is epoch.dropout[member] is None
            and epoch.labels[row] is epoch.labels[member]
            and epoch.steps[row] == epoch.steps[member]
            and torch.equal(candidates[row], weights)
            and (epoch.moments is None or torch.equal(epoch.moments[row], epoch.moments[member]))
        ]
        rows.append(same[0] if same else member)
    return rows


def _with_progress(
    steps: Generator[tuple[int, Tensor], None, Tensor], meta_loop: int, count: int
) -> Generator[EpochProgressed, None, Tensor]:
    """Pass an epoch's steps on as events, at most one every tenth of a second; return the epoch's losses."""
    started = time.perf_counter()
    due = 0.0
    while True:
        try:
            images, losses = next(steps)
        except StopIteration as end:
            mean_losses: Tensor = end.value
            return mean_losses
        seconds = time.perf_counter() - started
        if seconds >= due:
            due = seconds + _PROGRESS_EVERY_S
            yield EpochProgressed(
                meta_loop=meta_loop,
                images=images,
                image_count=count,
                loss=float(losses.sum(1).mean()) / images,
                seconds=seconds,
            )


def _decide(
    trial: Trial,
    variant: Variant,
    member: int,
    meta_loop: int,
    measured: tuple[float, float | None, Validated, bool],
    ablation: UnitsAblated | None,
    seconds: float,
) -> tuple[MetaLoopFinished, Decision]:
    """Let the promotion rule decide on a trial's candidate, which was ``measured``.

    That is its training loss and accuracy, what validation says, and whether it is finite.
    """
    loss, train_accuracy, validated, finite = measured
    correct, promoting = validated.counts(variant)
    before = trial.progress
    told = (before, correct) if promoting is None else (before.told(), promoting)
    draws = generator(trial.seed, meta_loop, Purpose.PROMOTION)
    decision = judge(variant.promotion_rule, *told, draws, finite=finite)
    event = MetaLoopFinished(
        member=member,
        meta_loop=meta_loop,
        mode=trial.variant.name,
        verdict=Verdict.PROMOTED if decision.promoted else Verdict.ROLLED_BACK,
        finite=finite,
        validation_correct=correct,
        validation_accuracy=correct / before.validation_count,
        gain=None if before.lkg_correct is None else (correct - before.lkg_correct) / before.validation_count,
        train_loss=loss,
        seconds=seconds,
        ablation=ablation,
        progress=before.after(meta_loop, correct, decision, finite=finite, promoting=promoting),
        reason=decision.reason,
        promoting_correct=promoting,
        train_accuracy=train_accuracy,
    )
    return event, decision
