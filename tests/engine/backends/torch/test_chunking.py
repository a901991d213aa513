import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_tui.engine.backends.torch.chunking import chunks, parallelism_of, runs
from psa_tui.engine.population import layout
from psa_tui.networks.mlp import parse_architecture


@given(st.sets(st.integers(0, 60)).map(sorted))
def test_runs_are_the_positions_in_their_order(positions):
    assert [at for run in runs(positions) for at in range(60 + 1)[run]] == positions


def test_every_sixth_member_is_one_run():
    assert list(runs(range(4, 60, 6))) == [slice(4, 59, 6)]


@given(
    st.sampled_from(["[1*1]", "[4*4]", "[18*18]", "[1*256]", "[64*1]"]),
    st.lists(st.integers(0, 9), min_size=1, max_size=60),
)
def test_chunks_divide_the_members_and_those_that_share_an_order_stand_together(text, order_of):
    divided = chunks(layout(parse_architecture(text)), order_of, 256, 4)
    assert sorted(member for chunk in divided for member in chunk.members) == list(range(len(order_of)))
    for chunk in divided:
        followed = [order for order, members in chunk.orders for _ in range(members)]
        assert followed == [order_of[member] for member in chunk.members]


def test_narrow_members_train_together_and_wide_ones_few_at_a_time():
    order_of = [trial for trial in range(10) for _ in range(6)]
    sizes = {
        text: [len(chunk.members) for chunk in chunks(layout(parse_architecture(text)), order_of, 256, 4)]
        for text in ("[4*4]", "[18*18]", "[1*64]", "[1*256]", "[1*2048]")
    }
    assert sizes == {
        "[4*4]": [60],
        "[18*18]": [30, 30],
        "[1*64]": [12] * 5,
        "[1*256]": [3] * 20,
        "[1*2048]": [1] * 60,
    }


def chosen(text, batch_size=256, device="cpu", threads=None, memory_bytes=1 << 40):
    return parallelism_of(parse_architecture(text), batch_size, device, threads, memory_bytes)


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr("psa_tui.engine.backends.torch.chunking._cores", lambda: 8)


@pytest.fixture
def sharing(monkeypatch):
    """A machine where processes can train together, whatever this one is."""
    monkeypatch.setattr("psa_tui.engine.backends.torch.chunking.can_train_together", lambda: True)


@pytest.fixture
def no_sharing(monkeypatch):
    monkeypatch.setattr("psa_tui.engine.backends.torch.chunking.can_train_together", lambda: False)


def test_a_run_has_a_process_for_every_core_that_gets_enough_of_a_batch_and_says_so(eight_cores, sharing, caplog):
    with caplog.at_level(logging.DEBUG, logger="psa_tui"):
        assert chosen("[1*1024]") == (4, 1)
    assert "[1*1024], batch 256 on cpu, 8 cores: 4 processes of 1 threads" in caplog.text
    assert chosen("[1*1024]", batch_size=100_000) == (8, 1)
    assert chosen("[1*1024]", batch_size=100) == (1, 1)
    assert chosen("[1*1024]", device="cuda:0") == (1, 1)


def test_threads_that_are_said_are_processes_that_each_see_an_image(eight_cores, sharing):
    assert chosen("[1*1024]", threads=3) == (3, 1)
    assert chosen("[1*1024]", threads=3).total_threads == 3
    assert chosen("[1*1024]", batch_size=2, threads=3) == (2, 1)
    assert chosen("[1*1024]", threads=3, memory_bytes=0) == (3, 1)


def test_only_as_many_processes_are_chosen_as_fit_the_memory(eight_cores, sharing):
    need = parse_architecture("[2*2048]").training_bytes
    assert chosen("[2*2048]", memory_bytes=need(256, 3)) == (3, 1)
    assert chosen("[2*2048]", memory_bytes=0) == (1, 1)


def test_where_processes_cannot_share_a_wide_first_layer_on_the_cpu_has_all_threads(eight_cores, no_sharing):
    assert chosen("[1*1024]") == (1, 8)
    assert chosen("[1*18, 1*1024]") == (1, 1)
    assert chosen("[1*18]", threads=3) == (1, 3)
    assert chosen("[1*1024]", device="mps") == (1, 1)
