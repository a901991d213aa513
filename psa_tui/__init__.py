"""Persistent Stochastic Ablation from a terminal.

``load_trials`` and ``load_meta_loops`` give a study's results as pandas tables; see ``psa_tui.analysis.sources``.
``units`` finds what can be ablated in a PyTorch module; see ``psa_tui.networks.tracing.finding``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psa_tui.analysis.sources import load_meta_loops, load_trials
    from psa_tui.networks.tracing.finding import units
    from psa_tui.networks.unit import Place, Unit

__all__ = ["Place", "Unit", "__version__", "load_meta_loops", "load_trials", "units"]
__version__ = "0.1.0"


_LOADED_LATER = {
    "load_meta_loops": "psa_tui.analysis.sources",
    "load_trials": "psa_tui.analysis.sources",
    "Place": "psa_tui.networks.unit",
    "Unit": "psa_tui.networks.unit",
    "units": "psa_tui.networks.tracing.finding",
}


def __getattr__(name: str) -> Any:
    """Load the code of a name when it is asked for, so that importing psa_tui stays quick."""
    if name in _LOADED_LATER:
        from importlib import import_module

        return getattr(import_module(_LOADED_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
