"""What the benchmark says of its measurements, and how it gets them; no test here measures anything."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import psa_tui
from benchmarks import engine
from benchmarks.engine import Measured, at_least, header, population_members, take_turns
from benchmarks.floors import Rates, floor_s, operations, state_bytes
from benchmarks.population import Processes, mlp
from psa_tui.method.variants import NONE, OUTPUT, PUBLISHED

ROOT = Path(psa_tui.__file__).parents[1]
RATES = Rates(operations_per_s=1e11, bytes_per_s=1e10, cache_bytes=32 << 20)
MEASURED = Measured(
    network=mlp("[1*64]"),
    target=12.0,
    reference_s=[1.0, 1.2, 1.1],
    engine_s=[0.1, 0.1, 0.1],
    other_s=[],
    layout="1 trial",
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


def test_the_floor_is_arithmetic_or_memory_whichever_takes_longer():
    narrow, wide = mlp("[1*64]"), mlp("[1*8192]")
    assert floor_s(narrow, RATES, 150) == operations(narrow, 150) / 1e11
    # Black pixels have no part in training or in evaluation: each of 64 units has 150 weights that matter.
    weights = 150 * 64
    rest = narrow.parameters - 784 * 64
    assert operations(narrow, 150) == 2 * (50_000 * (2 * weights + 3 * rest) + 10_000 * (weights + rest))
    assert operations(narrow) == narrow.meta_loop_operations(50_000, 10_000)
    # 196 steps write and read what the cache has no place for: 12 bytes of a parameter.
    assert state_bytes(wide, 32 << 20) == 2 * 196 * (12 * wide.parameters - (32 << 20))
    slow_memory = replace(RATES, bytes_per_s=1e8)
    assert floor_s(wide, slow_memory, 150) == state_bytes(wide, 32 << 20) / 1e8
    assert state_bytes(narrow, 32 << 20) == state_bytes(wide, None) == 0


def test_a_row_has_the_share_of_the_limit_and_what_was_missed():
    floor = operations(MEASURED.network, 150) / 1e11
    columns = dict(zip(header(False).split(), MEASURED.row(RATES).split(), strict=False))
    assert columns["share"] == f"{100 * floor / 0.1:.0f}%"
    expected = {"ratio": "11.0", "least": "10.0", "most": "12.0", "target": "12", "turns": "3"}
    assert {name: columns[name] for name in expected} == expected
    assert MEASURED.row(RATES).endswith("1 trial  MISSED")
    assert "MISSED" not in replace(MEASURED, target=None).row(RATES)


def test_a_row_beside_another_version_has_its_seconds_and_the_spread_of_the_gain():
    beside = replace(MEASURED, other_s=[0.2, 0.15, 0.05])
    names, values = header(True).split(), beside.row(RATES).split()
    at = names.index("other")
    assert names[at:] == ["other", "gain", "least", "most", "turns", "layout"]
    assert values[at : at + 5] == ["0.1500", "1.50", "0.50", "2.00", "3"]


def test_a_time_below_the_floor_of_either_version_is_found():
    floor = MEASURED.floor_s(RATES)
    assert MEASURED.least_s == 0.1 >= floor
    assert replace(MEASURED, other_s=[floor / 2]).least_s < floor


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
            assert population.peak_bytes > 1e6
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
