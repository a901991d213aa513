from dataclasses import replace

from psa_tui.storage.study_rows import TRIAL_LOOP_COLUMNS


def recorded(store, study="small"):
    """What a store has of a study, without the times."""
    seconds = TRIAL_LOOP_COLUMNS.index("seconds")
    trials = [replace(row, seconds=0.0) for row in store.trials(study)]
    return trials, [row[:seconds] + row[seconds + 1 :] for row in store.loops(study)]
