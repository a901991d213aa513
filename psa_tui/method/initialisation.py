"""Laws that a network's first weights are drawn from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

DEFAULT = "default"
"""PyTorch's own of each layer."""
HE = "he"
ORTHOGONAL = "orthogonal"
INITIALISATIONS = (DEFAULT, HE, ORTHOGONAL)


def he_weights(outputs: int, inputs: int, draws: np.random.Generator) -> np.ndarray:
    """Draw weights [outputs, inputs] from a normal law of variance 2 / inputs.

    He et al. 2015, https://arxiv.org/abs/1502.01852, for layers that a ReLU follows.
    """
    import numpy as np

    return draws.standard_normal((outputs, inputs), dtype=np.float32) * np.float32(math.sqrt(2 / inputs))


def orthogonal_weights(outputs: int, inputs: int, draws: np.random.Generator) -> np.ndarray:
    """Draw weights [outputs, inputs] whose rows, or columns if they are fewer, are orthogonal and of length sqrt(2).

    Saxe et al. 2013, https://arxiv.org/abs/1312.6120; the factor is that of layers which a ReLU follows.
    """
    import numpy as np

    tall = draws.standard_normal((max(outputs, inputs), min(outputs, inputs)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    return (math.sqrt(2) * (q if outputs >= inputs else q.T)).astype(np.float32)
