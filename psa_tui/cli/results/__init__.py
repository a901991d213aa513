"""``psa results``: from trials to findings; one module a command, each parses, calls and presents."""

from __future__ import annotations

from psa_tui.cli.help import App
from psa_tui.cli.results import (
    aa,
    ablations,
    compare,
    curves,
    diff,
    export,
    fetch,
    follow,
    importance,
    label,
    methods,
    plot,
    power,
    profile,
    regimes,
    report,
    runs,
    show,
    summary,
    survival,
    table,
    trials,
)

app = App(help="Summaries, regimes, comparisons, tables and figures of a study; single runs.")

# One line a command, in the order in which psa results --help lists them.
app.command()(summary.summary)
app.command()(trials.trials)
app.command()(regimes.regimes)
app.command()(compare.compare)
app.command()(aa.aa)
app.command()(survival.survival)
app.command()(importance.importance)
app.command()(profile.profile)
app.command()(power.power)
app.command()(table.table)
app.command()(methods.methods)
app.command()(export.export)
app.command()(curves.curves)
app.command()(plot.plot)
app.command()(report.report)
app.command()(runs.runs)
app.command()(show.show)
app.command()(ablations.ablations)
app.command()(diff.diff)
app.command()(follow.follow)
app.command()(label.label)
app.command()(fetch.fetch)

# The names of earlier versions: the same command, of the LKG's gain in one case.
app.command("convergence", hidden=True)(curves.curves)
app.command("growth", hidden=True, context_settings={"default_map": {"measure": [curves.Measure.GAIN]}})(curves.curves)
