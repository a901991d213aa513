"""Populations of networks: every member's weights as a row of one tensor, and by the names of checkpoints.

A population of M trials of one network is a float32 tensor of shape [M, parameters]. Row i holds trial i's tensors in
the order of ``Network.tensors``, so a row is a valid checkpoint by itself, and a whole population is cloned, stepped
or compared in one call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from psa_tui.engine.backend import Backend
from psa_tui.engine.epoch import Trial
from psa_tui.errors import ConfigError
from psa_tui.method.dead_units import DeadUnits, dead_units
from psa_tui.method.initialisation import DEFAULT
from psa_tui.method.promotion import Decision
from psa_tui.method.randomness import Purpose, generator
from psa_tui.method.variants import OptimizerState, Variant
from psa_tui.networks.base import Network


def initial_population_row(network: Network, seed: int, law: str = DEFAULT, meta_loop: int = 0) -> np.ndarray:
    """Draw the random initialisation of the trial with ``seed``, or one that it restarts from: float32 [parameters]."""
    return network.initial_weights_of(law, generator(seed, meta_loop, Purpose.INITIALISATION))


def stack(rows: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Return rows of shape [parameters] as one population on ``device``: [M, parameters]."""
    return torch.from_numpy(np.stack(rows)).to(device)


def named_weights(network: Network, lkg: Tensor, member: int = 0) -> dict[str, np.ndarray]:
    """Return copies of one member's tensors by name, from the population ``lkg`` [M, parameters]."""
    row = lkg[member : member + 1].detach().cpu().clone()
    return {tensor.name: tensor.view(row)[0].numpy() for tensor in network.tensors}


def flat_weights(network: Network, named: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return tensors by name as one row, float32 [parameters]: the inverse of ``named_weights``.

    Raises:
        KeyError: a tensor is missing.
        ValueError: a tensor has another shape.
    """
    rows = np.empty((1, network.parameters), dtype=np.float32)
    for tensor in network.tensors:
        found = named[tensor.name]
        if found.shape != tensor.shape:
            raise ValueError(f"expected shape {tensor.shape}, found {found.shape}")
        tensor.view(rows)[0] = found
    row: np.ndarray = rows[0]
    return row


def named_state(population: Population, beginnings: Sequence[str], member: int = 0) -> dict[str, np.ndarray]:
    """Return copies of what a member has beside its weights, by name: each tensor's behind one of ``beginnings``.

    Those are of the two moments, of the held candidate, and of its two moments; what there is not is left out.
    """
    rows: list[Tensor] = []
    if population.moments is not None:
        rows += population.moments[member]
    else:
        beginnings = beginnings[2:]
    if population.held is not None and population.trials[member].progress.held_correct is not None:
        rows += population.held[member, : 1 if population.moments is None else 3]
    return {
        f"{beginning}{name}": array
        for beginning, row in zip(beginnings, rows, strict=False)
        for name, array in named_weights(population.network, row.unsqueeze(0)).items()
    }


def load_state(
    population: Population, state: Mapping[str, np.ndarray], beginnings: Sequence[str], member: int = 0
) -> None:
    """Give a member what ``named_state`` returned: the inverse of it."""
    rows = []
    for beginning in beginnings:
        # One beginning is that of another: the names decide.
        named = {one.name: state.get(f"{beginning}{one.name}") for one in population.network.tensors}
        complete = {name: array for name, array in named.items() if array is not None}
        whole = len(complete) == len(named)
        rows.append(torch.from_numpy(flat_weights(population.network, complete)) if whole else None)
    population.load_state(member, rows)


@dataclass(slots=True)
class Population:
    """Trials of one network that train together; all have completed the same number of meta-loops."""

    network: Network
    trials: list[Trial]
    lkg: Tensor
    """The Last Known Good weights: float32 [M, parameters]. The initialisation, before the first loop."""
    backend: Backend
    moments: Tensor | None = None
    """AdamW's moments of the members whose optimiser is not fresh: [M, 2, parameters]; None where all are fresh."""
    held: Tensor | None = None
    """Candidates that promotion rules hold, and their two moments: [M, 3, parameters]; None where there is none."""
    _dead: dict[int, DeadUnits] = field(default_factory=dict)
    """The dead units of the members' LKGs, as far as they were asked for."""

    def __post_init__(self) -> None:
        """Allocate what its variants need beside the weights."""
        self.allocate()

    def allocate(self) -> None:
        """Allocate what the trials' variants need beside the weights, if it is not there yet.

        Raises:
            ConfigError: the backend cannot train one of them.
        """
        members, parameters = self.lkg.shape
        every = [variant for trial in self.trials for variant in trial.variant.all_variants]
        keeps = any(one.optimizer_state is not OptimizerState.FRESH for one in every)
        # A plug-in of an earlier version does not know of them, and would train something else in silence.
        if (keeps or any(one.shuffled_labels for one in every)) and not getattr(self.backend, "every_variant", False):
            raise ConfigError(
                f"--backend {self.backend.name} trains with a fresh optimiser and the images' own labels only; "
                "choose another --backend or mode"
            )
        if self.moments is None and keeps:
            self.moments = self.lkg.new_zeros(members, 2, parameters)

    def load_state(self, member: int, rows: Sequence[Tensor | None]) -> None:
        """Take a member's two moments, its held candidate, and that one's two moments, [parameters] each, or None."""
        first, second, held, *moments_of_held = rows
        if first is not None and second is not None:
            if self.moments is None:
                self.moments = self.lkg.new_zeros(len(self.lkg), 2, self.lkg.shape[1])
            self.moments[member] = torch.stack([first, second])
        if held is not None:
            kept = [held, *(one for one in moments_of_held if one is not None)]
            if self.held is None:
                self.held = self.lkg.new_zeros(len(self.lkg), 3, self.lkg.shape[1])
            self.held[member, : len(kept)] = torch.stack(kept)

    def dead_units(self, member: int) -> DeadUnits:
        """Return the dead units of a member's LKG."""
        if member not in self._dead:
            self._dead[member] = dead_units(self.lkg[member], self.network)
        return self._dead[member]

    def keep(
        self,
        member: int,
        variant: Variant,
        decision: Decision,
        finite: bool,
        candidate: Tensor,
        inactive: int | None,
        moments: Tensor | None,
        steps: int,
    ) -> dict[str, Any]:
        """Do what was decided on a member's candidate [parameters], whose epoch ended with ``moments`` after ``steps``.

        Returns:
            Counters of ``Progress``: the steps of the optimisers that are kept, and what is known of the units.
        """
        progress = self.trials[member].progress
        kept, held_steps = progress.optimizer_steps, progress.held_optimizer_steps
        held_inactive = inactive if decision.hold else progress.held_inactive
        lkg_inactive = progress.lkg_inactive
        keeps = variant.optimizer_state is not OptimizerState.FRESH and self.moments is not None
        after = None if moments is None else torch.cat([candidate[None], moments])
        if decision.hold:
            if self.held is None:
                self.held = self.lkg.new_zeros(len(self.lkg), 3, len(candidate))
            self.held[member, 0] = candidate
            if after is not None:
                self.held[member], held_steps = after, steps
        if decision.promoted:
            if decision.held:
                assert self.held is not None
                candidate = self.held[member, 0]
                after, steps_of_lkg, lkg_inactive = self.held[member], held_steps, held_inactive
            else:
                steps_of_lkg, lkg_inactive = steps, inactive
            self.lkg[member] = candidate
            self._dead.pop(member, None)
            if variant.optimizer_state is OptimizerState.LKG and keeps:
                assert after is not None
                self._set_moments(member, after[1:])
                kept = steps_of_lkg
            held_steps, held_inactive = 0, None
        if variant.optimizer_state is OptimizerState.KEEP and keeps and finite:
            # What is not finite would stay so for ever; the optimiser goes on from where it last was sound.
            assert moments is not None
            self._set_moments(member, moments)
            kept = steps
        has_lkg = decision.promoted or progress.lkg_correct is not None
        return {
            "optimizer_steps": kept,
            "held_optimizer_steps": held_steps,
            "lkg_dead": len(self.dead_units(member)) if has_lkg else None,
            "lkg_inactive": lkg_inactive,
            "held_inactive": held_inactive,
        }

    def _set_moments(self, member: int, moments: Tensor) -> None:
        assert self.moments is not None
        self.moments[member] = moments
