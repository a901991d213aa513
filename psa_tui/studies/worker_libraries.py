"""What the process that forks workers imports before it does."""

import gc

import psa_tui.studies.training  # noqa: F401  (loads PyTorch)

# Workers share the pages of what is loaded now, as long as no collection writes to them.
gc.freeze()
