"""``psa reproduce``: the published study as a sweep; without a command it means ``generate``."""

from __future__ import annotations

from typing import Any

from psa_tui.cli.help import App, Group
from psa_tui.cli.reproduce import generate, plan, run, show, status


class _GenerateByDefault(Group):
    """Takes options without a command for those of ``generate``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the missing command in front."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["generate", *args]
        return super().parse_args(ctx, args)


app = App(
    cls=_GenerateByDefault,
    no_args_is_help=False,
    help="Reproduce the published study: as commands (generate, the default), or run, watched and resumed here.",
)
app.command()(generate.generate)
app.command()(plan.plan)
app.command()(run.run)
app.command()(status.status)
app.command()(show.show)
