"""Frozen encoders and the heads on them: hashed n-grams, or the transformer of a base model."""

from collections.abc import Sequence
from typing import Protocol

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from bailiwick.serving.artifact import Artifact
from bailiwick.serving.hashed import NgramNetwork
from bailiwick.serving.ngrams import Indices, hashed_ngrams
from bailiwick.serving.transformer import load_network, load_tokenizer
from bailiwick.training.head import Lessons, refit, refit_ngrams
from bailiwick.training.loop import History, Watcher
from bailiwick.training.recipes import HeadRecipe
from bailiwick.training.tokens import encode

_BATCH_ROWS = 256


class Encoder(Protocol):
    """Texts, encoded once, on which heads are fitted one after the other."""

    tokenizer: Tokenizer | None
    max_tokens: int

    def refit(
        self, lessons: Lessons, *, generator: torch.Generator, watch: Watcher | None
    ) -> History:
        """Fit a new head, from nothing."""

    def logits(self, texts: Indices) -> torch.Tensor:
        """Logits (rows, labels) of the newest head for the numbers of encoded texts."""

    def soften(self, temperature: float) -> None:
        """Divide the logits of the newest head by `temperature`, for good."""

    def finished(self, labels: Sequence[str]) -> tuple[torch.nn.Module, str]:
        """The network with its newest head, and its configuration as JSON."""


class NgramEncoder:
    """Hashed n-grams of `texts`."""

    tokenizer: Tokenizer | None = None

    def __init__(self, texts: Sequence[str], recipe: HeadRecipe) -> None:
        self.max_tokens = recipe.max_characters
        self._recipe = recipe
        self._ngrams = hashed_ngrams(
            texts, buckets=recipe.buckets, max_characters=recipe.max_characters
        )
        self._network: NgramNetwork

    def refit(
        self, lessons: Lessons, *, generator: torch.Generator, watch: Watcher | None
    ) -> History:
        """Fit a new head, from nothing."""
        self._network, history = refit_ngrams(
            self._ngrams, lessons, self._recipe, generator=generator, watch=watch
        )
        return history

    def logits(self, texts: Indices) -> torch.Tensor:
        """Logits (rows, labels) of the newest head."""
        return self._network.logits_of(self._ngrams.rows(texts))

    @torch.no_grad()
    def soften(self, temperature: float) -> None:
        """Divide the logits by `temperature`."""
        self._network.weight.div_(temperature)
        self._network.bias.div_(temperature)

    def finished(self, labels: Sequence[str]) -> tuple[torch.nn.Module, str]:
        """The network and its configuration; labels stand in the card alone."""
        del labels
        return self._network, self._network.config_json()


class BaseEncoder:
    """What the transformer `base` makes of `texts`, up to its own head."""

    def __init__(self, texts: Sequence[str], recipe: HeadRecipe, base: Artifact) -> None:
        self.max_tokens = base.max_tokens
        self._recipe = recipe
        self._network = load_network(base.directory)
        self.tokenizer: Tokenizer | None = load_tokenizer(base.directory)
        self._features = _features(self._network, self.tokenizer, texts, base.max_tokens)
        self._head: torch.nn.Linear

    def refit(
        self, lessons: Lessons, *, generator: torch.Generator, watch: Watcher | None
    ) -> History:
        """Fit a new head, from nothing."""
        head = torch.nn.Linear(self._features.shape[1], lessons.targets.shape[1])
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        self.take(head)
        mine = self.encoded(lessons.texts)

        def logits_of(rows: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = head(mine[rows])
            return logits

        return refit(head, logits_of, lessons, self._recipe, generator=generator, watch=watch)

    @torch.no_grad()
    def logits(self, texts: Indices) -> torch.Tensor:
        """Logits (rows, labels) of the newest head."""
        logits: torch.Tensor = self._head(self.encoded(texts))
        return logits

    def encoded(self, texts: Indices) -> torch.Tensor:
        """What heads are given for the numbers of texts, (rows, hidden size)."""
        return self._features[texts]

    def take(self, head: torch.nn.Linear) -> None:
        """Make `head` the newest one."""
        self._head = head

    @torch.no_grad()
    def soften(self, temperature: float) -> None:
        """Divide the logits by `temperature`."""
        self._head.weight.div_(temperature)
        self._head.bias.div_(temperature)

    def finished(self, labels: Sequence[str]) -> tuple[torch.nn.Module, str]:
        """The base with the new head, and its configuration with the new labels."""
        self._network.classifier = self._head
        self._network.config.id2label = dict(enumerate(labels))
        self._network.config.label2id = {label: row for row, label in enumerate(labels)}
        return self._network, self._network.config.to_json_string()


@torch.no_grad()
def _features(
    network: PreTrainedModel, tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int
) -> torch.Tensor:
    """What the last layer of `network` is given for each text, (texts, hidden size)."""
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    encoded = encode(tokenizer, texts)
    network.classifier = torch.nn.Identity()
    features = torch.empty(len(encoded), network.config.hidden_size)
    for rows in torch.split(encoded.lengths.argsort(stable=True), _BATCH_ROWS):
        ids, mask = encoded.batch(rows)
        features[rows] = network(input_ids=ids, attention_mask=mask).logits
    return features
