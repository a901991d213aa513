import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from psa_tui.data import load_dataset
from psa_tui.storage.checkpoint import read_checkpoint, write_checkpoint

CPU = ("--device", "cpu", "--threads", "1")
TRAIN = ("train", "--dataset", "mnist5k", "--lr", "1e-2", "--seed", "3", "--quiet", *CPU)
NUMBERS = r" +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d"


@pytest.fixture
def made(checkpoint, tmp_path):
    """Folders "one" and "two", each with a checkpoint of [2*4, 1*3] on mnist5k; one unit of the second is dead."""
    record = replace(checkpoint.record, dataset_fingerprint=load_dataset("mnist5k", tmp_path).fingerprint)
    for seed, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        draws = np.random.default_rng(seed)
        # Small random weights would make all images look alike.
        weights = {
            name: draws.normal(0, 1 / np.sqrt(array.shape[-1]), array.shape).astype(np.float32)
            for name, array in checkpoint.weights.items()
        }
        if folder == "two":
            weights["3.weight"][1] = weights["3.bias"][1] = 0
        path = tmp_path / folder / "mnist_lkg.safetensors"
        write_checkpoint(path, replace(checkpoint, record=record, weights=weights))
    return record


def test_the_untouched_accuracy_is_the_one_that_the_run_reports(psa):
    psa(*TRAIN, "--arch", "[2*8]", "--meta-loops", 2)
    (told,) = json.loads(psa("status", "--json").stdout)["checkpoints"]
    done = psa("probe", *CPU, "--kill", "1..16:5", "--draws", 20, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (found,) = json.loads(done.stdout)["checkpoints"]
    assert found["test_accuracy"] == found["reported_test_accuracy"] == told["test_accuracy"]
    untouched, *_, last = found["levels"]
    assert (untouched["kill"], untouched["mean"], untouched["correct"]) == (
        0,
        told["test_accuracy"],
        [round(500 * told["test_accuracy"])],
    )
    assert (last["kill"], last["low"]) == (16, last["high"])
    table = psa("probe", *CPU, "--kill", "3", "--draws", 2).stdout
    assert re.search(rf"^ +0 +{100 * told['test_accuracy']:.2f} +- +- +-\s*$", table, re.MULTILINE)


def test_one_json_object_holds_every_draw_and_what_could_not_be_measured(psa, made):
    Path("broken.safetensors").write_bytes(b"nonsense\x1b[31m")
    arguments = ("probe", "one", "broken.safetensors", "two", *CPU, "--kill", "1,2,11", "--draws", 5, "--json")
    done, again = psa(*arguments), psa(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("psa: error: broken.safetensors: damaged or not a checkpoint")
    assert done.stderr.count("\n") == 1
    assert done.stdout == again.stdout
    content = json.loads(done.stdout)
    *good, broken = content.pop("checkpoints")
    assert content == {"schema": 1, "damage": "kill", "levels": [1, 2, 11], "draws": 5, "seed": 0, "band": [0.1, 0.9]}
    assert broken["path"] == "broken.safetensors"
    assert broken["problem"].startswith("broken.safetensors: damaged")
    assert [one["path"] for one in good] == ["one", "two"]
    for one, dead in zip(good, (0, 1), strict=True):
        assert one | {"problem": None, "architecture": "[2*4, 1*3]", "hidden_units": 11, "dead_units": dead} == one
        assert (one["backend"], one["device"], one["run"], one["test_count"]) == ("torch", "cpu", made.run, 500)
        assert [level["kill"] for level in one["levels"]] == [0, 1, 2, 11]
        assert [len(level["correct"]) for level in one["levels"]] == [1, 5, 5, 5]
        for level in one["levels"]:
            assert level["mean"] == pytest.approx(sum(level["correct"]) / len(level["correct"]) / 500)
            assert set(level) == {"kill", "mean", "low", "high", "dead_among_zeroed", "correct"}
        assert [level["dead_among_zeroed"] for level in one["levels"][::3]] == [0, dead]
    other_seed = json.loads(psa(*arguments, "--seed", 1).stdout)["checkpoints"][0]["levels"]
    assert other_seed != good[0]["levels"]


def test_checkpoints_stand_side_by_side_and_without_a_choice_up_to_ten_units_are_zeroed(psa, made):
    done = psa("probe", "one", "two/mnist_lkg.safetensors", *CPU, "--draws", 3)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[:3] == [
        "  checkpoint                shape      mode   data    hidden dead",
        "a one                       [2*4, 1*3] hidden mnist5k     11    0",
        "b two/mnist_lkg.safetensors [2*4, 1*3] hidden mnist5k     11    1",
    ]
    assert lines[4].endswith(
        "mean, and 10th to 90th percentile, of 3 draws (seed 0); dead: how many of the zeroed were so before"
    )
    assert lines[5] == "zeroed a mean  10 %  90 % dead b mean  10 %  90 % dead"
    assert [line.split()[0] for line in lines[6:]] == [str(number) for number in range(11)]
    for line in lines[7:]:
        assert re.fullmatch(rf" +\d+{NUMBERS} 0\.00{NUMBERS} \d\.\d\d", line)


def test_noise_is_measured_at_the_levels_asked_for(psa, made):
    done = psa("probe", "one", *CPU, "--noise", "0.1,0.01", "--draws", 3, "--json")
    content = json.loads(done.stdout)
    assert (content["damage"], content["levels"]) == ("noise", [0.01, 0.1])
    assert [level["noise"] for level in content["checkpoints"][0]["levels"]] == [0, 0.01, 0.1]
    table = psa("probe", "one", *CPU, "--noise", "auto", "--draws", 2).stdout
    assert re.findall(r"^ *(\S+) +\d", table, re.MULTILINE) == ["0", "0.01", "0.03", "0.1", "0.3", "1"]
    assert "adding Gaussian noise to all weights" in table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kill", "1..12"], "--kill: one, [2*4, 1*3], has 11 hidden units; 12 cannot be zeroed: ask for at most 11"),
        (["--kill", "many"], "--kill: expected numbers of units such as 1..10, 0..64:8 or 1,2,5"),
        (["--noise", "-1"], "--noise: expected at most 1000 numbers from 0 to 1000"),
        (["--kill", "1", "--noise", "0.1"], "--kill and --noise exclude each other; choose one"),
        (["--json", "--terminal"], "--json and --terminal exclude each other; choose one"),
        (["--out", "x\x1b.jpg"], "--out x\N{REPLACEMENT CHARACTER}.jpg: expected a name that ends in .svg, .png, .pdf"),
        (["one"] * 52, "53 checkpoints: expected at most 52 at a time"),
        (["--backend", "abacus"], "--backend: expected one of auto, numba, torch, module, found 'abacus'"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_one_line(psa, made, arguments, said):
    done = psa("probe", "one", *CPU, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"psa: error: {said}")
    assert done.stderr.count("\n") == 1


def test_a_run_is_known_by_its_name_where_nothing_else_has_it(psa, made):
    Path("models").mkdir(exist_ok=True)
    for name in ("one", "two"):
        Path(name).rename(f"models/{name}")
    Path("one").mkdir()
    done = psa("probe", "one", "two", *CPU, "--draws", 2)
    assert done.returncode == 2
    assert "a two" in done.stdout
    assert done.stderr.startswith("psa: error: one/mnist_lkg.safetensors: there is no such checkpoint")


def test_another_edition_a_missing_file_and_several_in_a_folder_hide_no_other_checkpoint(psa, made):
    other = read_checkpoint(Path("one/mnist_lkg.safetensors"))
    Path("sev\x1b[31meral").mkdir()
    for name in ("a_lkg", "b_lkg"):
        write_checkpoint(Path(f"sev\x1b[31meral/{name}.safetensors"), other)
    changed = replace(other, record=replace(other.record, dataset_fingerprint="0" * 64))
    write_checkpoint(Path("changed.safetensors"), changed)
    done = psa("probe", "changed.safetensors", "onne", "sev\x1b[31meral", "two", *CPU, "--draws", 2, "--model-dir", ".")
    assert done.returncode == 1
    edition, missing, several = done.stderr.splitlines()
    assert edition.startswith("psa: error: changed.safetensors was trained on another edition of mnist5k")
    assert missing == "psa: error: onne: there is no such checkpoint; psa train makes one; did you mean one?"
    assert "which one? there are a_lkg.safetensors, b_lkg.safetensors; keep each in" in several
    assert "a two" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_an_accuracy_that_is_not_the_reported_one_is_a_warning(psa, made):
    path = Path("one/mnist_lkg.safetensors")
    one = read_checkpoint(path)
    write_checkpoint(path, replace(one, record=replace(one.record, test_correct=499)))
    done = psa("probe", "one", *CPU, "--draws", 1)
    assert done.returncode == 0
    assert re.match(r"psa: warning: one: test accuracy \d+\.\d\d % here and 99\.80 % at the end", done.stderr)


def test_the_same_draws_give_the_same_figure_with_words_inside(psa, made):
    pytest.importorskip("matplotlib")
    shutil.copytree("two", "$x_1$ <b>&\x1b[31m 日")
    for name in ("first.svg", "second.svg"):
        done = psa("probe", "one", "$x_1$ <b>&\x1b[31m 日", *CPU, "--draws", 3, "--out", name)
        assert (done.returncode, done.stderr) == (0, f"psa: wrote {name}\n")
    first, second = Path("first.svg").read_bytes(), Path("second.svg").read_bytes()
    assert first == second
    text = "".join(ElementTree.fromstring(first).itertext())
    assert "Robustness: test accuracy after zeroing random hidden units, mean of 3 draws" in text
    assert "; $x_1$ <b>&\N{REPLACEMENT CHARACTER}[31m 日: " in text


def test_a_place_that_cannot_be_written_is_said_after_the_table(psa, made):
    pytest.importorskip("matplotlib")
    done = psa("probe", "one", *CPU, "--draws", 1, "--out", "one/mnist_lkg.safetensors/x.svg")
    assert done.returncode == 1
    assert done.stderr.startswith("psa: error: one/mnist_lkg.safetensors/x.svg: cannot be written")
    assert "a mean" in done.stdout


@pytest.mark.parametrize(("width", "beside"), [(60, [2, 1]), (80, [3])])
def test_tables_and_curves_fit_the_terminal(terminal, made, width, beside):
    command = [sys.executable, "-m", "psa_tui", "probe", "one", "two", "one", *CPU, "--draws", "2"]
    shown = terminal([*command, "--terminal", "--ascii"], size=(width, 70))
    assert shown.wait_for_end() == 0
    lines = [line.rstrip() for line in shown.text.splitlines()]
    rows = [line for line in lines if re.fullmatch(rf" +\d+({NUMBERS} \d\.\d\d)+", line)]
    assert [len(row.split()) for row in rows] == [1 + 4 * many for many in beside for _ in range(10)]
    assert "test accuracy: a a  b b  c c" in lines
    frame = next(line for line in lines if line.startswith("+--"))
    assert len(frame) <= width
    assert shown.text.isascii()


def test_ctrl_c_ends_it_with_130_and_nothing_is_written(terminal, made, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    command = [sys.executable, "-m", "psa_tui", "probe", "one", *CPU, "--draws", "100000", "--out", "x.svg"]
    shown = terminal(command)
    shown.wait_for_text(r"^probing .* draws")
    shown.press("\x03")
    assert shown.wait_for_end() == 130
    assert "psa: stopped (Ctrl-C); nothing was written" in shown.text
    assert "a mean" not in shown.text
    assert sorted(tmp_path.rglob("*")) == before
