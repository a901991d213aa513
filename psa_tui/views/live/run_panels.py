"""What the panels of a run's screen show, by their names."""

from __future__ import annotations

from rich.text import Text

from psa_tui.formatting import first_fitting
from psa_tui.views.chart import accuracy_chart, gap_chart, loss_chart
from psa_tui.views.footer import footer
from psa_tui.views.gain_histogram import gain_histogram
from psa_tui.views.layer_table import layer_table
from psa_tui.views.live.panel import Drawing
from psa_tui.views.log import log, log_title
from psa_tui.views.network_map import ablations_of, map_title, network_map
from psa_tui.views.panels import architecture, header, lkg, notices, progress_bars, title
from psa_tui.views.resources import resource_chart

NUMBERS = {
    "progress": Drawing(
        lambda state, width, height, now, options: progress_bars(state, width, now, options, height),
        lambda state, width, options: "progress",
        has_rule=False,
    ),
    "lkg": Drawing(
        lambda state, width, height, now, options: lkg(state, width, height),
        lambda state, width, options: "last known good (LKG)",
        has_rule=False,
    ),
}
"""What stands beside or below one another above the pictures."""
PICTURES = {
    "accuracy": Drawing(
        lambda state, width, height, now, options: accuracy_chart(state, width, height, options),
        lambda state, width, options: first_fitting(
            width, "validation accuracy by meta-loop", "validation accuracy", "accuracy"
        ),
    ),
    "map": Drawing(
        lambda state, width, height, now, options: network_map(
            ablations_of(state), width, height, options.glyphs, options.measure, options.unit
        ),
        lambda state, width, options: map_title(state, options.measure, width),
    ),
    "loss": Drawing(
        lambda state, width, height, now, options: loss_chart(state, width, height, options),
        lambda state, width, options: "training loss",
    ),
    "gap": Drawing(
        lambda state, width, height, now, options: gap_chart(state, width, height, options),
        lambda state, width, options: first_fitting(
            width,
            "training - validation accuracy, points",
            "training - validation accuracy",
            "train - validation",
        ),
    ),
    "log": Drawing(
        lambda state, width, height, now, options: log(state, width, height, options),
        lambda state, width, options: log_title(state, options, width),
    ),
    "effects": Drawing(
        lambda state, width, height, now, options: layer_table(
            ablations_of(state), width, height, options.glyphs, options.unit
        ),
        lambda state, width, options: first_fitting(width, "what helps, what harms", "what helps"),
    ),
    "gains": Drawing(
        lambda state, width, height, now, options: gain_histogram(state.hits, width, height, options.glyphs),
        lambda state, width, options: "gains of candidates",
    ),
    "layers": Drawing(
        lambda state, width, height, now, options: architecture(state, height, options),
        lambda state, width, options: "architecture",
    ),
    "machine": Drawing(
        lambda state, width, height, now, options: resource_chart(
            state.resources,
            width,
            height,
            options.glyphs,
            is_ours=not options.read_only,
            device_memory=state.device_memory,
        ),
        lambda state, width, options: first_fitting(width, "what the run takes", "machine"),
    ),
}
"""What can be shown or hidden, in the order of the keys that do it."""
TITLE = Drawing(
    lambda state, width, height, now, options: Text(title(state, width, options), style="bold", no_wrap=True)
)
HEADER = Drawing(lambda state, width, height, now, options: header(state, width, now), title, has_rule=False)
NOTICES = Drawing(lambda state, width, height, now, options: notices(state))
FOOTER = Drawing(lambda state, width, height, now, options: footer(state, width, options))
