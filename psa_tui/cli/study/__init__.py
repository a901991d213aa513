"""``psa study``: studies of one's own design."""

from __future__ import annotations

from psa_tui.cli.help import App
from psa_tui.cli.study import delete, generate, listing, look, plan, power, recipes, register, run, show, status

app = App(help="Plan, run and watch studies of one's own design: a file, or a recipe that comes along.")
app.command()(plan.plan)
app.command()(power.power)
app.command()(register.register)
app.command()(run.run)
app.command()(status.status)
app.command()(look.look)
app.command()(show.show)
app.command()(generate.generate)
app.command("list")(listing.list_studies)
app.command()(delete.delete)
app.command()(recipes.recipes)
