"""Contrasts for ``psa results compare``: pooled over shapes, and shape by shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psa_tui.cli.results.compare_options import Measure
from psa_tui.cli.results.forms import TextForm, print_in_form
from psa_tui.errors import ConfigError
from psa_tui.views.messages import print_note

if TYPE_CHECKING:
    from pandas import DataFrame

    from psa_tui.analysis.endpoints import Endpoint
    from psa_tui.analysis.text_tables import Text


def show_contrasts(
    trials: DataFrame,
    endpoint: Endpoint,
    texts: list[str],
    measure: Measure,
    bar: float | None,
    zero_r: float | None,
    margin: float,
    *,
    by_shape: bool,
    form: TextForm,
    json: bool,
) -> None:
    """Print contrasts of ``endpoint``, which is ``measure`` of the trials, and beside accuracies those of escapes.

    ``bar``, ``zero_r`` and ``margin`` are fractions.
    """
    from psa_tui.analysis.contrasts import contrast_table, parse_contrasts
    from psa_tui.analysis.contrasts_text import contrasts_text
    from psa_tui.analysis.seeding import design_within, seeding_words
    from psa_tui.analysis.text_tables import about
    from psa_tui.cli.results.printing import described, print_json

    contrasts = parse_contrasts(texts, trials)
    if measure in (Measure.GAIN, Measure.HARM):
        if bar is not None:
            raise ConfigError(f"--bar is of escapes, which are shown beside accuracies; leave it or --of {measure} out")
        endpoints = {str(measure): endpoint}
    else:
        endpoints = {"accuracy": endpoint}
        if (escaped := _escape(trials, bar, zero_r)) is not None:
            endpoints["escape"] = escaped
    found = {name: contrast_table(trials, one, contrasts, margin) for name, one in endpoints.items()}
    if json:
        words = {name: {"endpoint": one.words, "remark": one.remark} for name, one in endpoints.items()}
        design = {"design": str(design_within(trials)), "seeds": seeding_words(trials), "margin": margin}
        shown = {name: table if by_shape else table[table["architecture"].isna()] for name, table in found.items()}
        print_json(described(trials) | design | {"endpoints": words}, **shown)
        return
    parts: list[Text] = [about(trials), seeding_words(trials)]
    for name, table in found.items():
        parts += ["", *contrasts_text(table, endpoints[name], margin, by_shape=by_shape)]
    print_in_form(form, "contrasts", *parts)


def _escape(trials: DataFrame, bar: float | None, zero_r: float | None) -> Endpoint | None:
    """Return the endpoint of an escape; None, which is said, where its bar is not known."""
    from psa_tui.analysis.endpoints import escape, escape_bar

    try:
        return escape(trials, escape_bar(trials, bar, zero_r))
    except ConfigError as error:
        print_note(f"no escapes: {error}, or the bar itself with --bar PERCENT")
        return None
