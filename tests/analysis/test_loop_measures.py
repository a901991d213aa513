import numpy as np
import pandas as pd
import pytest

from psa_tui import load_meta_loops, load_trials
from psa_tui.analysis.design.evidence import LoopMeasures, measured
from psa_tui.analysis.endpoints import endpoint_of
from psa_tui.analysis.frames import completed_loops
from psa_tui.analysis.loop_measures import loop_measures, with_loop_measures
from psa_tui.errors import DataError
from psa_tui.storage.study_rows import TrialRow
from psa_tui.studies.design.plan import Endpoint


def loops_of(trials):
    """Loops of trials given as (candidate's accuracy, promoted, units ablated) by mode."""
    rows = [
        ("8*8", mode, 1, loop, accuracy, "promoted" if promoted else "rolled_back", units)
        for mode, loops in trials.items()
        for loop, (accuracy, promoted, units) in enumerate(loops, start=1)
    ]
    names = ["architecture", "mode", "trial", "meta_loop", "validation_accuracy", "verdict", "ablated_units"]
    return completed_loops(pd.DataFrame(rows, columns=names), architectures=["8*8"])


def test_harm_is_a_candidate_worse_than_its_lkg_in_loops_that_ablated():
    table = loop_measures(
        loops_of(
            {
                # The first loop ablates nothing and has no LKG; a tie is rolled back and harms nothing.
                "output": [(0.5, True, 0), (0.4, False, 1), (0.6, True, 1), (0.6, False, 1), (0.1, False, 0)],
                # A mode without ablations counts all its loops; a rule may promote a worse candidate.
                "none": [(0.1, False, 0), (0.3, True, 0), (0.2, True, 0), (0.2, False, 0), (0.1, False, 0)],
                "full": [(0.1, True, 0)],
            }
        )
    ).set_index("mode")
    assert table["start"].to_dict() == {"none": 0.3, "full": 0.1, "output": 0.5}
    assert table["harm_rate"].to_dict() == pytest.approx({"none": 2 / 3, "full": np.nan, "output": 1 / 3}, nan_ok=True)


def test_gain_is_the_best_less_the_first_lkg_and_unknown_without_loops(make_study):
    folder = make_study()
    trials, loops = load_trials(results_dir=folder), load_meta_loops(results_dir=folder)
    some = loops[~(loops["mode"].eq("none") & loops["trial"].eq(2))]
    found = with_loop_measures(trials, some)
    first = loops[loops["meta_loop"] == 1].set_index(["architecture", "mode", "trial"])["validation_accuracy"]
    expected = trials.set_index(["architecture", "mode", "trial"])["best_validation_accuracy"] - first
    known = found["gain"].notna()
    assert (~known).sum() == 2
    assert found.loc[known, "gain"].tolist() == pytest.approx(
        expected.loc[pd.MultiIndex.from_frame(found.loc[known, ["architecture", "mode", "trial"]])].tolist()
    )
    assert found.attrs == trials.attrs
    assert endpoint_of(found, Endpoint.HARM).values[known].max() > 0
    assert endpoint_of(found, Endpoint.GAIN).words.startswith("gain over the start")


def test_the_published_trials_have_neither():
    with pytest.raises(DataError, match="no meta-loops"):
        load_meta_loops("published")


def test_a_look_measures_what_loops_tell_and_leaves_out_what_they_do_not():
    rows = [
        TrialRow(architecture="1*2", mode="none", trial=trial, parameters=9, bounty=bounty, test_accuracy=0.4)
        for trial, bounty in ((1, 0.5), (2, 0.5), (3, 0.5), (4, None))
    ]
    known = LoopMeasures(0.2, 0.25)
    of_loops = {
        ("1*2", "none", 1): known,
        ("1*2", "none", 3): LoopMeasures(0.3, float("nan")),
        ("1*2", "none", 4): known,
    }
    assert measured(rows, Endpoint.GAIN, 0, of_loops) == pytest.approx(
        {("1*2", "none", 1): 0.3, ("1*2", "none", 3): 0.2}
    )
    assert measured(rows, Endpoint.HARM, 0, of_loops) == {("1*2", "none", 1): 0.25}
