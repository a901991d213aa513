import hashlib
import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import platformdirs
import pytest

from psa_tui.aws.archive import read_archive
from psa_tui.aws.source_archive import build_source_archive, source_root
from psa_tui.errors import ConfigError
from tests import program

pytestmark = pytest.mark.slow

SCRIPT = source_root() / "aws" / "sagemaker" / "train.py"
ORDER = {
    "study": "test",
    "shape": "1*48",
    "mode": "hidden",
    "trials": "3",
    "meta_loops": "40",
    "seed": "7",
    "dataset": "mnist5k",
    "learning_rate": "0.001",
    "batch_size": "256",
    "weight_decay": "0.0001",
    "dropout": "0.1",
}


class Instance:
    """A folder like /opt/ml, and the entry script as a process in it."""

    def __init__(self, root, **changes):
        self.root = root
        for folder in ("input/config", "checkpoints", "model", "output"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        order = {name: value for name, value in (ORDER | changes).items() if value is not None}
        (root / "input" / "config" / "hyperparameters.json").write_text(json.dumps(order))

    def start(self, script=SCRIPT):
        environment = {
            "PATH": os.environ["PATH"],
            "PSA_ML_ROOT": str(self.root),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "error",
            "HOME": str(self.root),
            "XDG_CACHE_HOME": str(platformdirs.user_cache_path()),
        }
        return program.Popen(
            [sys.executable, script],
            env=environment,
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script=SCRIPT):
        with self.start(script) as process:
            out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def model(self):
        return {path.name: path.read_text() for path in (self.root / "model").iterdir()}

    def states(self):
        return {path.name for path in (self.root / "checkpoints").iterdir()}


def stop_after(process, loops, number):
    """Send the signal once ``loops`` meta-loops are done; returns all that was printed."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(f"meta-loop {loops} "):
            process.send_signal(number)
            break
    lines += process.stdout.readlines()
    process.wait(timeout=60)
    process.stderr.close()
    process.stdout.close()
    return lines


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    instance = Instance(tmp_path_factory.mktemp("undisturbed"))
    code, out, err = instance.run()
    assert (code, err) == (0, "")
    assert out.endswith("complete: 3 trials\n")
    return instance


def test_a_complete_job_leaves_both_files_as_the_results_are_read_from_them(undisturbed):
    model = undisturbed.model()
    assert set(model) == {"results.txt", "comprehensive_results.json"}
    trials = json.loads(model["comprehensive_results.json"])
    assert [trial["trial"] for trial in trials] == [1, 2, 3]
    assert model["results.txt"] == "".join(f"{100 * trial['best_validation_accuracy']:.2f}\n" for trial in trials)
    assert all(0.5 < trial["best_validation_accuracy"] < 1 for trial in trials)
    assert all(1 <= trial["best_validation_epoch"] <= 40 for trial in trials)
    assert all(0.5 < trial["final_test_accuracy"] < 1 for trial in trials)


def test_what_a_job_leaves_is_accepted_by_the_reader_of_results(undisturbed, tmp_path):
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        for path in sorted((undisturbed.root / "model").iterdir()):
            archive.add(path, path.name)
    with open(tmp_path / "model.tar.gz", "rb") as file:
        results = read_archive(file, (tmp_path / "model.tar.gz").stat().st_size, 3)
    trials = json.loads(undisturbed.model()["comprehensive_results.json"])
    assert [result.best_validation_accuracy for result in results] == [t["best_validation_accuracy"] for t in trials]
    assert [result.best_meta_loop for result in results] == [t["best_validation_epoch"] for t in trials]
    assert [result.test_accuracy for result in results] == [t["final_test_accuracy"] for t in trials]


def test_a_job_stopped_in_the_middle_goes_on_and_ends_as_if_undisturbed(undisturbed, tmp_path):
    instance = Instance(tmp_path)
    asked = time.monotonic()
    lines = stop_after(instance.start(), 12, signal.SIGTERM)
    assert time.monotonic() - asked < 120
    assert lines[-1].startswith("stopped after meta-loop ")
    done = int(lines[-1].split()[3])
    assert 12 <= done < 40, "the stop came in the middle"
    assert instance.model() == {}, "no results before all trials are complete"
    assert instance.states() == {"1x48-1-3.safetensors"}
    code, out, err = instance.run()
    assert (code, err) == (0, "")
    assert out.startswith(f"1*48, trials 1 to 3, hidden: {done} of 40 meta-loops done")
    assert instance.model() == undisturbed.model()


def test_a_complete_job_started_again_only_leaves_its_results_again(undisturbed, tmp_path):
    instance = Instance(tmp_path)
    (state,) = (undisturbed.root / "checkpoints").iterdir()
    (instance.root / "checkpoints" / state.name).write_bytes(state.read_bytes())
    code, out, _ = instance.run()
    assert (code, "40 of 40 meta-loops done" in out, "meta-loop 40 of" in out) == (0, True, False)
    assert instance.model() == undisturbed.model()


@pytest.mark.campaign
def test_a_job_runs_the_users_file_that_came_in_its_archive(tmp_path):
    code = (source_root() / "examples" / "own_module.py").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(build_source_archive(source_root(), code))) as archive:
        archive.extractall(tmp_path / "code", filter="data")
    own = {"network": "mine.py:build", "shape": "4", "trials": "1", "meta_loops": "2"}
    instance = Instance(tmp_path / "ml", **own, code=f"sha256:{hashlib.sha256(code).hexdigest()}")
    code, out, err = instance.run(tmp_path / "code" / "aws" / "sagemaker" / "train.py")
    assert (code, err) == (0, ""), out
    assert out.startswith("4, trial 1, hidden: 0 of 2 meta-loops done")
    assert len(json.loads(instance.model()["comprehensive_results.json"])) == 1


def test_a_job_that_cannot_run_says_why_where_sagemaker_looks_for_it(tmp_path):
    instance = Instance(tmp_path, dataset="auto")
    code, _, err = instance.run()
    assert (code, "must not choose its data set" in err, err.count("\n")) == (2, True, 1)
    assert "must not choose its data set" in Path(tmp_path, "output", "failure").read_text()
    assert instance.model() == {}


def test_the_state_of_other_settings_is_refused_and_kept(undisturbed, tmp_path):
    instance = Instance(tmp_path, seed="8")
    (state,) = (undisturbed.root / "checkpoints").iterdir()
    path = instance.root / "checkpoints" / state.name
    path.write_bytes(state.read_bytes())
    code, _, err = instance.run()
    assert (code, "it belongs to another study" in err) == (1, True)
    assert path.read_bytes() == state.read_bytes()
    assert instance.model() == {}


@pytest.fixture
def script(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("entry_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = signal.getsignal(signal.SIGTERM)
    yield module
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": None}, "KeyError: 'seed'"),
        ({"shape": "8x8"}, "architecture: expected"),
        ({"mode": "x"}, "hyperparameters.json: expected one of none, decay"),
        ({"dropout": "1.5"}, "dropout is 1.5, expected a number from 0 to below 1"),
        ({"dataset": "auto"}, "must not choose its data set"),
        ({"trials": "ten"}, "ten"),
    ],
)
def test_hyperparameters_that_make_no_sense_are_refused(script, tmp_path, changes, said):
    Instance(tmp_path, **changes)
    with pytest.raises(ConfigError, match=said):
        script.read_parameters(tmp_path / "input" / "config" / "hyperparameters.json", tmp_path)


def test_a_stop_gives_up_a_young_loop_and_lets_an_old_one_end_within_its_grace(script, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(script.time, "monotonic", lambda: clock[0])
    term = script.TermSignal()
    assert not term.gives_up(0.0)
    os.kill(os.getpid(), signal.SIGTERM)
    assert term.gives_up(1000.0 - 30), "half a minute of work is lost"
    assert not term.gives_up(1000.0 - 100), "more than a minute of work would be lost"
    clock[0] += 85
    assert not term.gives_up(1000.0 - 100)
    assert term.gives_up(1060.0), "the old loop has ended, and the next one is young"
    clock[0] += 10
    assert term.gives_up(1000.0 - 100), "SageMaker would kill it soon"
