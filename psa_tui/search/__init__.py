"""Persistent Stochastic Ablation on top of a training loop of one's own: ``psa_tui.Search``. Imports torch."""

from psa_tui.search.loop import Loop
from psa_tui.search.search import Search

__all__ = ["Loop", "Search"]
