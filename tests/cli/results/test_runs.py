import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from psa_tui.runs.history import load_runs
from psa_tui.storage.run_store import read_runs
from psa_tui.views.run_text import format_difference
from tests import program

pytestmark = pytest.mark.slow

TINY = ("train", "--dataset", "mnist5k", "--lr", "1e-2", "--threads", "1", "--quiet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of five loops whose mode changed after three, and a shorter one of another shape, which is the latest."""
    path = tmp_path_factory.mktemp("runs")
    for arguments in (
        (*TINY, "--arch", "[2*8]", "--mode", "hidden", "--seed", "3", "--meta-loops", "3"),
        ("train", "--mode", "output", "--meta-loops", "2", "--quiet"),
        (*TINY, "--arch", "[1*8]", "--seed", "4", "--meta-loops", "2", "--model-dir", "other"),
    ):
        program.run([sys.executable, "-m", "psa_tui", *arguments], cwd=path, check=True, capture_output=True)
    return path


@pytest.fixture
def two_runs(psa, folder, monkeypatch):
    """The rows and loops of the two, in the order in which they began; the test works in their folder."""
    monkeypatch.chdir(folder)
    with read_runs(folder / "results") as history:
        latest, first = history.latest(9)
        return (first, history.loops(first.run)), (latest, history.loops(latest.run))


def on_one_line(text):
    return " ".join(text.split())


def dead_units(row):
    """How many hidden units of the run's checkpoint have only zeros before them."""
    tensors = load_file(row.checkpoint)
    biases = [name for name in tensors if name.endswith("bias")][:-1]
    rows = ((tensors[name], tensors[name.replace("bias", "weight")]) for name in biases)
    return sum(int((~(bias.astype(bool) | weight.any(1))).sum()) for bias, weight in rows)


def test_a_run_has_one_duration_wherever_it_is_told(psa, folder, two_runs):
    """What its loops took, of both its sessions: in closing texts, lists, comparisons and by who follows it."""
    (first, loops), (_, its_loops) = two_runs
    took, its = sum(loop.seconds for loop in loops), sum(loop.seconds for loop in its_loops)
    listed = json.loads(psa("results", "runs", "--json").stdout)["runs"]
    assert [run["seconds"] for run in listed] == pytest.approx([its, took])
    assert json.loads(psa("results", "show", first.run, "--json").stdout)["seconds"] == pytest.approx(took)
    assert f"time          {took:.1f} s in 5 loops, " in psa("results", "show", first.run).stdout
    sessions = [sum(loop.seconds for loop in part) for part in (loops[:3], loops[3:])]
    shown = psa("results", "show", first.run).stdout
    assert re.findall(r"after loop \d: finished, (.*?);", shown) == [f"{seconds:.1f} s" for seconds in sessions]
    compared = psa("results", "diff", first.run, "latest").stdout
    assert re.search(rf"^  time +{took:.1f} s +{its:.1f} s$", compared, re.MULTILINE)
    followed = psa("results", "follow", first.run).stdout.splitlines()
    assert f"finished: 5 of 5 meta-loops, {took:.1f} s" in followed


def test_runs_are_listed_newest_first_with_state_bounty_and_a_bar_a_loop(psa, two_runs):
    (first, _), (latest, _) = two_runs
    head, *lines = psa("results", "runs").stdout.splitlines()
    assert head.split() == ["run", "state", "shape", "mode", "data", "loops", "time", "bounty", "accuracy"]
    assert re.fullmatch(
        rf"{latest.run} finished \[1\*8\] +none +mnist5k +2/2 +\d+\.\d s +{100 * latest.bounty:.2f} % [▁-█]{{2}}",
        lines[0].strip(),
    )
    assert re.fullmatch(
        rf"{first.run} finished \[2\*8\] +output mnist5k +5/5 +\d+\.\d s +{100 * first.bounty:.2f} % [▁-█]{{5}}",
        lines[1].strip(),
    )
    assert len(psa("results", "runs", "--limit", 1).stdout.splitlines()) == 2
    assert psa("results", "runs", "--ascii").stdout.isascii()
    content = json.loads(psa("results", "runs", "--json").stdout)["runs"]
    assert [run["run"] for run in content] == [latest.run, first.run]
    assert [len(run["validation_accuracies"]) for run in content] == [2, 5]
    assert [(run["lkg_dead"], run["lkg_inactive"]) for run in content] == [
        (dead_units(row), loops[-1].lkg_inactive) for row, loops in two_runs[::-1]
    ]


def test_without_a_history_it_is_said_and_nothing_is_made(psa, tmp_path):
    done = psa("results", "runs")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "psa: no runs in results; psa train makes one\n"
    done = psa("results", "show", "latest")
    assert done.returncode == 2
    assert done.stderr.startswith("psa: error: there is no history in results; psa train")
    assert list(tmp_path.iterdir()) == []


def test_show_tells_settings_sessions_bounty_verdicts_ablations_curve_and_checkpoint(psa, two_runs):
    (row, loops), _ = two_runs
    lines = psa("results", "show", row.run).stdout.splitlines()
    facts = {line[:14].strip(): line[14:] for line in lines if line[:14].strip()}
    assert facts["run"] == f"{row.run}, finished"
    assert facts["architecture"] == "[2*8], 6,442 parameters"
    assert facts["mode"] == "hidden, output from loop 4"
    assert facts["data"] == f"mnist5k, fingerprint {row.dataset_fingerprint[:16]}"
    assert facts["settings"] == "lr 0.01, batch 256, seed 3"
    assert facts["meta-loops"] == "5 of 5"
    assert re.fullmatch(r"\d+\.\d s in 5 loops, (\d+\.\d ms|\d+\.\d\d s) a loop in the middle", facts["time"])
    assert ", 0.0" not in facts["time"]
    assert facts["bounty"] == f"{100 * row.bounty:.2f} % at meta-loop {row.bounty_meta_loop}"
    assert facts["test accuracy"] == f"{100 * row.test_accuracy:.2f} % (of the LKG)"
    promoted = sum(loop.verdict == "promoted" for loop in loops)
    assert facts["verdicts"] == f"{promoted} promoted, {5 - promoted} rolled back"
    survived = sum(loop.verdict == "promoted" and any(not unit.dead for unit in loop.ablations) for loop in loops)
    assert facts["ablations"].startswith(f"4, {survived} survived")
    assert facts["hidden units"] == f"{dead_units(row)} of 16 dead, {row.lkg_inactive} never active"
    assert facts["ablations"].endswith("output 2")
    assert re.fullmatch("[▁-█]{5}", facts["accuracy"])
    whole = "\n".join(lines)
    assert f"{row.checkpoint} (at meta-loop 5)" in on_one_line(whole)
    assert re.search(r"^session 1 .*, after loop 0: finished, \d+\.\d s; cpu, 1 thread$", whole, re.MULTILINE)
    assert re.search(r"^session 2 .*, after loop 3: finished, \d+\.\d s; cpu, 1 thread$", whole, re.MULTILINE)
    assert whole.count("backend numba; ") == 1
    assert whole.count("torch ") == 1
    assert all(len(line) <= 80 for line in lines if row.checkpoint not in line)


def test_show_says_when_the_checkpoint_is_gone_or_another_runs(psa, two_runs):
    (first, _), (latest, _) = two_runs
    spare = shutil.copytree("models", "spare")
    Path(latest.checkpoint).replace(first.checkpoint)
    try:
        assert f"{first.checkpoint} (now of run {latest.run})" in on_one_line(psa("results", "show", first.run).stdout)
        assert f"{latest.checkpoint} (gone)" in on_one_line(psa("results", "show", "latest").stdout)
    finally:
        Path(first.checkpoint).replace(latest.checkpoint)
        (Path(spare) / Path(first.checkpoint).name).replace(first.checkpoint)


def test_show_as_json_has_every_loop_and_every_session(psa, two_runs):
    (row, loops), _ = two_runs
    content = json.loads(psa("results", "show", row.run, "--json").stdout)
    assert content["run"]["bounty"] == row.bounty
    assert content["modes"] == [[1, "hidden"], [4, "output"]]
    assert [session["after_meta_loop"] for session in content["sessions"]] == [0, 3]
    assert content["sessions"][0]["versions"]["torch"]
    assert content["meta_loops"] == json.loads(json.dumps([{"run": row.run} | loop.as_json() for loop in loops]))
    hits = [(loop["ablated_layer"], loop["ablated_neuron"]) for loop in content["meta_loops"]]
    assert hits == [
        (loop.ablations[0].layer, loop.ablations[0].unit) if loop.ablations else (None, None) for loop in loops
    ]
    assert sum(content["ablations_by_layer"].values()) == 4


def test_a_run_may_be_named_by_any_part_that_fits_no_other(psa, two_runs):
    (first, _), (latest, _) = two_runs
    common = next(n for n in range(99) if first.run[: n + 1] != latest.run[: n + 1])
    assert f"{first.run}, finished" in psa("results", "show", first.run[: common + 1]).stdout
    assert f"{latest.run}, finished" in psa("results", "show", "latest").stdout
    done = psa("results", "show", first.run[:common])
    assert done.returncode == 2
    assert done.stderr == (
        f"psa: error: '{first.run[:common]}' fits 2 runs: {latest.run}, {first.run}; type more of the name\n"
    )
    done = psa("results", "show", first.run[:-1] + "zz")
    assert done.returncode == 2
    assert re.match(rf"psa: error: '.*zz' is no run; the nearest: {first.run}", done.stderr)
    assert done.stderr.count("\n") == 1


def test_diff_has_the_settings_that_differ_first_then_the_results(psa, two_runs):
    (first, _), (latest, _) = two_runs
    lines = psa("results", "diff", first.run, "latest").stdout.splitlines()
    assert lines[0].split() == [first.run, latest.run]
    start, end = lines.index("settings that differ"), lines.index("results")
    differing = {line[:18].strip(): line[18:].split("  ") for line in lines[start + 1 : end] if line.startswith("  ")}
    assert list(differing)[:4] == ["architecture", "mode", "meta-loops", "seed"]
    assert any("same: network, learning rate, batch size" in line for line in lines[start:end])
    gain = 100 * (latest.bounty - first.bounty)
    (bounty,) = [line for line in lines if line.startswith("  bounty")]
    assert bounty.split() == [
        "bounty", f"{100 * first.bounty:.2f}", "%", f"{100 * latest.bounty:.2f}", "%", f"({gain:+.2f}", "points)",
    ]  # fmt: skip
    assert all(len(line) <= 80 for line in lines)
    narrow = format_difference(*load_runs(Path("results"), [first.run, "latest"]), ascii_only=True, width=60)
    assert all(len(line) <= 60 for line in narrow)
    assert {line[39] for line in narrow[narrow.index("results") + 1 :] if len(line) > 39} == {" "}, "two columns"
    content = json.loads(psa("results", "diff", first.run, "latest", "--json").stdout)
    assert content["settings_that_differ"]["architecture"] == ["[2*8]", "[1*8]"]
    assert "learning rate" not in content["settings_that_differ"]
    assert [result["bounty"] for result in content["results"]] == [first.bounty, latest.bounty]


def test_a_run_compared_with_itself_differs_in_nothing(psa, two_runs):
    lines = psa("results", "diff", "latest", "latest").stdout.splitlines()
    assert "no setting differs" in lines
    assert not [line for line in lines if "points" in line and "+0.00" not in line]
