"""One epoch of a population of fully connected networks by compiled kernels, and its evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from functools import lru_cache
from queue import Empty

import numpy as np
import torch
from torch import Tensor

from psa_tui.engine.backend import Epoch
from psa_tui.engine.backends.numba.compilation import phase_addresses
from psa_tui.engine.backends.numba.kernels.adamw import BETA1, BETA2
from psa_tui.engine.backends.numba.kernels.memory import STEPS, STOP, Patches, Task
from psa_tui.engine.backends.numba.kernels.steps import run_steps
from psa_tui.engine.backends.numba.layout import Layout, layout_of
from psa_tui.engine.backends.numba.mask_draws import mask_states
from psa_tui.engine.backends.numba.prepared_images import labels_of
from psa_tui.engine.backends.numba.threads import in_threads
from psa_tui.engine.backends.numba.unreached import unreached_layers
from psa_tui.engine.images import Images
from psa_tui.networks.stacked import StackedNetwork

_STATE_BYTES = 16 << 20
"""Weights and moments of members that see the same images should stay in the last-level cache, and copies be small."""
_PROGRESS_EVERY_S = 0.1
_EVALUATION_BATCH = 256


def train_epoch(
    weights: Tensor, network: StackedNetwork, images: Images, epoch: Epoch, shares: int
) -> Generator[tuple[int, Tensor], None, Tensor]:
    """Train ``weights`` [M, parameters] for one epoch with ``shares`` threads, see ``Backend``."""
    losses = np.zeros((len(weights), 1))
    seen = 0
    for members in chunks(epoch.order_of, network.parameters * weights.element_size()):
        for images_seen in _train(weights, network, images, epoch, shares, members, losses):
            yield (seen + images_seen) // len(weights), torch.from_numpy(losses).to(weights.dtype)
        seen += len(members) * epoch.orders.shape[1]
    return torch.from_numpy(losses[:, 0]).to(weights.dtype) / epoch.orders.shape[1]


def count_correct(
    weights: Tensor, network: StackedNetwork, images: Images, shares: int, active: Tensor | None = None
) -> Tensor:
    """Return how many images each member of ``weights`` [M, parameters] classifies correctly, see ``Backend``."""
    rows = weights.numpy()
    layout = layout_of(network, images, shares, (len(rows),))
    batch = _EVALUATION_BATCH * shares
    space, lists = layout.room(batch, rows.dtype, trains=False)
    marks = np.zeros((len(rows), network.hidden_units), np.bool_)
    correct = np.zeros((shares, len(rows), -(-len(images) // batch)), np.int64)
    task = Task(
        _of_dtype(layout.images, rows.dtype),
        layout.kernel_layers,
        layout.members(rows, None, [labels_of(images)] * len(rows), [None] * len(rows), trains=False),
        space,
        lists,
        np.arange(len(images))[None],
        batch,
        False,
        np.zeros((1, 1, 3), rows.dtype),
        *mask_states([], 0, batch, len(images)),
        np.zeros((0, 0, 0)),
        correct,
        marks,
    )
    for _ in _run_steps(task, layout):
        pass
    if active is not None:
        active |= torch.from_numpy(marks)
    return torch.from_numpy(correct.sum((0, 2)))


def chunks(order_of: Sequence[int], row_bytes: int) -> list[list[int]]:
    """Divide a population, given each member's order, into members that train in one call; those of an order adjoin."""
    most = max(1, _STATE_BYTES // (3 * row_bytes))
    found: list[list[int]] = []
    for order in dict.fromkeys(order_of):
        members = [member for member, other in enumerate(order_of) if other == order]
        if found and len(found[-1]) + len(members) <= most:
            found[-1] += members
        else:
            found += [members[begin : begin + most] for begin in range(0, len(members), most)]
    return found


def _train(
    weights: Tensor,
    network: StackedNetwork,
    images: Images,
    epoch: Epoch,
    shares: int,
    members: list[int],
    losses: np.ndarray,
) -> Generator[int, None, None]:
    """Train ``members``, of adjoining orders, adding to ``losses`` [M, 1]; yield how many images were seen by all."""
    some, rows = epoch.of(members), weights.numpy()
    dtype = rows.dtype
    counts = Counter(some.order_of)
    layout = layout_of(network, images, shares, tuple(counts.values()))
    labels = {id(one): labels_of(images, one) for one in some.labels}
    state = layout.members(
        rows[members],
        None if some.moments is None else some.moments.numpy(),
        [labels[id(one)] for one in some.labels],
        some.dropout,
        unreached_layers(rows[members], network, some, layout.images),
    )
    every = list(counts) == list(range(len(epoch.orders)))
    orders = (epoch.orders if every else epoch.orders[list(counts)]).numpy()
    count = orders.shape[1]
    size = min(epoch.hyperparameters.batch_size, count)
    steps = -(-count // size)
    space, lists = layout.room(size, dtype)
    found_losses = np.zeros((shares, len(members), steps))
    found_correct = np.zeros(found_losses.shape, np.int64)
    task = Task(
        _of_dtype(layout.images, dtype),
        layout.kernel_layers,
        state,
        space,
        lists,
        orders,
        size,
        True,
        _rates(some.steps, some.weight_decay, some.hyperparameters.learning_rate, steps).astype(dtype),
        *mask_states([draws for draws in some.dropout if draws is not None], network.dropped_units, size, count),
        found_losses,
        found_correct,
        np.zeros((0, 0), np.bool_),
    )
    for taken in _run_steps(task, layout):
        losses[members, 0] = found_losses.sum((0, 2))
        yield sum(min(max(0, taken - steps * k) * size, count) * number for k, number in enumerate(counts.values()))
    rows[members] = layout.rows_of(state, 0)
    if epoch.correct is not None:
        epoch.correct.numpy()[members] = found_correct.sum((0, 2))
    if epoch.moments is not None:
        for which in (1, 2):
            epoch.moments.numpy()[members, which - 1] = layout.rows_of(state, which)


def _run_steps(task: Task, layout: Layout) -> Generator[int, None, None]:
    """Call the kernel in as many threads as there are shares; yield the steps taken, now and then and at the end.

    This thread only waits, so that it can show progress, and be interrupted: closing the generator ends a call after
    the step that it is at.
    """
    phases = phase_addresses(task.rates.dtype, *layout.kind)
    control = task.space.control
    control[:] = 0
    ends, working = in_threads(lambda share: run_steps(task, share, *phases), layout.shares), layout.shares
    try:
        while working:
            try:
                error = ends.get(timeout=_PROGRESS_EVERY_S)
            except Empty:
                if control[STEPS]:
                    yield int(control[STEPS])
                continue
            if error is not None:
                raise error
            working -= 1
    except GeneratorExit:
        control[STOP] = 1
        for _ in range(working):
            ends.get()
        raise
    except BaseException:
        # Somebody leaves at once, and does not wait for a step that may take long.
        control[STOP] = 1
        layout.abandon_room()
        raise
    yield int(control[STEPS])


@lru_cache(maxsize=4)
def _rates(before: tuple[int, ...], decays: tuple[float, ...], rate: float, count: int) -> np.ndarray:
    """Return what AdamW multiplies with in ``count`` steps of each member: [M, count, 3].

    Args:
        before: the steps that each has taken.
        decays: the weight decay of each.
        rate: the learning rate.
        count: as above; most epochs ask for the same, those that begin afresh.
    """
    numbers = np.array(before)[:, None] + np.arange(1, 1 + count)
    decay = np.broadcast_to(1 - rate * np.array(decays)[:, None], numbers.shape)
    return np.stack([rate / (1 - BETA1**numbers), 1 / np.sqrt(1 - BETA2**numbers), decay], 2)


def _of_dtype(images: Patches, dtype: np.dtype) -> Patches:
    """Return ``images`` with the numbers that are multiplied with in ``dtype``."""
    return images._replace(
        real=images.real.astype(dtype), centre=dtype.type(images.centre), scale=dtype.type(images.scale)
    )
