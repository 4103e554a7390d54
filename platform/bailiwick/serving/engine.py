"""One loaded text classifier: the code that serves a model, and that judges it in evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bailiwick.monitoring.descriptors import KnownWords, describe
from bailiwick.monitoring.embeddings import directions_of, packed
from bailiwick.serving import artifact as files
from bailiwick.serving.classification import Classification, Seen
from bailiwick.serving.hashed import NgramNetwork, NgramScorer
from bailiwick.serving.outputs import Outputs
from bailiwick.serving.renamed import RenamedScorer, names_now
from bailiwick.serving.transformer import TransformerScorer
from bailiwick.texts import measures_of
from bailiwick.texts.languages import language_of

_LEAST_PROBABILITY = 1e-30


class Scorer(Protocol):
    """A network that gives each text a probability for each of its labels."""

    @property
    def labels(self) -> int:
        """How many it tells apart."""

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """What it makes of the texts, in order."""


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
        if scorer.labels != len(artifact.labels):
            raise files.ArtifactInvalid(
                f"The network has {scorer.labels} outputs and the card names "
                f"{len(artifact.labels)} labels. Train or register the model again."
            )
        known_words = KnownWords.load(directory / files.KNOWN_WORDS)
        return cls(artifact.labels, known_words, scorer)

    def renamed(self, renames: Mapping[str, str | None]) -> "Engine":
        """The same classifier for rows whose labels are called otherwise by now."""
        labels, places = names_now(self.labels, renames)
        return replace(self, labels=labels, _scorer=RenamedScorer(self._scorer, places))

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """The answer for each text, in order, and what it looked like; each text computed once."""
        outputs = self.outputs(texts)
        answers = self.answers(texts, outputs.probabilities)
        shares = outputs.probabilities.astype(np.float64)
        entropies = -(shares * np.log(np.maximum(shares, _LEAST_PROBABILITY))).sum(axis=1)
        nothing = [None] * len(texts)
        tokens = nothing if outputs.tokens is None else outputs.tokens.tolist()
        seen = outputs.embeddings
        embeddings = nothing if seen is None else packed(directions_of(seen))
        return [
            replace(answer, seen=_seen(text, answer.descriptors.words, *measured))
            for text, answer, *measured in zip(
                texts, answers, entropies.tolist(), tokens, embeddings, strict=True
            )
        ]

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
        return self.outputs(texts).probabilities

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """What the network makes of the texts, in order."""
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        return self._forward(list(distinct)).of([distinct[text] for text in texts])

    def _forward(self, texts: list[str]) -> Outputs:
        if not texts:
            return Outputs(np.empty((0, len(self.labels)), dtype=np.float32))
        return self._scorer.outputs(texts)


def _seen(
    text: str, words: int, entropy: float, tokens: int | None, embedding: bytes | None
) -> Seen:
    measures = measures_of(text)
    return Seen(
        entropy=max(entropy, 0.0),
        tokens_per_word=None if tokens is None else tokens / max(words, 1),
        non_letter_ratio=measures.non_letter_ratio,
        language=language_of(text),
        text_key=measures.text_key,
        form_key=measures.form_key,
        embedding=embedding,
    )


def _scorer_of(artifact: files.Artifact) -> Scorer:
    if artifact.model_type == files.HASHED_NGRAMS:
        return NgramScorer(NgramNetwork.load(artifact.directory))
    return TransformerScorer.load(artifact)
