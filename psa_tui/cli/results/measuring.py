"""Loading trials with what is measured of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psa_tui.cli.results.loading import only, trials_of
from psa_tui.studies.design.plan import Endpoint as Measure
from psa_tui.views.messages import print_note

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.endpoints import Endpoint


def measured_trials(
    source: str, study: str | None, results_dir: Path, shapes: str | None, measure: str
) -> tuple[DataFrame, Endpoint]:
    """Load the trials of a source, of all shapes or those asked for, with what is measured of each.

    Trials of which it is not known are left out, which is said on stderr.

    Raises:
        DataError: it takes meta-loops, and the source has none.
    """
    from psa_tui.analysis.endpoints import endpoint_of
    from psa_tui.analysis.loop_measures import OF_LOOPS, with_loop_measures
    from psa_tui.analysis.sources import load_meta_loops

    trials, wanted = only(trials_of(source, study, results_dir), shapes), Measure(measure)
    if wanted in OF_LOOPS:
        trials = with_loop_measures(trials, load_meta_loops(source, study, results_dir))
        known = trials[OF_LOOPS[wanted]].notna()
        if lost := int((~known).sum()):
            print_note(f"left out: {lost:,} of {len(trials):,} trials, whose meta-loops do not tell their {wanted}")
        trials = trials[known]
    return trials, endpoint_of(trials, wanted)
