import random

import pytest

from psa_tui.method.variants import AblationMode
from psa_tui.storage.study_store import LoopRow, TrialRow, open_store
from psa_tui.studies.grids import parse_shape

COUNT = 500
MODES = tuple(str(mode) for mode in AblationMode)


def _trial(architecture, mode, trial, corrects, finite=True):
    """A complete trial whose candidates classify ``corrects`` of 500 images, and its loops."""
    loops, best, best_at = [], None, None
    for meta_loop, correct in enumerate(corrects, start=1):
        promoted = best is None or correct > best
        if promoted:
            best, best_at = correct, meta_loop
        ablates = AblationMode(mode).ablates and meta_loop > 1
        loops.append(
            LoopRow(
                architecture=architecture,
                mode=mode,
                trial=trial,
                meta_loop=meta_loop,
                ablated_layer=0 if ablates else None,
                ablated_neuron=1 if ablates else None,
                train_loss=1 / meta_loop if finite else None,
                validation_correct=correct,
                validation_count=COUNT,
                finite=finite,
                verdict="promoted" if promoted else "rolled_back",
            )
        )
    row = TrialRow(
        architecture=architecture,
        mode=mode,
        trial=trial,
        parameters=parse_shape(architecture).parameters,
        seed=2**62 + trial,
        meta_loop=len(corrects),
        bounty=best / COUNT,
        bounty_meta_loop=best_at,
        test_accuracy=(best - 5) / COUNT,
    )
    return row, loops


@pytest.fixture
def make_study(tmp_path):
    """Write a study into the results folder: of each shape and mode, trials with random but repeatable loops."""

    def make(
        name="reproduction",
        *,
        shapes=("8*8", "18*18"),
        modes=MODES,
        trials=3,
        meta_loops=12,
        source="local",
        dataset="mnist",
        quick=False,
        left_out=(),
        failed=(),
        folder=None,
    ):
        folder = tmp_path / "results" if folder is None else folder
        drawn = random.Random(name)
        settings = {"shapes": list(shapes), "modes": list(modes), "dataset": dataset}
        rows, loops = [], []
        for shape in shapes:
            for mode in modes:
                for trial in range(1, trials + 1):
                    corrects = [drawn.randrange(60, 490) for _ in range(meta_loops)]
                    row, its_loops = _trial(shape, mode, trial, corrects)
                    if (shape, mode, trial) in left_out:
                        continue
                    if (shape, mode, trial) in failed:
                        row = TrialRow(
                            architecture=shape,
                            mode=mode,
                            trial=trial,
                            parameters=row.parameters,
                            state="failed",
                            reason="out of memory",
                        )
                    rows.append(row)
                    loops += its_loops
        with open_store(folder) as store:
            store.begin(name, source, settings, quick, 7, meta_loops, trials)
            store.put(name, rows, loops)
        return folder

    return make
