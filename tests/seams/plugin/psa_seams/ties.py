"""A promotion rule: a draw counts as a win."""

from __future__ import annotations

import numpy as np

from psa_tui.method.progress import Progress
from psa_tui.method.promotion import Decision


class Ties:
    """Promote what is at least as good as the LKG."""

    def decide(self, progress: Progress, correct: int, draws: np.random.Generator) -> Decision:
        """Decide on a candidate, see ``PromotionRule``."""
        if progress.lkg_correct is None:
            return Decision(True, "the first candidate")
        gained = correct - progress.lkg_correct
        return Decision(gained >= 0, "a tie" if gained == 0 else f"{gained:+d} correct")
