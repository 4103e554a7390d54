"""Validation and calibration of a classifier on the rows kept back from its training."""

import torch
from torch.nn.functional import cross_entropy
from transformers import ModernBertForSequenceClassification

from bailiwick.training.loop import Validation
from bailiwick.training.tokens import EncodedTexts

_BATCH_ROWS = 256
# From confident to cautious: 0.25 to 4, evenly in the logarithm.
_TEMPERATURES: list[float] = torch.logspace(-2, 2, 81, base=2.0).tolist()


@torch.inference_mode()
def logits_of(network: ModernBertForSequenceClassification, texts: EncodedTexts) -> torch.Tensor:
    """Logits (rows, labels) of `network`, which must be in evaluation mode."""
    logits = torch.empty(len(texts), network.classifier.out_features)
    for rows in torch.split(texts.lengths.argsort(stable=True), _BATCH_ROWS):
        ids, mask = texts.batch(rows)
        logits[rows] = network(input_ids=ids, attention_mask=mask).logits
    return logits


def validate(
    network: ModernBertForSequenceClassification, texts: EncodedTexts, targets: torch.Tensor
) -> Validation:
    """Accuracy and log loss (nats) on `texts` against `targets` (rows,)."""
    return measured(logits_of(network, texts), targets)


def measured(logits: torch.Tensor, targets: torch.Tensor) -> Validation:
    """Accuracy and log loss (nats) of `logits` (rows, labels) against `targets` (rows,)."""
    return Validation(
        accuracy=(logits.argmax(dim=1) == targets).float().mean().item(),
        loss=cross_entropy(logits, targets).item(),
    )


def best_temperature(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """By what `logits` are best divided: the least log loss (Guo et al., arXiv:1706.04599)."""
    losses = [cross_entropy(logits / value, targets).item() for value in _TEMPERATURES]
    return _TEMPERATURES[losses.index(min(losses))]


@torch.no_grad()
def calibrate(
    network: ModernBertForSequenceClassification, texts: EncodedTexts, targets: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """Divide the logits by the temperature with the least log loss.

    Returns it, and which of `texts` are answered right (rows,) bool.

    Temperature scaling (Guo et al., 2017, arXiv:1706.04599), folded into the last layer so that
    the artifact needs nothing beside its weights. Answers stay the same, only confidence moves.
    """
    logits = logits_of(network, texts)
    temperature = best_temperature(logits, targets)
    network.classifier.weight.div_(temperature)
    network.classifier.bias.div_(temperature)
    return temperature, logits.argmax(dim=1) == targets
