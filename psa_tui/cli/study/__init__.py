"""``psa study``: studies of one's own design."""

from __future__ import annotations

import typer

from psa_tui.cli.study import listing, plan, recipes, run, show, status

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Plan, run and watch studies of one's own design: a file, or a recipe that comes along.",
)
app.command()(plan.plan)
app.command()(run.run)
app.command()(status.status)
app.command()(show.show)
app.command("list")(listing.list_studies)
app.command()(recipes.recipes)
