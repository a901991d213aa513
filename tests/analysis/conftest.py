import random
from itertools import product

import pytest

from psa_tui.analysis.frames import PUBLISHED_MODES
from psa_tui.analysis.shapes import size_of
from psa_tui.method.ablation import AblatedUnit
from psa_tui.method.variants import describe_variant
from psa_tui.storage.meta_loops import MetaLoopRow
from psa_tui.storage.study_rows import TrialLoop, TrialRow
from psa_tui.storage.study_store import open_store

COUNT = 500
UNIT = AblatedUnit(layer=0, unit=1, incoming=784, outgoing=0)


def _trial(architecture, mode, trial, corrects, parameters):
    """A complete trial whose candidates classify ``corrects`` of 500 images, and its loops."""
    loops, best, best_at = [], None, None
    ablates = describe_variant(mode).ablates
    for meta_loop, correct in enumerate(corrects, start=1):
        promoted = best is None or correct > best
        if promoted:
            best, best_at = correct, meta_loop
        loop = MetaLoopRow(
            meta_loop=meta_loop,
            mode=mode,
            ablations=(UNIT,) if ablates and meta_loop > 1 else (),
            train_loss=1 / meta_loop,
            validation_correct=correct,
            validation_count=COUNT,
            finite=True,
            verdict="promoted" if promoted else "rolled_back",
            reason="the first candidate" if meta_loop == 1 else "",
            seconds=1.0,
            train_accuracy=correct / (2 * COUNT),
            lkg_dead=correct % 5,
            lkg_inactive=correct % 7,
        )
        loops.append(TrialLoop(architecture, trial, loop))
    row = TrialRow(
        architecture=architecture,
        mode=mode,
        trial=trial,
        parameters=parameters,
        seed=2**62 + trial,
        meta_loop=len(corrects),
        bounty=best / COUNT,
        bounty_meta_loop=best_at,
        test_accuracy=(best - 5) / COUNT,
        lkg_dead=best % 5,
        lkg_inactive=best % 7,
    )
    return row, loops


def write_study(
    folder,
    name="reproduction",
    *,
    shapes=("8*8", "18*18"),
    modes=PUBLISHED_MODES,
    trials=3,
    meta_loops=12,
    source="local",
    dataset="mnist",
    quick=False,
    left_out=(),
    failed=(),
    network=None,
    further=(),
):
    """Write a study into ``folder``: of each shape and mode, trials with random but repeatable loops."""
    drawn = random.Random(name)
    settings = {"shapes": list(shapes), "modes": [*modes, *further], "dataset": dataset}
    settings |= {"network": network} if network else {}
    rows, loops = [], []
    # Trials of further modes come last, so that those of the others are the same with and without them.
    cells = [*product(shapes, modes), *product(shapes, further)]
    for (shape, mode), trial in product(cells, range(1, trials + 1)):
        corrects = [drawn.randrange(60, 490) for _ in range(meta_loops)]
        size = size_of(shape, dataset, network or "mlp", recorded=12_345)
        row, its_loops = _trial(shape, mode, trial, corrects, size.parameters)
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
        store.enter(name, source, settings, quick, 7, meta_loops, trials)
        store.put(name, rows, loops)
    return folder


@pytest.fixture
def make_study(tmp_path):
    """``write_study`` into the results folder, or another."""

    def make(name="reproduction", *, folder=None, **options):
        return write_study(tmp_path / "results" if folder is None else folder, name, **options)

    return make
