import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.engine.process_group import ProcessGroup, can_train_together
from psa_tui.errors import PsaError
from psa_tui.method.ablation import Ablation
from psa_tui.method.events import EpochProgressed, MetaLoopFinished, UnitsAblated
from psa_tui.method.variants import FULL, HIDDEN, NONE, Variant
from tests import program
from tests.engine.comparison import (
    assert_every_variant_is_the_example,
    assert_every_variant_strays_as_rounding_leads,
)
from tests.engine.trials import HYPERPARAMETERS, MIXED, finished, mlp, population, resumed_copy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_train_together(), reason="processes cannot train together on this machine"),
]


def group_of(size):
    return ProcessGroup(size, parameters=10, batch_size=8, classes=10, dtype=torch.float32)


def children():
    """The processes that this one forked; what starts programs for other tests is none of them."""
    return [child for child in psutil.Process().children() if "tests.forker" not in child.cmdline()]


# The last of the batches of 64 has one image: where images are divided, some processes see none of it.
@pytest.mark.parametrize(("text", "processes"), [("[2*6, 1*5]", 3), ("[1*50]", 2)])
def test_processes_together_are_the_sixty_line_example(text, processes, train_images, validation_images):
    images = train_images[:257]
    assert_every_variant_is_the_example(mlp(text), 4, images, validation_images, processes=processes)


@pytest.mark.parametrize(("text", "processes"), [("[2*6, 1*5]", 3), ("[1*50]", 2)])
def test_processes_together_stray_in_float32_as_rounding_leads(text, processes, train_images, validation_images):
    images = train_images[:257]
    assert_every_variant_strays_as_rounding_leads(mlp(text), 2, images, validation_images, processes=processes)


@pytest.mark.parametrize("text", ["[2*6, 1*5]", "[1*50]"])
def test_a_run_of_two_processes_that_is_resumed_ends_with_the_same_bits(text, train_images, validation_images):
    images = train_images, validation_images
    whole = population(mlp(text), (7, FULL))
    events = finished(run_meta_loops(whole, *images, HYPERPARAMETERS, 5, 2))
    parts = population(mlp(text), (7, FULL))
    first = finished(run_meta_loops(parts, *images, HYPERPARAMETERS, 2, 2))
    resumed = resumed_copy(parts)
    second = finished(run_meta_loops(resumed, *images, HYPERPARAMETERS, 5, 2))
    assert [replace(e, seconds=0) for e in first + second] == [replace(e, seconds=0) for e in events]
    assert torch.equal(resumed.lkg, whole.lkg)


def test_a_mode_changed_between_loops_is_changed_in_every_process(train_images, validation_images):
    trained = population(MIXED, (3, NONE))
    modes = []
    for event in run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 6, 2):
        if isinstance(event, UnitsAblated):
            modes.append(event.mode)
        if isinstance(event, MetaLoopFinished) and event.meta_loop == 3:
            trained.trials[0].variant = HIDDEN
    assert modes == ["hidden"] * 3
    switched = population(MIXED, (3, NONE))
    list(run_meta_loops(switched, train_images, validation_images, HYPERPARAMETERS, 3, 2))
    switched.trials[0].variant = HIDDEN
    list(run_meta_loops(switched, train_images, validation_images, HYPERPARAMETERS, 6, 2))
    assert torch.equal(trained.lkg, switched.lkg)


def test_the_other_processes_are_gone_when_the_run_is_over(train_images, validation_images):
    events = run_meta_loops(population(MIXED, (1, FULL)), train_images, validation_images, HYPERPARAMETERS, 3, 3)
    next(events)
    assert len(children()) == 2
    list(events)
    assert children() == []


def test_leaving_within_an_epoch_keeps_the_last_loop_and_ends_the_others_at_once(train_images, validation_images):
    trained = population(MIXED, (1, FULL))
    list(run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 2, 2))
    before = trained.lkg.clone()
    events = run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 9, 2)
    while not isinstance(next(events), EpochProgressed):
        pass
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 1
    assert children() == []
    assert torch.equal(trained.lkg, before)
    assert trained.trials[0].progress.meta_loop == 2


def test_a_process_that_is_killed_ends_the_run_with_its_cause_and_keeps_the_last_loop(train_images, validation_images):
    trained = population(MIXED, (1, FULL))
    events = run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 10**6, 2)
    while not isinstance(next(events), MetaLoopFinished):
        pass
    children()[0].kill()
    with pytest.raises(PsaError, match=r"a process of this training ended \(signal 9\).*psa resume goes on"):
        list(events)
    assert trained.trials[0].progress.meta_loop >= 1
    assert children() == []


def test_a_process_may_end_once_it_has_come_to_the_barrier_that_others_are_still_at():
    with group_of(3) as group:
        group.start(lambda: time.sleep(0.2 * (group.rank - 1)) or group.barrier())
        group.barrier()


@pytest.mark.parametrize("size", [3, 4, 8])
def test_a_process_that_is_killed_at_a_barrier_is_missed_at_the_next(size):
    """All wait for one that is late; the last is killed while it waits too, and then the late one comes."""

    def work():
        if group.rank == 1:
            time.sleep(0.5)
        while True:
            group.barrier()

    def give_up(number, frame):
        raise TimeoutError("nobody missed it")

    with group_of(size) as group:
        group.start(work)
        while group._ticks[size - 1] < 1:
            time.sleep(0.001)
        (victim,) = (child for child, rank in group._children.items() if rank == size - 1)
        os.kill(victim, signal.SIGKILL)
        before = signal.signal(signal.SIGALRM, give_up)
        signal.alarm(20)
        try:
            with pytest.raises(PsaError, match=r"a process of this training ended \(signal 9\)"):
                work()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
    assert children() == []


def test_a_parent_that_ignores_the_end_of_children_trains_all_the_same(train_images, validation_images):
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        trained = population(MIXED, (1, FULL))
        events = finished(run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 2, 3))
        assert len(events) == 2
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_process_that_fails_says_why():
    def fail():
        raise MemoryError("no room for it")

    with group_of(2) as group:
        group.start(fail)
        with pytest.raises(PsaError, match=r"\(MemoryError: no room for it\)"):
            group.barrier()


def test_a_process_that_does_not_listen_is_ended_all_the_same():
    with group_of(2) as group:
        group.start(lambda: time.sleep(60))
        assert len(children()) == 1
    assert children() == []


def test_a_process_lets_go_of_everything_its_parent_has_open_and_of_its_signals(tmp_path):
    def report():
        open_files = os.listdir("/proc/self/fd")
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
        ignored = [signal.getsignal(number) for number in numbers]
        kept = {os.readlink(f"/proc/self/fd/{one}") for one in open_files if os.path.exists(f"/proc/self/fd/{one}")}
        raise ValueError(f"{sorted(kept)} {set(ignored) == {signal.SIG_IGN}}")

    with (tmp_path / "held").open("w"), group_of(2) as group:
        group.start(report)
        with pytest.raises(PsaError, match=r"ValueError: \['/dev/null'\] True"):
            group.barrier()


ORPHANED = """
import time
import torch
torch.set_num_threads(1)
from psa_tui.engine.process_group import ProcessGroup

with ProcessGroup(2, 10, 8, 10, torch.float32) as group:
    def work():
        while True:
            group.barrier()
    group.start(work)
    print(*group._children, flush=True)
    work()
"""


def test_a_process_whose_parent_is_killed_goes_too():
    parent = program.Popen([sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    # The pipe is at its end only when nobody holds it any more.
    assert parent.communicate(timeout=5)[0] == ""
    child.wait(timeout=5)
    assert not child.is_running()


def test_a_system_that_starts_no_process_is_said_with_the_remedy(monkeypatch, train_images, validation_images):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    events = run_meta_loops(population(MIXED, (1, FULL)), train_images, validation_images, HYPERPARAMETERS, 2, 2)
    with pytest.raises(PsaError, match=r"cannot be started \(Resource temporarily unavailable\).*--threads 1"):
        next(events)


def test_processes_of_several_threads_are_refused():
    torch.set_num_threads(2)
    try:
        with group_of(2) as group, pytest.raises(ValueError, match="one thread each"):
            group.start(lambda: None)
    finally:
        torch.set_num_threads(1)


def test_a_message_of_the_first_process_is_what_all_have():
    def check():
        for message in (b"hidden", b"", "größer als üblich".encode()):
            found = group.broadcast(b"mine")
            if found != message:
                raise ValueError(f"{found} is not {message}")
            group.barrier()

    with group_of(3) as group:
        group.start(check)
        for message in (b"hidden", b"", "größer als üblich".encode()):
            assert group.broadcast(message) == message
            group.barrier()


def test_a_message_that_does_not_fit_is_refused():
    with group_of(1) as group, pytest.raises(ValueError, match="a message of 5000 bytes"):
        group.broadcast(b"x" * 5000)


def test_a_variant_that_no_registry_knows_trains_together_too(train_images, validation_images):
    private = Variant(name="private", ablation=Ablation("hidden"))
    trained = population(MIXED, (3, private))
    list(run_meta_loops(trained, train_images, validation_images, HYPERPARAMETERS, 3, 2))
    public = population(MIXED, (3, HIDDEN))
    list(run_meta_loops(public, train_images, validation_images, HYPERPARAMETERS, 3, 2))
    assert torch.equal(trained.lkg, public.lkg)


def test_a_backend_that_trains_in_one_process_is_not_given_several(train_images, validation_images):
    alone = population(MIXED, (1, NONE), backend="module")
    with pytest.raises(ValueError, match="backend module trains in one process"):
        next(run_meta_loops(alone, train_images, validation_images, HYPERPARAMETERS, 1, 2))


def test_several_trials_are_not_trained_by_processes_together(train_images, validation_images):
    two = population(MIXED, (1, NONE), (2, NONE))
    with pytest.raises(ValueError, match="one trial"):
        next(run_meta_loops(two, train_images, validation_images, HYPERPARAMETERS, 1, 2))


@given(st.integers(1, 9), st.integers(0, 10**7))
def test_partitions_are_all_of_it_in_order_and_of_one_size_give_or_take_one(size, count):
    group = group_of(1)
    group.size = size
    parts = []
    for group.rank in range(size):
        parts.append(group.partition(count))
    assert parts[0].start == 0
    assert parts[-1].stop == count
    assert all(one.stop == after.start for one, after in itertools.pairwise(parts))
    assert max(p.stop - p.start for p in parts) - min(p.stop - p.start for p in parts) <= 1
