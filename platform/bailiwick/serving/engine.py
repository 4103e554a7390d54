"""One loaded text classifier: the code that serves a model, and that judges it in evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bailiwick.monitoring.descriptors import KnownWords, describe
from bailiwick.serving import artifact as files
from bailiwick.serving.classification import Classification
from bailiwick.serving.hashed import NgramNetwork, NgramScorer
from bailiwick.serving.transformer import TransformerScorer


class Scorer(Protocol):
    """A network that gives each text a probability for each of its labels."""

    @property
    def outputs(self) -> int:
        """How many labels it tells apart."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities (rows, labels)."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A classifier in memory. Nothing in it changes after loading, so threads may share it."""

    labels: tuple[str, ...]
    known_words: KnownWords
    _scorer: Scorer

    @classmethod
    def load(cls, directory: Path) -> "Engine":
        """Load the artifact in `directory`, once checked. Raises `ArtifactInvalid`."""
        artifact = files.read_artifact(directory)
        scorer = _scorer_of(artifact)
        if scorer.outputs != len(artifact.labels):
            raise files.ArtifactInvalid(
                f"The network has {scorer.outputs} outputs and the card names "
                f"{len(artifact.labels)} labels. Train or register the model again."
            )
        known_words = KnownWords.load(directory / files.KNOWN_WORDS)
        return cls(artifact.labels, known_words, scorer)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """The answer for each text, in order; identical texts are computed once."""
        return self.answers(texts, self.probabilities(texts))

    def answers(
        self, texts: Sequence[str], probabilities: NDArray[np.float32]
    ) -> list[Classification]:
        """The answers that `probabilities` (rows, labels) of `texts` amount to."""
        return [
            Classification(self.labels[best], confidence, describe(text, self.known_words))
            for text, best, confidence in zip(
                texts,
                probabilities.argmax(axis=1).tolist(),
                probabilities.max(axis=1, initial=0.0).tolist(),
                strict=True,
            )
        ]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities (rows, labels), columns in the order of `labels`; computed once a text."""
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        rows = [distinct[text] for text in texts]
        return self._forward(list(distinct))[rows]

    def _forward(self, texts: list[str]) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, len(self.labels)), dtype=np.float32)
        return self._scorer.probabilities(texts)


def _scorer_of(artifact: files.Artifact) -> Scorer:
    if artifact.model_type == files.HASHED_NGRAMS:
        return NgramScorer(NgramNetwork.load(artifact.directory))
    return TransformerScorer.load(artifact)
