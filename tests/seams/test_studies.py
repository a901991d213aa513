"""Each thing that can be added from outside, in a small study: trained, stopped, resumed, and seen in its results."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from psa_tui import load_meta_loops
from tests.seams.conftest import Program, refusal
from tests.terminal import Terminal

pytestmark = pytest.mark.slow

SMALL = (
    *("--study", "mine", "--dataset", "digits8", "--trials", "2", "--meta-loops", "8"),
    *("--lr", "1e-2", "--batch-size", "100", "--workers", "1"),
)
STUDIES = {
    "rules": ("--grid", "1*6", "--modes", "none,three,output+ties,output+effect=flip"),
    "network and backend": ("--grid", "1x4,2x6", "--modes", "none,three", "--network", "skipnet", "--backend", "slow"),
}
MODES = {"rules": ("none", "output+effect=flip", "output+ties", "three"), "network and backend": ("none", "three")}
SHAPES = {"rules": ("1*6",), "network and backend": ("1x4", "2x6")}


def test_a_study_that_is_stopped_and_resumed_has_the_trials_of_one_that_never_stopped(psa):
    options = (*STUDIES["rules"], *SMALL)
    psa("reproduce", "run", *options, "--results-dir", "whole", "--quiet")
    psa.stop("reproduce", "run", *options, "--json", after="progress")
    psa("reproduce", "run", "--study", "mine", "--quiet")

    tables = [loops_of(psa.folder / folder) for folder in ("results", "whole")]
    pd.testing.assert_frame_equal(*tables)
    assert len(tables[0]) == 4 * 2 * 8


def loops_of(results_dir):
    """Every meta-loop of the study."""
    loops = load_meta_loops("local", "mine", results_dir)
    return loops.sort_values(["architecture", "mode", "trial", "meta_loop"]).reset_index(drop=True)


@pytest.fixture(scope="module", params=STUDIES)
def study(request, tmp_path_factory):
    """A study trained in a terminal: its name here, the program in its folder, and all that was on the screen."""
    psa = Program(tmp_path_factory.mktemp("study"))
    command = psa.command("reproduce", "run", *STUDIES[request.param], *SMALL)
    tty = Terminal(command, psa.folder, size=(140, 45), **psa.environment())
    screens = set()
    try:
        while tty.read(0.03):
            screens.add(tty.text)
        assert tty.wait_for_end() == 0, tty.text
    finally:
        tty.end()
    return request.param, psa, "\n".join(screens)


def test_the_dashboard_shows_its_shapes_and_variants(study):
    name, _, screens = study
    for text in (*MODES[name], *SHAPES[name]):
        assert text in screens


def test_its_cells_are_seen_in_the_results(study):
    name, psa, _ = study
    status = psa("reproduce", "status", "--study", "mine")
    curves = psa("results", "curves")
    compared = psa("results", "compare", "--within")
    assert "mine" in status
    for text in (*MODES[name], *SHAPES[name]):
        assert text in curves
    for text in (*MODES[name][1:], *SHAPES[name]):
        assert text in compared
    cells = json.loads(psa("results", "compare", "--within", "--json"))
    assert cells["schema"] == 1


def test_a_figure_shows_its_variants(study):
    name, psa, _ = study
    psa("results", "plot", "convergence", "--format", "svg", "--out", "figures")
    (figure,) = (psa.folder / "figures").glob("*.svg")
    for mode in MODES[name][1:]:
        assert mode in figure.read_text()


def test_results_of_plug_ins_that_are_gone_are_shown_but_the_study_is_not_gone_on_with(study):
    name, psa, _ = study
    curves = psa("results", "curves", plugin=None)
    for text in (*MODES[name], *SHAPES[name]):
        assert text in curves
    for command in ("run", "status"):
        line = refusal(psa.run("reproduce", command, "--study", "mine", plugin=None))
        assert any(plugin in line for plugin in ("three", "flip", "skipnet", "digits8", "slow"))
