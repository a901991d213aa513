"""Text that others wrote into a history is shown by the workbench, and never obeyed: no markup, no control, no path."""

import itertools
import json
import re

import pytest

from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.storage.run_store import open_runs
from psa_tui.storage.study_rows import FAILED, TrialLoop, TrialRow
from psa_tui.storage.study_store import open_store
from tests.hostile import batches, driven, record
from tests.views.workbench.conftest import loop

pytestmark = pytest.mark.slow

EVIL = (
    "[bold red]loud[/]",
    "[@click=app.quit]quit[/]",
    "[/]unbalanced",
    "\x1b]0;title\x07\x1b[2J\x1b[31m",
    "two\nlines\r\tand\u2028more",
    "\u202ereversed\u2066",
    "$(reboot); `reboot` 'x",
    "--debug",
    "e\u0301\u4e2d\U0001f600" * 9,
    "{x} %s \\[ \\",
)
DRIVES = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A results folder with hostile text wherever text is."""
    monkeypatch.chdir(tmp_path)
    with open_runs(tmp_path / "results") as store:
        connection = store._database.connection
        for number, text in enumerate(EVIL):
            values = {"run": text, "created_at": text, "updated_at": f"{text} {number}", "state": text, "reason": text}
            values |= dict.fromkeys(("checkpoint", "network", "architecture", "mode", "dataset"), text)
            values |= {"dataset_requested": text, "dataset_fingerprint": text, "parameters": 7, "seed": 1}
            values |= {"meta_loop": 1, "last_meta_loop": 2, "bounty": 0.5, "bounty_meta_loop": 1, "lkg_meta_loop": 1}
            insert(connection, "runs", values | Hyperparameters().as_json())
            session = {"run": text, "session": 1, "started_at": "2026-01-01T00:00:00+00:00", "after_meta_loop": 0}
            session |= dict.fromkeys(("device", "backend", "machine", "outcome"), text) | {"threads": 1}
            insert(
                connection, "sessions", session | {"versions": json.dumps({text: text})} | Hyperparameters().as_json()
            )
            row = {"run": text, "meta_loop": 1, "mode": text, "reason": text, "verdict": "promoted", "finite": 1}
            row |= {"validation_correct": 1, "validation_count": 2, "train_loss": 0.5, "seconds": 1.0}
            insert(connection, "meta_loops", row | {"ablations": json.dumps([[0, 1, 2, 3, text]])})
    with open_store(tmp_path / "results") as store:
        for text in EVIL[:2]:
            store.enter(text, "local", {"shapes": [*EVIL, "1*4"], "modes": EVIL[:3], "dataset": text}, trials=1)
            rows = [
                TrialRow(architecture=one, mode=EVIL[0], trial=1, parameters=5, bounty=0.5, meta_loop=1, origin=one)
                for one in (*EVIL, "1*4")
            ]
            failed = TrialRow(
                architecture="1*4", mode=EVIL[1], trial=1, parameters=5, state=FAILED, reason=text, meta_loop=1
            )
            loops = [TrialLoop(one.architecture, 1, loop(1, one.mode, 500)) for one in rows]
            store.put(text, [*rows, failed], loops)
    return tmp_path


def insert(connection, table, values):
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))


def history_of(folder, strings):
    """Two runs and a study in ``folder`` in whose fields ``strings`` stand one after another, as names too."""
    texts = itertools.cycle(strings)
    settings = Hyperparameters().as_json()
    with open_runs(folder) as store:
        connection = store._database.connection
        for number, run in enumerate(list(dict.fromkeys([*strings, "other"]))[:2]):
            moment = f"2026-01-0{2 + number}T00:00:00+00:00"
            names = ("reason", "checkpoint", "network", "architecture", "mode", "dataset", "dataset_requested", "note")
            values = {name: next(texts) for name in (*names, "dataset_fingerprint", "name", "state")}
            values |= {"run": run, "created_at": moment, "updated_at": moment, "parameters": 7, "seed": 1}
            values |= {"tags": json.dumps([next(texts) for _ in range(9)]), "meta_loop": 9, "last_meta_loop": 9}
            values |= {"bounty": 0.5, "bounty_meta_loop": 1, "lkg_meta_loop": 1}
            insert(connection, "runs", values | settings)
            session = {name: next(texts) for name in ("device", "backend", "machine", "outcome")}
            session |= {"run": run, "session": 1, "started_at": moment, "after_meta_loop": 0, "threads": 1}
            versions = {next(texts): next(texts) for _ in range(9)}
            insert(connection, "sessions", session | {"versions": json.dumps(versions)} | settings)
            for meta_loop in range(1, 10):
                row = {"run": run, "meta_loop": meta_loop, "mode": next(texts), "reason": next(texts), "finite": 1}
                row |= {"validation_correct": 1, "validation_count": 2, "train_loss": 0.5, "seconds": 1.0}
                ablations = json.dumps([[0, 1, 2, 3, next(texts)]])
                insert(connection, "meta_loops", row | {"verdict": "promoted", "ablations": ablations})
    with open_store(folder) as store:
        study, shapes = next(texts), list(dict.fromkeys(["1*4", *strings]))
        modes = list(dict.fromkeys(next(texts) for _ in range(3)))
        store.enter(study, "local", {"shapes": shapes, "modes": modes, "dataset": next(texts)}, trials=1)
        known = {"trial": 1, "parameters": 5, "meta_loop": 1}
        rows = [TrialRow(architecture=one, mode=modes[0], bounty=0.5, origin=next(texts), **known) for one in shapes]
        failed = [
            TrialRow(architecture=shapes[0], mode=one, state=FAILED, reason=next(texts), **known) for one in modes[1:]
        ]
        loops = [TrialLoop(one.architecture, 1, loop(1, one.mode, 500)) for one in rows]
        store.put(study, [*rows, *failed], loops)


def test_no_screen_of_the_workbench_lets_a_control_character_out_and_what_is_listed_opens(tmp_path, monkeypatch, sit):
    written = record(monkeypatch)

    async def acts(eyes):
        async def look(*parts):
            await eyes.see(*parts)
            assert not driven(written), (strings, driven(written))
            written.clear()

        await look("2 runs", "1 study", "$ psa")
        await eyes.press("down")
        for _ in range(2):
            await eyes.press("enter")
            # The loops are found by the name that the file has, which is not the one shown.
            await look("LKG", "promoted", "seed")
            await eyes.press("tab", "escape", "e")
            await look("Label")
            await eyes.press("escape", "n")
            await look("New run")
            await eyes.press("escape", "x")
            await look("is gone")
            await eyes.press("ctrl+p")
            await look("List of all commands")
            await eyes.press("escape", "space")
        await eyes.press("d")
        await look("differences", "  A  ")
        await eyes.press("escape", "o")
        await look("overlay", "2 runs")
        await eyes.press("escape", "p")
        await look("parallel coordinates", "2 runs")
        await eyes.press("escape", "up", "up", "enter")
        await look("best")
        for view in "2345":
            await eyes.press(view)
            await look("Esc back", "1*4")
        await eyes.press("l")
        await look("all shapes")
        await eyes.press("enter")
        await look("trained on")

    for number, strings in enumerate(batches(50, 250)):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        history_of(folder / "results", strings)
        sit(acts, (140, 45))


def test_hostile_text_is_shown_as_it_is_on_every_screen_of_a_run(hostile, sit):
    async def acts(eyes):
        await eyes.see("10 runs", "2 studies", "[bold red]loud[/]", "[/]unbalanced")
        for _ in range(6):
            await eyes.press("down")
            assert not DRIVES.search(eyes.text.replace("\n", ""))
        await eyes.press("slash")
        await eyes.write("run:[bold")
        await eyes.see("1 of 12 fit")
        await eyes.press("enter", "enter")
        await eyes.see("[bold red]loud[/] after loop 1 of 2", "$ psa results show '[bold red]loud[/]'")
        await eyes.press("tab", "escape", "ctrl+p")
        await eyes.write("open")
        await eyes.see("$ psa results show '[bold red]loud[/]'")
        await eyes.press("escape", "escape", "space", "down", "space", "d")
        await eyes.see("settings that differ")
        await eyes.press("escape", "o")
        await eyes.see("overlay", "2 runs")
        await eyes.press("escape", "n")
        await eyes.see("New run")
        await eyes.press("escape", "x")
        await eyes.see("2 trials moved")
        await eyes.press("u")
        await eyes.see("brought")
        assert eyes.app.is_running

    sit(acts, (110, 30))


@pytest.mark.campaign
def test_hostile_text_is_shown_as_it_is_on_every_screen_of_a_study(hostile, sit):
    async def acts(eyes):
        await eyes.see("2 studies")
        await eyes.press("slash")
        await eyes.write("study:")
        await eyes.press("enter")
        for _ in range(2):
            await eyes.press("enter")
            await eyes.see("1*4", "best")
            for view in "35":
                await eyes.press(view)
                assert not DRIVES.search(eyes.text.replace("\n", ""))
            await eyes.press("l")
            await eyes.see("all shapes")
            await eyes.press("enter")
            await eyes.see("trained on")
            await eyes.press("escape", "escape", "enter")
            await eyes.see("1*4", "2 trials")
            await eyes.press("escape", "escape", "down")

    sit(acts, (110, 30))
