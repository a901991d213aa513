"""What the process that forks workers imports before it does."""

import gc

import psa_tui.studies.training  # noqa: F401  (loads PyTorch)
from psa_tui.engine.backends.numba import NumbaBackend

if NumbaBackend().lack() is None:
    from psa_tui.engine.backends.numba.compilation import load_compiler

    load_compiler()
# Workers share the pages of what is loaded now, as long as no collection writes to them.
gc.freeze()
