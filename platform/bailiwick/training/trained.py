"""What a training made, before it is written."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bailiwick.monitoring.descriptors import KnownWords


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with all that its artifact needs, and how its training went.

    `config_json` is the artifact's configuration; `tokenizer` is None for a model on n-grams,
    whose `max_tokens` are characters. `newest_right` (rows,): which rows of the newest tenth it
    answered right before it learned them.
    """

    network: torch.nn.Module
    config_json: str
    tokenizer: Tokenizer | None
    max_tokens: int
    labels: tuple[str, ...]
    known_words: KnownWords
    losses: list[float]
    metrics: dict[str, Any]
    rows_per_second: float
    newest_right: NDArray[np.bool_]
