"""A screen of a run without a terminal: as a picture, or as lines."""

from __future__ import annotations

import asyncio
import os

from psa_tui.views.display import DisplayOptions
from psa_tui.views.live.app import LiveApp
from psa_tui.views.live.feed import Feed
from psa_tui.views.state import RunState


def draw_svg(state: RunState, size: tuple[int, int], now: float, options: DisplayOptions, title: str) -> str:
    """Return the screen that shows ``state`` at ``now`` (seconds on its clock) as an SVG picture."""

    async def shoot() -> str:
        events, commands = os.pipe()
        try:
            feed = Feed(events, commands)
            feed.state = state
            async with LiveApp(feed, options, lambda: now).run_test(size=size) as pilot:
                await pilot.pause()
                return pilot.app.export_screenshot(title=title)
        finally:
            os.close(events)
            os.close(commands)

    return asyncio.run(shoot())
