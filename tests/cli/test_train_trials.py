import os
from statistics import fmean

from psa_tui.storage.study_store import read_store

TRAIN = ("train", "--arch", "1*2", "--mode", "output", "--lr", "0.01", "--meta-loops", "2", "--dataset", "mnist5k")


def rows(tmp_path):
    with read_store(tmp_path / "results") as store:
        (study,) = store.studies()
        return study, store.trials(study.study)


def test_trials_of_one_setting_train_together_gain_more_and_are_a_study(psa, tmp_path):
    first = psa(*TRAIN, "--trials", "2")
    assert first.returncode == 0, first.stderr
    study, before = rows(tmp_path)
    assert [(row.architecture, row.mode, row.trial, row.state) for row in before] == [
        ("1*2", "output", trial, "complete") for trial in (1, 2)
    ]
    assert study.settings["learning_rate"] == 0.01
    assert f"kept as study {study.study}" in first.stdout
    assert not (tmp_path / "models").exists()

    more = psa(*TRAIN, "--trials", "4", "--plain", env={**os.environ, "PSA_SAVE_SVG": "/nope/x.svg"})
    assert "psa: warning: PSA_SAVE_SVG /nope/x.svg: is of a single run; nothing is written there" in more.stderr
    again, after = rows(tmp_path)
    assert (again.study, len(after), after[:2]) == (study.study, 4, before)
    best = max(after, key=lambda row: row.bounty)
    mean = fmean(row.bounty for row in after)
    assert f"1*2 output, n = 4: mean bounty {100 * mean:.2f} %, median " in more.stdout
    assert (
        f"best: trial {best.trial} with {100 * best.bounty:.2f} % at meta-loop {best.bounty_meta_loop}" in more.stdout
    )

    fewer = psa(*TRAIN, "--trials", "3")
    assert (fewer.returncode, fewer.stdout) == (2, "")
    assert "has 4 trials of each; expected at least as many" in fewer.stderr
    psa(*TRAIN[:-1], "mnist5k", "--trials", "1", "--seed", "1", "--quiet")
    with read_store(tmp_path / "results") as store:
        assert len(store.studies()) == 2


def test_options_of_a_single_run_are_refused(psa, tmp_path):
    done = psa(*TRAIN, "--trials", "2", "--save-svg", "a.svg")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--save-svg is of a single run; leave it or --trials out" in done.stderr
    assert not (tmp_path / "results").exists()
