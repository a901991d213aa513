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
    before: MetaLoopRow | None = None
    for batch in store.loop_batches(run):
        yield earlier_loops(batch, before)
        before = batch[-1]
    if before is None:
        yield earlier_loops([])


def earlier_loops(loops: Sequence[MetaLoopRow], before: MetaLoopRow | None = None) -> EarlierLoops:
    """Return what a run did before, as the event that opens a session that goes on.

    ``before`` is the last of the loops before these; None where there are none.
    """
    return EarlierLoops(
        meta_loops=tuple(loop.meta_loop for loop in loops),
        validation_accuracies=tuple(loop.validation_accuracy for loop in loops),
        promoted=tuple(loop.verdict == Verdict.PROMOTED for loop in loops),
        ablations=tuple(loop.ablations for loop in loops),
        train_losses=tuple(loop.train_loss for loop in loops),
        train_accuracies=tuple(loop.train_accuracy for loop in loops),
        dead_units=last_dead_units(loops),
        gains=tuple(gains_of(loops, before)),
    )


def gains_of(loops: Iterable[MetaLoopRow], before: MetaLoopRow | None = None) -> Iterator[float | None]:
    """Go through the validation accuracies of ``loops`` above the LKG of the time, as ``EarlierLoops`` has them."""
    for loop, (lkg, _) in with_lkg(loops, before):
        yield (loop.validation_correct - lkg) / loop.validation_count if loop.finite and lkg is not None else None


def with_lkg(
    loops: Iterable[MetaLoopRow], before: MetaLoopRow | None = None
) -> Iterator[tuple[MetaLoopRow, tuple[int | None, int | None]]]:
    """Go through ``loops``, with the images that the LKG before and after each classifies correctly.

    ``before`` is the loop before them. None stands where there was no LKG, and where it is not known.
    """
    done = 0 if before is None else before.meta_loop
    lkg = None if before is None else before.lkg_correct
    for loop in loops:
        promoted = loop.verdict == Verdict.PROMOTED
        if loop.meta_loop != done + 1:
            # The loop before is not known; one that was rolled back left the LKG as it was.
            lkg = None if promoted else loop.lkg_correct
        # Earlier versions did not record the LKG, and had no rule by which it is not the candidate promoted last.
        after = loop.lkg_correct if loop.lkg_correct is not None else loop.validation_correct if promoted else lkg
        yield loop, (lkg, after)
        done, lkg = loop.meta_loop, after


def last_dead_units(loops: Iterable[MetaLoopRow], before: DeadUnits | None = None) -> DeadUnits | None:
    """Return those of the last LKG that ``loops`` made, or else what was known ``before``; None where not known."""
    for loop in loops:
        if loop.verdict == Verdict.PROMOTED:
            before = loop.dead_units
    return before


def network_of(row: RunRow) -> Network | None:
    """Return a stored run's network; None where it is not known here.

    That is where its family is not installed or the form of its images not known, and where what the row says of it
    contradicts itself or is larger than what can be trained: a database holds whatever was written into it.
    """
    family, spec = NETWORKS.get(row.network), DATASETS.get(row.dataset)
    # Data of one's own is known from the row; earlier versions did not write it there.
    shape, classes = (row.input_shape, row.classes) if spec is None else (spec.input_shape, spec.classes)
    if family is None or not shape or classes is None:
        return None
    try:
        network = family.parse(row.architecture, shape, classes)
    except ConfigError:
        return None
    return network if network.parameters == row.parameters and network.depth <= _MOST_LAYERS else None


def majority_of(row: RunRow) -> float | None:
    """Return what always answering the most frequent class scores: what was recorded, or is known of the data set."""
    if row.majority_class_accuracy is not None:
        return row.majority_class_accuracy
    spec = DATASETS.get(row.dataset)
    return None if spec is None else spec.majority_class_accuracy
