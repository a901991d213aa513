"""``psa results importance``: which axis of a design its results follow."""

from __future__ import annotations

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import compare_options, options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def importance(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    arch: options.Shapes = None,
    of: compare_options.Of = compare_options.Measure.VALIDATION,
    json: Json = False,
) -> None:
    """Show how much of the trials' variance goes with shape, depth, width, mode and seed.

    One-way eta squared of each axis that varies, beside what chance alone would give. It describes, and tests nothing.
    """
    from psa_tui.analysis.importance import importance_table, importance_text
    from psa_tui.analysis.text_tables import about
    from psa_tui.cli.results.measuring import measured_trials
    from psa_tui.cli.results.printing import described, print_json, print_text

    trials, endpoint = measured_trials(source, study, settings.get("results_dir"), arch, of)
    table = importance_table(trials, endpoint)
    if json:
        print_json(described(trials) | {"endpoint": endpoint.words}, axes=table)
        return
    print_text(about(trials), *importance_text(table, endpoint))
