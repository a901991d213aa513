"""How often each test finds what is not there, and how often each interval holds the truth.

``python tools/statistics_campaign.py`` draws 2,000 data sets of bimodal cells in which two modes do not differ: of
each of the squares 4*4 to 19*19 ten trials a mode, from the twenty published trials of ``none`` and ``decay``, which
are one mode. Half of the pairs with one seed have the same accuracy. A test at 0.05 should find something in 5 % of
the data sets (less where few p-values are possible), a 95 % interval should miss the truth in 5 %. Equivalence is
tested where the true difference is the margin itself.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context

import numpy as np

from psa_tui import load_trials
from psa_tui.analysis.statistics.aggregates import (
    bootstrap_interval,
    interquartile_mean,
    mean_interval,
    probability_of_improvement,
)
from psa_tui.analysis.statistics.differences import independent_difference, paired_difference
from psa_tui.analysis.statistics.escape import logistic_model, mcnemar
from psa_tui.analysis.statistics.permutation import exchange_labels, sign_flip
from psa_tui.analysis.statistics.survival import log_rank
from psa_tui.analysis.statistics.two_samples import mann_whitney

TRIALS, BAR, MARGIN, LOOPS, RESAMPLES = 10, 0.2602, 0.05, 100, 999
"""Few resamples make a test no less valid, only weaker."""


def cells() -> list[np.ndarray]:
    """Return the accuracies that the trials of each shape are drawn from."""
    trials = load_trials("published")
    chosen = trials[trials["mode"].isin(["none", "decay"])]
    squares = [chosen[chosen["architecture"] == f"{side}*{side}"] for side in range(4, 20)]
    return [rows["best_validation_accuracy"].to_numpy() for rows in squares]


def outcomes(seed: int) -> Iterator[tuple[str, bool]]:
    """Yield the names of tests with whether they found something, and of intervals with whether they missed."""
    drawn = np.random.default_rng(seed)
    paired, apart, middles = [], [], []
    for values in CELLS:
        # Spread within a hundredth of a point, as accuracies have that differ in an image or two.
        one, other, third = drawn.choice(values, (3, TRIALS)) + drawn.normal(0, 1e-4, (3, TRIALS))
        same = drawn.random(TRIALS) < 0.5
        paired.append((one, np.where(same, one, other)))
        apart.append((one, third))
        middles.append(one)
    differences = [a - b for a, b in paired]
    yield "pairs: signs flipped, pooled", sign_flip(np.concatenate(differences), RESAMPLES) < 0.05
    yield "pairs: interval (t), pooled", _misses(paired_difference(differences).interval())
    yield (
        "pairs: TOST at the margin",
        paired_difference([one + MARGIN for one in differences]).equivalence(MARGIN) < 0.05,
    )
    yield "pairs: signs flipped, one cell of 10", sign_flip(differences[4]) < 0.05
    yield "pairs: interval (t), one cell of 10", _misses(paired_difference(differences[4:5]).interval())
    yield "labels exchanged, pooled", exchange_labels(apart, RESAMPLES)[0] < 0.05
    yield "interval (Welch), pooled", _misses(independent_difference(apart).interval())
    shifted = independent_difference([(a + MARGIN, b) for a, b in apart])
    yield "TOST at the margin", shifted.equivalence(MARGIN) < 0.05
    yield "labels exchanged, one cell of 10", exchange_labels(apart[4:5])[1][0] < 0.05
    yield "Mann-Whitney, one cell of 10", mann_whitney(*apart[4]) < 0.05
    yield "interval (Welch), one cell of 10", _misses(independent_difference(apart[4:5]).interval())
    for name, arms in (("pairs: ", paired), ("", apart)):
        a, b = (np.concatenate(side) > BAR for side in zip(*arms, strict=True))
        if name:
            yield f"{name}McNemar, pooled", mcnemar(a, b) < 0.05
            one, other = arms[4]
            yield f"{name}McNemar, one cell of 10", mcnemar(one > BAR, other > BAR) < 0.05
        shape = np.tile(np.repeat(np.arange(len(arms)), TRIALS), 2)
        treated = np.repeat([True, False], len(a))
        model = logistic_model(np.concatenate([a, b]), treated, shape)
        if not model.problem:
            yield f"{name}logistic model of escapes", model.p < 0.05
    times = np.where(drawn.random(2 * len(a)) < np.concatenate([a, b]), drawn.integers(1, LOOPS, 2 * len(a)), LOOPS)
    yield "log-rank, by shape", log_rank(times, times < LOOPS, treated, shape) < 0.05
    yield "interval of the mean", _misses(mean_interval(middles, repeats=RESAMPLES), TRUTH[0])
    yield (
        "bootstrap of the middle half",
        _misses(bootstrap_interval(middles, interquartile_mean, repeats=RESAMPLES), TRUTH[1]),
    )
    _, low, high = probability_of_improvement(apart, repeats=RESAMPLES)
    yield "bootstrap of improvement", _misses((low, high), 0.5)


def counted(seeds: range) -> tuple[Counter[str], Counter[str]]:
    """Return how often each was asked, and how often it found or missed."""
    asked: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for seed in seeds:
        for name, value in outcomes(seed):
            asked[name] += 1
            found[name] += bool(value)
    return asked, found


def main() -> None:
    """Print a line a test and interval."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-sets", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=1)
    chosen = parser.parse_args()
    parts = [range(start, chosen.data_sets, chosen.processes) for start in range(chosen.processes)]
    with get_context("fork").Pool(chosen.processes) as pool:
        results = pool.map(counted, parts)
    asked, found = (sum((result[place] for result in results), Counter()) for place in (0, 1))
    for name, count in asked.items():
        share = found[name] / count
        error = 1.96 * (share * (1 - share) / count) ** 0.5
        print(f"{name:<40} {share:6.1%} +- {error:.1%}  of {count}")


def _misses(interval: tuple[float, float], truth: float = 0.0) -> bool:
    return not interval[0] <= truth <= interval[1]


CELLS = cells()
TRUTH = (float(np.mean(CELLS)), float(interquartile_mean(np.concatenate(CELLS))))

if __name__ == "__main__":
    main()
