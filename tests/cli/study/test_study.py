import json
import shlex

import pytest

from psa_tui.runs.history import latest_runs, load_runs
from psa_tui.storage.run_store import read_runs
from psa_tui.storage.study_store import read_store

MINE = """\
about = "a study of one's own"
grid = ["1*2", "[1*2, 1*3]"]
variants = ["none", {mode = "output", effect = "noise", promote = "patience:2"}]
trials = 2
meta_loops = 2
dataset = "mnist5k"
"""
RUN = ("study", "run", "mine.toml", "--workers", "1", "--quiet")


@pytest.fixture
def file(tmp_path):
    (tmp_path / "mine.toml").write_text(MINE)
    return tmp_path / "mine.toml"


def trials(tmp_path, study="mine"):
    with read_store(tmp_path / "results") as store:
        return [(row.architecture, row.mode, row.trial, row.bounty, row.state) for row in store.trials(study)]


def test_a_study_file_is_run_gains_trials_and_is_shown_listed_and_found_by_its_name(psa, tmp_path, file):
    begun = psa(*RUN)
    assert begun.returncode == 0, begun.stderr
    before = trials(tmp_path)
    assert {row[1] for row in before} == {"none", "output+effect=noise+promote=patience:2"}
    more = psa("study", "run", "mine", "--trials", "3", "--workers", "1", "--quiet")
    assert more.returncode == 0, more.stderr
    after = trials(tmp_path)
    assert len(after) == 12
    assert [row for row in after if row[2] <= 2] == before
    # The file says two trials: those that were added stay.
    assert psa(*RUN).stdout.startswith("finished: 12 of 12 trials complete")
    assert trials(tmp_path) == after

    shown = psa("study", "show", "mine")
    assert shown.stdout.splitlines()[:4] == [
        'name = "mine"',
        'grid = ["1*2", "[1*2,1*3]"]',
        'variants = ["none", "output+effect=noise+promote=patience:2"]',
        "trials = 3",
    ]
    alone = psa("study", "show", "mine", "1*2", "none", "3")
    assert "MODE: expected one of" in psa("study", "show", "mine", "1*2", "nine", "3").stderr
    assert (
        "it has 2 shapes, modes none, output+effect=noise+promote=patience:2 and 3 trials of each"
        in psa("study", "show", "mine", "1*2", "none", "30").stderr
    )
    assert alone.stdout.startswith("psa train --arch '[1*2]' --mode none --meta-loops 2 --seed ")
    assert "in study mine: complete, 2 of 2 meta-loops" in alone.stderr
    assert psa("study", "status").stdout.startswith("study mine: finished\n")
    assert (
        psa("study", "status", "mine", "--json").stdout
        == psa("reproduce", "status", "--study", "mine", "--json").stdout
    )
    header, row = psa("study", "list").stdout.splitlines()
    assert header.split() == ["study", "from", "last", "work", "shapes", "modes", "trials", "complete", "failed"]
    assert (row.split()[:2], row.split()[-5:]) == (["mine", "local"], ["2", "2", "12", "12", "0"])
    assert json.loads(psa("study", "list", "--json").stdout)["studies"][0]["complete"] == 12


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("meta_loops = 2", "meta_loops = 3", "was begun with meta loops 2, not 3"),
        ('"1*2", ', "", "was begun with shapes 1*2, [1*2,1*3], not [1*2,1*3]"),
        ('"none", ', "", "was begun with modes none, output+effect=noise+promote=patience:2, not output"),
        ("trials = 2", 'trials = 2\nseeding = "independent"', "was begun with seeding paired, not independent"),
        ("trials = 2", "trials = 2\nlr = 0.5", "was begun with learning rate 0.0001, not 0.5"),
    ],
)
def test_a_changed_design_is_refused_by_name_and_changes_nothing(psa, tmp_path, file, old, new, said):
    psa(*RUN, "--meta-loops", "2", "--max-params", "1")
    with read_store(tmp_path / "results") as store:
        before = store.studies(), store.sessions("mine")
    file.write_text(MINE.replace(old, new))
    done = psa(*RUN)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    with read_store(tmp_path / "results") as store:
        assert (store.studies(), store.sessions("mine")) == before


def test_all_faults_of_a_file_are_listed_and_nothing_is_begun(psa, tmp_path, file):
    file.write_text(MINE.replace("1*3", "1*x").replace("noise", "noize\\u001b[31m").replace("trials = 2", "trials = 0"))
    done = psa(*RUN)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "psa: error: mine.toml: 3 faults, nothing was begun"
    assert [line[:7] for line in lines[1:]] == ["line 2:", "line 3:", "line 4:"]
    assert "\x1b" not in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run",), "expected one of: a study file, the name of a study that was begun, --recipe NAME"),
        (("run", "controls"), "no study controls was begun in results; --recipe controls is a recipe"),
        (("run", "none.toml"), "none.toml: cannot be read (No such file or directory)"),
        (("run", "--recipe", "soup"), "--recipe: expected one of amount, controls, "),
        (("run", "../x"), "../x: cannot be read"),
        (("run", "--recipe", "controls", "--name", "../x"), "--name '../x': expected letters"),
        (("run", "--recipe", "published", "--trials", "0"), "invalid value for '--trials'"),
        (("show", "--recipe", "controls", "8*8"), "expected one of: a study file"),
        (("show", "mine.toml", "1*2"), "a trial is named by SHAPE, MODE and TRIAL"),
        (("status",), "no study was begun in results; psa study run or psa reproduce run begins one"),
        (("recipes", "soup"), "--recipe: expected one of"),
    ],
)
def test_what_names_no_study_is_refused_in_a_line(psa, tmp_path, arguments, said):
    done = psa("study", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "results").exists()


def test_a_recipe_is_printed_changed_and_planned(psa, tmp_path):
    text = psa("study", "recipes", "kick").stdout
    listed = psa("study", "recipes").stdout
    assert "kick              Switching modes: rest or regularise first, then a kick.\n" in listed
    assert max(map(len, listed.splitlines())) <= 80
    mine = text.replace("trials = 20", "trials = 2").replace(
        'grid = ["8*8", "18*18"]', 'grid = ["1*2"]\nlr = [1e-4, 1e-3]'
    )
    (tmp_path / "mine.toml").write_text(mine + 'dataset = "mnist5k"\n')
    done = psa("study", "plan", "mine.toml", "--workers", "1", "--meta-loops", "3", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert [(one["study"]["name"], one["trials"], one["meta_loops"]) for one in plan["plans"]] == [
        ("mine.lr-0.0001", 16, 48),
        ("mine.lr-0.001", 16, 48),
    ]
    assert plan["hours"] == sum(one["hours"] for one in plan["plans"]) > 0
    assert not (tmp_path / "results").exists()


SEEDED = """\
about = "first weights and order apart"
grid = ["1*3"]
variants = ["full", "restart"]
trials = 3
meta_loops = 3
dataset = "mnist5k"
seed = 5
lr = 0.01
"""


@pytest.mark.slow
@pytest.mark.parametrize("seeding", ["separate", "independent"])
def test_a_generated_command_trains_the_trial_that_the_study_trains(psa, tmp_path, seeding):
    (tmp_path / "seeded.toml").write_text(f'{SEEDED}seeding = "{seeding}"\n')
    assert psa("study", "run", "seeded.toml", "--workers", "1", "--quiet").returncode == 0
    lines = psa("study", "generate", "seeded.toml").stdout.splitlines()
    assert lines[0] == "# 6 commands: 1 shape x 2 modes x 3 trials of 3 meta-loops, mnist5k, study seed 5"
    commands = [shlex.split(line) for line in lines if line.startswith("psa train")]
    assert (tmp_path / "run_study.sh").read_text().count("\ntrial models/seeded/") == 6
    # Where they are apart, trials 2 and 3 have one order, and 3 first weights of its own.
    for command in (commands[2], commands[4]):
        shown = psa("study", "show", "seeded", "1*3", command[command.index("--mode") + 1], command[-1][-1])
        assert shlex.split(shown.stdout)[:-1] == command[:-1]
        assert ("--init-seed" in command) == (seeding == "separate")
        trained = psa(*command[1:], "--plain")
        assert trained.returncode == 0, trained.stderr
        assert ("of the first weights" in trained.stdout) == (seeding == "separate")
        (run,) = latest_runs(tmp_path / "results", 1)
        first = int(command[command.index("--init-seed") + 1]) if seeding == "separate" else None
        assert run.row.initialisation_seed == first
        (found,) = load_runs(tmp_path / "results", [run.row.run])
        assert found.settings().get("seed of first weights") == first
        with read_store(tmp_path / "results") as store, read_runs(tmp_path / "results") as runs:
            alone = [about(loop) for loop in runs.loops(run.row.run)]
            number = int(command[-1].rpartition("-")[2])
            assert alone == [about(loop) for loop in store.loops_of_trial("seeded", "1*3", run.row.mode, number)]
    # A resume is the same run, and restarts from the same first weights.
    home = ("--model-dir", command[-1])
    wrong = psa("train", *home, "--init-seed", "1")
    assert "first weights of seed" in wrong.stderr
    assert psa("resume", *home, "--meta-loops", "1", "--quiet").returncode == 0


def about(loop):
    return (loop.meta_loop, loop.verdict, loop.validation_correct, loop.ablations)
