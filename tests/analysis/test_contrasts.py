import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from psa_tui import load_trials
from psa_tui.analysis.comparison import compare_sources, compare_with_control, pooled_sources
from psa_tui.analysis.contrasts import Contrast, contrast_table, parse_contrasts
from psa_tui.analysis.contrasts_text import contrasts_text
from psa_tui.analysis.endpoints import accuracy, escape, escape_bar
from psa_tui.analysis.placebo import placebo_modes
from psa_tui.analysis.seeding import Design, design_between, design_within, has_separate_seeds
from psa_tui.errors import ConfigError
from psa_tui.studies.design.plan import Endpoint
from psa_tui.studies.seeds import crossed

pytestmark = pytest.mark.slow

OURS = "results/reproduction/trials.csv"


def chaotic_squares(trials):
    """The squares from 4*4 to 19*19 that there are."""
    wanted = [f"{side}*{side}" for side in range(4, 20)]
    return trials[trials["architecture"].isin(wanted)]


@pytest.fixture(scope="module")
def published():
    return load_trials("published")


@pytest.fixture(scope="module")
def ours(repository):
    return load_trials(repository / OURS)


@pytest.fixture(scope="module")
def repository():
    from pathlib import Path

    return Path(__file__).parents[2]


def pooled(table):
    return table[table["architecture"].isna()].set_index("contrast")


def test_published_contrasts_over_the_chaotic_squares(published):
    table = pooled(contrast_table(trials := chaotic_squares(published), accuracy(trials)))
    assert (table["shapes"] == 16).all()
    assert (table["design"] == "independent").all()
    found = 100 * table.loc[["output - none", "full - none", "hidden - none"], ["difference", "low", "high"]]
    assert found["difference"].round(1).tolist() == [10.9, 5.1, 1.3]
    assert found["low"].round(1).tolist() == [6.9, 1.7, -2.1]
    assert found["high"].round(1).tolist() == [14.8, 8.6, 4.8]
    declared = table[table["kind"] == "declared"]
    assert (declared["p_corrected"] < 0.05).tolist() == [True, False, True]  # full, hidden, output
    assert table.loc["dropout - none", "kind"] == "exploratory"
    assert table.loc["decay - none", "kind"] == "A/A"
    assert table.loc["decay - none", "p"] > 0.5


def test_our_contrasts_are_paired(ours):
    table = pooled(contrast_table(trials := chaotic_squares(ours), accuracy(trials)))
    assert (table["shapes"] == 12).all()
    found = 100 * table.loc[["output - none", "full - none", "hidden - none"], ["difference", "low", "high"]]
    assert found["difference"].round(1).tolist() == [13.9, 6.0, 4.2]
    assert found["low"].round(1).tolist() == [9.6, 2.9, 0.7]
    assert found["high"].round(1).tolist() == [18.2, 9.2, 7.7]
    assert table.loc["output - none", "design"] == "paired"
    # With the same seeds decay is none to the last bit; the halves of none are the A/A that says something.
    assert table.loc["decay - none", ["difference", "p"]].tolist() == [0, 1]
    assert table.loc["none: odd - even", ["design", "n_a", "n_b"]].tolist() == ["independent", 60, 60]


def test_an_escape_is_counted_on_test_images_where_there_are_any(ours, published):
    bar = escape_bar(ours)
    assert bar == pytest.approx(0.2602)
    found = escape(ours, bar)
    assert found.values.tolist() == (ours["test_accuracy"] > bar).astype(float).tolist()
    assert (found.words, found.remark) == ("escape (test accuracy above 26.02 %)", "")
    fallen_back = escape(published, bar)
    assert fallen_back.words == "escape (best validation accuracy above 26.02 %)"
    assert fallen_back.remark.startswith("Test accuracies are missing here")
    assert accuracy(published, Endpoint.TEST).remark == fallen_back.remark
    table = pooled(contrast_table(trials := chaotic_squares(ours), escape(trials, bar)))
    row = table.loc["output - none"]
    wide = trials.assign(up=trials["test_accuracy"] > bar).pivot(
        index=["architecture", "trial"], columns="mode", values="up"
    )
    gained, lost = (wide["output"] & ~wide["none"]).sum(), (~wide["output"] & wide["none"]).sum()
    exact = stats.binomtest(gained, gained + lost).pvalue
    assert row["p"] == pytest.approx(exact - stats.binom.pmf(lost, gained + lost, 0.5))
    assert row["odds_low"] > 1
    assert table.loc["decay - none", "odds_problem"] == "in every shape as many trials escaped as of the control"


def test_a_shape_alone_is_the_test_of_its_pairs(ours):
    table = contrast_table(ours, accuracy(ours), [Contrast("output")])
    assert set(table["kind"]) == {"declared", "A/A"}
    row = table[(table["architecture"] == "8*8") & (table["contrast"] == "output - none")].iloc[0]
    cell = ours[ours["architecture"] == "8*8"].pivot(index="trial", columns="mode", values="best_validation_accuracy")
    paired = stats.ttest_rel(cell["output"], cell["none"])
    assert (row["low"], row["high"]) == pytest.approx(tuple(paired.confidence_interval()))
    flips = stats.permutation_test(
        (cell["output"] - cell["none"],), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert row["p"] == pytest.approx(flips.pvalue)


def test_missing_trials_leave_their_pairs_out(ours):
    some = ours[~(ours["mode"].eq("none") & ours["trial"].isin([2, 5]))]
    table = pooled(contrast_table(some, accuracy(some), [Contrast("output")]))
    assert table.loc["output - none", ["design", "n_a", "n_b"]].tolist() == ["paired", 336, 336]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("output-none", 'expected two modes, " - " between them, as in "output - none"'),
        ("output - none - full", "expected two modes"),
        ("output - nome", "no trials of mode nome; there are none, decay, dropout"),
        ("none - none", "a mode is compared with itself"),
        ("\x1b[31m - none", "no trials of mode"),
    ],
)
def test_contrasts_are_read_strictly(published, text, words):
    with pytest.raises(ConfigError, match=re.escape(words)) as raised:
        parse_contrasts([text], published)
    assert "\x1b" not in str(raised.value)


def test_a_contrast_named_twice_is_refused(published):
    assert parse_contrasts([" output  -  none "], published) == [Contrast("output")]
    with pytest.raises(ConfigError, match="twice"):
        parse_contrasts(["output - none", "output - none"], published)


def test_a_declared_contrast_is_no_a_a(published):
    some = published[published["architecture"] == "8*8"]
    table = contrast_table(some, accuracy(some), [Contrast("decay")])
    assert pooled(table)["kind"].to_dict() == {"decay - none": "declared", "none: odd - even": "A/A"}
    shown = [part for part in contrasts_text(table, accuracy(some), 0.02, by_shape=True) if not isinstance(part, str)]
    assert [part.about for part in shown] == ["best validation accuracy"] * 4


def test_seeds_tell_how_trials_were_seeded(ours, published):
    assert design_within(ours) is Design.PAIRED
    assert design_within(published) is Design.INDEPENDENT
    apart = ours.assign(seed=range(len(ours)))
    assert design_within(apart) is Design.INDEPENDENT
    assert not has_separate_seeds(ours)
    assert not has_separate_seeds(apart)
    separate = ours.assign(seed=[100 + crossed(trial)[1] for trial in ours["trial"]])
    assert has_separate_seeds(separate)
    assert not has_separate_seeds(separate.assign(seed=5))


def test_two_sources_with_the_same_seeds_are_paired(ours, published):
    assert design_between(ours, published) is Design.INDEPENDENT
    again = ours.assign(best_validation_accuracy=ours["best_validation_accuracy"] - 0.001)
    assert design_between(ours, again) is Design.PAIRED
    cells = compare_sources(ours, again)
    assert (cells["design"] == "paired").all()
    assert (cells["p"] == 2 / 2**10).all()
    found = pooled_sources(ours, again).iloc[0]
    assert found["difference"] == pytest.approx(0.001)


def test_the_published_study_is_agreed_with_as_a_whole(ours, published):
    found = pooled_sources(ours, published).iloc[0]
    assert (found["shapes"], found["cells"]) == (42, 252)
    assert found["low"] < 0 < found["high"]
    assert found["p_equivalent"] < 0.001
    cells = compare_sources(ours, published).dropna(subset=["p"])
    assert cells["inside"].astype(bool).all()
    assert (cells["joint_low"].dropna() <= cells["low"].dropna()).all()


def test_modes_that_share_a_seed_are_one_finding(ours, published):
    # The same trials under six names are no more than under one.
    one = ours[ours["mode"] == "none"]
    six = pd.concat([one.assign(mode=mode) for mode in ours["mode"].unique()], ignore_index=True)
    theirs = published[published["mode"] == "none"]
    again = pd.concat([theirs.assign(mode=mode) for mode in ours["mode"].unique()], ignore_index=True)
    names = ["difference", "low", "high"]
    once, often = pooled_sources(one, theirs).iloc[0][names], pooled_sources(six, again).iloc[0][names]
    assert often.tolist() == pytest.approx(once.tolist())


def test_modes_of_a_paired_study_are_compared_by_pairs(ours, published):
    assert (compare_with_control(ours)["design"] == "paired").all()
    cells = compare_with_control(published)
    assert (cells["design"] == "independent").all()
    assert (cells["p_bh"] <= cells["p_holm"]).all()


def test_decay_is_a_placebo_only_where_float32_loses_it(published):
    assert placebo_modes(published) == ("decay",)
    faster = published.copy()
    faster.attrs = published.attrs | {"settings": {"learning_rate": 0.01}}
    assert placebo_modes(faster) == ()
    assert placebo_modes(published[published["mode"] != "none"]) == ()
