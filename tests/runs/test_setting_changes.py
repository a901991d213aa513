import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from psa_tui.method.event_codec import decode_event
from psa_tui.method.events import RunFinished, RunStarted, SettingChange
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.runs.following import Following
from psa_tui.runs.setting_changes import asked_changes, stored_changes
from psa_tui.settings import load_settings
from psa_tui.storage.run_store import read_runs

LKG = Path("models") / DEFAULT_NAME
TINY = ("train", "--dataset", "mnist5k", "--arch", "[1*8]", "--lr", "1e-2", "--seed", "3", "--threads", "1")


def session(after, **values):
    rates = Hyperparameters(**{name: value for name, value in values.items() if name in Hyperparameters().as_json()})
    machine = {"device": "cpu", "threads": 1, "backend": "numba"}
    return {"after_meta_loop": after, **machine, **rates.as_json(), **values}


def told(*arguments):
    return [(one.meta_loop, one.name, one.before, one.after) for one in stored_changes(*arguments)]


def test_changes_come_by_loop_from_the_sessions_and_the_modes_of_the_loops():
    sessions = [session(0), session(10, learning_rate=1e-3, threads=2), session(20, learning_rate=1e-3, batch_size=32)]
    assert told(sessions, [(1, "none"), (5, "full"), (11, "none")]) == [
        (5, "mode", "none", "full"),
        (11, "lr", "0.0001", "0.001"),
        (11, "threads", "1", "2"),
        (11, "mode", "full", "none"),
        (21, "batch_size", "256", "32"),
        (21, "threads", "2", "1"),
    ]
    assert told(sessions[:1], [(1, "none")]) == told([], []) == []


def test_a_session_that_did_no_loop_or_whose_loops_were_undone_changed_nothing():
    assert told([session(0), session(10, learning_rate=1e-3), session(10)], []) == []
    # The last one began from a checkpoint of before the second.
    assert told([session(0), session(10, dropout=0.5), session(8, batch_size=64)], []) == [
        (9, "batch_size", "256", "64")
    ]


def test_what_is_asked_of_a_run_is_compared_with_what_its_checkpoint_says(checkpoint):
    def asked(**flags):
        record = replace(checkpoint.record, device="cuda:0")
        settings = load_settings(flags).with_checkpoint(
            {"arch": "[2*4, 1*3]", "mode": "hidden", "lr": "0.0001", "device": "cuda", "threads": "2"}
        )
        return [(one.meta_loop, one.name, one.before, one.after) for one in asked_changes(settings, record)]

    assert asked() == asked(device="cuda", lr="1e-4", backend="auto", mode="hidden", threads="2") == []
    assert asked(device="cpu", lr="1e-3", threads="1", backend="numba", mode="full") == [
        (4, "lr", "0.0001", "0.001"),
        (4, "mode", "hidden", "full"),
        (4, "device", "cuda", "cpu"),
        (4, "threads", "2", "1"),
        (4, "backend", "torch", "numba"),
    ]


CHANGES = (
    SettingChange(meta_loop=3, name="lr", before="0.01", after="0.001"),
    SettingChange(meta_loop=3, name="mode", before="none", after="output"),
)


@pytest.fixture
def changed(psa):
    """A run that went on with another learning rate and mode after two loops; what came of it."""
    psa(*TINY, "--meta-loops", 2)
    return psa("train", "--lr", "1e-3", "--mode", "output", "--meta-loops", 2, "--json")


def test_a_change_of_settings_is_said_aloud_recorded_shown_and_in_the_events_of_the_run_and_of_who_follows(
    psa, changed
):
    assert changed.returncode == 0
    assert changed.stderr == (
        "psa: warning: lr: 0.01 before, 0.001 from meta-loop 3 on; --name NAME trains a run of its own\n"
        "psa: warning: mode: none before, output from meta-loop 3 on; --name NAME trains a run of its own\n"
    )
    events = [decode_event(json.loads(line)) for line in changed.stdout.splitlines()]
    started, finished = (next(one for one in events if isinstance(one, kind)) for kind in (RunStarted, RunFinished))
    assert started.setting_changes == finished.setting_changes == CHANGES
    with read_runs(Path("results")) as history:
        (row,) = history.latest(2)
        following = Following(history, row.run, Path("results"), recent=9)
        first, *_, last = [one.event for one in following.poll()]
    assert first == replace(started, checkpoint=str(LKG.absolute()))
    assert replace(last, seconds=0.0) == replace(finished, seconds=0.0)
    shown = psa("results", "show", "latest").stdout.splitlines()
    assert "settings      lr 0.01, batch 256, seed 3" in shown
    assert "changed       from meta-loop 3 on lr 0.001 (before: 0.01), mode output (before:" in shown
    content = json.loads(psa("results", "show", "latest", "--json").stdout)
    assert content["setting_changes"] == [asdict(one) for one in CHANGES]
    quiet = psa("resume", "--meta-loops", 1, "--quiet")
    assert quiet.stderr == ""
    assert quiet.stdout.splitlines()[-1] == (
        "settings changed: from meta-loop 3 on lr 0.001 (before: 0.01), mode output (before: none)"
    )


def test_a_copy_that_goes_on_with_other_settings_knows_those_it_began_with(psa):
    psa(*TINY, "--meta-loops", 2)
    shutil.copytree("models", "copy")
    psa("train", "--model-dir", "copy", "--lr", "1e-3", "--meta-loops", 1)
    found = json.loads(psa("results", "show", "latest", "--json").stdout)
    assert found["setting_changes"] == [asdict(CHANGES[0])]
    assert [one["after_meta_loop"] for one in found["sessions"]] == [0, 2]
    differ = json.loads(psa("results", "diff", "latest", "latest", "--json").stdout)
    assert differ["settings_that_differ"] == {}


def test_a_change_is_said_although_the_history_was_lost(psa):
    psa(*TINY, "--meta-loops", 2)
    shutil.rmtree("results")
    done = psa("train", "--lr", "1e-3", "--meta-loops", 1, "--json")
    assert decode_event(json.loads(done.stdout.splitlines()[0])).setting_changes == CHANGES[:1]
    assert "psa: warning: lr: 0.01 before, 0.001 from meta-loop 3 on" in done.stderr
