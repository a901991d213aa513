"""Variants that are none of the published six: seen everywhere, without a say in what the published study defined."""

import pandas as pd
import pytest

from psa_tui import load_meta_loops, load_trials
from psa_tui.analysis.comparison import compare_regimes, compare_sources, compare_with_control
from psa_tui.analysis.comparison_text import control_text
from psa_tui.analysis.export import data_bytes
from psa_tui.analysis.frames import PUBLISHED_MODES, shown_modes
from psa_tui.analysis.regimes import bootstrap, classify, explain
from psa_tui.analysis.summary import (
    cell_statistics,
    incomplete_shapes,
    missing_cells,
    summary_markdown,
    trials_markdown,
)
from psa_tui.analysis.tables import accuracy_data, architecture_data, as_latex, as_markdown
from psa_tui.analysis.trajectories import MEASURES, trajectories
from psa_tui.method.variants import FULL, VARIANTS, Variant, describe_variant, distinct_variants

pytestmark = pytest.mark.slow

FURTHER = ("calm", "three")


@pytest.fixture(params=["named in the data only", "installed"])
def further(request, monkeypatch):
    """The names of a baseline and an ablative variant, in their order."""
    if request.param == "installed":
        monkeypatch.setitem(VARIANTS._items, "calm", Variant(name="calm", letter="c", colour="#123456"))
        monkeypatch.setitem(VARIANTS._items, "three", Variant(name="three", ablation=FULL.ablation, letter="3"))
    return FURTHER


@pytest.fixture
def published(further):
    """The published trials, without and with some of two further modes, more a cell than the others have."""
    trials = load_trials("published")
    some = trials[trials["mode"].isin(["none", "output"]) & trials["architecture"].isin(["8*8", "18*18", "1*2048"])]
    more = [
        some.assign(mode=some["mode"].map({"none": "calm", "output": "three"}), trial=some["trial"] + 10 * turn)
        for turn in (0, 1)
    ]
    both = pd.concat([trials, *more], ignore_index=True)
    both["best_validation_accuracy"] = both["best_validation_accuracy"].where(both["mode"] != "three", 0.991)
    both.attrs = trials.attrs
    return trials, both


def test_regimes_are_those_of_the_published_modes_alone(published):
    without, with_further = published
    assert classify(with_further).equals(classify(without))
    assert bootstrap(with_further, resamples=100).equals(bootstrap(without, resamples=100))
    assert explain(with_further, "18*18") == explain(without, "18*18")
    assert architecture_data(with_further).equals(architecture_data(without))
    assert incomplete_shapes(with_further) == incomplete_shapes(without) == set()
    assert compare_regimes(with_further, without)["agree"].all()


def test_a_shape_that_lacks_further_trials_alone_has_all_that_its_regime_needs(make_study):
    folder = make_study(further=FURTHER, left_out=[("8*8", "three", 2)])
    trials = load_trials("local", results_dir=folder)
    assert missing_cells(trials)["mode"].tolist() == ["three"]
    assert incomplete_shapes(trials) == set()


def test_statistics_and_differences_of_published_cells_are_the_same_with_and_without_further_ones(published):
    without, with_further = published
    cells = cell_statistics(with_further)
    assert cells[cells["mode"].isin(PUBLISHED_MODES)].reset_index(drop=True).equals(cell_statistics(without))
    compared = compare_with_control(with_further)
    known = compared[compared["mode"].isin(PUBLISHED_MODES)].reset_index(drop=True)
    columns = [name for name in known if name not in ("p_holm", "p_bh")]  # corrected over all that is compared
    assert known[columns].equals(compare_with_control(without)[columns])


def test_files_and_tables_show_further_modes_after_the_published_ones(published):
    _, trials = published
    assert shown_modes(trials) == (*PUBLISHED_MODES, *FURTHER)
    assert "Max=71.16% (n=10)\n* Calm: Mean=" in summary_markdown(trials)
    assert "* Three: Mean=99.10% | Std=0.00% | Min=99.10% | Max=99.10% (n=20)\n" in summary_markdown(trials)
    assert "| Trial | None | Decay | Dropout | Full | Hidden | Output | Calm | Three |" in trials_markdown(trials)
    assert "| Output | Calm | Three |" in as_markdown(trials, "accuracy")
    assert "& Output & Calm & Three \\\\" in as_latex(trials, "accuracy")
    best = accuracy_data(trials).set_index(["architecture", "mode"])["best"]
    assert best["18*18", "three"]
    assert not best["18*18", "full"]


def test_a_study_of_further_modes_alone_shows_no_columns_of_modes_that_it_never_had(make_study):
    trials = load_trials("local", results_dir=make_study(modes=(), further=FURTHER))
    assert shown_modes(trials) == FURTHER
    assert missing_cells(trials).empty


def test_comparisons_have_further_modes_ablative_or_not(published):
    without, trials = published
    cells = compare_sources(trials, without)
    assert cells.loc[cells["n_b"] == 0, "mode"].tolist() == ["calm", "three"] * 3
    within = compare_with_control(trials)
    assert set(within["mode"]) == {"full", "hidden", "output", *FURTHER}
    calm = within[(within["mode"] == "calm") & (within["architecture"] == "8*8")].iloc[0]
    assert (calm["n_a"], calm["n_b"], calm["difference"]) == (20, 10, pytest.approx(0))
    first, *_ = control_text(trials, within)
    assert first == "the published study: ablative and further modes against none"
    first, *_ = control_text(without, within)
    assert first == "the published study: ablative modes against none"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_meta_loops_curves_and_exported_files_have_further_modes(make_study, tmp_path, suffix):
    loops = load_meta_loops("local", results_dir=make_study(further=FURTHER))
    assert list(dict.fromkeys(loops["mode"])) == [*PUBLISHED_MODES, *FURTHER]
    for measure in MEASURES:
        assert set(trajectories(loops, measure)["mode"]) == {*PUBLISHED_MODES, *FURTHER}
    path = tmp_path / f"loops{suffix}"
    path.write_bytes(data_bytes(loops, suffix))
    assert load_meta_loops(path)["mode"].tolist() == loops["mode"].tolist()


def test_no_two_variants_of_a_figure_share_a_letter_a_colour_or_a_marker():
    names = ["output+patience", "output+annealed", "two", "three", "calm", *PUBLISHED_MODES]
    variants = distinct_variants(names)
    assert [variant.name for variant in variants[:6]] == list(PUBLISHED_MODES)
    assert [variant for variant in variants if variant.name in PUBLISHED_MODES] == list(variants[:6])
    for mark in ("letter", "colour", "marker", "dashes"):
        assert len({getattr(variant, mark) for variant in variants}) == len(variants), mark
    assert variants[:6] == tuple(describe_variant(name) for name in PUBLISHED_MODES)


def test_a_further_variant_never_has_a_published_letter_even_where_that_one_is_not_shown():
    (one,) = distinct_variants(["output+patience"])
    assert one.letter == "P"
