"""The Frustration Engine: meta-loops of clone, ablate, train, measure, then promote or roll back.

The method is Persistent Stochastic Ablation, from Tim Cotten's mini-paper "Beyond Pruning and Dropout:
Evolving Robust Networks via Persistent Stochastic Ablation".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from psa_tui.engine.backends.torch.process_group import ProcessGroup
from psa_tui.engine.backends.torch.training import Epoch, Images, count_correct, effective_decay, train_epoch
from psa_tui.engine.population import Linear
from psa_tui.method.ablation import ablate, choose
from psa_tui.method.events import EpochProgressed, MetaLoopFinished, NeuronAblated, Progress, Verdict
from psa_tui.method.randomness import DropoutBits, shuffled
from psa_tui.method.variants import AblationMode

log = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 0.1
_MODES = tuple(AblationMode)

LoopEvent = NeuronAblated | EpochProgressed | MetaLoopFinished


@dataclass(frozen=True, slots=True)
class Recipe:
    """The hyperparameters every trial of a population shares."""

    learning_rate: float
    batch_size: int
    weight_decay: float
    dropout: float


@dataclass(slots=True)
class Trial:
    """One member of a population; its weights are its row of ``Population.lkg``."""

    seed: int
    mode: AblationMode
    progress: Progress


@dataclass(slots=True)
class Population:
    """Trials of one architecture that train together; all have completed the same number of meta-loops."""

    layers: tuple[Linear, ...]
    trials: list[Trial]
    lkg: Tensor
    """The Last Known Good weights: float32 [M, parameters]. The initialisation, before the first loop."""


def run_meta_loops(
    population: Population,
    train: Images,
    validation: Images,
    recipe: Recipe,
    last_meta_loop: int,
    processes: int = 1,
) -> Generator[LoopEvent, None, None]:
    """Run meta-loops until ``last_meta_loop`` is done, updating ``population`` in place after each one.

    When the first ``MetaLoopFinished`` of a loop is yielded, the whole population is already in its state
    after that loop. Closing the generator in the middle of an epoch abandons the candidates: the
    population stays as the last finished loop left it. A trial's mode is read when a loop begins.

    A population of one can be trained by several ``processes`` (see ``shares``): this one and those it starts. The
    last bits of its weights depend on how many they are, and on nothing else.

    Raises:
        PsaError: another process cannot be started, or ended before its time.
    """
    if processes == 1:
        yield from _meta_loops(population, train, validation, recipe, last_meta_loop)
        return
    if len(population.trials) > 1:
        raise ValueError("processes train one trial together")
    # Found before the others start, so that all have it.
    log.debug("%d processes; %d common columns of pixels", processes, train.columns.common.shape[1])
    with ProcessGroup(processes, population.lkg.shape[1], recipe.batch_size, population.lkg.dtype) as group:
        group.start(lambda: list(_meta_loops(population, train, validation, recipe, last_meta_loop, group)))
        yield from _meta_loops(population, train, validation, recipe, last_meta_loop, group)


def _meta_loops(
    population: Population,
    train: Images,
    validation: Images,
    recipe: Recipe,
    last_meta_loop: int,
    group: ProcessGroup | None = None,
) -> Generator[LoopEvent, None, None]:
    while (meta_loop := population.trials[0].progress.meta_loop + 1) <= last_meta_loop:
        started = time.perf_counter()
        if group is not None:
            trial = population.trials[0]
            trial.mode = _MODES[group.agree(_MODES.index(trial.mode))]
        candidates = population.lkg.clone()
        ablations = _ablate(population, candidates, meta_loop)
        yield from (ablation for ablation in ablations if ablation is not None)

        epoch = _epoch(population, recipe, meta_loop, len(train))
        rows = _rows_to_train(candidates, epoch)
        trained = sorted(set(rows))
        if len(trained) < len(rows):
            candidates, epoch = candidates[trained], epoch.of(trained)
        losses = yield from _with_progress(
            train_epoch(candidates, population.layers, train, epoch, group), meta_loop, len(train)
        )
        correct = count_correct(candidates, population.layers, validation, group)
        finite = torch.isfinite(losses) & torch.isfinite(candidates).all(1)

        outcomes = list(zip(losses.tolist(), correct.tolist(), finite.tolist(), strict=True))
        places = [trained.index(row) for row in rows]
        finished = [
            _judge(trial, member, meta_loop, outcomes[place], ablations[member], time.perf_counter() - started)
            for member, (trial, place) in enumerate(zip(population.trials, places, strict=True))
        ]
        for trial, event, place in zip(population.trials, finished, places, strict=True):
            trial.progress = event.progress
            if event.verdict is Verdict.PROMOTED:
                population.lkg[event.member] = candidates[place]
        yield from finished


def _ablate(population: Population, candidates: Tensor, meta_loop: int) -> list[NeuronAblated | None]:
    """Ablate one neuron of every candidate whose mode ablates; never in loop 1, which has no LKG to damage."""
    ablations: list[NeuronAblated | None] = []
    layers = population.layers
    for member, trial in enumerate(population.trials):
        if meta_loop == 1 or not trial.mode.ablates:
            ablations.append(None)
            continue
        target = choose(trial.mode, layers, trial.seed, meta_loop)
        incoming, outgoing = ablate(candidates, member, trial.mode, layers, target)
        ablations.append(
            NeuronAblated(
                member=member,
                meta_loop=meta_loop,
                mode=trial.mode,
                layer=target.layer,
                layers=len(layers),
                neuron=target.neuron,
                width=layers[target.layer].outputs,
                incoming=incoming,
                outgoing=outgoing,
            )
        )
    return ablations


def _rows_to_train(candidates: Tensor, epoch: Epoch) -> list[int]:
    """For every member, the first one whose epoch is exactly the same: equal weights, order and decay, no dropout.

    Such members train once. In a study all modes of a trial begin with the same weights, and ``decay`` at the
    published rates is nothing in float32: it stays the control to the bit.
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
            and torch.equal(candidates[row], weights)
        ]
        rows.append(same[0] if same else member)
    return rows


def _epoch(population: Population, recipe: Recipe, meta_loop: int, count: int) -> Epoch:
    trials = population.trials
    decay = effective_decay(recipe.learning_rate, recipe.weight_decay, population.lkg.dtype)
    seeds = list(dict.fromkeys(trial.seed for trial in trials))
    orders = np.stack([shuffled(seed, meta_loop, count) for seed in seeds])
    return Epoch(
        orders=torch.from_numpy(orders).to(population.lkg.device),
        order_of=tuple(seeds.index(trial.seed) for trial in trials),
        learning_rate=recipe.learning_rate,
        batch_size=recipe.batch_size,
        weight_decay=tuple(decay if trial.mode is AblationMode.DECAY else 0.0 for trial in trials),
        dropout=tuple(
            DropoutBits(trial.seed, meta_loop, recipe.dropout) if trial.mode is AblationMode.DROPOUT else None
            for trial in trials
        ),
    )


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


def _judge(
    trial: Trial,
    member: int,
    meta_loop: int,
    outcome: tuple[float, int, bool],
    ablation: NeuronAblated | None,
    seconds: float,
) -> MetaLoopFinished:
    """Promote a finite candidate that is strictly better than the LKG (or the first one); roll back any other."""
    loss, correct, finite = outcome
    before = trial.progress
    promoted = finite and (before.lkg_correct is None or correct > before.lkg_correct)
    after = replace(before, meta_loop=meta_loop, non_finite=before.non_finite + (not finite))
    if promoted:
        after = replace(
            after,
            lkg_correct=correct,
            lkg_meta_loop=meta_loop,
            promotions=before.promotions + 1,
            rollbacks_in_a_row=0,
        )
    else:
        after = replace(after, rollbacks=before.rollbacks + 1, rollbacks_in_a_row=before.rollbacks_in_a_row + 1)
    return MetaLoopFinished(
        member=member,
        meta_loop=meta_loop,
        mode=trial.mode,
        verdict=Verdict.PROMOTED if promoted else Verdict.ROLLED_BACK,
        finite=finite,
        validation_correct=correct,
        validation_accuracy=correct / before.validation_count,
        gain=None if before.lkg_correct is None else (correct - before.lkg_correct) / before.validation_count,
        train_loss=loss,
        seconds=seconds,
        ablation=ablation,
        progress=after,
    )
