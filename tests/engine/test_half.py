"""Promotion on one half of the validation images, beside counts of both halves by another way."""

import pytest
import torch

from psa_tui.engine.backend import BACKENDS
from psa_tui.engine.meta_loop import run_meta_loops
from psa_tui.errors import ConfigError
from psa_tui.method.events import Verdict
from psa_tui.method.variants import find_variant
from tests.engine import oracle
from tests.engine.trials import HYPERPARAMETERS, MIXED, finished, mlp, population

NETWORK, SEED = mlp("[1*8]"), 7


class Recording:
    """A backend, and a copy of all weights that it counted for."""

    every_variant = measures_activity = True

    def __init__(self, name):
        self.name, self.backend, self.counted = name, BACKENDS.find(name), []
        self.train_epoch = self.backend.train_epoch

    def count_correct(self, weights, *arguments, active):
        self.counted.append(weights.clone())
        return self.backend.count_correct(weights, *arguments, active)


@pytest.mark.parametrize("backend", ["torch", "module", "numba"])
def test_half_promotes_on_the_even_images_and_reports_the_odd_ones(backend, train_images, validation_images):
    half = population(NETWORK, (SEED, find_variant("hidden+promote=half")), count=199, dtype=torch.float64)
    half.backend = Recording(backend)
    validation = validation_images[:199]
    events = finished(run_meta_loops(half, train_images, validation, HYPERPARAMETERS, 6))
    # A candidate is counted for each half.
    candidates = half.backend.counted[::2]
    even, odd = (
        [int(oracle.count_correct(one, NETWORK, validation[start::2])) for one in candidates] for start in (0, 1)
    )
    best = None
    for loop, (event, decides, reports) in enumerate(zip(events, even, odd, strict=True)):
        better = best is None or decides > even[best]
        compared = 0 if best is None else decides - even[best]
        if better:
            best = loop
            lkg = candidates[loop][0]
        assert (event.verdict is Verdict.PROMOTED) == better
        assert (event.validation_correct, event.promoting_correct) == (reports, decides)
        assert event.validation_accuracy == reports / 99
        progress = event.progress
        assert (progress.validation_count, progress.lkg_meta_loop, progress.best_meta_loop) == (99, best + 1, best + 1)
        assert progress.lkg_correct == progress.best_correct == odd[best]
        assert progress.lkg_promoting == progress.best_promoting == even[best]
        said = f"{compared} more" if compared > 0 else f"{-compared} fewer" if compared else "no better"
        assert event.reason.startswith(said) or loop == 0
        assert event.reason.endswith("than the LKG on the promoting half") or loop == 0
    assert torch.equal(half.lkg[0], lkg)
    assert best > 0, "else nothing was promoted after the first loop"
    assert odd[best] < max(odd), "else the maximum would have done as well"


def test_a_rule_that_wants_halves_changes_nothing_for_the_others(train_images, validation_images):
    settings = train_images, validation_images, HYPERPARAMETERS
    names = ["full", "full+promote=half", "none", "none+promote=half"]
    together = population(MIXED, *((2, find_variant(name)) for name in names), dtype=torch.float64)
    events = finished(run_meta_loops(together, *settings, 5))
    for member, name in enumerate(names):
        alone = population(MIXED, (2, find_variant(name)), dtype=torch.float64)
        own = finished(run_meta_loops(alone, *settings, 5))
        assert [e.progress for e in events if e.member == member] == [e.progress for e in own]
        counts = {e.progress.validation_count for e in own}
        assert counts == ({100} if "half" in name else {200})


def test_modes_that_report_different_images_do_not_follow_one_another():
    with pytest.raises(
        ConfigError, match=r"none and full.promote=half cannot follow one another: they report different"
    ):
        find_variant("none:2>full+promote=half:2")
