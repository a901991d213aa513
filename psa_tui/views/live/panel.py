"""A panel: a widget that shows what pure functions draw of a state, in the size that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel as Frame
from rich.text import Text
from textual.widget import Widget

from psa_tui.views.display import DisplayOptions


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a panel shows."""

    draw: Callable[[Any, int, int, float, DisplayOptions], RenderableType]
    """Draws a state in columns and lines, at a time on the clock."""
    title: Callable[[Any, int, DisplayOptions], str] | None = None
    """Names it in so many columns."""
    has_rule: bool = True
    """Whether its title stands in a rule above it where it has no frame."""


class Panel(Widget):
    """Shows a drawing: in a frame, below a rule with its title, or bare."""

    def __init__(
        self, identity: str, drawing: Drawing, moment: Callable[[], tuple[Any, float, DisplayOptions]]
    ) -> None:
        """``moment`` returns what is to be drawn: state, time, and options."""
        super().__init__(id=identity)
        self._drawing, self._moment = drawing, moment
        self.is_framed = False

    @property
    def inner(self) -> tuple[int, int, int, int]:
        """Column and line where the drawing begins, its columns and its lines."""
        width, height = self.size
        if self.is_framed:
            return 2, 1, width - 4, height - 2
        return (0, 1, width, height - 1) if self._has_rule else (0, 0, width, height)

    @property
    def _has_rule(self) -> bool:
        return self._drawing.title is not None and self._drawing.has_rule

    @property
    def _name_width(self) -> int:
        """The columns that a title may have: lines and blanks stand around it."""
        return self.size.width - (6 if self.is_framed else 4)

    def render(self) -> RenderableType:
        """Draw anew."""
        _, _, width, height = self.inner
        state, now, options = self._moment()
        if width < 1 or height < 1 or state.started is None:
            return Text("")
        content = self._drawing.draw(state, width, height, now, options)
        name = "" if self._drawing.title is None else self._drawing.title(state, self._name_width, options)
        if self.is_framed:
            title = Text(name) if name else None
            return Frame(content, title=title, title_align="left", box=options.glyphs.frame, border_style="dim")
        if not self._has_rule:
            return content
        rule = f"{options.glyphs.rule * 2} {name} "
        rule += options.glyphs.rule * (width - len(rule))
        return Group(Text(rule, style="dim", no_wrap=True), content)
