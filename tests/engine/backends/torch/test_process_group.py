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

from psa_tui.engine.backends.torch.parallel import ImageShare, NeuronShare, share_of
from psa_tui.engine.backends.torch.process_group import ProcessGroup, can_train_together
from psa_tui.engine.meta_loop import Population, Trial, run_meta_loops
from psa_tui.engine.population import layout
from psa_tui.errors import PsaError
from psa_tui.method.events import EpochProgressed, MetaLoopFinished, NeuronAblated
from psa_tui.method.variants import AblationMode
from psa_tui.networks.mlp import parse_architecture
from tests.engine.test_meta_loop import (
    MIXED,
    RECIPE,
    assert_every_mode_is_the_reference,
    finished,
    population,
)

pytestmark = pytest.mark.skipif(not can_train_together(), reason="processes cannot train together on this machine")


def group_of(size):
    return ProcessGroup(size, parameters=10, batch_size=8, dtype=torch.float32)


def children():
    return psutil.Process().children()


@pytest.mark.slow
@pytest.mark.parametrize(("text", "together"), [("[2*6, 1*5]", 2), ("[2*6, 1*5]", 3), ("[1*50]", 2), ("[1*50]", 3)])
@pytest.mark.parametrize(("dtype", "loops"), [(torch.float32, 2), (torch.float64, 4)])
def test_processes_together_are_plain_pytorch_given_the_same_draws(
    dtype, loops, text, together, train_images, validation_images
):
    # The last of the batches of 64 has one image: where images are divided, some processes see none of it.
    assert_every_mode_is_the_reference(text, dtype, loops, train_images[:257], validation_images, together)


@pytest.mark.parametrize("text", ["[2*6, 1*5]", "[1*50]"])
def test_a_run_of_two_processes_that_is_gone_on_with_ends_with_the_same_bits(text, train_images, validation_images):
    architecture = parse_architecture(text)
    whole = population(architecture, (7, AblationMode.FULL))
    events = finished(run_meta_loops(whole, train_images, validation_images, RECIPE, 5, 2))
    parts = population(architecture, (7, AblationMode.FULL))
    first = finished(run_meta_loops(parts, train_images, validation_images, RECIPE, 2, 2))
    trial = parts.trials[0]
    fresh = Population(parts.layers, [Trial(trial.seed, trial.mode, trial.progress)], parts.lkg.clone())
    second = finished(run_meta_loops(fresh, train_images, validation_images, RECIPE, 5, 2))
    assert [replace(e, seconds=0) for e in first + second] == [replace(e, seconds=0) for e in events]
    assert torch.equal(fresh.lkg, whole.lkg)


def test_a_mode_changed_between_loops_is_changed_in_every_process(train_images, validation_images):
    trained = population(MIXED, (3, AblationMode.NONE))
    modes = []
    for event in run_meta_loops(trained, train_images, validation_images, RECIPE, 6, 2):
        if isinstance(event, NeuronAblated):
            modes.append(event.mode)
        if isinstance(event, MetaLoopFinished) and event.meta_loop == 3:
            trained.trials[0].mode = AblationMode.HIDDEN
    assert modes == [AblationMode.HIDDEN] * 3
    switched = population(MIXED, (3, AblationMode.NONE))
    list(run_meta_loops(switched, train_images, validation_images, RECIPE, 3, 2))
    switched.trials[0].mode = AblationMode.HIDDEN
    list(run_meta_loops(switched, train_images, validation_images, RECIPE, 6, 2))
    assert torch.equal(trained.lkg, switched.lkg)


def test_the_other_processes_are_gone_when_the_run_is_over(train_images, validation_images):
    events = run_meta_loops(population(MIXED, (1, AblationMode.FULL)), train_images, validation_images, RECIPE, 3, 3)
    next(events)
    assert len(children()) == 2
    list(events)
    assert children() == []


def test_leaving_within_an_epoch_keeps_the_last_loop_and_ends_the_others_at_once(train_images, validation_images):
    trained = population(MIXED, (1, AblationMode.FULL))
    list(run_meta_loops(trained, train_images, validation_images, RECIPE, 2, 2))
    before = trained.lkg.clone()
    events = run_meta_loops(trained, train_images, validation_images, RECIPE, 9, 2)
    while not isinstance(next(events), EpochProgressed):
        pass
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 1
    assert children() == []
    assert torch.equal(trained.lkg, before)
    assert trained.trials[0].progress.meta_loop == 2


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_run_with_its_cause_and_keeps_the_last_loop(train_images, validation_images):
    trained = population(MIXED, (1, AblationMode.FULL))
    events = run_meta_loops(trained, train_images, validation_images, RECIPE, 10**6, 2)
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
        told = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
        ignored = [signal.getsignal(number) for number in told]
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
from psa_tui.engine.population import layout
from psa_tui.engine.backends.torch.process_group import ProcessGroup

with ProcessGroup(2, 10, 8, torch.float32) as group:
    def work():
        while True:
            group.barrier()
    group.start(work)
    print(*group._children, flush=True)
    work()
"""


@pytest.mark.slow
def test_a_process_whose_parent_is_killed_goes_too():
    parent = subprocess.Popen([sys.executable, "-c", ORPHANED], stdout=subprocess.PIPE, text=True)
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
    events = run_meta_loops(population(MIXED, (1, AblationMode.FULL)), train_images, validation_images, RECIPE, 2, 2)
    with pytest.raises(PsaError, match=r"cannot be started \(Resource temporarily unavailable\).*--threads 1"):
        next(events)


def test_processes_of_several_threads_are_refused():
    torch.set_num_threads(2)
    try:
        with group_of(2) as group, pytest.raises(ValueError, match="one thread each"):
            group.start(lambda: None)
    finally:
        torch.set_num_threads(1)


def test_one_wide_hidden_layer_is_divided_by_neurons_and_any_other_network_by_images():
    group = group_of(2)
    found = {}
    for text in ("[1*32]", "[1*31]", "[2*32]", "[1*2048]"):
        layers = layout(parse_architecture(text))
        row = torch.zeros(1, layers[-1].end)
        group.weights, group.gradients = row[0].clone(), [row[0].clone(), row[0].clone()]
        found[text] = type(share_of(group, row, layers, torch.arange(784)))
    assert found == {"[1*32]": NeuronShare, "[1*31]": ImageShare, "[2*32]": ImageShare, "[1*2048]": NeuronShare}


def test_several_trials_are_not_trained_by_processes_together(train_images, validation_images):
    two = population(MIXED, (1, AblationMode.NONE), (2, AblationMode.NONE))
    with pytest.raises(ValueError, match="one trial"):
        next(run_meta_loops(two, train_images, validation_images, RECIPE, 1, 2))


@given(st.integers(1, 9), st.integers(0, 10**7))
def test_shares_are_all_of_it_in_order_and_of_one_size_give_or_take_one(size, count):
    group = group_of(1)
    group.size = size
    shares = []
    for group.rank in range(size):
        shares.append(group.share(count))
    assert shares[0].start == 0
    assert shares[-1].stop == count
    assert all(one.stop == after.start for one, after in itertools.pairwise(shares))
    assert max(s.stop - s.start for s in shares) - min(s.stop - s.start for s in shares) <= 1
