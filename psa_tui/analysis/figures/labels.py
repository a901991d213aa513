"""Labels beside points, never over a point, over each other or outside the axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

from psa_tui.analysis.figures.style import INK

# Where a label may stand, as fractions of its own size from its lower left corner to the point; the best first.
_PLACES = ((0.5, 0.0), (0.5, 1.0), (0.0, 0.5), (1.0, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))


def place_labels(
    axes: Axes,
    points: Sequence[tuple[float, float, str]],
    obstacles: np.ndarray,
    marker_px: float,
    size: float = 4.8,
) -> list[str]:
    """Label ``points`` (x, y, text; the most important first) where there is room; the texts that found room.

    A greedy search: each label takes the first of eight places around its point that is free. ``obstacles``
    is (n, 2) in data coordinates, the markers of ``marker_px`` pixels across; those of ``points`` are among them.
    The limits of the axes must be final.
    """
    renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    to_pixels = axes.transData
    half = marker_px / 2
    centres = to_pixels.transform(obstacles)
    taken = np.hstack([centres - half, centres + half])
    inside = axes.get_window_extent(renderer)
    placed = []
    for x, y, text in points:
        label = axes.annotate(text, (x, y), (0, 0), textcoords="offset points", fontsize=size, color=INK, label="label")
        extent = label.get_window_extent(renderer)
        centre = to_pixels.transform((x, y))
        for right, up in _PLACES:
            gap = (half + 0.5) * np.array([np.sign(0.5 - right), np.sign(0.5 - up)])
            corner = centre + gap - (right * extent.width, up * extent.height)
            box = np.array([*corner, corner[0] + extent.width, corner[1] + extent.height])
            within = inside.x0 <= box[0] and inside.y0 <= box[1] and box[2] <= inside.x1 and box[3] <= inside.y1
            if within and not _overlaps(box, taken):
                label.set_position((corner - (extent.x0, extent.y0)) * 72 / axes.figure.dpi)
                taken = np.vstack([taken, box])
                placed.append(text)
                break
        else:
            label.remove()
    return placed


def _overlaps(box: np.ndarray, others: np.ndarray) -> bool:
    return bool(
        np.any((box[0] < others[:, 2]) & (others[:, 0] < box[2]) & (box[1] < others[:, 3]) & (others[:, 1] < box[3]))
    )
