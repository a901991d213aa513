"""``psa results compare``: two sources cell by cell, or modes of one source with one another."""

from __future__ import annotations

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import compare_options, forms, options
from psa_tui.errors import ConfigError
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note


@takes_settings("results_dir")
def compare(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    other: compare_options.Other = "published",
    other_study: compare_options.OtherStudy = None,
    within: compare_options.Within = False,
    arch: options.Shapes = None,
    zero_r: options.ZeroR = None,
    margin: compare_options.Margin = 2.0,
    pool: compare_options.Pool = False,
    contrast: compare_options.Contrast = None,
    by: compare_options.ByShape = None,
    of: compare_options.OfContrasts = compare_options.Measure.VALIDATION,
    bar: compare_options.Bar = None,
    form: forms.Form = forms.TextForm.TEXT,
    json: Json = False,
) -> None:
    """Compare every shape and mode with the published study's, with any other source's, or modes with one another.

    Differences of means with 95 % intervals and p-values, by the test that fits how the trials were seeded: pairs where
    they share seeds. p is corrected for the number of comparisons. All in percent.
    """
    from psa_tui.analysis import comparison
    from psa_tui.analysis.comparison_text import control_text, sources_text
    from psa_tui.cli.results.contrasts import show_contrasts
    from psa_tui.cli.results.loading import fraction, only, trials_of
    from psa_tui.cli.results.measuring import measured_trials
    from psa_tui.cli.results.printing import described, print_json

    folder = settings.get("results_dir")
    forms.check_form(form, json)
    reach = margin / 100
    if pool or contrast or by or of is not compare_options.Measure.VALIDATION or bar is not None:
        if (other, other_study, within) != ("published", None, False):
            family = "--pool, --contrast, --by, --of, --bar"
            raise ConfigError(f"contrasts are of one source: {family} do not go with --with, --with-study or --within")
        trials, endpoint = measured_trials(source, study, folder, arch, of)
        level, majority = fraction(bar), fraction(zero_r)
        show_contrasts(
            trials, endpoint, contrast or [], of, level, majority, reach, by_shape=by is not None, form=form, json=json
        )
        return
    ours = only(trials_of(source, study, folder), arch)
    if within:
        cells = comparison.compare_with_control(ours)
        if json:
            print_json(described(ours) | {"selection": comparison.SELECTION}, cells=cells)
        else:
            forms.print_in_form(form, "compare", *control_text(ours, cells))
        return
    theirs = trials_of(other, other_study, folder)
    theirs = theirs[theirs["architecture"].isin(ours["architecture"])] if arch else theirs
    cells = comparison.compare_sources(ours, theirs, reach)
    pooled = comparison.pooled_sources(ours, theirs, reach)
    try:
        regimes = comparison.compare_regimes(ours, theirs, fraction(zero_r))
    except ConfigError as error:
        print_note(f"no regimes: {error}")
        regimes = None
    if json:
        about = {"ours": described(ours), "theirs": described(theirs), "selection": comparison.SELECTION}
        print_json(
            about | {"margin": reach}, pooled=pooled, cells=cells, **({} if regimes is None else {"regimes": regimes})
        )
    else:
        forms.print_in_form(form, "compare", *sources_text(ours, theirs, cells, regimes, pooled, reach))
