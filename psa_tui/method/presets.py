"""The variants that have names of their own, the six published ones and the controls, with their looks."""

from __future__ import annotations

from psa_tui.method.ablation import Ablation
from psa_tui.method.effects import NONE as NO_EFFECT
from psa_tui.method.variant import OptimizerState, Variant
from psa_tui.registry import Registry

VARIANTS: Registry[Variant] = Registry("mode", "psa_tui.variants")

NONE = Variant(name="none", letter="n", colour="#1b1f24", style="bold", marker="o", dashes="-")
DECAY = Variant(
    name="decay",
    weight_decay=True,
    letter="d",
    colour="#e69f00",
    style="yellow",
    marker="s",
    dashes=(0, (4, 1.2)),
)
DROPOUT = Variant(
    name="dropout", dropout=True, letter="r", colour="#56b4e9", style="cyan", marker="D", dashes=(0, (1, 1))
)
FULL = Variant(
    name="full", ablation=Ablation("full"), letter="F", colour="#009e73", style="green", marker="^", dashes=(0, (8, 1))
)
HIDDEN = Variant(
    name="hidden",
    ablation=Ablation("hidden"),
    letter="H",
    colour="#d55e00",
    style="red",
    marker="v",
    dashes=(0, (5, 1, 1, 1)),
)
OUTPUT = Variant(
    name="output", ablation=Ablation("output"), letter="O", colour="#cc79a7", marker="P", dashes=(0, (2.5, 1))
)

PUBLISHED = (NONE, DECAY, DROPOUT, FULL, HIDDEN, OUTPUT)
"""The six of the published study, the three baselines first."""
FIRST_STUDY = (NONE, FULL, HIDDEN, OUTPUT)
"""The four of the first study."""
CONTROLS = (
    Variant(
        name="plain",
        promotion="always",
        optimizer_state=OptimizerState.KEEP,
        letter="P",
        colour="#0072b2",
        style="blue",
        marker="X",
        dashes=(0, (3, 1, 1, 1, 1, 1)),
    ),
    Variant(name="always", promotion="always", letter="A", colour="#7f3c8d", style="magenta", marker="p", dashes="--"),
    Variant(name="restart", restarts=True, letter="R", colour="#a5aa99", style="bright_blue", marker="h"),
    Variant(
        name="sham",
        ablation=Ablation("output", effect=NO_EFFECT),
        letter="S",
        colour="#999933",
        style="bright_yellow",
        marker="<",
        dashes=(0, (1, 2)),
    ),
    Variant(
        name="reinit",
        ablation=Ablation("output", effect="reinit"),
        letter="I",
        colour="#882255",
        style="bright_magenta",
        marker=">",
        dashes=(0, (6, 1, 1, 1, 1, 1)),
    ),
    Variant(
        name="noise",
        ablation=Ablation("output", effect="noise"),
        letter="N",
        colour="#44aa99",
        style="bright_cyan",
        marker="*",
        dashes=(0, (3, 2, 1, 2)),
    ),
    Variant(
        name="scatter",
        ablation=Ablation("output", effect="scatter"),
        letter="C",
        colour="#117733",
        style="bright_green",
        marker="d",
        dashes=(0, (10, 2)),
    ),
    Variant(
        name="output-bias",
        ablation=Ablation("output", effect="bias"),
        letter="B",
        colour="#aa4499",
        style="bright_red",
        marker="1",
        dashes=(0, (6, 2)),
    ),
    Variant(
        name="output-weights",
        ablation=Ablation("output", effect="weights"),
        letter="W",
        colour="#332288",
        style="bright_white",
        marker="2",
        dashes=(0, (2, 1)),
    ),
    Variant(
        name="ratchet-free",
        ablation=Ablation("output"),
        promotion="always",
        letter="T",
        colour="#661100",
        style="dim",
        marker="3",
        dashes=(0, (4, 1, 1, 1)),
    ),
    Variant(
        name="dormant",
        ablation=Ablation("dormant"),
        letter="D",
        colour="#6699cc",
        style="italic",
        marker="4",
        dashes=(0, (7, 2, 1, 2)),
    ),
    Variant(
        name="shuffled-labels",
        shuffled_labels=True,
        letter="L",
        colour="#888888",
        style="italic dim",
        marker="8",
        dashes=(0, (1, 3)),
    ),
)
"""What a sceptic compares the published modes with; those that damage do it where ``output`` does."""
for _variant in (*PUBLISHED, *CONTROLS):
    VARIANTS.register(_variant.name, _variant)
