"""Every setting, declared once.

Options of commands, ``PSA_*`` variables, keys of psa.toml and ``psa config`` follow from ``SETTINGS``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psa_tui.data import AUTO, DATASETS
from psa_tui.engine.backend import BACKENDS
from psa_tui.method.effects import EFFECTS
from psa_tui.method.hyperparameters import HYPERPARAMETERS
from psa_tui.method.initialisation import INITIALISATIONS
from psa_tui.method.variants import OptimizerState, find_variant
from psa_tui.networks import NETWORKS
from psa_tui.networks.mlp import groups_of_widths
from psa_tui.settings.parsers import flag, integer, one_of, path, registered, text_as_given
from psa_tui.settings.targets import parse_targets
from psa_tui.storage.labels import check_run_name

DEVICES = ("auto", "cpu", "cuda", "mps")
LARGEST_SEED = 2**63 - 1
MOST_THREADS = 4 * (os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: ``name`` in psa.toml, ``PSA_NAME`` in the environment, ``--name`` on the command line."""

    name: str
    parse: Callable[[str], Any]
    default: str | None = None
    help: str
    metavar: str | None = None
    """What stands for its value in help texts; None for a flag."""
    aliases: tuple[str, ...] = ()
    """Further spellings of the option."""
    default_in_words: str | None = None
    """What help texts call the default; None for the value itself, an empty string for nothing."""
    secret_list: bool = False
    """Whether the option may be repeated, which is the same as commas between, and no message may quote its value."""

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "PSA_" + self.name.upper()

    @property
    def option(self) -> str:
        """The option of commands."""
        return "--" + self.name.replace("_", "-")

    @property
    def help_text(self) -> str:
        """What ``--help`` says: its meaning and its default."""
        words = self.default if self.default_in_words is None else self.default_in_words
        return f"{self.help.removesuffix('.')} (default {words})." if words and self.metavar else self.help


_HELP_OF_MODE = (
    "none, decay, dropout, full, hidden or output as published; a control: plain, always, restart, sham, reinit, "
    "noise, scatter, output-bias, output-weights, ratchet-free, dormant, shuffled-labels; or a plug-in's"
)
_HELP_OF_DATASET = (
    "auto, mnist, mnist5k, fashion-mnist, kmnist or a plug-in's. auto: full MNIST, or the embedded 5,000 digits when "
    "there is neither a file nor a network"
)
_HELP_OF_THREADS = "CPU threads of the arithmetic"

SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            name="network",
            parse=registered(NETWORKS),
            default="mlp",
            metavar="NAME",
            help="The network's family: mlp (fully connected), resmlp (residual), resmlp-published (with its published "
            "units), or a plug-in's",
        ),
        Setting(
            name="arch",
            parse=text_as_given,
            default_in_words='"[1*1024]"',
            metavar="GROUPS",
            help='Hidden layers as layers*neurons groups, "[4*4, 2*8]"',
        ),
        Setting(
            name="hidden_layers",
            parse=groups_of_widths,
            metavar="WIDTHS",
            help="The same as one width a layer: 512,256.",
        ),
        Setting(
            name="mode",
            parse=find_variant,
            default="none",
            metavar="MODE",
            help=_HELP_OF_MODE,
            aliases=("--ablation-mode",),
        ),
        Setting(
            name="ablate",
            parse=text_as_given,
            metavar="UNITS",
            help="What is ablated in place of the mode's units: full, hidden, output, dormant, smallest, largest, "
            "layer:K, unit:K.N, or none.",
        ),
        Setting(name="amount", parse=text_as_given, metavar="N", help="Units a loop, or a percentage: 3, 10%."),
        Setting(
            name="effect",
            parse=registered(EFFECTS),
            metavar="NAME",
            help="What is done to them: zero, reinit, noise, scatter, bias, weights, or none (a sham).",
        ),
        Setting(
            name="promote",
            parse=text_as_given,
            metavar="RULE",
            help="What becomes the LKG: strict, half, patience:K, anneal:T0,RATE (T0 in points), always, a plug-in's.",
        ),
        Setting(
            name="optimizer_state",
            parse=one_of(*OptimizerState),
            metavar="STATE",
            help="AdamW's state when a loop begins: fresh, lkg (as saved with the LKG) or keep (never reset).",
        ),
        Setting(
            name="regularisers",
            parse=text_as_given,
            metavar="NAMES",
            aliases=("--with",),
            help="On top of everything else: dropout, decay, or both.",
        ),
        Setting(
            name="init",
            parse=one_of(*INITIALISATIONS),
            metavar="LAW",
            help="Law of the first weights: default (PyTorch's), he or orthogonal.",
        ),
        Setting(
            name="schedule",
            parse=text_as_given,
            metavar="MODES",
            help='Modes one after another, by meta-loops: "dropout:50,output:50". The last one stays.',
        ),
        *(
            Setting(
                name=one.option,
                parse=one.parse,
                default=one.format(one.default),
                metavar=one.metavar,
                help=one.help,
            )
            for one in HYPERPARAMETERS
        ),
        Setting(
            name="meta_loops",
            parse=integer(1, 1_000_000_000),
            default="100",
            metavar="N",
            help="Meta-loops to run in this call",
        ),
        Setting(
            name="seed",
            parse=integer(0, LARGEST_SEED),
            default_in_words="random, and shown",
            metavar="N",
            help="Seed of every random draw",
        ),
        Setting(
            name="dataset",
            parse=registered(DATASETS, AUTO),
            default=AUTO,
            metavar="NAME",
            help=_HELP_OF_DATASET,
        ),
        Setting(
            name="dataset_dir",
            parse=path,
            default="dataset",
            metavar="DIR",
            help="Where data sets are, in torchvision's layout",
        ),
        Setting(
            name="name",
            parse=check_run_name,
            metavar="NAME",
            help="Name of the run: it has the folder NAME, in the models folder, to itself.",
        ),
        Setting(name="model_dir", parse=path, default="models", metavar="DIR", help="Where checkpoints are"),
        Setting(name="results_dir", parse=path, default="results", metavar="DIR", help="Where the history is"),
        Setting(
            name="device",
            parse=one_of(*DEVICES),
            default="auto",
            metavar="NAME",
            help="cpu, cuda or mps; auto takes the best there is",
        ),
        Setting(
            name="backend",
            parse=registered(BACKENDS, AUTO),
            default=AUTO,
            metavar="NAME",
            help="numba (compiled for this CPU, fully connected networks), torch (those on any device), module (any "
            "network) or a plug-in's; auto goes on with what trained so far, else takes the first that can",
        ),
        Setting(
            name="threads",
            parse=integer(1, MOST_THREADS),
            default_in_words="chosen",
            metavar="N",
            help=_HELP_OF_THREADS,
        ),
        Setting(
            name="num_workers",
            parse=integer(0, 4096),
            default="4",
            default_in_words="",
            metavar="N",
            help="No effect: the data lie in memory and no loader processes are needed.",
        ),
        Setting(name="debug", parse=flag, default="false", help="Log in detail on stderr; show tracebacks."),
        Setting(name="plain", parse=flag, default="false", help="One line a meta-loop, also in a terminal."),
        Setting(name="json", parse=flag, default="false", help="One JSON object an event on stdout."),
        Setting(name="quiet", parse=flag, default="false", help="Print the result only."),
        Setting(name="ascii", parse=flag, default="false", help="Draw with ASCII characters only."),
        Setting(name="save_svg", parse=path, metavar="FILE", help="Write the dashboard's last frame as SVG."),
        Setting(
            name="tensorboard",
            parse=path,
            metavar="DIR",
            help="Also write the curves for TensorBoard, in a folder named like the run in DIR.",
        ),
        Setting(
            name="notify",
            parse=parse_targets,
            metavar="TARGET",
            help="Tell of the end, a failure, a signal and an escape: bell, desktop or an Apprise URL. Repeatable.",
            secret_list=True,
        ),
    )
}
