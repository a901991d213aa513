"""How many trials a difference needs to be seen: by formula first, then by simulated studies, which have the last word.

Means: statsmodels' solvers for Student's t. Escape rates of independent trials: statsmodels' for two proportions; of
pairs: McNemar's test by Connor (1987), which needs to know how often the two of a pair differ. Looks make a study
larger by what the boundaries take of its power. The simulated studies are tested as ``psa study look`` tests them, at
every look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psa_tui.analysis.design.boundaries import boundaries, crossing_probabilities, nominal_level
from psa_tui.errors import ConfigError
from psa_tui.studies.design.plan import Spending

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

STUDIES = 4000
"""Simulated for each answer: a power of 80 % is known to 0.6 points."""
_SEED = 20260101
MOST_TRIALS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a study is to reach."""

    power: float = 0.8
    alpha: float = 0.05
    """Of one contrast, over all its looks."""
    two_sided: bool = True
    looks: int = 1
    spending: Spending = Spending.OBRIEN_FLEMING

    @property
    def fractions(self) -> list[float]:
        """The information at each look, evenly spaced."""
        return [look / self.looks for look in range(1, self.looks + 1)]

    @property
    def levels(self) -> list[float]:
        """What p must be below at each look."""
        bounds = boundaries(self.fractions, self.alpha, self.spending, two_sided=self.two_sided)
        return [nominal_level(bound, two_sided=self.two_sided) for bound in bounds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Escape rates that are to be told apart."""

    control: float
    treatment: float
    correlation: float = 0.0
    """Of the two of a pair."""

    @property
    def discordant(self) -> tuple[float, float]:
        """How often of a pair only the treatment's escapes, and only the control's.

        Raises:
            ConfigError: no pairs of these rates can correlate so.
        """
        a, b = self.treatment, self.control
        both = a * b + self.correlation * math.sqrt(a * (1 - a) * b * (1 - b))
        if not max(0.0, a + b - 1) - 1e-12 <= both <= min(a, b) + 1e-12:
            raise ConfigError(
                f"--correlation {self.correlation:g}: no pairs of the rates {100 * b:g} and {100 * a:g} % correlate so"
            )
        return max(a - both, 0.0), max(b - both, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Means that are to be told apart, in any unit."""

    difference: float
    std: float
    """Between the trials of one variant."""
    correlation: float = 0.0

    @property
    def std_of_differences(self) -> float:
        """Between pairs."""
        return self.std * math.sqrt(2 * (1 - self.correlation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """So many trials of each variant, and how that was found."""

    test: str
    formula: str
    n_by_formula: int
    n: int
    """By simulation: pairs, or trials of each variant."""
    simulated_power: float
    """At ``n``."""
    simulated_error: float
    """Its standard error."""


def needed(effect: Rates | Means, aim: Aim, *, paired: bool) -> Answer:
    """Return how many pairs, or trials of each variant, let the aim be reached.

    Raises:
        ConfigError: no number of trials does, or more than anybody trains.
    """
    n, formula, test = _by_formula(effect, aim, paired)
    first = n
    while (power := simulated_power(effect, aim, n, paired=paired)) < aim.power:
        n = _check(math.ceil(n * 1.01))
    error = math.sqrt(max(power * (1 - power), 1 / STUDIES) / STUDIES)
    return Answer(test=test, formula=formula, n_by_formula=first, n=n, simulated_power=power, simulated_error=error)


def inflation(aim: Aim) -> float:
    """Return how much larger a study with looks must be than one without, as a factor."""
    from scipy.optimize import brentq

    if aim.looks == 1:
        return 1.0

    def drift(looks: int) -> float:
        fractions = [look / looks for look in range(1, looks + 1)]
        bounds = boundaries(fractions, aim.alpha, aim.spending, two_sided=aim.two_sided)

        def lacking(drift: float) -> float:
            found = crossing_probabilities(bounds, fractions, two_sided=aim.two_sided, drift=drift)
            return sum(found) - aim.power

        return float(brentq(lacking, 0.0, 12.0, xtol=1e-6))

    return (drift(aim.looks) / drift(1)) ** 2


def simulated_power(effect: Rates | Means, aim: Aim, n: int, *, paired: bool, studies: int = STUDIES) -> float:
    """Return the share of simulated studies of ``n`` that show the effect at one of their looks."""
    import numpy as np

    draws = np.random.default_rng([_SEED, n, paired])
    ends = [max(round(n * fraction), 1) for fraction in aim.fractions]
    shown = np.zeros(studies, dtype=bool)
    steps = np.diff([0, *ends])
    if isinstance(effect, Rates):
        tails = _simulate_rates(effect, steps, paired, studies, draws)
    else:
        tails = _simulate_means(effect, steps, paired, studies, draws)
    for (above, below), level in zip(tails, aim.levels, strict=True):
        p = np.minimum(2 * np.minimum(above, below), 1) if aim.two_sided else above
        shown |= p <= level
    return float(shown.mean())


def mcnemar_n(gain: float, loss: float, alpha: float, power: float, *, two_sided: bool) -> float:
    """Return the pairs that McNemar's test needs (Connor 1987), given how often each of a pair alone escapes."""
    from scipy.special import ndtri

    discordant, difference = gain + loss, gain - loss
    z_alpha, z_power = -ndtri(alpha / (2 if two_sided else 1)), ndtri(power)
    root = z_alpha * math.sqrt(discordant) + z_power * math.sqrt(discordant - difference**2)
    return float((root / difference) ** 2)


def _by_formula(effect: Rates | Means, aim: Aim, paired: bool) -> tuple[int, str, str]:
    from statsmodels.stats.power import TTestIndPower, TTestPower
    from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

    if isinstance(effect, Rates):
        _check_differs(effect.treatment - effect.control)
        if paired:
            n = mcnemar_n(*effect.discordant, aim.alpha, aim.power, two_sided=aim.two_sided)
            formula, test = "Connor 1987", "McNemar, exact"
        else:
            low = min(effect.treatment, effect.control)
            n = samplesize_proportions_2indep_onetail(
                abs(effect.treatment - effect.control), low, aim.power, alpha=aim.alpha, alternative=_side(aim)
            )
            formula, test = "statsmodels, two proportions", "stratified permutation"
    else:
        _check_differs(effect.difference)
        solver, spread = (TTestPower(), effect.std_of_differences) if paired else (TTestIndPower(), effect.std)
        n = _solved(solver, abs(effect.difference) / max(spread, 1e-12), aim)
        formula = f"statsmodels, {'paired' if paired else 'independent'} t"
        test = "sign-flip permutation" if paired else "stratified permutation"
    found = math.ceil(n * inflation(aim) - 1e-9)
    return _check(max(found, _least(aim))), formula, test


def _least(aim: Aim) -> int:
    """Return how many pairs can be significant at all: every sign is as likely as its opposite."""
    return max(math.ceil(math.log2((2 if aim.two_sided else 1) / aim.levels[-1])), 2 * aim.looks)


def _solved(solver: Any, size: float, aim: Aim) -> float:
    if size > 5:  # Where three trials do, the solvers lose their way.
        return 3.0
    name = "nobs" if "nobs" in solver.solve_power.__code__.co_varnames else "nobs1"
    return float(
        solver.solve_power(
            size,
            alpha=aim.alpha,
            power=aim.power,
            alternative=_side(aim),
            **{name: None},
        )
    )


def _side(aim: Aim) -> str:
    return "two-sided" if aim.two_sided else "larger"


def _check(n: int) -> int:
    if n > MOST_TRIALS:
        raise ConfigError(f"more than {MOST_TRIALS:,} trials would be needed: expected a larger difference")
    return n


def _check_differs(difference: float) -> None:
    if abs(difference) < 1e-9:
        raise ConfigError("no number of trials shows a difference of 0: expected a difference")


_Tails = list[tuple["Array", "Array"]]
"""One-sided p-values of each study, at each look: of treatment above control, and below."""


def _simulate_rates(effect: Rates, steps: Array, paired: bool, studies: int, draws: np.random.Generator) -> _Tails:
    import numpy as np
    from scipy.stats import binom

    found: _Tails = []
    if paired:
        gain, loss = sorted(effect.discordant, reverse=True)
        counts = np.stack([draws.multinomial(step, [gain, loss, 1 - gain - loss], studies) for step in steps]).cumsum(0)
        for better, worse, _ in np.moveaxis(counts, 2, 1):
            found.append((binom.sf(better - 1, better + worse, 0.5), binom.sf(worse - 1, better + worse, 0.5)))
        return found
    high, low = max(effect.treatment, effect.control), min(effect.treatment, effect.control)
    a, b = (np.stack([draws.binomial(step, rate, studies) for step in steps]).cumsum(0) for rate in (high, low))
    for n, more, less in zip(np.cumsum(steps), a, b, strict=True):
        share = (more + less) / (2 * n)
        squares = 2 * n * share * (1 - share)
        found.append(_tails((more - less) / n, squares, n))
    return found


def _simulate_means(effect: Means, steps: Array, paired: bool, studies: int, draws: np.random.Generator) -> _Tails:
    import numpy as np

    def sums(mean: float, std: float) -> tuple[Array, Array]:
        """Return sums and sums of squares of normal trials up to each look: [looks, studies]."""
        total = np.stack([step * mean + math.sqrt(step) * std * draws.standard_normal(studies) for step in steps])
        within = np.stack(
            [std**2 * (draws.chisquare(step - 1, studies) if step > 1 else np.zeros(studies)) for step in steps]
        )
        return total.cumsum(0), (within + total**2 / np.asarray(steps)[:, None]).cumsum(0)

    difference = abs(effect.difference)
    found: _Tails = []
    if paired:
        for n, total, squares in zip(np.cumsum(steps), *sums(difference, effect.std_of_differences), strict=True):
            found.append(_scored(total / np.sqrt(np.maximum(squares, 1e-300)), int(n)))
        return found
    looks = zip(np.cumsum(steps), *sums(difference, effect.std), *sums(0.0, effect.std), strict=True)
    for n, total_a, squares_a, total_b, squares_b in looks:
        squares = squares_a + squares_b - (total_a + total_b) ** 2 / (2 * n)
        found.append(_tails((total_a - total_b) / n, squares, n))
    return found


def _tails(difference: Array, squares: Array, n: int) -> tuple[Array, Array]:
    """Return the p-values of independent trials, ``n`` on each side, whose ``squares`` about their mean are known."""
    import numpy as np

    variance = squares / (2 * n - 1) * (2 / n)
    return _scored(difference / np.sqrt(np.maximum(variance, 1e-300)), 2 * n - 1)


def _scored(score: Array, freedom: int) -> tuple[Array, Array]:
    import numpy as np
    from scipy.special import stdtr

    if freedom < 2:
        return np.ones_like(score), np.ones_like(score)
    t = score * np.sqrt((freedom - 1) / np.maximum(freedom - score**2, 1e-12))
    return stdtr(freedom - 1, -t), stdtr(freedom - 1, t)
