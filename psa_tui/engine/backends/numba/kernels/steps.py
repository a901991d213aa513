"""Whole training steps of some members, and the counting of correct answers: what Python calls."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from psa_tui.engine.backends.numba.kernels import loss, patches, pixels, products
from psa_tui.engine.backends.numba.kernels.adamw import update_share
from psa_tui.engine.backends.numba.kernels.calling import Phase, call, refer
from psa_tui.engine.backends.numba.kernels.compiling import kernel
from psa_tui.engine.backends.numba.kernels.memory import STEPS, STOP, STOPPED, Task
from psa_tui.engine.backends.numba.kernels.processor import flush_denormals, meet, restore


class Phases(NamedTuple):
    """What a step consists of. Threads meet before and after the update, where each has its part of the weights."""

    first_layer: Phase
    """Of a group of members, see ``Groups``, whose first this is. For the first group of an order, it lists what of the
    images of a batch is not black, once for all."""
    later_layers: Phase
    count_correct: Phase
    loss_and_gradient: Phase
    gradients: Phase
    """Of all but the first layer's weights."""
    sum_first_deltas: Phase
    """And the gradients of the first layer's weights, where these are not a part of the update."""
    update_first_layer: Phase


@cache
def phases_for(wide: bool, units: int, listed: bool, later_units: int, residual: bool) -> Phases:
    """Return the phases for networks of some widths.

    Args:
        wide: whether the first layer is computed by ``pixels``, else by ``patches``.
        units: how many of the first layer are computed at once, or vectors of such.
        listed: whether images are listed by patch, else by none or by pixel.
        later_units: how many of the layers after it are.
        residual: whether any of these has a skip.
    """
    first_layer, sum_deltas, update = pixels.phases(units) if wide else patches.phases(units, listed)
    later_layers, gradients = products.phases(later_units, residual)
    return Phases(
        first_layer,
        later_layers,
        loss.count_correct,
        loss.loss_and_gradient,
        gradients,
        sum_deltas,
        update,
    )


@kernel
def run_steps(
    task: Task,
    share: int,
    first_layer: int,
    later_layers: int,
    count_correct: int,
    loss_and_gradient: int,
    gradients: int,
    sum_first_deltas: int,
    update_first_layer: int,
) -> None:
    """Take a step of every member with each batch of its order, or only count correct answers.

    Several threads do that together, ``share`` is one of them; there are as many as ``task.space`` has shares. Each has
    its part of a batch, and of the weights when a step is taken. What is added up is added in the order of the threads.

    Args:
        task: the steps.
        share: which of the threads this is.
        first_layer: the address of this phase's machine code, as those of the others.
        later_layers: see ``Phases``.
        count_correct: see ``Phases``.
        loss_and_gradient: see ``Phases``.
        gradients: see ``Phases``.
        sum_first_deltas: see ``Phases``.
        update_first_layer: see ``Phases``.
    """
    state = flush_denormals()
    control, members = task.space.control, task.members
    shares, arrivals, reference = len(task.space.activations), 0, refer(task)
    groups, gradients_of = members.groups, task.space.gradients.reshape(members.groups.most, -1)
    steps = -(-task.orders.shape[1] // task.batch)
    for number in range(len(task.orders) * steps):
        order, step = number // steps, number % steps
        for group in range(groups.order_begins[order], groups.order_begins[order + 1]):
            first, end = groups.begins[group], groups.begins[group + 1]
            if members.reads_pixels[order]:
                call(first_layer, reference, share, step, first)
            for member in range(first, end):
                call(later_layers, reference, share, step, member)
                if task.trains:
                    call(loss_and_gradient, reference, share, step, member)
                    call(gradients, reference, share, step, member)
                else:
                    call(count_correct, reference, share, step, member)
            if not task.trains:
                continue
            call(sum_first_deltas, reference, share, step, first)
            arrivals += shares
            meet(control, arrivals)
            call(update_first_layer, reference, share, step, first)
            for member in range(first, end):
                update_share(
                    share,
                    gradients_of[member - first],
                    members.rest[0, member],
                    members.rest[1, member],
                    members.rest[2, member],
                    task.rates[member, step],
                )
            if share == 0:
                # All threads read it after they have met, so they leave together.
                control[STEPS], control[STOPPED] = number + 1, control[STOP]
            arrivals += shares
            meet(control, arrivals)
        if control[STOPPED]:
            break
    restore(state)
