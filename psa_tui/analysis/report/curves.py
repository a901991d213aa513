"""The curves a reader can choose and point at: small enough for a page, and nothing in them that was not measured."""

from __future__ import annotations

from typing import Any

from psa_tui.analysis.figures.study_results import MODES, Material
from psa_tui.analysis.figures.style import MODE_COLOURS
from psa_tui.analysis.trajectories import trajectories

_MOST_VALUES = 200_000
_DASHES = {"none": "", "decay": "7 3", "dropout": "2 2", "full": "14 2", "hidden": "9 2 2 2", "output": "4 2"}


def curves(material: Material) -> dict[str, Any] | None:
    """The mean LKG accuracy at each meta-loop, in hundredths of a percent, by shape and mode; None without meta-loops.

    ``every`` is 1, or how many meta-loops lie between two values where all of them would be too many for a page.
    """
    if material.loops is None:
        return None
    table = trajectories(material.loops, "lkg_accuracy")
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
        "majority": None if material.majority is None else round(10000 * material.majority),
        "modes": [{"name": mode, "colour": MODE_COLOURS[mode], "dash": _DASHES[mode]} for mode in MODES],
        "shapes": shapes,
    }
