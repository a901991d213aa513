"""Threads of a kernel that train one network together."""

import os
import time
from dataclasses import replace

import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.backends.numba import threads, training
from psa_tui.engine.backends.numba.kernels.memory import STOP
from psa_tui.engine.backends.numba.kernels.steps import run_steps
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.method.events import EpochProgressed
from psa_tui.method.variants import FULL
from tests.engine import oracle
from tests.engine.trials import (
    HYPERPARAMETERS,
    MIXED,
    SIX_VARIANTS,
    end_of,
    finished,
    mlp,
    population,
    prepare,
    resumed_copy,
)

NUMBA = BACKENDS.find("numba")
pytestmark = pytest.mark.slow


# The last of the batches of 64 has one image: some threads see none of it.
@pytest.mark.parametrize(
    ("text", "threads"), [("[2*6, 1*5]", 2), pytest.param("[1*50]", 3, marks=pytest.mark.campaign)]
)
@pytest.mark.campaign
def test_an_epoch_of_several_threads_and_its_count_are_the_oracles(text, threads, train_images):
    network, images = mlp(text), train_images[:257]
    weights, epoch = prepare(network, SIX_VARIANTS, len(images), torch.float64)
    expected = weights.clone()
    end_of(oracle.train_epoch(expected, network, images, epoch()))
    NUMBA.use_threads(threads)
    end_of(NUMBA.train_epoch(weights, network, images, epoch()))
    assert (weights - expected).abs().max() <= 1e-12
    counts = NUMBA.count_correct(weights, network, images)
    assert torch.equal(counts, oracle.count_correct(weights, network, images))


def test_a_run_of_two_threads_that_is_resumed_ends_with_the_same_bits(train_images, validation_images):
    NUMBA.use_threads(2)
    images = train_images, validation_images
    whole = population(MIXED, (7, FULL), backend="numba")
    events = finished(run_meta_loops(whole, *images, HYPERPARAMETERS, 5))
    parts = population(MIXED, (7, FULL), backend="numba")
    first = finished(run_meta_loops(parts, *images, HYPERPARAMETERS, 2))
    resumed = resumed_copy(parts)
    second = finished(run_meta_loops(resumed, *images, HYPERPARAMETERS, 5))
    assert [replace(e, seconds=0) for e in first + second] == [replace(e, seconds=0) for e in events]
    assert torch.equal(resumed.lkg, whole.lkg)


def test_leaving_within_an_epoch_keeps_the_last_loop_and_ends_every_thread_at_once(train_images, validation_images):
    NUMBA.use_threads(2)
    trained = population(MIXED, (1, FULL), backend="numba")
    list(run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 2))
    before = trained.lkg.clone()
    events = run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 9)
    while not isinstance(next(events), EpochProgressed):
        pass
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 1
    assert torch.equal(trained.lkg, before)
    assert trained.trials[0].progress.meta_loop == 2


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("text", ["[2*3]", "[2*4]", "[1*1, 1*7]", "[2*14]"])
def test_a_member_ends_with_the_same_bits_alone_and_among_others(text, threads, train_images):
    # Alone, few units add up their gradients image by image; in company, patch by patch, and several members' units are
    # one layer. Seven members of fourteen units are two such groups, four and three of them.
    NUMBA.use_threads(threads)
    network, images = mlp(text), train_images[:257]
    members = [*SIX_VARIANTS, (1, FULL)]
    weights, epoch = prepare(network, members, len(images))
    together = weights.clone()
    end_of(NUMBA.train_epoch(together, network, images, epoch()))
    for member, row in enumerate(together):
        alone = weights[member : member + 1].clone()
        end_of(NUMBA.train_epoch(alone, network, images, epoch().of([member])))
        assert torch.equal(alone[0], row)


def test_a_call_that_is_left_at_once_ends_by_itself_in_memory_of_its_own(monkeypatch, train_images):
    NUMBA.use_threads(2)
    weights, epoch = prepare(MIXED, SIX_VARIANTS[:1], len(train_images))
    expected, left = weights.clone(), []
    end_of(NUMBA.train_epoch(expected, MIXED, train_images, epoch()))

    class Interrupted:
        def get(self, timeout):
            while len(left) < 2:
                time.sleep(0.001)
            raise KeyboardInterrupt

    def begun(work, shares):
        threads.in_threads(work, shares)
        return Interrupted()

    def of_its_own(task, *arguments):
        # Counts of arrivals that are shared with threads still at work would hold both up for good.
        assert task.space.control is not left[0]
        return run_steps(task, *arguments)

    def leaving(task, *arguments):
        left.append(task.space.control)
        return run_steps(task, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(training, "run_steps", leaving)
        patched.setattr(training, "in_threads", begun)
        with pytest.raises(KeyboardInterrupt):
            end_of(NUMBA.train_epoch(weights.clone(), MIXED, train_images, epoch()))
    assert left[0][STOP] == 1
    monkeypatch.setattr(training, "run_steps", of_its_own)
    end_of(NUMBA.train_epoch(weights, MIXED, train_images, epoch()))
    assert torch.equal(weights, expected)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be moved here")
def test_threads_begin_on_cores_of_their_own_and_may_leave_them(monkeypatch):
    asked, cores = [], os.sched_getaffinity(0)
    monkeypatch.setattr(threads.os, "sched_setaffinity", lambda _, places: asked.append(set(places)))
    for share in range(len(cores)):
        threads._move_apart(share)
    assert sorted(asked[::2], key=min) == [{core} for core in sorted(cores)]
    assert asked[1::2] == [cores] * len(cores)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be moved here")
def test_threads_that_may_not_be_moved_do_their_work_all_the_same(monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(threads.os, "sched_setaffinity", forbidden)
    done: list[int] = []
    ends = threads.in_threads(done.append, 2)
    assert [ends.get(timeout=5), ends.get(timeout=5)] == [None, None]
    assert sorted(done) == [0, 1]
