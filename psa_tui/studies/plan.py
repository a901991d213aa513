"""What a study takes: trials, hours on this machine and on more workers, dollars in the cloud, disk, memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from math import isnan

from psa_tui.machine.memory import available_memory_bytes
from psa_tui.networks.mlp import CLASSES, INPUTS
from psa_tui.studies.calibration import calibrate
from psa_tui.studies.cost_model import CostModel, makespan_s, representatives
from psa_tui.studies.grids import Shape, parse_shape
from psa_tui.studies.parts import parts_of
from psa_tui.studies.spec import StudySpec

MEASURED_SHAPES = 12
_BUDGET_S = 0.4
"""Of every shape's measurement; with starting the workers and what precedes the first step it is about 15 s in all."""
_LOOP_ROW_BYTES = 90
"""A meta-loop's row in the database, its share of the index included."""
_WORKER_BYTES = 450_000_000
"""A worker process with PyTorch and the images."""
_PUBLISHED_TRIALS = 60
"""Trials of all modes together in a published cell."""
_PUBLISHED_META_LOOPS = 100


@dataclass(frozen=True, slots=True)
class CloudCost:
    """What the published study paid for the same shapes, and this study's share of it by trials and meta-loops."""

    shapes: int
    """How many of the study's shapes were published."""
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
    costs_s: Mapping[Shape, float]
    """Seconds of one trial's meta-loop on one worker, by shape."""
    measured: frozenset[Shape]
    median_error: float
    """How far off a measured shape would have been predicted by the others, relative; NaN with fewer than three."""
    worst_error: float
    hours_by_workers: Mapping[int, float]
    cloud: CloudCost | None
    """None when no shape of the study was published."""
    disk_bytes: int
    memory_bytes: int
    available_memory_bytes: int

    @property
    def cells(self) -> int:
        """Shapes times modes."""
        return len(self.spec.shapes) * len(self.spec.modes)

    @property
    def trials(self) -> int:
        """Trials of all cells."""
        return self.cells * self.spec.trials

    @property
    def meta_loops(self) -> int:
        """Meta-loops of all trials."""
        return self.trials * self.spec.meta_loops

    def as_json(self) -> dict[str, object]:
        """The plan as JSON-ready values."""
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
            "shapes": [
                {
                    "shape": str(shape),
                    "trial_meta_loop_s": self.costs_s[shape],
                    "measured": shape in self.measured,
                    "worker_hours": _cell_s(spec, self.costs_s[shape]) / 3600,
                }
                for shape in spec.shapes
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


def make_plan(spec: StudySpec, workers: int, device: str) -> Plan:
    """Measure some of the study's shapes on this machine for seconds and plan the rest from them.

    Raises:
        PsaError: the measurement failed.
    """
    model = measure_costs(spec, workers, device)
    costs = {shape: model.predict(shape) for shape in spec.shapes}
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
        hours_by_workers={count: makespan_s(_parts_s(spec, costs), count) / 3600 for count in others},
        cloud=published_cost(spec),
        disk_bytes=disk_bytes(spec, workers),
        memory_bytes=memory_bytes(spec, workers),
        available_memory_bytes=available_memory_bytes(),
    )


def measure_costs(spec: StudySpec, workers: int, device: str) -> CostModel:
    """The cost model of the study's shapes on this machine, from a calibration of seconds.

    Raises:
        PsaError: the measurement failed.
    """
    return CostModel(calibrate(spec, representatives(spec.shapes, MEASURED_SHAPES), workers, device, _BUDGET_S))


def published_cost(spec: StudySpec) -> CloudCost | None:
    """What the published study paid on SageMaker for the shapes of ``spec``; None when it had none of them."""
    text = resources.files("psa_tui.analysis").joinpath("published", "cost.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if parse_shape(row["architecture"]) in spec.shapes]
    if not rows:
        return None
    hours = sum(float(row["billable_hours_ml_g4dn_xlarge"]) for row in rows)
    usd = sum(float(row["usd"]) for row in rows)
    share = len(spec.modes) * spec.trials / _PUBLISHED_TRIALS * spec.meta_loops / _PUBLISHED_META_LOOPS
    return CloudCost(len(rows), hours, usd, hours * share, usd * share)


def disk_bytes(spec: StudySpec, workers: int) -> int:
    """The database when the study is done, and the states of the largest parts that are under way at once."""
    rows = len(spec.shapes) * len(spec.modes) * spec.trials * (spec.meta_loops + 2)
    states = sorted((4 * shape.parameters * members for shape, members in _populations(spec)), reverse=True)
    # A state is written beside the one it replaces.
    return rows * _LOOP_ROW_BYTES + 2 * sum(states[:workers])


def memory_bytes(spec: StudySpec, workers: int) -> int:
    """What ``workers`` need together, at most, when all train the parts that need most.

    Every member has seven numbers a parameter (LKG, candidate, the copy being written, weights, gradient, two
    moments) and three a neuron and image of a batch.
    """
    needs = sorted((_population_bytes(spec, shape, members) for shape, members in _populations(spec)), reverse=True)
    return workers * _WORKER_BYTES + sum(needs[:workers])


def _populations(spec: StudySpec) -> Iterator[tuple[Shape, int]]:
    """Every part, as its shape and its number of members."""
    for shape in spec.shapes:
        for part in parts_of(spec, shape):
            yield shape, len(part.trials) * len(spec.modes)


def _population_bytes(spec: StudySpec, shape: Shape, members: int) -> int:
    neurons = INPUTS + shape.depth * shape.width + CLASSES
    return 4 * members * (7 * shape.parameters + 3 * spec.batch_size * neurons)


def _parts_s(spec: StudySpec, costs: Mapping[Shape, float]) -> list[float]:
    """Seconds one worker needs for every part."""
    return [costs[shape] * members * spec.meta_loops for shape, members in _populations(spec)]


def _cell_s(spec: StudySpec, cost_s: float) -> float:
    return cost_s * len(spec.modes) * spec.trials * spec.meta_loops
