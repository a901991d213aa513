import json
from dataclasses import replace
from functools import partialmethod
from itertools import pairwise
from math import isclose
from pathlib import Path

import pytest

from psa_tui.errors import HistoryError
from psa_tui.method.event_codec import decode_event
from psa_tui.method.events import (
    EarlierLoops,
    MetaLoopFinished,
    Outcome,
    RunFinished,
    RunStarted,
    UnitsAblated,
)
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.runs.following import Following
from psa_tui.storage.run_store import RunStore, open_runs, read_runs

LKG = Path("models") / DEFAULT_NAME
TINY = ("train", "--dataset", "mnist5k", "--arch", "[2*8]", "--lr", "1e-2", "--seed", "3", "--threads", "1", "--json")


def published(done, kind):
    """The events of ``kind`` that the run itself published."""
    assert done.returncode == 0, done.stderr
    return [
        event for event in (decode_event(json.loads(line)) for line in done.stdout.splitlines()) if type(event) is kind
    ]


def poll_once(recent=100):
    """Everything the history tells a newcomer about its only run."""
    with read_runs(Path("results")) as history:
        (row,) = history.latest(9)
        following = Following(history, row.run, Path("results"), recent=recent)
        return [seen for seen in following.poll()], following


@pytest.mark.parametrize("mode", ["full", "hidden", "output", "none", "none+promote=half"])
def test_the_events_are_those_that_the_run_published_itself(psa, mode):
    done = psa(*TINY, "--mode", mode, "--meta-loops", 4)
    seen, following = poll_once()
    started, earlier, *loops, finished = [one.event for one in seen]
    (published_start,) = published(done, RunStarted)
    assert started == replace(published_start, checkpoint=str(LKG.absolute()))
    assert earlier == EarlierLoops(
        meta_loops=(), validation_accuracies=(), promoted=(), ablations=(), train_losses=(), train_accuracies=()
    )
    assert loops == published(done, MetaLoopFinished)
    assert [loop.ablation for loop in loops if loop.ablation] == published(done, UnitsAblated)
    (published_end,) = published(done, RunFinished)
    assert replace(finished, seconds=published_end.seconds) == published_end
    assert isclose(finished.seconds, published_end.seconds)
    assert following.finished == finished


def test_a_resumed_run_comes_with_its_earlier_loops_and_what_they_made(psa, monkeypatch):
    first = psa(*TINY, "--mode", "full", "--meta-loops", 3)
    done = psa("train", "--meta-loops", 2, "--json")
    started, earlier, *loops, finished = [one.event for one in poll_once()[0]]
    assert isclose(finished.seconds, published(done, RunFinished)[0].seconds)
    assert finished.seconds > sum(loop.seconds for loop in loops)
    assert started == replace(published(done, RunStarted)[0], checkpoint=str(LKG.absolute()))
    assert [earlier] == published(done, EarlierLoops)
    assert loops == published(done, MetaLoopFinished)
    # A newcomer to a long run gets only the last loops one by one.
    _, earlier, only, _ = [one.event for one in poll_once(recent=1)[0]]
    assert earlier.meta_loops == (1, 2, 3, 4)
    assert only == loops[-1]
    # Of many loops they come in several events, which gain as one does.
    monkeypatch.setattr(RunStore, "loop_batches", partialmethod(RunStore.loop_batches, size=2))
    several = [one.event for one in poll_once(recent=0)[0] if isinstance(one.event, EarlierLoops)]
    assert [event.meta_loops for event in several] == [(1, 2), (3, 4), (5,)]
    gains = [loop.gain for loop in (*published(first, MetaLoopFinished), *loops)]
    assert [gain for event in several for gain in event.gains] == gains


def test_loops_happened_as_long_ago_as_the_later_ones_took(psa):
    psa(*TINY, "--meta-loops", 4)
    loops = [seen for seen in poll_once()[0] if isinstance(seen.event, MetaLoopFinished)]
    for one, following in pairwise(loops):
        assert isclose(one.age_s - following.age_s, following.event.seconds, abs_tol=1e-6)
    assert loops[-1].age_s >= 0


def test_a_run_without_a_process_was_interrupted_and_its_resume_begins_anew(psa):
    psa(*TINY, "--meta-loops", 2)
    older = LKG.read_bytes()
    psa("train", "--meta-loops", 1, "--quiet")
    with open_runs(Path("results")) as history:
        history._database.connection.execute("UPDATE runs SET state = 'running', test_accuracy = NULL")
        history._database.connection.execute("UPDATE sessions SET ended_at = NULL, outcome = NULL")
    with read_runs(Path("results")) as history:
        (row,) = history.latest(9)
        following = Following(history, row.run, Path("results"), recent=100)
        *_, last = list(following.poll())
        assert (last.event.outcome, last.event.reason) == (Outcome.STOPPED, "an interruption")
        assert last.event.resume_command == "psa resume"
        assert list(following.poll()) == []
        # From the older checkpoint the third loop is run again.
        LKG.write_bytes(older)
        psa("train", "--meta-loops", 2, "--quiet")
        started, earlier, *loops, finished = [seen.event for seen in following.poll()]
    assert (started.resumed, started.progress.meta_loop) == (True, 2)
    assert earlier.meta_loops == (1, 2)
    assert [loop.meta_loop for loop in loops] == [3, 4]
    assert (finished.outcome, following.finished) == (Outcome.FINISHED, finished)


def test_loops_that_the_history_lacks_are_said_and_the_lkg_is_known_all_the_same(psa):
    psa(*TINY, "--meta-loops", 3)
    for path in Path("results").iterdir():
        path.unlink()
    psa("train", "--meta-loops", 1, "--json")
    started = poll_once()[0][0].event
    assert started.notices == ("the history in results lacks 3 earlier meta-loops of this run",)
    assert started.progress.meta_loop == 3


def test_a_run_that_vanishes_from_the_history_is_an_error(psa):
    psa(*TINY, "--meta-loops", 1)
    with read_runs(Path("results")) as history:
        following = Following(history, "gone", Path("results"), recent=1)
        with pytest.raises(HistoryError, match="run gone is no longer in the history in results"):
            list(following.poll())
