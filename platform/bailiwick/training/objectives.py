"""What the loop makes smaller: the loss of guessing hidden tokens, and of naming the label."""

import torch
from torch.nn.functional import cross_entropy
from transformers import ModernBertForMaskedLM, ModernBertForSequenceClassification

from bailiwick.training.loop import Objective
from bailiwick.training.tokens import FIRST_WORD_ID, MASK_ID, EncodedTexts

# The classic split of chosen positions: 8 of 10 hidden, 1 replaced, 1 left as it is.
_HIDDEN_RATIO, _LEFT_RATIO = 0.8, 0.1


def masked_language_objective(
    network: ModernBertForMaskedLM, texts: EncodedTexts, mask_ratio: float
) -> Objective:
    """Cross-entropy of the chosen tokens, computed at their positions alone."""
    vocabulary_size = network.config.vocab_size

    def objective(rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        ids, mask = texts.batch(rows)  # (rows, tokens)
        words = ids >= FIRST_WORD_ID
        chosen = words & (torch.rand(ids.shape, generator=generator) < mask_ratio)
        if not chosen.any():  # a batch of very short texts: guess everything
            chosen = ids >= 0
        fate = torch.rand(ids.shape, generator=generator)
        other = torch.randint(FIRST_WORD_ID, vocabulary_size, ids.shape, generator=generator)
        shown = torch.where(chosen & (fate < _HIDDEN_RATIO), MASK_ID, ids)
        shown = torch.where(chosen & (fate >= _HIDDEN_RATIO + _LEFT_RATIO), other, shown)
        hidden = network.model(input_ids=shown, attention_mask=mask).last_hidden_state[chosen]
        return cross_entropy(network.decoder(network.head(hidden)), ids[chosen])

    return objective


def classification_objective(
    network: ModernBertForSequenceClassification,
    texts: EncodedTexts,
    targets: torch.Tensor,
    token_dropout: float,
) -> Objective:
    """Cross-entropy of the labels, `targets` (rows,), with some tokens hidden as a regulariser."""

    def objective(rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        ids, mask = texts.batch(rows)
        if token_dropout:
            dropped = torch.rand(ids.shape, generator=generator) < token_dropout
            ids = torch.where(dropped & (ids >= FIRST_WORD_ID), MASK_ID, ids)
        return cross_entropy(network(input_ids=ids, attention_mask=mask).logits, targets[rows])

    return objective
