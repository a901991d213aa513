"""``psa results ablations`` and the figures of a single run, of a real one; the commands run in this process."""

import json
import re
import sys
from collections import Counter
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from psa_tui.cli.app import app
from psa_tui.errors import PsaError
from psa_tui.storage.run_store import read_runs
from tests import program

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of twenty loops that ablates, and one of two loops that does not, which is the latest."""
    path = tmp_path_factory.mktemp("ablations")
    tiny = ("--dataset", "mnist5k", "--lr", "1e-2", "--threads", "1", "--quiet")
    for arguments in (
        ("train", *tiny, "--arch", "[1*4]", "--mode", "full", "--seed", "5", "--meta-loops", "20"),
        ("train", *tiny, "--arch", "[1*8]", "--mode", "none", "--meta-loops", "2", "--model-dir", "other"),
    ):
        program.run([sys.executable, "-m", "psa_tui", *arguments], cwd=path, check=True, capture_output=True)
    return path


@pytest.fixture
def psa_here(folder, monkeypatch):
    """Run a command in that folder: (what it printed, what it said), or the error it raised."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            assert isinstance(done.exception, PsaError), repr(done.exception)
            return "", str(done.exception)
        return done.stdout, done.stderr

    return run


@pytest.fixture
def loops(folder):
    """The name of the run that ablates, and its loops."""
    with read_runs(folder / "results") as history:
        _, row = history.latest(2)
        return row.run, history.loops(row.run)


def test_the_table_and_the_list_have_the_numbers_of_the_history(psa_here, loops):
    name, rows = loops
    printed, said = psa_here("results", "ablations", name, "--least", 1, "--limit", 99)
    lines = printed.splitlines()
    assert said == ""
    assert lines[0] == f"[1*4], mode full, mnist5k, run {name}"
    by_layer = Counter(row.ablations[0].layer for row in rows if row.ablations)
    table = {line.split()[0]: line.split() for line in lines[2:6]}
    assert [int(table[layer][1]) for layer in ("0", "out", "all")] == [by_layer[0], by_layer[1], 19]
    promoted = sum(row.verdict == "promoted" for row in rows[1:])
    assert int(table["all"][2]) == promoted
    assert f"chance {100 * promoted / 19:.0f} %" in lines[5]
    gains = {}
    for before, row in pairwise(rows):
        (unit,) = row.ablations
        if not unit.dead:
            gain = (row.validation_correct - before.lkg_correct) / row.validation_count
            gains.setdefault((unit.layer, unit.unit), []).append(gain)
    means = {unit: 100 * sum(found) / len(found) for unit, found in gains.items()}
    listed = re.findall(r"^(output|layer \d) neuron (\d+) +(\d+) +(\d+) +(\d+) +([-+][\d.]+)", printed, re.MULTILINE)
    found = {(1 if layer == "output" else int(layer[-1]), int(unit)): float(gain) for layer, unit, *_, gain in listed}
    assert found == pytest.approx(means, abs=0.0051)
    assert list(found) == sorted(found, key=lambda unit: (-means[unit], unit))


def test_json_has_every_unit_every_layer_and_every_gain(psa_here, loops):
    name, rows = loops
    content = json.loads(psa_here("results", "ablations", name, "--json")[0])
    assert (content["run"], content["unit_counts"], content["every"]["loops"]) == (name, [4, 10], 19)
    hits = Counter((unit.layer, unit.unit) for row in rows for unit in row.ablations)
    assert {(unit["layer"], unit["unit"]): unit["loops"] for unit in content["units"]} == hits
    assert sum(content["gains"]["promoted"]) == sum(row.verdict == "promoted" for row in rows) - 1
    assert sum(content["gains"]["promoted"] + content["gains"]["rolled_back"]) == 19
    assert len(content["gains"]["promoted"]) == len(content["gains"]["bin_edges_in_points"]) + 1
    assert content["chance"] == content["every"]["promoted"] / 19


def test_units_hit_too_seldom_are_not_listed_and_a_run_without_ablations_says_so(psa_here, loops):
    name, _ = loops
    assert psa_here("results", "ablations", name, "--least", 20)[0].splitlines()[-1] == (
        "no unit that was alive was hit 20 times or more; --least 1 takes those hit once"
    )
    assert psa_here("results", "ablations", "latest")[0].splitlines()[1:] == ["nothing was ablated"]
    assert psa_here("results", "ablations", name, "--ascii")[0].isascii()


def test_all_figures_of_a_run_are_written_into_a_folder_of_its_own(psa_here, folder, loops):
    pytest.importorskip("matplotlib")
    name, _ = loops
    printed, said = psa_here("results", "plot", "--run", name, "--format", "svg")
    assert printed == ""
    written = sorted(str(path.relative_to(folder)) for path in (folder / "results" / "figures" / name).iterdir())
    assert written == [f"results/figures/{name}/{one}.svg" for one in ("ablations", "curve", "gains", "loss")]
    assert len(said.splitlines()) == 4


def test_a_figure_is_written_in_the_format_of_its_files_name(psa_here, tmp_path):
    pytest.importorskip("matplotlib")
    for ending, start in (("pdf", b"%PDF"), ("PNG", b"\x89PNG"), ("svg", b"<?xml")):
        psa_here("results", "plot", "--run", "latest", "--figure", "curve", "--out", tmp_path / f"a.{ending}")
        content = (tmp_path / f"a.{ending}").read_bytes()
        assert content.startswith(start)
        assert b"Validation accuracy by meta-loop of [1*8], mode none" in content


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--run", "latest", "moon"), "figures: expected one of curve, loss, ablations, gains, found 'moon'"),
        (("--run", "latest", "sun", "--terminal"), "figures in a terminal: expected one of curve, loss, "),
        (("--run", "latest", "--out", "x.pdf"), "--out x.pdf: a file for 4 figures; name one, or give a folder"),
        (("regimes", "--out", "x.jpg"), "--out x.jpg: no such folder, and a figure's file ends in .png, .svg, .pdf"),
        (("regimes", "instability", "--out", "x.pdf"), "--out x.pdf: a file for 2 figures; name one, or give a folder"),
        (("--run", "latest", "--study", "x"), "--run is about a single run: --source, --study and --zero-r do not go"),
        (("--run", "nobody"), "'nobody' is no run; the nearest: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_drawn_is_refused_and_nothing_written(psa_here, folder, arguments, said):
    before = set(folder.rglob("*"))
    printed, error = psa_here("results", "plot", *arguments)
    assert printed == ""
    assert error.startswith(said)
    assert set(folder.rglob("*")) == before


def test_the_figures_of_a_run_have_names_and_a_form_for_the_terminal(psa_here, loops):
    name, _ = loops
    assert psa_here("results", "plot", "--run", name, "--list")[0].split() == ["curve", "loss", "ablations", "gains"]
    printed, said = psa_here("results", "plot", "--run", name, "--terminal", "--ascii")
    assert said == ""
    assert printed.isascii()
    assert "\x1b" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    titles = (
        "validation accuracy by meta-loop",
        "training loss by meta-loop",
        "mean gain by ablated unit",
        "gains of the candidates",
    )
    assert [line for line in printed.splitlines() if line in titles] == list(titles)
    assert re.search(r"^ out +\d+", printed, re.MULTILINE)
