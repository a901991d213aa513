"""Options that more than one command takes, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

Arch = Annotated[
    str | None,
    typer.Option(metavar="GROUPS", help='Hidden layers as layers*neurons groups, "[4*4, 2*8]" (default "[1*1024]").'),
]
HiddenLayers = Annotated[str | None, typer.Option(metavar="WIDTHS", help="The same as one width a layer: 512,256.")]
Lr = Annotated[str | None, typer.Option(metavar="RATE", help="AdamW learning rate (default 1e-4).")]
WeightDecay = Annotated[
    str | None, typer.Option(metavar="RATE", help="AdamW weight decay of mode decay (default 1e-4).")
]
Dropout = Annotated[str | None, typer.Option(metavar="RATE", help="Dropout rate of mode dropout (default 0.1).")]
BatchSize = Annotated[str | None, typer.Option(metavar="N", help="Images a training step (default 256).")]
DatasetName = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        metavar="NAME",
        help="auto, mnist, mnist5k, fashion-mnist or kmnist. auto (default): full MNIST, or the embedded "
        "5,000 digits when there is neither a file nor a network.",
    ),
]
DatasetDir = Annotated[
    str | None, typer.Option(metavar="DIR", help="Where data sets are, in torchvision's layout (default dataset).")
]
ModelDir = Annotated[str | None, typer.Option(metavar="DIR", help="Where checkpoints are (default models).")]
ResultsDir = Annotated[str | None, typer.Option(metavar="DIR", help="Where the history is (default results).")]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="cpu, cuda or mps; auto (default) takes the best there is.")
]
Threads = Annotated[
    str | None,
    typer.Option(
        metavar="N", help="CPU threads of the arithmetic, in as many processes on x86 Linux (default: chosen)."
    ),
]
Debug = Annotated[
    bool | None, typer.Option("--debug", help="Log in detail on stderr; show tracebacks.", show_default=False)
]
Plain = Annotated[
    bool | None, typer.Option("--plain", help="One line a meta-loop, also in a terminal.", show_default=False)
]
Json = Annotated[bool | None, typer.Option("--json", help="One JSON object an event on stdout.", show_default=False)]
Quiet = Annotated[bool | None, typer.Option("--quiet", help="Print the result only.", show_default=False)]
Ascii = Annotated[bool | None, typer.Option("--ascii", help="Draw with ASCII characters only.", show_default=False)]
TensorBoard = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Also write the curves for TensorBoard, in a folder named like the run in DIR."),
]
SaveSvg = Annotated[str | None, typer.Option(metavar="FILE", help="Write the dashboard's last frame as SVG.")]
