"""What figures are drawn from: a study's trials, its meta-loops where there are any, and their numbers by shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from psa_tui.analysis.comparison import compare_sources, compare_with_control
from psa_tui.analysis.contrasts import contrast_table, placebo_table
from psa_tui.analysis.endpoints import Endpoint, accuracy, escape, escape_bar
from psa_tui.analysis.escape_times import escape_times
from psa_tui.analysis.frames import ABLATIVE, BASELINES, PUBLISHED_MODES
from psa_tui.analysis.regimes import classify, majority_class
from psa_tui.analysis.sources import PUBLISHED, load_meta_loops, load_trials
from psa_tui.analysis.summary import NOT_A_REPRODUCTION, cell_statistics, other_settings
from psa_tui.errors import ConfigError, DataError
from psa_tui.formatting import printable
from psa_tui.machine.optional_dependencies import require
from psa_tui.method.variants import Variant, distinct_variants

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from rich.text import Text

Results = TypeVar("Results")
"""What a figure is drawn from: of a study, or of a run."""


@dataclass(frozen=True)
class StudyResults:
    """A study as figures and the page see it.

    ``loops`` is None, with ``no_loops`` saying why, where none are known; ``zero_r`` is the majority class's accuracy
    (a fraction) where it was given and not left to the data set's.
    """

    trials: DataFrame
    loops: DataFrame | None
    no_loops: str = ""
    zero_r: float | None = None

    @cached_property
    def majority(self) -> float | None:
        """The accuracy of always answering the most frequent class; None where the data set's is not known."""
        try:
            return majority_class(self.trials, self.zero_r)
        except ConfigError:
            return None

    @cached_property
    def cells(self) -> DataFrame:
        """``cell_statistics`` of the trials."""
        table = cell_statistics(self.trials)
        table.attrs = {}  # pandas would copy them, deeply, for every value that is read
        return table

    @cached_property
    def against_control(self) -> DataFrame:
        """``compare_with_control`` of the trials."""
        return compare_with_control(self.trials)

    @cached_property
    def against_published(self) -> DataFrame | None:
        """``compare_sources`` with the published trials, of the study's own cells; None where that means nothing."""
        attrs = self.trials.attrs
        if attrs.get("source") == PUBLISHED or attrs.get("quick") or attrs.get("dataset") not in (None, "mnist"):
            return None
        if other_settings(self.trials):
            return None
        table = compare_sources(self.trials, load_trials(PUBLISHED))
        return table[table["n_a"] > 0]

    @cached_property
    def accuracy(self) -> Endpoint:
        """The best validation accuracy of each trial."""
        return accuracy(self.trials)

    @cached_property
    def contrasts(self) -> DataFrame:
        """``contrast_table`` of the accuracies."""
        return contrast_table(self.trials, self.accuracy)

    @cached_property
    def escapes(self) -> tuple[DataFrame, Endpoint] | None:
        """``contrast_table`` of escapes with what they are; None where the majority class is not known."""
        if self.majority is None:
            return None
        endpoint = escape(self.trials, escape_bar(self.trials, zero_r=self.majority))
        return contrast_table(self.trials, endpoint), endpoint

    @cached_property
    def placebos(self) -> DataFrame:
        """``placebo_table`` of the accuracies."""
        return placebo_table(self.trials, self.accuracy)

    @cached_property
    def escape_times(self) -> DataFrame | None:
        """``escape_times`` of the loops; None without loops, or where the majority class is not known."""
        if self.loops is None or self.majority is None:
            return None
        return escape_times(self.loops, escape_bar(self.trials, zero_r=self.majority))

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The published six, then any further ones of the study, each with its own letter and colour."""
        followed = [] if self.loops is None else self.loops["mode"].unique()
        return distinct_variants([*PUBLISHED_MODES, *self.cells["mode"], *followed])

    @property
    def modes(self) -> tuple[str, ...]:
        """The names of the variants."""
        return tuple(variant.name for variant in self.variants)

    @cached_property
    def shapes(self) -> DataFrame:
        """One row a shape that has trials, indexed by its notation, in the study's order.

        Columns: ``depth``, ``width``, ``parameters``; ``mean_<mode>``, ``std_<mode>``, ``max_<mode>`` for all modes;
        and of the published six alone ``baseline`` and ``ablative`` (the mean of the group's modes' means), ``effect``
        (their difference) and ``instability`` (the largest of the modes' standard deviations). Fractions; NaN where no
        trial tells.
        """
        sizes = self.cells.drop_duplicates("architecture").set_index("architecture")[["depth", "width", "parameters"]]
        table = sizes.copy()
        for measure in ("mean", "std", "max"):
            wide = self.cells.pivot(index="architecture", columns="mode", values=measure)
            for mode in self.modes:
                table[f"{measure}_{mode}"] = wide[mode] if mode in wide else float("nan")
        table["baseline"] = table[[f"mean_{mode}" for mode in BASELINES]].mean(axis=1)
        table["ablative"] = table[[f"mean_{mode}" for mode in ABLATIVE]].mean(axis=1)
        table["effect"] = table["ablative"] - table["baseline"]
        table["instability"] = table[[f"std_{mode}" for mode in PUBLISHED_MODES]].max(axis=1)
        return table

    @cached_property
    def plane(self) -> DataFrame:
        """The rows of ``shapes`` that have a place on a map: those of known depth and width."""
        return self.shapes[(self.shapes["depth"] >= 1) & (self.shapes["width"] >= 1)]

    @cached_property
    def regimes(self) -> DataFrame | None:
        """``classify`` indexed by shape; None where the data set's majority class is not known."""
        return None if self.majority is None else classify(self.trials, self.majority).set_index("architecture")

    @property
    def name(self) -> str:
        """The source and study in a few words; a quick study says that it is one."""
        source, study = (printable(self.trials.attrs.get(key)) for key in ("source", "study"))
        words = source if source == study else f"{source}, {study}"
        return f"{words}: {NOT_A_REPRODUCTION}" if self.trials.attrs.get("quick") else words


@dataclass(frozen=True)
class FigureKind(Generic[Results]):
    """One figure of a set: how to draw it, and how to say it to who cannot see it."""

    name: str
    title: str
    draw: Callable[[Results], Figure]
    describe: Callable[[Results], str]
    needs_loops: bool = False
    terminal: Callable[[Results, int, bool], Text] | None = None
    """The figure as lines of a terminal so many columns wide, in ASCII or not; None when it has no such form."""


def load_study_results(source: str, study: str | None, results_dir: Path, zero_r: float | None = None) -> StudyResults:
    """Load the trials and, where the source has them, the meta-loops of a study.

    Raises:
        DataError: there is no complete trial.
        PsaError: a package of the extra "results" is not installed.
    """
    require("pandas", "pyarrow", "scipy", "statsmodels")
    trials = load_trials(source, study, results_dir)
    if trials.empty:
        raise DataError(f"study {trials.attrs.get('study')} has no complete trial yet; there is nothing to draw")
    try:
        return StudyResults(trials, load_meta_loops(source, study, results_dir), zero_r=zero_r)
    except DataError as error:
        return StudyResults(trials, None, str(error), zero_r)
