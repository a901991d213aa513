"""What a study takes: trials, hours on this machine and on more workers, dollars in the cloud, disk, memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from math import isnan

from psa_tui.machine.memory import available_memory_bytes
from psa_tui.networks import Mlp, Network
from psa_tui.studies.calibration import Calibration, calibrate
from psa_tui.studies.cost_model import CostModel, makespan_s, representatives
from psa_tui.studies.parts import parts_of
from psa_tui.studies.spec import StudySpec

MEASURED_NETWORKS = 12
_BUDGET_S = 0.4
"""Of every network's measurement; with starting the workers and what precedes the first step about 15 s in all."""
_LOOP_ROW_BYTES = 90
"""A meta-loop's row in the database, its part of the index included."""
_WORKER_BYTES = 450_000_000
"""A worker process with PyTorch and the images."""
_PUBLISHED_TRIALS = 60
"""Trials of all modes together in a published cell."""
_PUBLISHED_META_LOOPS = 100


@dataclass(frozen=True, slots=True)
class CloudCost:
    """What the published study paid for the same networks, and this study's part of it by trials and loops."""

    shapes: int
    """How many of the study's networks were published."""
    hours: float
    usd: float
    share_hours: float
    share_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a study takes."""

    spec: StudySpec
    device: str
    workers: int
    costs_s: Mapping[Network, float]
    """Seconds of one trial's meta-loop on one worker, by network."""
    measured: frozenset[Network]
    median_error: float
    """How far off a measured network would have been predicted by the others, relative; NaN with fewer than three."""
    worst_error: float
    core_share: float | None
    """How much of a core a worker had while it was measured; None where they do not compute on the CPU."""
    hours_by_workers: Mapping[int, float]
    cloud: CloudCost | None
    """None when no network of the study was published."""
    disk_bytes: int
    memory_bytes: int
    available_memory_bytes: int

    @property
    def cells(self) -> int:
        """Networks times variants."""
        return len(self.spec.networks) * len(self.spec.variants)

    @property
    def trials(self) -> int:
        """Trials of all cells."""
        return self.cells * self.spec.trials

    @property
    def meta_loops(self) -> int:
        """Meta-loops of all trials."""
        return self.trials * self.spec.meta_loops

    def as_json(self) -> dict[str, object]:
        """Return the plan as JSON-ready values."""
        spec = self.spec
        return {
            "schema": 1,
            "study": spec.as_settings(),
            "cells": self.cells,
            "trials": self.trials,
            "meta_loops": self.meta_loops,
            "device": self.device,
            "workers": self.workers,
            "hours": self.hours_by_workers[self.workers],
            "hours_by_workers": {str(workers): hours for workers, hours in self.hours_by_workers.items()},
            "median_error": None if isnan(self.median_error) else self.median_error,
            "worst_error": None if isnan(self.worst_error) else self.worst_error,
            "core_share": self.core_share,
            "shapes": [
                {
                    "shape": network.short_name,
                    "trial_meta_loop_s": self.costs_s[network],
                    "measured": network in self.measured,
                    "worker_hours": group_s(spec, self.costs_s[network]) / 3600,
                }
                for network in spec.networks
            ],
            "published_sagemaker": None
            if self.cloud is None
            else {
                "shapes": self.cloud.shapes,
                "ml_g4dn_xlarge_hours": self.cloud.hours,
                "usd": self.cloud.usd,
                "share_hours": self.cloud.share_hours,
                "share_usd": self.cloud.share_usd,
            },
            "disk_bytes": self.disk_bytes,
            "memory_bytes": self.memory_bytes,
            "available_memory_bytes": self.available_memory_bytes,
        }


def make_plan(spec: StudySpec, workers: int, device: str, backend: str) -> Plan:
    """Measure some of the study's networks on this machine for seconds and plan the rest from them.

    Raises:
        PsaError: the measurement failed.
    """
    calibration = measure_costs(spec, workers, device, backend)
    model = CostModel(calibration.costs_s)
    costs = {network: model.predict(network) for network in spec.networks}
    others = sorted({1, 2, 4, 8, 16, 32, 64, workers})
    median_error, worst_error = model.errors
    return Plan(
        spec=spec,
        device=device,
        workers=workers,
        costs_s=costs,
        measured=frozenset(model.measured),
        median_error=median_error,
        worst_error=worst_error,
        core_share=calibration.core_share,
        hours_by_workers={count: makespan_s(_parts_s(spec, costs), count) / 3600 for count in others},
        cloud=published_cost(spec),
        disk_bytes=disk_bytes(spec, workers),
        memory_bytes=memory_bytes(spec, workers),
        available_memory_bytes=available_memory_bytes(),
    )


def measure_costs(spec: StudySpec, workers: int, device: str, backend: str) -> Calibration:
    """Return what some of the study's networks cost on this machine, from a calibration of seconds.

    Raises:
        PsaError: the measurement failed.
    """
    chosen = representatives(spec.networks, MEASURED_NETWORKS)
    return calibrate(spec, chosen, workers, device, backend, _BUDGET_S)


def published_cost(spec: StudySpec) -> CloudCost | None:
    """Return what the published study paid on SageMaker for the networks of ``spec``; None when it had none of them."""
    text = resources.files("psa_tui.analysis").joinpath("published", "cost.csv").read_text(encoding="utf-8")
    names = {network.short_name for network in spec.networks} if spec.family == Mlp.family else set()
    rows = [row for row in csv.DictReader(text.splitlines()) if row["architecture"] in names]
    if not rows:
        return None
    hours = sum(float(row["billable_hours_ml_g4dn_xlarge"]) for row in rows)
    usd = sum(float(row["usd"]) for row in rows)
    proportion = len(spec.variants) * spec.trials / _PUBLISHED_TRIALS * spec.meta_loops / _PUBLISHED_META_LOOPS
    return CloudCost(len(rows), hours, usd, hours * proportion, usd * proportion)


def disk_bytes(spec: StudySpec, workers: int) -> int:
    """Return the size of the database when the study is done, and of the largest states that are under way at once."""
    rows = len(spec.networks) * len(spec.variants) * spec.trials * (spec.meta_loops + 2)
    copies = 1 + max(variant.kept_copies for variant in spec.variants)
    states = sorted(
        (4 * copies * network.parameters * members for network, members in _populations(spec)), reverse=True
    )
    # A state is written beside the one it replaces.
    return rows * _LOOP_ROW_BYTES + 2 * sum(states[:workers])


def memory_bytes(spec: StudySpec, workers: int) -> int:
    """Return what ``workers`` need together, at most, when all train the parts that need most."""
    batch_size = spec.hyperparameters.batch_size
    # One member that keeps something makes the population keep room for all.
    kept = max(variant.kept_copies for variant in spec.variants)
    needs = sorted(
        (network.training_bytes(batch_size, members, kept_copies=kept) for network, members in _populations(spec)),
        reverse=True,
    )
    return workers * _WORKER_BYTES + sum(needs[:workers])


def group_s(spec: StudySpec, cost_s: float) -> float:
    """Return the seconds one worker needs for all trials of a network whose trial and meta-loop take ``cost_s``."""
    return cost_s * len(spec.variants) * spec.trials * spec.meta_loops


def _populations(spec: StudySpec) -> Iterator[tuple[Network, int]]:
    """Go through all parts, each as its network and its number of members."""
    for network in spec.networks:
        for part in parts_of(spec, network):
            yield network, len(part.trials) * len(spec.variants)


def _parts_s(spec: StudySpec, costs: Mapping[Network, float]) -> list[float]:
    """Return the seconds one worker needs for each part."""
    return [costs[network] * members * spec.meta_loops for network, members in _populations(spec)]
