from dataclasses import replace

import pytest

from psa_tui.settings import load_settings
from psa_tui.storage.run_store import read_runs
from psa_tui.views.workbench.app import Workbench
from psa_tui.views.workbench.new_run import problem_of, train_words, values_of
from tests.views.workbench.conftest import RUNS, add_run
from tests.views.workbench.test_runs_screen import NEWEST

VALUES = {"name": "", "arch": "", "mode": "none", "lr": "0.0001", "batch_size": "256", "meta_loops": "100", "seed": ""}
VALUES |= {"dataset": "auto", "network": "mlp"}


def test_only_what_differs_from_the_settings_in_force_is_said():
    settings = load_settings({})
    assert train_words(VALUES, VALUES, settings) == ["train"]
    chosen = VALUES | {"arch": "[4*4, 2*8]", "seed": "7", "mode": "output"}
    assert train_words(chosen, VALUES, settings) == [
        *("train", "--arch", "[4*4, 2*8]", "--mode", "output", "--seed", "7")
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arch": "[4*"}, "--arch"),
        ({"lr": "fast"}, "--lr"),
        ({"mode": "no such mode"}, "--mode"),
        ({"meta_loops": "0"}, "--meta-loops"),
        ({"name": "../elsewhere"}, "name"),
    ],
)
def test_what_cannot_be_run_is_said_before_it_is_tried(change, said):
    assert said in problem_of(VALUES | change, load_settings({}))
    assert problem_of(VALUES, load_settings({})) == ""


def test_a_run_like_another_has_its_network_and_code_of_ones_own_is_not_named(folder, build):
    add_run(build, folder, "20260102-000001-aaaa", "[2*8]", "none", 1e-3, 1, (500,))
    with read_runs(folder / "results") as store:
        row = store.run("20260102-000001-aaaa")
    assert (values_of(row)["network"], values_of(row)["arch"]) == ("mlp", "[2*8]")
    other = values_of(replace(row, network="resmlp"))
    words = train_words(VALUES | other, VALUES | {"arch": ""}, load_settings({}))
    assert words[:5] == ["train", "--network", "resmlp", "--arch", "[2*8]"]
    own = values_of(replace(row, network="evil.py:build"))
    assert {"network", "arch"}.isdisjoint(own)


def test_a_name_that_has_a_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "models" / "mine" / "mnist_lkg.safetensors").touch()
    assert "already" in problem_of(VALUES | {"name": "mine"}, load_settings({}))


def test_the_form_shows_its_command_while_it_is_filled_in_and_runs_it(folder, sit, monkeypatch, build):
    ran = []

    def leave_for(self, words, wait=True):
        ran.append(words)
        add_run(build, folder, "20260101-000005-eeee", *RUNS[NEWEST])
        self.reload()

    monkeypatch.setattr(Workbench, "leave_for", leave_for)

    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("n")
        await eyes.see("New run", "run-1", "$ psa train")
        await eyes.write("[2*")
        await eyes.see("--arch '[2*'", "--arch:")
        await eyes.press("enter")
        await eyes.see("New run")
        await eyes.write("8]")
        await eyes.see("--arch '[2*8]'")
        await eyes.press("enter")
        await eyes.see("5 runs", "$ psa results show 20260101-000005-eeee")

    sit(acts)
    (words,) = ran
    assert words[:3] == ["train", "--arch", "[2*8]"]
    assert "run-1" in " ".join(words)


def test_the_form_begins_with_the_settings_of_the_run_under_the_cursor(folder, sit):
    async def acts(eyes):
        await eyes.see(NEWEST)
        await eyes.press("down", "n")
        await eyes.see(
            "[4*4, 2*8]", "full", "0.01", "mnist5k", "--arch '[4*4, 2*8]' --mode full --lr", "--dataset mnist5k"
        )
        await eyes.press("escape")
        await eyes.see("4 runs")

    sit(acts, (60, 15))
