"""The commands that make findings of trials, run as a user runs them."""

import json
import re

import pandas as pd
import pytest

from psa_tui import load_trials
from psa_tui.analysis.comparison import SELECTION
from psa_tui.analysis.summary import summary_markdown, trials_markdown
from tests.analysis.conftest import make_study

__all__ = ["make_study"]


@pytest.fixture
def quick_study(make_study, tmp_path):
    """A quick study of two shapes in the results folder, one trial missing, one failed."""
    make_study("mine", quick=True, left_out=[("8*8", "none", 2)], failed=[("18*18", "full", 3)], meta_loops=30)
    return tmp_path / "results"


def test_help_names_every_command_and_loads_no_pandas(psa):
    shown = psa("results", "--help")
    for name in ("summary", "trials", "regimes", "compare", "table", "export", "curves"):
        assert f"\n│ {name} " in shown.stdout
    assert shown.returncode == 0


def test_summary_prints_a_line_a_cell_and_writes_the_file(psa, tmp_path):
    done = psa("results", "summary", "--source", "published")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "the published study"
    assert lines[2].split() == ["1*2048", "none", "98.25", "0.06", "98.18", "98.37", "10", "1,628,170"]
    assert len(lines) == 2 + 588 + 1
    assert lines[-1].startswith("std: the population's, in points (divided by n, as published)")
    assert done.stderr == "psa: wrote results/psa_simplemlp_summary-published.md\n"
    written = (tmp_path / "results" / "psa_simplemlp_summary-published.md").read_text()
    assert written == summary_markdown(load_trials("published"))


def test_trials_prints_a_line_a_trial_and_writes_where_it_is_told(psa, tmp_path):
    done = psa("results", "trials", "--source", "published", "-o", "mine/all.md")
    lines = done.stdout.splitlines()
    assert lines[2].split() == ["1*2048", "1", "98.22%", "98.26%", "98.18%", "98.15%", "98.24%", "97.87%"]
    assert len(lines) == 2 + 980
    assert (tmp_path / "mine" / "all.md").read_text() == trials_markdown(load_trials("published"))
    assert not (tmp_path / "results").exists()


def test_a_quick_and_partial_study_gives_what_it_has_and_names_what_is_missing(psa, quick_study):
    done = psa("results", "summary", "--json")
    assert done.returncode == 0
    assert "warning: study mine is quick, not a reproduction" in done.stderr
    assert "warning: 2 of 36 trials missing: 8*8 none (2 of 3), 18*18 full (2 of 3)" in done.stderr
    assert "warning: 1 trials failed, the first 18*18 full 3 (out of memory)" in done.stderr
    content = json.loads(done.stdout)
    assert (content["schema"], content["quick"], content["study"]) == (1, True, "mine")
    assert [cell["n"] for cell in content["cells"]] == [2, 3, 3, 3, 3, 3, 3, 3, 3, 2, 3, 3]


def test_summary_has_no_line_of_a_mode_that_the_study_has_not(psa, make_study):
    make_study(modes=("none", "output"))
    lines = psa("results", "summary").stdout.splitlines()
    assert sum(" none " in line for line in lines) == sum(" output " in line for line in lines) == 2
    assert not any("N/A" in line for line in lines)


def test_regimes_counts_the_published_shapes_and_explains_one(psa):
    done = psa("results", "regimes", "--source", "published")
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("98 shapes: 46 untrainable, 11 beneficial, 24 optimal, 17 chaotic; ")
    assert lines[2].split() == ["1*2048", "beneficial", "2a", "100%", "1,628,170"]
    assert any(line.startswith("26*26") and "? " in line for line in lines)
    explained = psa("results", "regimes", "--source", "published", "--explain", "18*18").stdout
    assert "output   mean  18.869  std 17.867  max  71.16  n 10" in explained
    assert explained.splitlines()[-1].startswith("chaotic optimization: rule 4a")


def test_regimes_says_which_modes_are_missing(psa, make_study, tmp_path):
    make_study(modes=("none", "full", "hidden", "output"))
    done = psa("results", "regimes")
    assert "no trials of decay, dropout" in done.stdout
    assert "2 shapes: 2 without all six modes; 0 near a boundary" in done.stdout
    content = json.loads(psa("results", "regimes", "--json").stdout)
    assert [shape["regime"] for shape in content["shapes"]] == [None, None]


def test_compare_shows_cells_totals_regimes_and_what_selection_does(psa, quick_study):
    done = psa("results", "compare")
    lines = done.stdout.splitlines()
    assert lines[0] == "ours: study mine, local (quick, not a reproduction); theirs: the published study"
    columns = "shape mode n ours theirs diff 95 % ± p Holm joint ± 0 in <= 2 test"
    assert " ".join(lines[1].split()) == columns
    assert lines[2].split()[:3] == ["8*8", "none", "2/10"]
    assert "of 12 cells within 2 points" in done.stdout
    assert "576 cells only in theirs" in done.stdout
    assert "0 lies in the joint interval" in done.stdout
    assert re.search(
        r"pooled over 2 shapes \(12 cells\): ours - theirs \+\d+\.\d\d points, .*; smaller than 2 points: not shown",
        done.stdout,
    )
    assert "The publishers' trials had no seeds" in done.stdout
    assert "regimes: 0 of 0 shapes alike; 2 shapes without all modes or trials" in done.stdout
    assert "meta loops 30 (published: 100)" in done.stderr
    assert lines[-1] == SELECTION


def test_compare_within_sets_ablative_modes_beside_the_control(psa):
    done = psa("results", "compare", "--within", "--source", "published", "--json")
    content = json.loads(done.stdout)
    assert content["selection"] == SELECTION
    assert len(content["cells"]) == 294
    assert content["cells"][2]["cliffs_delta"] == -1
    assert content["cells"][2]["test_a"] is None


def test_contrasts_are_pooled_and_shown_by_shape(psa, tmp_path):
    line = ("results", "compare", "--source", "published", "--arch", "8*8,9*9,10*10,11*11,12*12")
    done = psa(*line, "--contrast", "output - none", "--by", "shape")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[1] == "The seeds of these trials are not recorded: they are taken as independent."
    assert lines[3] == "best validation accuracy, percent, 5 shapes of the same weight"
    assert "declared contrasts; p Holm is corrected for their number" in lines
    assert "exploratory, declared by nobody" not in done.stdout
    assert "output - none, shape by shape (exploratory)" in lines
    assert len([one for one in lines if one.startswith("11*11 ")]) == 6  # two endpoints; a contrast and two A/A
    assert len([one for one in lines if one.startswith("shapes alone in which an A/A has p < .05, ")]) == 2
    content = json.loads(psa(*line, "--pool", "--json").stdout)
    assert [one["contrast"] for one in content["accuracy"] if one["kind"] == "declared"] == [
        "full - none",
        "hidden - none",
        "output - none",
    ]
    assert {one["architecture"] for one in content["escape"]} == {None}
    assert content["endpoints"]["escape"]["endpoint"] == "escape (best validation accuracy above 26.02 %)"


def test_chance_escapes_and_profiles_are_shown(psa, make_study):
    make_study(meta_loops=30)
    shown = psa("results", "aa", "--source", "published").stdout
    assert re.search(r"\ndecay - none +96/98 .* 19\n", shown)
    loops = psa("results", "survival", "--arch", "8*8", "--bar", "90").stdout
    assert "escape: the LKG is above 90.00 % on the validation images; 1 shape" in loops
    latex = psa("results", "profile", "--format", "latex").stdout
    assert r"percent, 2 shapes that have all modes.}\label{tab:psa-profile-1}" in latex
    twice = psa("results", "aa", "--format", "markdown", "--json")
    assert (twice.returncode, twice.stdout) == (2, "")
    content = json.loads(psa("results", "survival", "--json").stdout)
    assert content["bar"] == pytest.approx(0.2602)
    assert [mode["n"] for mode in content["modes"]] == [6] * 6
    content = json.loads(psa("results", "compare", "--of", "harm", "--json").stdout)
    assert {one["contrast"] for one in content["harm"]} >= {"output - none", "decay - none"}
    assert list(content["endpoints"]) == ["harm"]
    content = json.loads(psa("results", "profile", "--of", "test", "--json").stdout)
    assert content["endpoint"] == "test accuracy"
    assert len(content["profiles"]) == 6 * 99


def test_contrasts_of_two_sources_are_refused(psa):
    done = psa("results", "compare", "--source", "published", "--pool", "--within")
    assert (done.returncode, done.stdout) == (2, "")
    assert "contrasts are of one source" in done.stderr


def test_table_writes_ready_text_and_data(psa, tmp_path):
    latex = psa("results", "table", "accuracy", "--format", "latex", "--source", "published").stdout
    assert latex.startswith("% needs \\usepackage{booktabs,longtable}\n")
    done = psa("results", "table", "architectures", "--format", "parquet", "--source", "published", "-o", "a.parquet")
    assert done.returncode == 0
    assert pd.read_parquet(tmp_path / "a.parquet")["matching"].value_counts().to_dict() == {
        "matched": 68,
        "asymmetric": 30,
    }


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_export_gives_every_meta_loop(psa, quick_study, tmp_path, suffix):
    done = psa("results", "export", "-o", f"loops.{suffix}")
    assert done.returncode == 0, done.stderr
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[suffix]
    table = read(tmp_path / f"loops.{suffix}")
    assert len(table) == 34 * 30
    assert table["quick"].all()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_programs_own_export_of_meta_loops_is_a_source_of_trials(psa, quick_study, tmp_path, suffix):
    assert psa("results", "export", "-o", f"loops.{suffix}").returncode == 0
    read, stored = load_trials(tmp_path / f"loops.{suffix}"), load_trials("local", results_dir=tmp_path / "results")
    known = ["architecture", "mode", "trial", "best_validation_accuracy", "best_meta_loop", "meta_loops", "parameters"]
    order = ["architecture", "mode", "trial"]
    pd.testing.assert_frame_equal(
        read[known].sort_values(order, ignore_index=True), stored[known].sort_values(order, ignore_index=True)
    )
    assert {name: read.attrs[name] for name in ("study", "quick", "dataset")} == {
        name: stored.attrs[name] for name in ("study", "quick", "dataset")
    }
    done = psa("results", "summary", "--source", f"loops.{suffix}")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, len(psa("results", "summary").stdout.splitlines()))


def test_curves_name_whose_curve_they_show(psa, quick_study):
    mean = psa("results", "curves", "--arch", "8*8", "--mode", "full").stdout
    assert "shape mode curve" in " ".join(mean.split())
    assert "mean of 3 trials" in mean
    assert "validation accuracy of the candidates (percent) after meta-loop" in mean
    assert "validation accuracy of the LKG (percent) after meta-loop" in mean
    best = psa("results", "curves", "--best", "--mode", "none").stdout
    assert "the best of 2" in best
    gained = psa("results", "curves", "--measure", "gain", "--trial", "3", "--json")
    content = json.loads(gained.stdout)
    assert {row["label"] for row in content["lkg_gain"]} == {"trial 3"}
    assert content["lkg_gain"][0]["value"] is None
    assert len(content["lkg_gain"]) == 11 * 30


def test_the_earlier_names_of_curves_print_what_they_printed_and_are_not_listed(psa, quick_study):
    shown = psa("results", "--help").stdout
    for name, options in (("convergence", ()), ("growth", ("--measure", "gain"))):
        assert name not in shown.replace("convergence curves", "")
        assert psa("results", name).stdout == psa("results", "curves", *options).stdout
    assert "validation accuracy" not in psa("results", "growth").stdout


def test_measures_are_shown_once_each_in_the_order_in_which_they_are_asked_for(psa, quick_study):
    measures = ("--measure", "gain", "--measure", "lkg", "--measure", "gain")
    content = json.loads(psa("results", "curves", *measures, "--json").stdout)
    assert [name for name in content if name.startswith(("lkg", "validation"))] == ["lkg_gain", "lkg_accuracy"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["summary"],
            2,
            "no local study there; psa study run or psa reproduce run makes one, or say --source published",
        ),
        (["growth", "--source", "published"], 1, "no meta-loops; psa reproduce records every one of them"),
        (
            ["compare", "--of", "gain", "--source", "published"],
            1,
            "the published study has each trial's best accuracy only",
        ),
        (["export", "-o", "x.xlsx", "--source", "published"], 2, "expected one of .csv, .parquet, .json"),
        (["curves", "--trial", "1", "--best"], 2, "--trial and --best exclude each other"),
        (["curves", "--measure", "loss"], 2, "accuracy"),
        (["summary", "--source", "moon"], 2, "expected local, fetched, published or"),
        (["regimes", "--source", "published", "--explain", "8x8"], 2, "--explain 8x8: the source has no trials of it"),
        (["trials", "--source", "published", "-o", "/dev/null/x"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(psa, arguments, code, message):
    done = psa("results", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_study_is_no_error(psa, make_study):
    make_study(shapes=("8*8",), modes=("none",), trials=1, left_out=[("8*8", "none", 1)])
    for command in (["summary"], ["trials"], ["regimes"], ["compare"], ["table", "accuracy"]):
        done = psa("results", *command)
        assert done.returncode == 0, (command, done.stderr)
        assert "no complete trial yet" in done.stderr
    assert psa("results", "growth").returncode == 1
