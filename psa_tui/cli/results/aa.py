"""``psa results aa``: what chance alone does, seen in comparisons of what does not differ."""

from __future__ import annotations

from psa_tui.cli.options import Json, takes_settings
from psa_tui.cli.results import compare_options, forms, options
from psa_tui.settings import Settings


@takes_settings("results_dir")
def aa(
    settings: Settings,
    source: options.Source = "local",
    study: options.Study = None,
    arch: options.Shapes = None,
    of: compare_options.Of = compare_options.Measure.VALIDATION,
    form: forms.Form = forms.TextForm.TEXT,
    json: Json = False,
) -> None:
    """Show what chance alone does: comparisons whose two sides train alike.

    Mode sham, or decay where float32 loses it, against none, and the odd trials of each mode against its even ones: how
    often a test finds what is not there. Where first weights and order have seeds of their own, the share of each.
    """
    from psa_tui.analysis.chance import chance_table, seed_table
    from psa_tui.analysis.chance_text import chance_text
    from psa_tui.analysis.contrasts import placebo_table
    from psa_tui.analysis.seeding import has_separate_seeds
    from psa_tui.analysis.text_tables import about
    from psa_tui.cli.results.measuring import measured_trials
    from psa_tui.cli.results.printing import described, print_json

    forms.check_form(form, json)
    trials, endpoint = measured_trials(source, study, settings.get("results_dir"), arch, of)
    placebos = placebo_table(trials, endpoint)
    table = chance_table(placebos)
    seeds = seed_table(trials, endpoint.values) if has_separate_seeds(trials) else None
    if json:
        words = {"endpoint": endpoint.words, "remark": endpoint.remark}
        shapes = placebos[placebos["architecture"].notna()]
        print_json(
            described(trials) | words, comparisons=table, shapes=shapes, **({} if seeds is None else {"seeds": seeds})
        )
    else:
        forms.print_in_form(form, "aa", about(trials), *chance_text(table, seeds, endpoint))
