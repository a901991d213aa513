import pytest

from psa_tui.settings import load_settings
from psa_tui.views.workbench.app import Workbench
from psa_tui.views.workbench.new_run import problem_of, train_words
from tests.views.workbench.test_runs_screen import NEWEST

VALUES = {"name": "", "arch": "", "mode": "none", "lr": "0.0001", "batch_size": "256", "meta_loops": "100", "seed": ""}
VALUES |= {"dataset": "auto"}


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


def test_a_name_that_has_a_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "models" / "mine" / "mnist_lkg.safetensors").touch()
    assert "already" in problem_of(VALUES | {"name": "mine"}, load_settings({}))


def test_the_form_shows_its_command_while_it_is_filled_in_and_runs_it(folder, sit, monkeypatch):
    ran = []
    monkeypatch.setattr(Workbench, "leave_for", lambda self, words, wait=True: ran.append(words))

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
        await eyes.see("4 runs")

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
