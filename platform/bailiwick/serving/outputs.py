"""What a network makes of texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Outputs:
    """Probabilities (rows, labels), embeddings (rows, size), tokens (rows,).

    The embedding is the mean over a text's tokens of the encoder's last hidden states; tokens are
    counted before the text is cut to what the network reads. A network without an encoder has
    neither.
    """

    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32] | None = None
    tokens: NDArray[np.int64] | None = None

    def of(self, rows: Sequence[int]) -> "Outputs":
        """Those of some rows, in their order."""
        embeddings, tokens = self.embeddings, self.tokens
        return Outputs(
            self.probabilities[rows],
            None if embeddings is None else embeddings[rows],
            None if tokens is None else tokens[rows],
        )
