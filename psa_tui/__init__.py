"""Persistent Stochastic Ablation from a terminal.

``load_trials`` and ``load_meta_loops`` give a study's results as pandas tables; see ``psa_tui.analysis.sources``.
``units`` finds what can be ablated in a PyTorch module; see ``psa_tui.networks.tracing.finding``. ``Search`` does the
method on top of a training loop of one's own, with a ``Variant``, and ``watch`` shows it; see ``psa_tui.search``.
``PersistentStochasticAblation`` does it in Lightning's ``Trainer``; see ``psa_tui.search.lightning``.
Importing this imports none of them, and no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psa_tui.analysis.sources import load_meta_loops, load_trials
    from psa_tui.method.variants import Variant
    from psa_tui.networks.tracing.finding import units
    from psa_tui.networks.unit import Place, Unit
    from psa_tui.search import Search
    from psa_tui.search.lightning import PersistentStochasticAblation
    from psa_tui.views.watching import watch

__all__ = [
    "PersistentStochasticAblation",
    "Place",
    "Search",
    "Unit",
    "Variant",
    "__version__",
    "load_meta_loops",
    "load_trials",
    "units",
    "watch",
]
__version__ = "0.1.0"

_HOMES = {
    "PersistentStochasticAblation": "psa_tui.search.lightning",
    "Place": "psa_tui.networks.unit",
    "Search": "psa_tui.search",
    "Unit": "psa_tui.networks.unit",
    "Variant": "psa_tui.method.variants",
    "load_meta_loops": "psa_tui.analysis.sources",
    "load_trials": "psa_tui.analysis.sources",
    "units": "psa_tui.networks.tracing.finding",
    "watch": "psa_tui.views.watching",
}


def __getattr__(name: str) -> Any:
    """Load the code of a name when it is asked for, so that importing psa_tui stays quick."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
