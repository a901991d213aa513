"""The curves a reader can choose and point at: small enough for a page, and nothing in them that was not measured."""

from __future__ import annotations

from math import ceil
from typing import Any

from psa_tui.analysis.figures.study_results import StudyResults
from psa_tui.analysis.trajectories import trajectories
from psa_tui.method.variant import Dashes

_MOST_VALUES = 200_000
_DASH_SCALE = 1.75
"""A figure's dashes are for lines of one point, the page's lines are two pixels wide."""
_NAMED_DASHES = {"-": "", "--": "7 3", "-.": "7 3 2 3", ":": "2 3"}


def curves(results: StudyResults) -> dict[str, Any] | None:
    """Return the mean LKG accuracy at each meta-loop (hundredths of a percent) by shape and mode; None without loops.

    ``every`` is 1, or how many meta-loops lie between two values where all of them would be too many for a page.
    """
    if results.loops is None:
        return None
    table = trajectories(results.loops, "lkg_accuracy")
    every = max(1, -(-len(table) // _MOST_VALUES))
    last = int(table["meta_loop"].max())
    table = table[(table["meta_loop"] % every == 0) | (table["meta_loop"] == last)]
    loops = sorted(int(loop) for loop in table["meta_loop"].unique())
    shapes: dict[str, dict[str, Any]] = {}
    for (name, mode), cell in table.groupby(["architecture", "mode"], sort=False):
        values = (10000 * cell.set_index("meta_loop")["value"]).round().reindex(loops)
        shapes.setdefault(str(name), {})[str(mode)] = {
            "of": str(cell["label"].iloc[0]),
            "values": [None if value != value else int(value) for value in values],
        }
    return {
        "every": every,
        "loops": loops,
        "majority": None if results.majority is None else round(10000 * results.majority),
        "modes": [
            {"name": variant.name, "colour": variant.colour, "dash": _dash_array(variant.dashes)}
            for variant in results.variants
        ],
        "shapes": shapes,
    }


def _dash_array(dashes: Dashes) -> str:
    """Return Matplotlib's line style as SVG's ``stroke-dasharray``: strokes to the nearest pixel, gaps rounded up."""
    if isinstance(dashes, str):
        return _NAMED_DASHES.get(dashes, "")
    _, lengths = dashes
    scaled = [_DASH_SCALE * length for length in lengths]
    return " ".join(str(ceil(length) if index % 2 else round(length)) for index, length in enumerate(scaled))
