import pandas as pd
import pytest

from psa_tui.analysis.frames import completed_loops
from psa_tui.analysis.loops import trials_of_loops


@pytest.mark.parametrize(("mode", "best", "at"), [("full", 0.9, 3), ("full+promote=half", 0.7, 4)])
def test_a_trials_best_is_what_its_promotion_rule_would_have_counted(mode, best, at):
    """The best finite candidate; where one half decides and the other is reported, the last one that was promoted."""
    rows = pd.DataFrame(
        {
            "architecture": "1*4",
            "mode": mode,
            "trial": 1,
            "meta_loop": [1, 2, 3, 4, 5],
            "validation_accuracy": [0.5, 0.95, 0.9, 0.7, 0.9],
            "verdict": ["promoted", "rolled_back", "rolled_back", "promoted", "rolled_back"],
            "train_loss": [1.0, float("nan"), 0.9, 0.8, 0.7],
        }
    )
    loops = completed_loops(rows, architectures=[])
    loops.attrs = {"source": "loops.csv", "study": "mine", "quick": False, "dataset": "mnist5k"}
    (trial,) = trials_of_loops(loops).itertuples()
    assert (trial.best_validation_accuracy, trial.best_meta_loop, trial.meta_loops) == (best, at, 5)
