"""Persistent Stochastic Ablation from a terminal.

``load_trials`` and ``load_meta_loops`` give a study's results as pandas tables; see ``psa_tui.analysis.sources``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psa_tui.analysis.sources import load_meta_loops, load_trials

__all__ = ["__version__", "load_meta_loops", "load_trials"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the tables' code when it is asked for, so that importing psa_tui stays quick."""
    if name in ("load_meta_loops", "load_trials"):
        from psa_tui.analysis import sources

        return getattr(sources, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
