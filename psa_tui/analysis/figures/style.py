"""How every figure looks, and how it becomes bytes that depend on the data alone.

Sizes are those of a paper's column (3.4 inches wide). Colours are told apart with any kind of colour vision
(Okabe and Ito's set; cividis and PuOr for quantities), and a marker or a line style always says the same.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from psa_tui.machine.optional_dependencies import require
from psa_tui.method.variants import PUBLISHED, Variant

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN_WIDTH_IN = 3.4
INK, MUTED, RULE, PAPER = "#1b1f24", "#59616b", "#d4d9df", "#ffffff"
"""Text and outlines, lesser text, grid lines, background: the four a page may replace by its own."""
_LEGEND_ROWS = 9
FORMATS = ("png", "svg", "pdf")
_STYLE = {
    "axes.edgecolor": MUTED,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 7,
    "axes.linewidth": 0.5,
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 7,
    "figure.facecolor": PAPER,
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "grid.color": RULE,
    "grid.linewidth": 0.4,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "path.simplify_threshold": 0.1,
    # TrueType: some publishers refuse Type 3, the default.
    "pdf.fonttype": 42,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "path",
    "svg.hashsalt": "psa-tui",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 6,
    "xtick.major.size": 2,
    "xtick.major.width": 0.5,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 6,
    "ytick.major.size": 2,
    "ytick.major.width": 0.5,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Let Matplotlib draw in this style, whatever the user's own configuration says."""
    require("matplotlib")
    # Matplotlib reads a matplotlibrc of the current folder when it is imported, and that may name code to run.
    with contextlib.chdir(os.sep):
        import matplotlib.style

    with matplotlib.style.context(["default", _STYLE], after_reset=True):
        yield


def new_figure(height_in: float) -> Figure:
    """Make an empty figure, one column wide, on Matplotlib's file-only canvas (never a window)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN_WIDTH_IN, height_in), dpi=300)
    FigureCanvasAgg(figure)
    return figure


def legend_columns(shown: Sequence[Variant], published: int) -> tuple[int, int]:
    """Return how many columns a legend of variants has, and how many rows more than that of the published ones.

    ``published`` columns where there is no other variant; three where names may be long, fewer for very long ones, but
    at most ``_LEGEND_ROWS`` rows.
    """
    longest = max((len(variant.name) for variant in shown), default=0)
    columns = published if set(shown) <= set(PUBLISHED) else 3 if longest <= 16 else 2 if longest <= 26 else 1
    columns = max(columns, -(-len(shown) // _LEGEND_ROWS))
    return columns, max(-(-len(shown) // columns) - -(-len(PUBLISHED) // published), 0)


def to_bytes(figure: Figure, file_format: str, words: str | None = None) -> bytes:
    """Return the figure as ``png`` (300 dots an inch), ``svg`` or ``pdf``: the same bytes each time, with no date.

    ``words`` are its text alternative: the description in the file's metadata.
    """
    metadata = {
        "png": {"Software": None, "Description": words},
        "svg": {"Date": None, "Creator": None, "Description": words},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None, "Subject": words},
    }[file_format]
    content = io.BytesIO()
    with figure_style(), warnings.catch_warnings():
        # A box stands for a letter that the font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(content, format=file_format, metadata=metadata)
    return content.getvalue()
