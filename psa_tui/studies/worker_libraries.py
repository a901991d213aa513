"""What the process that forks workers imports before it does."""

import gc

import psa_tui.studies.training  # loads PyTorch
from psa_tui.engine.backends.numba import NumbaBackend

if NumbaBackend().lack() is None:
    import psa_tui.engine.backends.numba.training  # noqa: F401  (loads Numba's compiler)
# Workers share the pages of what is loaded now, as long as no collection writes to them.
gc.freeze()
