import os
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from psa_tui.views.display import DisplayOptions
from psa_tui.views.glyphs import UNICODE
from psa_tui.views.study.trials import trials_chart, trials_strips

SCREENS = Path(__file__).parent / "screens"


def bounty(trial, loop):
    """What trial ``trial`` has reached after ``loop``; the third one nothing before loop 5."""
    return None if trial == 3 and loop < 5 else round(0.1 + 0.001 * trial * loop, 4)


def story(study, trials=20, loops=30):
    yield 0.0, study.started("8*8", modes=("output",), trials=trials, meta_loops=100, workers=1, study="trials-8x8-1")
    numbers = tuple(range(1, trials + 1))
    for loop in range(1, loops + 1):
        bounties = (tuple(bounty(trial, loop) for trial in numbers),)
        yield float(loop), study.progressed("8*8", "worker 1", loop, 1.0, trials=numbers, bounties=bounties)


@pytest.mark.parametrize(
    ("size", "options", "name"),
    [
        ((80, 24), DisplayOptions(), "trials-80x24"),
        ((140, 45), DisplayOptions(), "trials-140x45"),
        ((60, 15), DisplayOptions(ascii=True), "trials-60x15-ascii"),
    ],
)
def test_the_screens_of_one_setting_are_as_they_were_approved(study, size, options, name):
    state, now = study.replay(story(study))
    file = SCREENS / f"{name}.txt"
    lines = [line.rstrip() for line in study.picture(state, *size, now + 2, options, color_system=None)]
    if "REGENERATE_SCREENS" in os.environ:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == file.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("width", "height"), list(product((40, 60, 80, 160), (8, 15, 24, 50))))
def test_every_line_fits_whatever_the_size_and_whatever_has_come(study, width, height):
    for loops, trials in ((0, 20), (1, 1), (4, 3), (100, 200)):
        state, now = study.replay(story(study, trials, loops))
        for options in (DisplayOptions(), DisplayOptions(ascii=True)):
            lines = study.picture(state, width, height, now, options, color_system=None)
            assert len(lines) == height
            assert max(map(len, lines)) <= width
            assert not options.ascii or "".join(lines).isascii()


def test_the_chart_has_the_mean_and_the_percentiles_of_the_trials_that_have_an_lkg(study):
    state, _ = study.replay(story(study, loops=1))
    text = trials_chart(state, 60, 40, UNICODE).plain.splitlines()
    rows = [number for number, line in enumerate(text[1:-2]) if re.search("[⠁-⣿]", line)]
    reached = [100 * found for trial in range(1, 21) if (found := bounty(trial, 1)) is not None]
    low, high = np.percentile(reached, (10, 90))
    # Three marks, highest first: their distances are those of the numbers.
    assert len(rows) == 3
    found = (rows[1] - rows[0]) / (rows[2] - rows[0])
    assert found == pytest.approx((high - np.mean(reached)) / (high - low), abs=0.06)


def test_the_strips_name_every_trial_with_its_bounty_and_the_best_one_first(study):
    state, _ = study.replay(story(study))
    lines = trials_strips(state, 100, 20, UNICODE).plain.splitlines()
    cells = [line[start : start + 50].split() for line in lines for start in (0, 50)]
    assert cells[0][0] == "20"
    assert cells[0][-3:] == ["70.00", "%", "best"]
    assert sorted(int(cell[0]) for cell in cells) == list(range(1, 21))
    assert trials_strips(state, 100, 3, UNICODE).plain.rstrip().endswith("and 15 trials below these")
