import numpy as np
import pandas as pd
import pytest

from psa_tui import load_meta_loops
from psa_tui.analysis.escape_times import escape_times, escaped_by, survival_curves, survival_table


def loops_of(cells):
    """Loops of trials given as the LKG's accuracy loop by loop, by mode."""
    rows = [
        ("8*8", mode, trial, loop, accuracy)
        for mode, trials in cells.items()
        for trial, accuracies in enumerate(trials, start=1)
        for loop, accuracy in enumerate(accuracies, start=1)
    ]
    return pd.DataFrame(rows, columns=["architecture", "mode", "trial", "meta_loop", "lkg_accuracy"])


def test_a_trial_escapes_at_the_first_loop_above_the_bar_and_else_is_watched_to_its_end():
    nan = float("nan")
    loops = loops_of({"none": [[nan, 0.1, 0.26, 0.3], [0.1, 0.2602], [0.1, 0.1, 0.1]]})
    found = escape_times(loops, 0.2602)
    assert found["escaped"].tolist() == [True, False, False]
    assert found["time"].tolist() == [4, 2, 3]


def test_modes_are_summarised_beside_none():
    slow, fast, never = [0.1] * 4 + [0.5], [0.1, 0.5, 0.5, 0.5, 0.5], [0.1] * 5
    loops = loops_of({"output": [fast] * 6 + [never] * 2, "none": [slow] * 2 + [never] * 6, "full": [never] * 8})
    times = escape_times(loops, 0.26)
    table = survival_table(times).set_index("mode")
    assert list(table.index) == ["none", "full", "output"]
    assert table["escaped"].tolist() == [2, 0, 6]
    assert table["share"].tolist() == pytest.approx([0.25, 0, 0.75])
    assert table.loc["output", "low"] < 0.75 < table.loc["output", "high"]
    assert np.isnan(table.loc["none", ["median", "p"]].astype(float)).all()
    assert table.loc["output", "median"] == 2
    assert table.loc["output", "p"] < 0.05 < table.loc["full", "p"]
    curves = survival_curves(times)
    output = curves[curves["mode"] == "output"]
    assert [escaped_by(output, loop) for loop in (1, 2, 5)] == pytest.approx([0, 0.75, 0.75])
    assert curves[curves["mode"] == "full"]["survival"].tolist() == [1]


def test_loops_of_a_study_give_times(make_study):
    times = escape_times(load_meta_loops("local", results_dir=make_study()), 0.9)
    assert len(times) == 36
    assert times["time"].between(1, 12).all()
    assert survival_table(times.iloc[:0]).empty
