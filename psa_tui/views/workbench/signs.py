"""What the signs of each screen mean, for its help."""

from __future__ import annotations

from collections.abc import Sequence

Signs = Sequence[tuple[str, str]]
"""Each sign and what it says."""

TABLE: Signs = (
    ("◆", "marked, for an overlay or a comparison"),
    ("●", "a process works on it"),
    ("✓", "finished or complete"),
    ("■", "stopped, interrupted or begun: r goes on with it"),
    ("✗", "failed"),
    ("bold", "a study; Enter opens its map"),
    ("dim", "its checkpoint is not there any more; u brings back what was deleted"),
    ("▲ ▼", "the column that the table is sorted by"),
)
CURVE: Signs = (
    ("▲", "a loop whose candidate was promoted: it became the LKG"),
    ("∙", "a loop whose candidate was rolled back"),
    ("━", "the LKG; the first loops may lie below the plot, so that the others have room"),
    ("gain", "accuracy of the candidate less that of the LKG before it, in points"),
)
OVERLAY: Signs = (
    ("━━", "the median LKG of a group, dim where its shortest curve has ended; with several, its letter near its end"),
    ("dots", "the band around it, from the least to the greatest"),
)
MAP: Signs = (
    ("[ ]", "the shape under the cursor"),
    ("▸", "trials of it are being trained"),
    ("✗", "trials of it have failed"),
    ("-", "no complete trial yet"),
    ("sd", "standard deviation of the trials, in points, n - 1 below"),
    ("· • ●", "one, two, three or more trials ended at this accuracy"),
)
PARALLEL: Signs = (
    ("yellow", "the chosen line"),
    ("green", "the best tenth"),
    ("blue", "the upper half"),
    ("dim", "the lower half"),
)
DIFFERENCES: Signs = (("bold", "differs"), ("dim", "agrees"))
