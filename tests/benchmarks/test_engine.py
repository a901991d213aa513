"""What the benchmark says of its measurements, and how it gets them; no test here measures anything."""

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import psa_tui
from benchmarks import __main__ as program
from benchmarks import engine, report
from benchmarks.engine import CLOCK_S, Measured, at_least, columns, population_members, take_turns
from benchmarks.floors import Rates, certain_operations, floors, instructions, operations, state_bytes
from benchmarks.population import Processes, mlp
from psa_tui.method.variants import NONE, OUTPUT, PUBLISHED
from psa_tui.networks import NETWORKS

ROOT = Path(psa_tui.__file__).parents[1]
RATES = Rates(operations_per_s=1e11, slots_per_s=1e10, lanes=8, bytes_per_s=1e10, cache_bytes=32 << 20)
MEASURED = Measured(
    network=mlp("[1*64]"),
    target=12.0,
    reference_s=[1.0, 1.2, 1.1],
    engine_s=[0.1, 0.1, 0.1],
    other_s=[],
    trials=1,
    backend="numba",
    processes=1,
    threads=2,
    pixels=150,
    distinct=1.0,
)


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on when work says so."""

    class Clock:
        now = 0.0

        def work(self, seconds):
            self.now += seconds
            return seconds

    clock = Clock()
    monkeypatch.setattr(engine.time, "perf_counter", lambda: clock.now)
    return clock


@pytest.mark.parametrize(("seconds", "turns"), [(100.0, 3), (2.0, 5), (0.1, 7)])
def test_turns_are_taken_while_there_is_time_but_three_at_least_and_seven_at_most(clock, seconds, turns):
    found = take_turns([lambda: clock.work(seconds / 2)] * 2, 9.0)
    assert [len(one) for one in found] == [turns, turns]


def test_every_second_turn_goes_backwards():
    order = []
    take_turns([lambda name=name: order.append(name) or 1.0 for name in ("reference", "this", "other")], 0.0)
    assert order == ["reference", "this", "other", "other", "this", "reference", "reference", "this", "other"]


def test_a_turn_of_short_meta_loops_has_several_and_its_seconds_are_their_mean():
    seconds = iter([0.05, 0.15, 0.1, 9.0])
    assert at_least(0.3, lambda: next(seconds)) == pytest.approx(0.1)
    assert next(seconds) == 9.0
    assert at_least(0.3, lambda: 2.0) == 2.0


def test_a_population_has_sixty_trials_or_of_a_wide_network_two_seeds_in_six_modes():
    assert len(population_members(mlp("[32*32]"))) == 60
    wide = population_members(mlp("[4*425]"))
    assert wide == [(seed, variant) for seed in range(2) for variant in PUBLISHED]


def test_limits_are_those_of_arithmetic_instructions_and_memory():
    narrow, wide = mlp("[1*64]"), mlp("[1*8192]")
    # Black pixels have no part in training or in evaluation: each of 64 units has 150 weights that matter.
    weights = 150 * 64
    rest = narrow.parameters - 784 * 64
    assert operations(narrow, 150) == 2 * (50_000 * (2 * weights + 3 * rest) + 10_000 * (weights + rest))
    assert operations(narrow) == narrow.meta_loop_operations(50_000, 10_000)
    # AdamW's eleven go over all parameters, black pixels' too; two for an activation and two for its gradient.
    adamw, activations = 11 * 196 * narrow.parameters, 2 * 64 * (2 * 50_000 + 10_000)
    assert instructions(narrow, 150, 8) == (operations(narrow, 150) // 2 + adamw + activations) // 8
    # 196 steps write and read what the cache has no place for: 12 bytes of a parameter.
    assert state_bytes(wide, 32 << 20) == 2 * 196 * (12 * wide.parameters - (32 << 20))
    assert state_bytes(narrow, 32 << 20) == state_bytes(wide, None) == 0
    expected = operations(wide, 150) / 1e11, instructions(wide, 150, 8) / 1e10, state_bytes(wide, 32 << 20) / 1e10
    assert floors(wide, RATES, 150) == expected
    assert floors(wide, RATES, 150, 0.5) == tuple(one / 2 for one in expected)


def test_a_row_has_the_share_of_each_limit_and_what_was_missed():
    cells = dict(zip(columns(False), MEASURED.cells(RATES), strict=True))
    limits = [f"{floor / 0.1:.0%}" for floor in MEASURED.floors(RATES)]
    assert [cells[name] for name in ("multiply-adds", "issue slots", "bytes")] == limits == ["23%", "16%", "0%"]
    assert cells["trials by processes x threads"] == "1 by 1 x 2 numba"
    assert (cells["ratio"], cells["wanted"]) == ("11.0 (10.0 to 12.0)", "12, missed")
    assert MEASURED.missed
    assert not replace(MEASURED, target=11.0).missed
    assert not replace(MEASURED, target=None).missed


def test_a_row_beside_another_version_has_its_seconds_and_the_spread_of_the_gain():
    beside = replace(MEASURED, other_s=[0.2, 0.15, 0.05])
    cells = dict(zip(columns(True), beside.cells(RATES), strict=True))
    assert [cells[name] for name in ("other s", "gain")] == ["0.1500", "1.50 (0.50 to 2.00)"]


def test_times_that_cannot_be_are_refused():
    # A dead unit takes part in nothing but the first layer's forward products.
    limit = 2 * MEASURED.pixels * 64 * (50_000 + 10_000) / 1e11
    dense = operations(MEASURED.network) / 1e11
    assert MEASURED.impossible(RATES) == []
    assert replace(MEASURED, engine_s=[0.1, limit / 2]).impossible(RATES) == [
        f"impossible: [1*64]: the engine took {limit / 2:.3g} s, the first layer's products need {limit:.3g} s"
    ]
    assert replace(MEASURED, engine_s=[0.1, limit * 1.01]).impossible(RATES) == []
    assert "the other version took" in replace(MEASURED, other_s=[limit / 2]).impossible(RATES)[0]
    # The reference multiplies black pixels, too.
    assert "the reference took" in replace(MEASURED, reference_s=[dense * 0.99]).impossible(RATES)[0]
    assert "a clock can tell" in replace(MEASURED, engine_s=[CLOCK_S / 2]).impossible(RATES)[-1]
    # With one unit a layer, and one of them ablated, only validation has to see the images.
    deep = [NETWORKS.find("mlp").parse(text, (1, 28, 28), 10) for text in ("[8*1]", "[1*1]", "[1*1, 1*8]")]
    assert [certain_operations(network, 150) for network in deep] == [2 * 150 * n for n in (10_000, 60_000, 60_000)]


@pytest.fixture
def bench(monkeypatch):
    """The program on a machine of these rates; nothing is measured at its work."""
    monkeypatch.setattr(report, "rates", lambda: RATES)
    monkeypatch.setattr(report.machine, "busy", lambda: 0.02)
    monkeypatch.setattr(program, "load_dataset", lambda *_: object())
    monkeypatch.setattr(program, "measure", lambda network, target, *_: replace(MEASURED, network=network))

    def call(*arguments):
        monkeypatch.setattr(program.sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as leave:
            program.main()
        return str(leave.value).splitlines()

    return call


def test_what_there_is_no_time_for_is_named_and_the_largest_come_first(bench, monkeypatch, capsys):
    def measure_for_long(network, *_):
        if str(network) != "[4*425]":
            time.sleep(30)
        return replace(MEASURED, network=network)

    monkeypatch.setattr(program, "measure", measure_for_long)
    monkeypatch.setattr(program, "_LIMIT_S", 0.3)
    said = bench("population")
    named = [line.split(": ")[1] for line in said if line.startswith("not measured, for lack of time")]
    assert len(named) == len(engine.POPULATION) - 1
    assert (named[0], named[-1]) == ("[1*256], population", "[64*1], population")
    assert "busy machine" not in capsys.readouterr().out


def test_what_a_task_started_ends_with_it_when_there_is_no_time_left_and_nothing_else(request):
    def start():
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    started, others = [], start()
    # The last one added runs first.
    request.addfinalizer(others.wait)
    request.addfinalizer(others.kill)

    def task():
        started.append(start())
        time.sleep(30)

    assert program.run([("done", lambda: None), ("long", task), ("late", task)], 0.1) == ["long", "late"]
    assert [one.wait(10) for one in started] == [-signal.SIGKILL]
    assert others.poll() is None


def test_a_busy_machine_a_missed_and_an_impossible_ratio_are_said(bench, monkeypatch, capsys):
    monkeypatch.setattr(report.machine, "busy", lambda: 0.5)
    said = bench("single", "--shape", "[1*64]", "--shape", "[8*1024]")
    assert said[0].startswith("impossible: [8*1024]: the engine took 0.1 s, the first layer's products need")
    assert "missed: [1*64], single" in said
    out = capsys.readouterr().out
    assert "busy machine: other programs took up to 50% of the cores between measurements" in out
    assert "| `[1*64]` | 1 by 1 x 2 numba | 1.100 | 0.1000 | 23% | 16% | 0% |" in out


@pytest.mark.slow
@pytest.mark.campaign
class TestWorker:
    """Real processes, trained on the embedded digits."""

    def processes(self, folder, members=((1, NONE), (1, OUTPUT), (2, NONE)), count=2):
        return Processes("[1*4]", members, count, 1, Path("dataset"), folder, dataset="mnist5k", backend="torch")

    def test_processes_train_by_the_version_in_their_folder(self, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(ROOT / "psa_tui", other / "psa_tui", ignore=shutil.ignore_patterns("__pycache__"))
        init = other / "psa_tui" / "__init__.py"
        init.write_text(init.read_text().replace(f'"{psa_tui.__version__}"', '"99.9"'))
        for folder, version in ((ROOT, psa_tui.__version__), (other, "99.9")):
            population = self.processes(folder)
            assert population.about["version"] == version
            assert (population.about["backend"], population.about["threads"]) == ("torch", 1)
            assert population.meta_loop() > 0
            population.close()
            assert [one.returncode for one in population.workers] == [0, 0]

    def test_what_a_version_lacks_is_said(self, tmp_path):
        package = tmp_path / "psa_tui"
        package.mkdir()
        (package / "__init__.py").write_text('__version__ = "0.0"\n')
        (package / "data.py").write_text("DATASETS = {}\n")
        with pytest.raises(SystemExit) as leave:
            self.processes(tmp_path, count=1)
        assert str(leave.value).startswith(
            f"the psa_tui of {tmp_path} cannot be measured by this benchmark: "
            "ImportError: cannot import name 'load_dataset' from 'psa_tui.data'"
        )

    def test_a_folder_without_a_version_is_refused(self, tmp_path):
        with pytest.raises(SystemExit, match=r"has no psa_tui: found that of .*; expected a checkout"):
            self.processes(tmp_path, count=1)
