import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from psa_tui.method.events import EarlierLoops
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.storage.run_store import read_runs
from psa_tui.views.tensorboard import TensorBoardView
from tests import program

pytestmark = pytest.mark.slow

LKG = Path("models") / DEFAULT_NAME
TINY = ("train", "--dataset", "mnist5k", "--arch", "[1*8]", "--mode", "full", "--lr", "1e-2", "--seed", "3")
CURVES = ("--tensorboard", "curves", "--quiet")


def the_run():
    with read_runs(Path("results")) as history:
        (row,) = history.latest(9)
        return row, history.loops(row.run)


def read(run):
    """What TensorBoard shows of ``run``: (step, value) by curve, and (step, text) by text."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, TENSORS, EventAccumulator

    found = EventAccumulator(str(Path("curves") / run), size_guidance={SCALARS: 0, TENSORS: 0}).Reload()
    curves = {tag: [(s.step, s.value) for s in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    texts = {
        tag.removesuffix("/text_summary"): [(t.step, t.tensor_proto.string_val[0].decode()) for t in found.Tensors(tag)]
        for tag in found.Tags()["tensors"]
    }
    return curves, texts


def assert_curves_are_the_history():
    """Every loop is one point of every curve, in order, and no point is another's."""
    row, loops = the_run()
    curves, _ = read(row.run)
    lkg, promotions, expected = 0.0, 0, {}
    for loop in loops:
        step = loop.meta_loop
        if loop.verdict == "promoted":
            lkg, promotions = loop.validation_accuracy, promotions + 1
        values = {"loss/train": loop.train_loss, "accuracy/validation": loop.validation_accuracy, "accuracy/lkg": lkg}
        values |= {"accuracy/train": loop.train_accuracy}
        values |= {"verdicts/promotions": promotions, "verdicts/rollbacks": step - promotions}
        for unit in loop.ablations:
            values |= {"ablation/layer": unit.layer, "ablation/neuron": unit.unit}
        for name, value in values.items():
            if value is not None:
                expected.setdefault(name, []).append((step, pytest.approx(value, rel=1e-6)))
    assert {name: points for name, points in curves.items() if name != "accuracy/test"} == expected


def test_every_loop_is_a_point_of_the_curves_and_ablations_and_promotions_are_told_in_words(psa):
    assert psa(*TINY, *CURVES, "--meta-loops", 4).returncode == 0
    row, loops = the_run()
    assert_curves_are_the_history()
    curves, texts = read(row.run)
    assert curves["accuracy/test"] == [(4, pytest.approx(row.test_accuracy, rel=1e-6))]
    assert [step for step, _ in texts["ablation"]] == [2, 3, 4]
    assert [step for step, _ in texts["promotion"]] == [loop.meta_loop for loop in loops if loop.verdict == "promoted"]
    ((step, words),) = texts["run"]
    assert step == 1
    assert f"- run {row.run}: [1*8], 6,370 parameters, mode full\n" in words


def test_several_units_are_counted_and_earlier_loops_get_the_same_curves(build, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    started = build.run_started("[2*8]", resumed=True)
    first = build.finished_loop(started.progress, 500, build.units_ablated("[2*8]", 1, (0, 1), (1, 2), (1, 4)))
    second = build.finished_loop(first.progress, 400, build.units_ablated("[2*8]", 2, (2, 9), effect="noise"))
    third = build.finished_loop(second.progress, 300, build.units_ablated("[2*8]", 3, (0, 0), (2, 9)))
    earlier = EarlierLoops(
        meta_loops=(1, 2),
        validation_accuracies=(0.5, 0.4),
        promoted=(True, False),
        ablations=(first.ablation.units, second.ablation.units),
        train_losses=(0.5, 0.5),
    )
    view = TensorBoardView(Path("curves"))
    for event in (replace(started, progress=second.progress), earlier, third):
        view.handle(event)
    view.close()
    curves, texts = read(started.run)
    assert curves["ablation/units"] == [(1, 3.0), (3, 2.0)]
    assert (curves["ablation/layer"], curves["ablation/neuron"]) == ([(2, 2.0)], [(2, 9.0)])
    assert texts["ablation"] == [(3, "layer 0 neuron 0; output neuron 9: rolled back -20.00")]


def test_a_resume_after_a_kill_repeats_no_loop_and_leaves_none_out(psa):
    process = program.Popen(
        [sys.executable, "-m", "psa_tui", *TINY, "--tensorboard", "curves", "--meta-loops", "500", "--plain"],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("loop ") and int(line.split()[1].partition("/")[0]) >= 20:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = psa("train", "--meta-loops", 3, *CURVES)
    assert done.returncode == 0
    assert_curves_are_the_history()


def test_a_loop_that_is_run_again_replaces_itself(psa):
    psa(*TINY, *CURVES, "--meta-loops", 2)
    older = LKG.read_bytes()
    psa("train", *CURVES, "--meta-loops", 2)
    LKG.write_bytes(older)
    # Repeat the loops with another learning rate, so that the curve differs from the one that is void now.
    before = the_run()[1]
    assert psa("train", "--lr", "1e-1", "--meta-loops", 3, *CURVES).returncode == 0
    row, after = the_run()
    assert any(a != b for a, b in zip(before, after, strict=False))
    assert_curves_are_the_history()
    assert len({step for step, _ in read(row.run)[1]["result"]}) == len(read(row.run)[1]["result"])


def test_loops_of_sessions_without_tensorboard_are_filled_in_from_the_history(psa):
    psa(*TINY, *CURVES, "--meta-loops", 2)
    psa("train", "--meta-loops", 3, "--quiet")
    assert psa("resume", "--meta-loops", 2, *CURVES).returncode == 0
    assert len(the_run()[1]) == 7
    assert_curves_are_the_history()


def test_a_missing_package_is_said_before_anything_is_made(psa, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "tensorboard.py").write_text("raise ImportError('hidden')")
    done = psa(*TINY, *CURVES, env={**os.environ, "PYTHONPATH": str(hidden)})
    assert done.returncode == 2
    assert done.stderr == (
        "psa: error: --tensorboard needs the package tensorboard, which is missing; "
        "pip install 'psa-tui[tensorboard]'\n"
    )
    assert not Path("models").exists()
    assert not Path("curves").exists()


def test_a_folder_that_cannot_be_made_is_said_before_anything_runs(psa):
    Path("curves").write_text("a file")
    done = psa(*TINY, *CURVES)
    assert done.returncode == 1
    assert done.stderr == "psa: error: curves: cannot be made (File exists); choose another --tensorboard DIR\n"
    assert not Path("models").exists()
