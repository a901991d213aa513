"""``psa results survival``: after how many meta-loops trials escape."""

from __future__ import annotations

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import compare_options, forms, options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def survival(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    arch: options.Shapes = None,
    bar: compare_options.Bar = None,
    zero_r: options.ZeroR = None,
    form: forms.Form = forms.TextForm.TEXT,
    json: Json = False,
) -> None:
    """Show after how many meta-loops trials escape, mode beside mode.

    A trial has escaped when its LKG is better than always answering the most frequent class by 15 points, or above
    --bar. Kaplan and Meier's curves with bands, and log-rank tests against none. --json has every step.
    """
    from psa_tui.analysis.endpoints import escape_bar
    from psa_tui.analysis.escape_times import escape_times, survival_curves, survival_table
    from psa_tui.analysis.escape_times_text import survival_text
    from psa_tui.analysis.text_tables import about
    from psa_tui.cli.results.loading import fraction, loops_of
    from psa_tui.cli.results.printing import described, print_json

    forms.check_form(form, json)
    loops = loops_of(source, study, settings.get("results_dir"), arch)
    level = escape_bar(loops, fraction(bar), fraction(zero_r))
    times = escape_times(loops, level)
    table, curves = survival_table(times), survival_curves(times)
    if json:
        print_json(described(loops) | {"bar": level}, modes=table, curves=curves)
        return
    last = int(loops["meta_loop"].max())
    forms.print_in_form(
        form, "survival", about(loops), *survival_text(table, curves, level, times["architecture"].nunique(), last)
    )
