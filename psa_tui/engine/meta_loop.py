"""The Frustration Engine: meta-loops of clone, ablate, train, measure, then promote or roll back.

The method is Persistent Stochastic Ablation, from Tim Cotten's mini-paper "Beyond Pruning and Dropout:
Evolving Robust Networks via Persistent Stochastic Ablation".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from psa_tui.engine.backend import Backend, Epoch
from psa_tui.engine.epoch import Trial, epoch_of
from psa_tui.engine.images import Images
from psa_tui.engine.process_group import ProcessGroup
from psa_tui.method.events import EpochProgressed, MetaLoopFinished, UnitsAblated, Verdict
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.promotion import judge
from psa_tui.method.randomness import Purpose, generator
from psa_tui.method.variants import find_variant
from psa_tui.networks.base import Network

__all__ = ["LoopEvent", "Population", "Trial", "run_meta_loops"]

log = logging.getLogger(__name__)

_PROGRESS_EVERY_S = 0.1

LoopEvent = UnitsAblated | EpochProgressed | MetaLoopFinished


@dataclass(slots=True)
class Population:
    """Trials of one network that train together; all have completed the same number of meta-loops."""

    network: Network
    trials: list[Trial]
    lkg: Tensor
    """The Last Known Good weights: float32 [M, parameters]. The initialisation, before the first loop."""
    backend: Backend


def run_meta_loops(
    population: Population,
    train: Images,
    validation: Images,
    hyperparameters: Hyperparameters,
    last_meta_loop: int,
    processes: int = 1,
) -> Generator[LoopEvent, None, None]:
    """Run meta-loops until ``last_meta_loop`` is done, updating ``population`` in place after each one.

    When the first ``MetaLoopFinished`` of a loop is yielded, the whole population is already in its state
    after that loop. Closing the generator in the middle of an epoch abandons the candidates: the
    population stays as the last finished loop left it. A trial's variant is read when a loop begins.

    A population of one can be trained by several ``processes``, this one and those it starts, where its backend is
    data parallel. The last bits of its weights depend on how many they are, and on nothing else.

    Raises:
        PsaError: another process cannot be started, or ended before its time.
        ValueError: several processes, and more than one trial or a backend that cannot use them.
    """
    if processes == 1:
        yield from _meta_loops(population, train, validation, hyperparameters, last_meta_loop)
        return
    if len(population.trials) > 1:
        raise ValueError("processes train one trial together")
    if not population.backend.data_parallel:
        raise ValueError(f"backend {population.backend.name} trains in one process")
    log.debug("%d processes", processes)
    population.backend.prepare(train)
    network, lkg = population.network, population.lkg
    group = ProcessGroup(processes, network.parameters, hyperparameters.batch_size, network.classes, lkg.dtype)
    with group:
        group.start(lambda: list(_meta_loops(population, train, validation, hyperparameters, last_meta_loop, group)))
        yield from _meta_loops(population, train, validation, hyperparameters, last_meta_loop, group)


def _meta_loops(
    population: Population,
    train: Images,
    validation: Images,
    hyperparameters: Hyperparameters,
    last_meta_loop: int,
    group: ProcessGroup | None = None,
) -> Generator[LoopEvent, None, None]:
    network, trials, backend = population.network, population.trials, population.backend
    while (meta_loop := trials[0].progress.meta_loop + 1) <= last_meta_loop:
        started = time.perf_counter()
        if group is not None:
            _broadcast_variant(group, trials[0])
        candidates = population.lkg.clone()
        ablations = _ablate(population, candidates, meta_loop)
        yield from (ablation for ablation in ablations if ablation is not None)

        epoch = epoch_of(trials, hyperparameters, meta_loop, len(train), candidates)
        rows = _rows_to_train(candidates, epoch)
        trained = sorted(set(rows))
        if len(trained) < len(rows):
            candidates, epoch = candidates[trained], epoch.of(trained)
        losses = yield from _with_progress(
            backend.train_epoch(candidates, network, train, epoch, group), meta_loop, len(train)
        )
        correct = backend.count_correct(candidates, network, validation, group)
        finite = torch.isfinite(losses) & torch.isfinite(candidates).all(1)

        measured = list(zip(losses.tolist(), correct.tolist(), finite.tolist(), strict=True))
        candidate_of = [trained.index(row) for row in rows]
        finished = [
            _decide(trial, member, meta_loop, measured[row], ablations[member], time.perf_counter() - started)
            for member, (trial, row) in enumerate(zip(trials, candidate_of, strict=True))
        ]
        for trial, event, row in zip(trials, finished, candidate_of, strict=True):
            trial.progress = event.progress
            if event.verdict is Verdict.PROMOTED:
                population.lkg[event.member] = candidates[row]
        yield from finished


def _broadcast_variant(group: ProcessGroup, trial: Trial) -> None:
    """Give the trial in every process the variant that it has in the first one."""
    name = group.broadcast(trial.variant.name.encode()).decode()
    if name != trial.variant.name:
        trial.variant = find_variant(name)


def _ablate(population: Population, candidates: Tensor, meta_loop: int) -> list[UnitsAblated | None]:
    """Damage every candidate whose variant says so; never in loop 1, which has no LKG to damage."""
    ablations: list[UnitsAblated | None] = []
    network = population.network
    for member, trial in enumerate(population.trials):
        rule = trial.variant.ablation_rule
        if meta_loop == 1 or rule is None:
            ablations.append(None)
            continue
        draws = generator(trial.seed, meta_loop, Purpose.ABLATION)
        units = rule.ablate(candidates[member], network, draws)
        ablations.append(
            UnitsAblated(
                member=member,
                meta_loop=meta_loop,
                mode=trial.variant.name,
                layers=len(network.unit_counts),
                units=tuple(units),
            )
        )
    return ablations


def _rows_to_train(candidates: Tensor, epoch: Epoch) -> list[int]:
    """Return for every member the first one whose epoch is exactly the same.

    That is one of equal weights, order and decay, and without dropout. Such members train once. In a study all
    variants of a trial begin with the same weights, and ``decay`` at the published rates is nothing in float32: it
    stays the control to the bit.
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
    member: int,
    meta_loop: int,
    measured: tuple[float, int, bool],
    ablation: UnitsAblated | None,
    seconds: float,
) -> MetaLoopFinished:
    """Let the trial's promotion rule decide on its candidate, whose (loss, correct, finite) were ``measured``."""
    loss, correct, finite = measured
    before = trial.progress
    draws = generator(trial.seed, meta_loop, Purpose.PROMOTION)
    decision = judge(trial.variant.promotion_rule, before, correct, draws, finite=finite)
    return MetaLoopFinished(
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
        progress=before.after(meta_loop, correct, finite=finite, promoted=decision.promoted),
        reason=decision.reason,
    )
