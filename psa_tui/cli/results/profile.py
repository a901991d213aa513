"""``psa results profile``: what each mode's trials come to over all shapes."""

from __future__ import annotations

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import compare_options, forms, options
from psa_tui.settings import Settings

_LEVELS, _STEPS = 9, 100


@takes_settings("results_dir")
def profile(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    arch: options.Shapes = None,
    of: compare_options.OfAccuracy = compare_options.Accuracy.VALIDATION,
    form: forms.Form = forms.TextForm.TEXT,
    json: Json = False,
) -> None:
    """Show what each mode comes to over all shapes that have trials of every mode.

    Mean, median and the mean of the middle half with 95 % intervals, how often a trial beats one of none, the best
    of so many trials that luck alone gives, and the share of trials above each accuracy. --json has every percent.
    """
    import numpy as np

    from psa_tui.analysis.profiles import aggregate_table, profile_table, samples
    from psa_tui.analysis.profiles_text import profiles_text
    from psa_tui.analysis.text_tables import about
    from psa_tui.cli.results.measuring import measured_trials
    from psa_tui.cli.results.printing import described, print_json

    forms.check_form(form, json)
    trials, endpoint = measured_trials(source, study, settings.get("results_dir"), arch, of)
    found = samples(trials, endpoint.values)
    table = aggregate_table(found)
    steps = _STEPS if json else _LEVELS + 1
    profiles = profile_table(found, np.arange(1, steps) / steps)
    if json:
        words = {"endpoint": endpoint.words, "remark": endpoint.remark}
        print_json(described(trials) | words, modes=table, profiles=profiles)
    else:
        forms.print_in_form(form, "profile", about(trials), *profiles_text(table, profiles, endpoint))
