import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from psa_tui.method.variants import variant_names
from psa_tui.runs.checkpoint_files import DEFAULT_NAME
from psa_tui.settings import MOST_THREADS
from psa_tui.storage.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from psa_tui.storage.run_store import read_runs
from tests import program

pytestmark = pytest.mark.slow

WITHOUT_STREAMS = """
import os, sys
os.closerange(0, 3)
sys.stdin = sys.stdout = sys.stderr = sys.__stdin__ = sys.__stdout__ = sys.__stderr__ = None
from psa_tui.cli import main
main()
"""
"""What an interpreter finds that is started with no stream open."""
TINY = ("--dataset", "mnist5k", "--arch", "[1*8]", "--lr", "1e-2", "--seed", "3")
LKG = Path("models") / DEFAULT_NAME


def train(psa, *arguments, **options):
    return psa("train", *TINY, *arguments, **options)


def loops_of_the_only_run():
    with read_runs(Path("results")) as history:
        (row,) = history.latest(10)
        return row, history.loops(row.run)


def test_a_first_run_prints_one_line_a_loop_and_leaves_a_checkpoint_and_a_history(psa):
    done = train(psa, "--mode", "full", "--meta-loops", 4)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"run \d{8}-\d{6}-[0-9a-f]{8}: \[1\*8\], 6,370 parameters, mode full", lines[0])
    assert lines[1] == "from a random initialisation, to meta-loop 4; seed 3"
    assert re.fullmatch(r"data mnist5k: 4,000 train, 500 validation, 500 test; majority class 1\d\.\d\d %", lines[2])
    assert re.fullmatch(r"loop 1/4 +\d+\.\d\d %  promoted +LKG +\d+\.\d\d %  (\d+\.\d ms|\d+\.\d\d s)", lines[4])
    for line in lines[5:8]:
        assert re.fullmatch(
            r"loop \d/4 +\d+\.\d\d %  (promoted \+|rolled back [+-])\d+\.\d\d +LKG +\d+\.\d\d %  "
            r"(layer 0|output) neuron \d  (\d+\.\d ms|\d+\.\d\d s)",
            line,
        )
        assert len(line) <= 80
    assert re.fullmatch(r"finished: 4 of 4 meta-loops, \d+\.\d s", lines[8])
    bounty = r"bounty \d+\.\d\d % at meta-loop \d, test accuracy of the LKG \d+\.\d\d %"
    assert re.fullmatch(rf"{bounty}; hidden units: \d+ dead, \d+ never active", lines[9])
    assert len(lines) == 10
    record = read_checkpoint(LKG).record
    row, loops = loops_of_the_only_run()
    assert (record.finished, record.complete, row.state) == (True, True, "finished")
    assert [loop.meta_loop for loop in loops] == [1, 2, 3, 4]
    assert record.progress.lkg_correct == max(loop.validation_correct for loop in loops)
    assert row.bounty == record.progress.bounty


def test_json_is_one_versioned_object_an_event_and_nothing_else_on_stdout(psa):
    done = train(psa, "--mode", "output", "--meta-loops", 3, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["schema"] for event in events} == {2}
    names = [event["event"] for event in events if event["event"] != "epoch_progressed"]
    assert names == [
        "run_started",
        "meta_loop_finished",
        "units_ablated",
        "meta_loop_finished",
        "units_ablated",
        "meta_loop_finished",
        "run_finished",
    ]
    last = events[-1]
    assert (last["outcome"], last["progress"]["meta_loop"]) == ("finished", 3)
    assert 0 < last["test_accuracy"] < 1


def test_quiet_prints_the_result_only(psa):
    done = train(psa, "--meta-loops", 2, "--quiet")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["finished:", "bounty"]
    assert done.stderr == ""


def test_a_random_seed_is_shown_and_gives_the_same_run_again(psa, tmp_path):
    arguments = ("train", "--dataset", "mnist5k", "--arch", "[1*8]", "--meta-loops", 2)
    first = psa(*arguments)
    seed = re.search(r"seed (\d+)", first.stdout)[1]
    psa(*arguments, "--seed", seed, "--model-dir", "again")
    one, two = read_checkpoint(LKG), read_checkpoint(Path("again") / DEFAULT_NAME)
    assert one.record.seed == two.record.seed == int(seed)
    assert all((one.weights[name] == two.weights[name]).all() for name in one.weights)


def test_training_again_goes_on_and_may_switch_the_mode(psa):
    train(psa, "--mode", "hidden", "--meta-loops", 2)
    done = psa("train", "--arch", "[1*8]", "--mode", "output", "--meta-loops", 3)
    assert "going on after meta-loop 2, to meta-loop 5; seed 3" in done.stdout
    record = read_checkpoint(LKG).record
    assert record.mode_history == ((1, "hidden"), (3, "output"))
    assert (record.hyperparameters.learning_rate, record.progress.meta_loop) == (1e-2, 5)
    _, loops = loops_of_the_only_run()
    assert [loop.mode for loop in loops] == ["hidden"] * 2 + ["output"] * 3


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--arch", "[1*9]"), "architecture [1*8], and [1*9]"),
        (("--hidden-layers", "8,8"), "architecture [1*8], and [2*8]"),
        (("--dataset", "kmnist"), "data set mnist5k, and kmnist"),
        (("--seed", "4"), "seed 3, and 4"),
    ],
)
def test_another_architecture_data_set_or_seed_is_refused_with_both_remedies_and_the_file_untouched(
    psa, arguments, what
):
    train(psa, "--meta-loops", 1)
    before = LKG.read_bytes()
    done = psa("train", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"psa: error: models/{DEFAULT_NAME} was trained with {what} was asked for; "
        "--name NAME trains another run beside it, or psa clean takes it away\n"
    )
    assert LKG.read_bytes() == before


def test_resume_of_an_interrupted_run_equals_the_uninterrupted_twin(psa):
    train(psa, "--mode", "dropout", "--meta-loops", 6, "--model-dir", "twin")
    process = start("train", *TINY, "--mode", "dropout", "--meta-loops", 6, "--json")
    for line in process.stdout:
        if json.loads(line)["event"] == "meta_loop_finished":
            process.send_signal(signal.SIGTERM)
            break
    process.communicate(timeout=30)
    assert not read_checkpoint(LKG).record.finished
    done = psa("resume")
    assert done.returncode == 0, done.stderr
    one, twin = read_checkpoint(LKG), read_checkpoint(Path("twin") / DEFAULT_NAME)
    assert one.record.progress == twin.record.progress
    assert one.record.test_correct == twin.record.test_correct
    assert all(one.weights[name].tobytes() == twin.weights[name].tobytes() for name in one.weights)


def test_resume_adds_loops_to_a_finished_run_and_otherwise_changes_nothing(psa):
    train(psa, "--meta-loops", 2)
    before = LKG.read_bytes()
    done = psa("resume")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "psa: the run is complete; psa resume --meta-loops N adds N meta-loops to it\n"
    assert LKG.read_bytes() == before
    assert psa("resume", "--meta-loops", 3).returncode == 0
    train(psa, "--meta-loops", 5, "--model-dir", "twin")
    assert "psa resume --model-dir twin --meta-loops N adds" in psa("resume", "--model-dir", "twin").stderr
    one, twin = read_checkpoint(LKG), read_checkpoint(Path("twin") / DEFAULT_NAME)
    assert (one.record.progress, one.record.last_meta_loop) == (twin.record.progress, 5)
    assert all(one.weights[name].tobytes() == twin.weights[name].tobytes() for name in one.weights)


def test_resume_keeps_the_checkpoints_settings_whatever_the_environment_says(psa):
    train(psa, "--mode", "decay", "--meta-loops", 2)
    environment = {**os.environ, "PSA_MODE": "full", "PSA_LR": "5", "PSA_HIDDEN_LAYERS": "3", "PSA_SEED": "9"}
    assert psa("resume", "--meta-loops", 1, env=environment).returncode == 0
    record = read_checkpoint(LKG).record
    assert (record.mode, record.hyperparameters.learning_rate, record.seed) == ("decay", 1e-2, 3)


def test_resume_without_a_checkpoint_says_so_and_makes_nothing(psa, tmp_path):
    done = psa("resume")
    assert done.returncode == 2
    assert done.stderr == f"psa: error: models/{DEFAULT_NAME}: there is no such checkpoint; psa train makes one\n"
    assert list(tmp_path.iterdir()) == []
    for name in ("wide", "deep"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / DEFAULT_NAME).touch()
    (tmp_path / "models" / "empty").mkdir()
    said = psa("resume").stderr
    assert said.endswith("no such checkpoint; runs with names are deep, wide (psa resume --name deep)\n")
    assert psa("resume", "--name", "wied").stderr.endswith("; did you mean 'wide'?\n")


@pytest.mark.parametrize("command", ["train", "resume"])
def test_a_damaged_checkpoint_is_one_clear_error_and_stays_as_it_is(psa, command):
    train(psa, "--meta-loops", 1)
    LKG.write_bytes(LKG.read_bytes()[:-10])
    before = LKG.read_bytes()
    done = psa(command)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "the previous generation models/mnist_lkg.previous.safetensors is intact" in done.stderr
    assert LKG.read_bytes() == before


def start(*arguments, **options):
    """A real training process; its first lines come at once."""
    return program.Popen(
        [sys.executable, "-m", "psa_tui", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def long_run(*arguments, **options):
    return start("train", *TINY, "--meta-loops", 100000, *arguments, **options)


def wait_for_loop(process, number=1):
    for line in process.stdout:
        if line.startswith(f"loop {number:>6}/"):
            return
    raise AssertionError(process.stderr.read())


def test_a_second_trainer_is_refused_and_told_the_process_id(psa):
    process = long_run()
    wait_for_loop(process)
    done = train(psa, "--meta-loops", 1)
    process.terminate()
    process.communicate(timeout=30)
    assert done.returncode == 1
    assert f"is being trained by process {process.pid};" in done.stderr
    assert train(psa, "--meta-loops", 1).returncode == 0


@pytest.mark.parametrize(
    ("number", "name", "send"),
    [
        (signal.SIGINT, "Ctrl-C", os.kill),
        (signal.SIGTERM, "TERM", os.kill),
        (signal.SIGTERM, "TERM", os.killpg),
        (signal.SIGHUP, "HUP", os.killpg),
    ],
)
def test_a_signal_commits_and_leaves_within_five_seconds_and_says_how_to_go_on(psa, number, name, send):
    process = long_run("--threads", 1, start_new_session=True)
    wait_for_loop(process, 3)
    asked = time.monotonic()
    send(process.pid, number)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - asked < 5
    assert process.returncode == 128 + number
    assert err == ""
    done = read_checkpoint(LKG).record.progress.meta_loop
    assert out.splitlines()[-2] == f"stopped by {name} at meta-loop {done} of 100000; go on with: psa resume"
    row, loops = loops_of_the_only_run()
    assert (row.state, row.reason, len(loops)) == ("stopped", name, done)


def test_a_second_signal_leaves_at_once_and_the_checkpoint_is_good(psa):
    # One step of this batch takes far longer than the pause between the two signals.
    process = start(
        "train", "--dataset", "mnist5k", "--arch", "[8*1024]", "--batch-size", 4000, "--meta-loops", 50, "--json"
    )
    for line in process.stdout:
        if json.loads(line)["event"] == "run_started":
            break
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert read_checkpoint(LKG).record.progress.meta_loop == 0


def test_a_closed_output_stops_the_run_with_everything_committed(psa):
    process = long_run()
    wait_for_loop(process)
    process.stdout.close()
    assert process.wait(timeout=30) == 1
    assert process.stderr.read() == ""
    process.stderr.close()
    assert read_checkpoint(LKG).record.progress.meta_loop >= 1
    row, loops = loops_of_the_only_run()
    assert (row.state, row.reason, len(loops)) == ("stopped", "its output was closed", row.meta_loop)


def test_a_full_disk_ends_in_one_line_and_the_run_can_go_on(psa):
    train(psa, "--meta-loops", 2)
    before = read_checkpoint(LKG)
    limited = ["bash", "-c", 'ulimit -f 16; exec "$@"', "limited", sys.executable, "-m", "psa_tui"]
    done = subprocess.run(
        [*limited, "train", "--meta-loops", "3"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "space and permissions" in done.stderr
    after = read_checkpoint(LKG)
    assert after.record.progress == before.record.progress
    assert all(after.weights[name].tobytes() == before.weights[name].tobytes() for name in before.weights)
    assert train(psa, "--meta-loops", 1).returncode == 0


def test_an_output_without_room_is_named_and_closed_streams_take_no_harm(psa):
    command = [sys.executable, "-m", "psa_tui"]
    with open("/dev/full", "w") as full:
        done = program.run([*command, "config"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (1, "psa: error: standard output: No space left on device\n")
        run = [*command, "train", *TINY, "--meta-loops", "2", "--plain"]
        done = program.run(run, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert "its output failed (No space left on device); what was recorded is intact" in done.stderr
    closed = [sys.executable, "-c", WITHOUT_STREAMS, "resume", "--meta-loops", "1"]
    assert program.run(closed, timeout=60).returncode == 0
    assert read_checkpoint(LKG).record.complete


def test_folders_that_cannot_be_made_are_named_in_one_line(psa, tmp_path):
    (tmp_path / "file").write_text("")
    for option in ("--model-dir", "--results-dir"):
        done = train(psa, option, "file/below")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert f"choose another {option}" in done.stderr


def test_settings_come_from_the_environment_and_psa_toml_too(psa, tmp_path):
    (tmp_path / "psa.toml").write_text('arch = "[2*4]"\nmode = "output"\nmeta_loops = 50\n')
    environment = {**os.environ, "PSA_META_LOOPS": "1", "PSA_DATASET": "mnist5k", "PSA_QUIET": "1"}
    done = psa("train", env=environment)
    assert done.stdout.startswith("finished: 1 of 1 meta-loops")
    assert (read_checkpoint(LKG).record.architecture, read_checkpoint(LKG).record.mode) == ("[2*4]", "output")


def test_an_architecture_beyond_memory_is_refused_before_anything_is_loaded(psa, tmp_path):
    done = psa("train", "--arch", "[999999999*9]")
    assert done.returncode == 2
    assert "[999999999*9] has 90,000,006,985 parameters and needs about 234,5" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--batch-size", "0"), "--batch-size: expected a whole number from 1 to 1000000, found '0'"),
        (("--lr", "-1"), "--lr: expected a number above 0, at most 10, found '-1'"),
        (("--dropout", "1"), "--dropout: expected a number from 0 to below 1, found '1'"),
        (("--mode", "some"), f"--mode: expected one of {', '.join(variant_names())}, found 'some'"),
        (
            ("--ablate", "none", "--effect", "noise"),
            "--ablate, --effect: effect noise needs an ablation: nothing is ablated",
        ),
        (("--arch", "1*8", "--ablate", "layer:2"), "--ablate: layer:2: the network has layers 0 to 1"),
        (("--mode", "output", "--amount", "11"), "--amount: an amount of 11, and there are 10 units to choose from"),
        (
            ("--mode", "full", "--schedule", "none:5"),
            "--schedule: a schedule names all its modes: leave --mode and the options of a mode out",
        ),
        (("--json", "--quiet"), "--json and --quiet exclude each other; choose one"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_two(psa, arguments, says):
    done = psa("train", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"psa: error: {says}\n")


def test_help_and_version_import_no_torch(psa):
    script = (
        "import sys\nfrom psa_tui.cli import main\n"
        "for words in ['--help'], ['--version'], ['train', '--help'], ['resume', '--help']:\n"
        "    sys.argv = ['psa', *words]\n"
        "    try: main()\n    except SystemExit as leave: assert not leave.code, words\n"
        "    assert not {'torch', 'numpy', 'torchvision', 'safetensors'} & set(sys.modules), words"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage: ") == 3


def test_cp1252_and_an_ascii_terminal_are_survived(psa):
    for encoding in ("cp1252", "ascii"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = train(psa, "--meta-loops", 1, "--model-dir", "modèles-日本", env=environment)
        assert done.returncode == 0, done.stderr


def test_debug_shows_tracebacks_and_no_other_option_does(psa):
    LKG.parent.mkdir()
    LKG.write_bytes(b"nonsense")
    assert "Traceback" not in psa("resume").stderr
    assert "Traceback" in psa("resume", "--debug").stderr


def test_nohup_keeps_a_run_alive_through_a_hangup(psa):
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from psa_tui.cli import main; main()"
    command = [sys.executable, "-c", code, "train", *TINY, "--meta-loops", "8"]
    process = program.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("run ")
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "finished: 8 of 8" in out


def test_an_output_flag_of_higher_precedence_wins(psa):
    done = train(psa, "--meta-loops", 1, "--json", env={**os.environ, "PSA_PLAIN": "1"})
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[0])["event"] == "run_started"


def test_asking_for_auto_goes_on_with_the_checkpoints_data_set(psa):
    train(psa, "--meta-loops", 1)
    done = psa("train", "--dataset", "auto", "--meta-loops", 1)
    assert done.returncode == 0, done.stderr
    assert "data mnist5k" in done.stdout


def test_a_substituted_data_set_is_said_and_recorded_in_every_session(psa):
    offline = {**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    first = psa("train", "--arch", "[1*8]", "--meta-loops", 1, "--batch-size", 5000, env=offline)
    assert "psa: warning: a batch of 5,000 is more than the 4,000 images: an epoch is one step" in first.stderr
    assert first.returncode == 0
    assert "this is mnist5k" in first.stderr
    record = read_checkpoint(LKG).record
    assert (record.dataset, record.dataset_requested) == ("mnist5k", "auto")
    row, _ = loops_of_the_only_run()
    assert (row.dataset, row.dataset_requested) == ("mnist5k", "auto")
    again = psa("resume", "--meta-loops", 1)
    assert "this run trains on mnist5k, because full MNIST was not to be had" in again.stderr


def test_a_change_of_threads_is_said_because_it_may_change_bits(psa):
    train(psa, "--meta-loops", 1, "--threads", 1)
    done = psa("resume", "--meta-loops", 1, "--threads", 2)
    assert done.stderr == (
        "psa: warning: threads: 1 before, 2 now; the run may not be bit-identical to an uninterrupted one\n"
    )
    assert psa("resume", "--meta-loops", 1, "--threads", 2).stderr == ""


def test_what_keeps_auto_from_the_compiled_backend_is_said_and_the_run_keeps_the_other_one(psa):
    config = Path(".numba_config.yaml")
    config.touch()
    done = train(psa, "--meta-loops", 1)
    assert done.stderr == (
        "psa: warning: --backend auto takes torch here, not numba: Numba would take settings from .numba_config.yaml "
        "in the current folder; remove it or go elsewhere\n"
    )
    config.unlink()
    assert psa("resume", "--meta-loops", 1).stderr == ""
    back = psa("resume", "--meta-loops", 1, "--backend", "numba")
    assert "psa: warning: backend: torch before, numba now; " in back.stderr
    assert psa("resume", "--meta-loops", 1, "--backend", "auto").stderr == ""
    shown = psa("results", "show", "latest").stdout
    assert re.findall(r"^ +backend (\w+); ", shown, re.MULTILINE) == ["torch", "numba"]
    assert "denormals" in shown


def test_a_run_of_the_compiled_backend_goes_on_where_that_cannot_serve_and_says_why(psa):
    train(psa, "--meta-loops", 1)
    assert read_checkpoint(LKG).record.backend == "numba"
    Path(".numba_config.yaml").touch()
    done = psa("resume", "--meta-loops", 1, "--json")
    first, second = json.loads(done.stdout.splitlines()[0])["notices"]
    assert first.startswith("--backend auto takes torch here, not numba: Numba would take settings from ")
    assert second.startswith("backend: numba before, torch now; ")
    refused = psa("resume", "--meta-loops", 1, "--backend", "numba")
    assert (refused.returncode, "--backend numba cannot train" in refused.stderr) == (2, True)


def test_a_run_of_a_machine_with_many_more_cores_goes_on_with_those_of_this_one_and_says_so(psa):
    train(psa, "--meta-loops", 1, "--threads", 1)
    made = read_checkpoint(LKG)
    threads = 16 * MOST_THREADS
    write_checkpoint(LKG, Checkpoint(replace(made.record, threads=threads), made.weights))
    done = psa("resume", "--meta-loops", 1)
    assert done.returncode == 0
    assert done.stderr == (
        f"psa: warning: threads: {threads} before, {os.cpu_count()} now; "
        "the run may not be bit-identical to an uninterrupted one\n"
    )


def test_candidates_that_are_not_finite_are_shown_and_never_promoted(psa):
    done = psa("train", "--dataset", "mnist5k", "--arch", "[20*64]", "--lr", "10", "--seed", "1", "--meta-loops", 3)
    assert done.returncode == 0
    assert done.stdout.count("not finite") == 3
    assert done.stdout.splitlines()[-1] == "no LKG yet: no candidate was finite; a lower learning rate may help"
    assert read_checkpoint(LKG).record.progress.lkg_correct is None


@pytest.mark.campaign
def test_a_step_that_takes_long_does_not_hold_up_a_stop(psa):
    # Training on all images at once takes far longer than five seconds a step.
    process = start(
        "train", "--dataset", "mnist5k", "--arch", "[12*2048]", "--batch-size", 4000, "--threads", 1, "--plain"
    )
    while not process.stdout.readline().startswith("lr "):
        pass
    time.sleep(1)
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - asked < 10
    assert process.returncode == 143
    assert err == "psa: left at once (TERM); what was committed is intact\n"
    assert read_checkpoint(LKG).record.progress.meta_loop == 0


def test_a_result_that_cannot_be_shown_is_no_success(psa):
    with open("/dev/full", "w") as full:
        done = program.run([sys.executable, "-m", "psa_tui", "train", *TINY, "--meta-loops", "1"], stdout=full)
    assert done.returncode == 1


def test_no_standard_output_at_all_is_survived(psa):
    done = subprocess.run(
        ["bash", "-c", '"$@" >&-', "closed", sys.executable, "-m", "psa_tui", "status"], capture_output=True, text=True
    )
    assert (done.returncode, "error" in done.stderr) == (0, False), done.stderr
