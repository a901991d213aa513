"""Files that an earlier version left are read, gone on with and never spoilt; ``make_files`` says what they are.

What is trained here differs from machine to machine in the last bits, so it is never compared with stored weights:
runs that go on from one stored state are compared with one another, to the bit, and with plain PyTorch.
"""

import csv
import hashlib
import io
import json
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch

from examples.psa_in_60_lines import ablate, count_correct, network, train_epoch
from psa_tui.data import load_dataset
from tests.compatibility.old_files import (
    CHECKPOINT,
    COMMANDS,
    EXPECTED,
    FILES,
    PREVIOUS,
    STUDY,
    answer,
    copy_files,
    psa,
    replace_place,
    run_names,
    user_version,
)

pytestmark = pytest.mark.slow

LAST_LOOP = 6
RATE = 1e-3
MODES = ("none", "decay", "dropout", "full", "hidden", "output")
NEWER = 999
IGNORED = ("schema", "seconds_left")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small operations are quickest on one thread, and another process cannot slow them down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def at_once(*calls):
    """What the functions return; the processes they wait for run side by side."""
    with ThreadPoolExecutor(4) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def weights(path):
    with safetensors.safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)


# Reading


def content(file, text):
    """What matters in ``text``, the content of a file in ``expected/`` or a newer answer."""
    if file.endswith(".json"):
        return json.loads(text)
    if file.endswith(".csv"):
        return list(csv.DictReader(io.StringIO(text)))
    return [line for line in text.splitlines() if line.startswith(("Results Shape", "* ", "### ", "|"))]


def stored(file):
    return content(file, (EXPECTED / file).read_text())


def assert_within(expected, found, where=""):
    """All of ``expected`` is in ``found``, which may have more keys in its mappings."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            if key not in IGNORED:
                assert_within(value, found[key], f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(expected) == len(found), where
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            assert_within(one, other, f"{where}/{index}")
    else:
        assert expected == found, where


def test_everything_that_was_told_of_runs_and_studies_is_told_still(tmp_path):
    copy_files(tmp_path)
    names = run_names()
    answers = at_once(*(partial(answer, tmp_path, file, names) for file in COMMANDS))
    for file, text in zip(COMMANDS, answers, strict=True):
        assert_within(stored(file), content(file, text), file)
    assert user_version(tmp_path / "results") >= 2


def test_the_files_hold_what_they_are_meant_to():
    """Else the tests here say less than they seem to."""
    for name in ("hidden", "full"):
        loops = stored(f"show-{name}.json")["meta_loops"]
        assert [loop["verdict"] for loop in loops] == ["promoted", "promoted", "rolled_back"]
        assert [loop["ablated_layer"] is None for loop in loops] == [True, False, False]
    checkpoints = stored("checkpoints.json")["checkpoints"]
    assert [(one["meta_loop"], [mode for _, mode in one["mode_history"]]) for one in checkpoints] == [
        (5, ["dropout", "output"]),
        (2, ["full"]),
        (3, ["hidden"]),
    ]
    assert stored("show-full.json")["run"]["state"] == "interrupted"


# Going on


@pytest.fixture(scope="module")
def splits():
    """Training and validation images for the plain method in float64."""
    data = load_dataset("mnist5k", Path())
    return [
        (torch.from_numpy((part.pixels / 255 - data.spec.mean[0]) / data.spec.std[0]), torch.from_numpy(part.labels))
        for part in (data.train, data.validation)
    ]


def go_on_plainly(lkg, mode, seed, best, loops, splits):
    """The method in plain PyTorch from ``lkg`` on, which classified ``best`` images correctly.

    Returns:
        (loop, layer, neuron, correct, promoted) of each loop, and the last LKG.
    """
    widths = [784, *(array.shape[0] for name, array in lkg.items() if name.endswith("weight"))]
    lkg = {name: torch.from_numpy(array).double() for name, array in lkg.items()}
    rows = []
    for loop in loops:
        model = network(widths, seed).double()
        model.load_state_dict(lkg)
        ablates = mode in ("full", "hidden", "output")
        layer, neuron = ablate(model, mode, seed, loop) if ablates else (None, None)
        train_epoch(model, *splits[0], mode, seed, loop, RATE, 256)
        correct = count_correct(model, *splits[1])
        rows.append((loop, layer, neuron, correct, correct > best))
        if correct > best:
            best, lkg = correct, model.state_dict()
    return rows, {name: tensor.numpy() for name, tensor in lkg.items()}


def assert_alike(found, plain, best):
    """Whether the program's loops are those of the plain method; rounding may move one image.

    Returns:
        Whether all verdicts agree, so that both end with the same weights but for rounding.
    """
    assert [row[:3] for row in found] == [row[:3] for row in plain]
    for (*_, correct, promoted), (*_, plain_correct, plain_promoted) in zip(found, plain, strict=True):
        assert abs(correct - plain_correct) <= 1
        if promoted != plain_promoted:
            assert abs(correct - best) <= 1
            return False
        best = max(best, correct)
    return True


def test_interrupted_runs_and_studies_go_on(tmp_path, splits):
    folder, other = tmp_path / "moved", tmp_path / "other"
    for copy in (folder, other):
        copy.mkdir()
        copy_files(copy)
    replace_place(folder / "results", f"{folder}/full/", "/not/here/any/more/")
    # At its end a session measures the test images and writes again, so the generation before has the same loop.
    (other / "hidden" / PREVIOUS).replace(other / "hidden" / CHECKPOINT)
    commands = [
        (folder, "resume --model-dir hidden --plain"),
        (folder, "resume --model-dir full --plain"),
        (folder, f"reproduce run --study {STUDY} --dataset mnist5k --workers 1 --plain"),
        (other, f"train --model-dir hidden --meta-loops {LAST_LOOP - 3} --plain"),
    ]
    ended = at_once(*(partial(psa, where, *command.split()) for where, command in commands))
    assert [one.returncode for one in ended] == [0, 0, 0, 0], [one.stderr for one in ended]
    # What was trained by torch goes on with it, and nothing is said of that.
    assert not any("torch" in one.stderr.replace("torch 2", "") or "numba" in one.stdout for one in ended)
    with closing(sqlite3.connect(folder / "results" / "history.sqlite")) as connection:
        (versions,) = connection.execute("SELECT versions FROM study_sessions ORDER BY session DESC LIMIT 1").fetchone()
    assert json.loads(versions)["backend"] == "torch"
    assert user_version(folder / "results") >= 2
    files = ("show-hidden.json", "show-full.json", "loops.csv")
    answers = at_once(*(partial(answer, folder, file, run_names()) for file in files))
    check_bits(folder, other)
    for name, told in zip(("hidden", "full"), answers, strict=False):
        check_run(name, json.loads(told), weights(folder / name / CHECKPOINT), splits)
    check_study(folder, content("loops.csv", answers[-1]), splits)


def check_bits(folder, other):
    """One stored state leads to the same bits in two ways: at once, and by another command from the file before."""
    one, same = (weights(where / "hidden" / CHECKPOINT) for where in (folder, other))
    before = weights(FILES / "hidden" / CHECKPOINT)
    assert one.keys() == same.keys() == before.keys()
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not all(np.array_equal(one[name], before[name]) for name in one)


def check_run(name, found, ended, splits):
    """A run goes on as the method says, from the stored weights and counters."""
    begun = stored(f"show-{name}.json")
    # The database of one was a loop ahead of its checkpoint; that loop was run again.
    done = {"hidden": 3, "full": 2}[name]
    assert_within(begun["meta_loops"][:done], found["meta_loops"][:done])
    assert_within(begun["sessions"], found["sessions"][:1])
    assert (len(found["sessions"]), found["sessions"][1]["after_meta_loop"]) == (2, done)
    assert [session["backend"] for session in found["sessions"]] == ["torch", "torch"]
    assert (found["run"]["state"], found["run"]["meta_loop"]) == ("finished", LAST_LOOP)
    assert Path(found["run"]["checkpoint"]).parts[-2:] == (name, CHECKPOINT)

    best = max(loop["validation_correct"] for loop in begun["meta_loops"][:done])
    start = weights(FILES / name / CHECKPOINT)
    plain, lkg = go_on_plainly(start, name, 9, best, range(done + 1, LAST_LOOP + 1), splits)
    columns = ("meta_loop", "ablated_layer", "ablated_neuron", "validation_correct")
    loops = [
        (*(loop[column] for column in columns), loop["verdict"] == "promoted") for loop in found["meta_loops"][done:]
    ]
    assert {promoted for *_, promoted in loops} == {True, False}
    if assert_alike(loops, plain, best):
        for key, array in ended.items():
            np.testing.assert_allclose(array, lkg[key], rtol=0, atol=1e-4)


def check_study(folder, exported, splits):
    """A study goes on as the method says, from the stored state of its part."""
    state = Path("results", "studies", STUDY, "2x3-1-2.safetensors")
    assert not (folder / state).exists()
    with safetensors.safe_open(FILES / state, framework="np") as file:
        header, lkg = file.metadata(), file.get_tensor("lkg")
    assert_within(stored("loops.csv"), [row for row in exported if row["architecture"] == "1*4"])
    address = f"{(FILES / 'results' / 'history.sqlite').as_uri()}?immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        seeds = dict(connection.execute("SELECT trial, seed FROM trials WHERE architecture = '2*3'").fetchall())
        before = connection.execute(
            "SELECT trial, mode, validation_correct FROM trial_loops WHERE architecture = '2*3' ORDER BY meta_loop"
        ).fetchall()
    members = [(trial, mode) for trial in (1, 2) for mode in MODES]
    for (trial, mode), row, progress in zip(members, lkg, json.loads(header["progress"]), strict=True):
        best = progress["lkg_correct"]
        plain, _ = go_on_plainly(named(row, [784, 3, 3, 10]), mode, seeds[trial], best, (3, 4), splits)
        own = [one for one in exported if (one["architecture"], one["mode"], one["trial"]) == ("2*3", mode, str(trial))]
        loops = [
            (
                int(one["meta_loop"]),
                int(float(one["ablated_layer"])) if one["ablated_layer"] else None,
                int(float(one["ablated_neuron"])) if one["ablated_neuron"] else None,
                round(500 * float(one["validation_accuracy"])),
                one["verdict"] == "promoted",
            )
            for one in own
        ]
        assert [correct for *_, correct, _ in loops[:2]] == [c for t, m, c in before if (t, m) == (trial, mode)]
        assert_alike(loops[2:], plain, best)


def named(row, widths):
    """A row of all weights and biases, as the tensors of a network."""
    tensors, begin = {}, 0
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
            end = begin + int(np.prod(shape))
            tensors[f"{3 * index}.{name}"] = row[begin:end].reshape(shape)
            begin = end
    assert begin == len(row)
    return tensors


def test_going_on_with_another_backend_is_announced(tmp_path):
    copy_files(tmp_path)
    run = psa(tmp_path, "resume", "--model-dir", "hidden", "--backend", "numba", "--json")
    told = "backend: torch before, numba now; the run may not be bit-identical to an uninterrupted one"
    assert f"psa: warning: {told}\n" in run.stderr
    assert told in json.loads(run.stdout.splitlines()[0])["notices"]
    study = psa(
        tmp_path, *f"reproduce run --study {STUDY} --dataset mnist5k --workers 1 --plain".split(), "--backend", "numba"
    )
    assert f"study {STUDY} was trained by torch so far, goes on with numba: the last bits differ\n" in study.stdout


# Files of a version that is yet to come


def as_if_newer(path):
    """Raise the format of a checkpoint, with digests that are right."""
    with safetensors.safe_open(path, framework="np") as file:
        header = {name: text for name, text in file.metadata().items() if name != "record_sha256"}
    header["format_version"] = str(NEWER)
    header["record_sha256"] = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()
    path.write_bytes(safetensors.numpy.save(weights(path), header))


def test_a_newer_checkpoint_is_refused_by_name_and_left_alone(tmp_path):
    copy_files(tmp_path)
    path = tmp_path / "hidden" / CHECKPOINT
    as_if_newer(path)
    (tmp_path / "hidden" / PREVIOUS).unlink()
    content = path.read_bytes()
    resumed = psa(tmp_path, "resume", "--model-dir", "hidden")
    assert resumed.returncode != 0
    assert str(NEWER) in resumed.stderr
    assert "update psa-tui" in resumed.stderr
    assert str(path.name) in resumed.stderr
    assert path.read_bytes() == content


def test_a_newer_database_is_refused_by_name_and_keeps_its_format(tmp_path):
    copy_files(tmp_path)
    with closing(sqlite3.connect(tmp_path / "results" / "history.sqlite")) as connection:
        connection.execute(f"PRAGMA user_version = {NEWER}")
    shutil.copytree(tmp_path / "hidden", tmp_path / "as-it-was")
    for arguments in (["results", "runs"], ["resume", "--model-dir", "hidden"]):
        refused = psa(tmp_path, *arguments)
        assert refused.returncode != 0
        assert "update psa-tui" in refused.stderr
        assert "history.sqlite" in refused.stderr
    assert user_version(tmp_path / "results") == NEWER
    for name in (CHECKPOINT, PREVIOUS):
        assert (tmp_path / "hidden" / name).read_bytes() == (tmp_path / "as-it-was" / name).read_bytes()
