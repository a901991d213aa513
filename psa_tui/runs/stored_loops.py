"""Stored runs and meta-loops as the things they came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from psa_tui.data import DATASETS
from psa_tui.errors import ConfigError
from psa_tui.method.dead_units import DeadUnits
from psa_tui.method.events import EarlierLoops, Verdict
from psa_tui.networks import NETWORKS, Network
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.run_store import RunRow, RunStore

_MOST_LAYERS = 1_000_000


def earlier_events(store: RunStore, run: str) -> Iterator[EarlierLoops]:
    """Go through what ``run`` did before, thousands of loops an event; one event at least."""
    nothing = True
    for batch in store.loop_batches(run):
        nothing = False
        yield earlier_loops(batch)
    if nothing:
        yield earlier_loops([])


def earlier_loops(loops: Sequence[MetaLoopRow]) -> EarlierLoops:
    """Return what a run did before, as the event that opens a session that goes on."""
    return EarlierLoops(
        meta_loops=tuple(loop.meta_loop for loop in loops),
        validation_accuracies=tuple(loop.validation_accuracy for loop in loops),
        promoted=tuple(loop.verdict == Verdict.PROMOTED for loop in loops),
        ablations=tuple(loop.ablations for loop in loops),
        train_losses=tuple(loop.train_loss for loop in loops),
        train_accuracies=tuple(loop.train_accuracy for loop in loops),
        dead_units=last_dead_units(loops),
    )


def last_dead_units(loops: Iterable[MetaLoopRow], before: DeadUnits | None = None) -> DeadUnits | None:
    """Return those of the last LKG that ``loops`` made, or else what was known ``before``; None where not known."""
    for loop in loops:
        if loop.verdict == Verdict.PROMOTED:
            before = loop.dead_units
    return before


def network_of(row: RunRow) -> Network | None:
    """Return a stored run's network; None where it is not known here.

    That is where its family or its data set is not installed, and where what the row says of it contradicts itself or
    is larger than what can be trained: a database holds whatever was written into it.
    """
    family, spec = NETWORKS.get(row.network), DATASETS.get(row.dataset)
    if family is None or spec is None:
        return None
    try:
        network = family.parse(row.architecture, spec.input_shape, spec.classes)
    except ConfigError:
        return None
    return network if network.parameters == row.parameters and network.depth <= _MOST_LAYERS else None
