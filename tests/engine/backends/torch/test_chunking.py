from hypothesis import given
from hypothesis import strategies as st

from psa_tui.engine.backends.torch.chunking import chunks, runs
from tests.engine.trials import mlp


@given(st.sets(st.integers(0, 60)).map(sorted))
def test_runs_are_the_positions_in_their_order(positions):
    assert [at for run in runs(positions) for at in range(60 + 1)[run]] == positions


def test_every_sixth_member_is_one_run():
    assert list(runs(range(4, 60, 6))) == [slice(4, 59, 6)]


@given(
    st.sampled_from(["[1*1]", "[4*4]", "[18*18]", "[1*256]", "[64*1]"]),
    st.lists(st.integers(0, 9), min_size=1, max_size=60),
)
def test_chunks_divide_the_members_and_those_that_follow_one_order_stand_together(text, order_of):
    divided = chunks(mlp(text).layers, order_of, 256, 4)
    assert sorted(member for chunk in divided for member in chunk.members) == list(range(len(order_of)))
    for chunk in divided:
        followed = [order for order, members in chunk.orders for _ in range(members)]
        assert followed == [order_of[member] for member in chunk.members]


def test_narrow_members_train_together_and_wide_ones_few_at_a_time():
    order_of = [trial for trial in range(10) for _ in range(6)]
    sizes = {
        text: [len(chunk.members) for chunk in chunks(mlp(text).layers, order_of, 256, 4)]
        for text in ("[4*4]", "[18*18]", "[1*64]", "[1*256]", "[1*2048]")
    }
    assert sizes == {
        "[4*4]": [60],
        "[18*18]": [30, 30],
        "[1*64]": [12] * 5,
        "[1*256]": [3] * 20,
        "[1*2048]": [1] * 60,
    }
