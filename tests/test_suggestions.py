"""A value with a typing error is told what was meant, whatever it names."""

from dataclasses import replace
from pathlib import Path

import pytest

from psa_tui.analysis.figures import FIGURES
from psa_tui.analysis.sources import load_trials
from psa_tui.cli.results.figure_choice import chosen_figures
from psa_tui.errors import ConfigError
from psa_tui.formatting import did_you_mean
from psa_tui.machine.devices import choose, detect
from psa_tui.method.progress import Progress
from psa_tui.method.variants import find_variant
from psa_tui.networks.notation import groups_of_widths, parse_groups
from psa_tui.runs.history import find_run
from psa_tui.settings import SETTINGS, load_settings
from psa_tui.storage.run_store import open_runs
from psa_tui.storage.study_rows import LOCAL
from psa_tui.storage.study_store import open_store
from psa_tui.studies.chosen import ChosenStudies
from psa_tui.studies.grids import parse_grid, parse_modes
from psa_tui.studies.progress import load_progress
from psa_tui.studies.study_file import load_recipe
from psa_tui.studies.trial_lookup import find_trial
from tests.storage.test_run_store import SPLITS


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for setting in SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)


def setting(name):
    return lambda text: load_settings({name: text}, Path("/nowhere")).get(name)


@pytest.mark.parametrize(
    ("read", "text", "meant"),
    [
        (setting("mode"), "fulll", "full"),
        (setting("mode"), "Output", "output"),
        (setting("mode"), "fulll+half", "full"),
        (setting("dataset"), "minst", "mnist"),
        (setting("backend"), "troch", "torch"),
        (setting("network"), "mpl", "mlp"),
        (setting("effect"), "nosie", "noise"),
        (setting("init"), "orthogonall", "orthogonal"),
        (setting("optimizer_state"), "kepp", "keep"),
        (setting("device"), "cdua", "cuda"),
        (find_variant, "none+promote=strickt", "strict"),
        (find_variant, "full+amuont=3", "amount"),
        (parse_groups, "4x4", "[4*4]"),
        (parse_groups, "[4x4; 2x8]", "[4*4, 2*8]"),
        (parse_groups, "(1024)", "[1*1024]"),
        (lambda text: parse_modes(text, None), "none,fulll", "full"),
        (parse_grid, "publised", "published"),
        (load_recipe, "publised", "published"),
        (lambda text: chosen_figures([text], FIGURES, terminal=False), "regims", "regimes"),
        (lambda text: chosen_figures([text], FIGURES, terminal=True), "convergense", "convergence"),
        (load_trials, "publishd", "published"),
        (lambda text: choose(text, detect()), "cup", "cpu"),
    ],
)
def test_the_name_that_was_meant_is_said(read, text, meant):
    with pytest.raises(ConfigError) as refused:
        read(text)
    assert str(refused.value).endswith(f"; did you mean {meant!r}?")
    assert "\n" not in str(refused.value)


def test_the_run_and_the_study_that_were_meant_are_said(tmp_path, checkpoint):
    record = replace(checkpoint.record, progress=Progress(validation_count=500))
    with open_runs(tmp_path) as runs:
        runs.begin_session(record, tmp_path / "lkg", SPLITS)
        with pytest.raises(ConfigError, match=f"the nearest: {record.run} "):
            find_run(runs, record.run.replace("0101", "0110"))
    with open_store(tmp_path) as studies:
        studies.enter("reproduction", LOCAL, {}, quick=False, trials=1, seed=0)
    chosen = ChosenStudies(study="reprodution", recipe=None, name=None, trials=None, meta_loops=None)
    for read in (
        lambda: load_progress(tmp_path, "reprodution"),
        lambda: chosen.load(tmp_path),
        lambda: find_trial(tmp_path, "reprodution", "8*8", find_variant("none"), 1),
        lambda: load_trials("local", "reprodution", tmp_path),
    ):
        with pytest.raises(ConfigError, match=r"; did you mean 'reproduction'\?"):
            read()


def test_nothing_is_suggested_where_nothing_is_near():
    assert did_you_mean("zebra", ["full", "none"]) == did_you_mean("", ["full"]) == ""
    for read in (parse_groups, groups_of_widths):
        with pytest.raises(ConfigError) as refused:
            read("4*-4")
        assert "did you mean" not in str(refused.value)
