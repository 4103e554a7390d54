"""One loaded text classifier: the code that serves a model, and that judges it in evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Encoding, Tokenizer
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging

from bailiwick.monitoring.descriptors import KnownWords, describe
from bailiwick.monitoring.embeddings import directions_of, packed
from bailiwick.serving import artifact as files
from bailiwick.serving.classification import Classification, Seen
from bailiwick.texts import measures_of
from bailiwick.texts.languages import language_of

_BATCH_ROWS = 256
_LEAST_PROBABILITY = 1e-30


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the network makes of texts: probabilities (rows, labels), embeddings, tokens (rows,).

    The embedding is the mean over a text's tokens of the encoder's last hidden states; tokens are
    counted before the text is cut to what the network reads.
    """

    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    tokens: NDArray[np.int64]

    def of(self, rows: Sequence[int]) -> "Outputs":
        """Those of some rows, in their order."""
        return Outputs(self.probabilities[rows], self.embeddings[rows], self.tokens[rows])


@dataclass(frozen=True, slots=True)
class Engine:
    """A classifier in memory. Nothing in it changes after loading, so threads may share it."""

    labels: tuple[str, ...]
    known_words: KnownWords
    _network: PreTrainedModel
    _tokenizer: Tokenizer

    @classmethod
    def load(cls, directory: Path) -> "Engine":
        """Load the artifact in `directory`, once checked. Raises `ArtifactInvalid`."""
        artifact = files.read_artifact(directory)
        network = load_network(directory)
        if network.config.num_labels != len(artifact.labels):
            raise files.ArtifactInvalid(
                f"The network has {network.config.num_labels} outputs and the card names "
                f"{len(artifact.labels)} labels. Train or register the model again."
            )
        tokenizer = load_tokenizer(directory)
        tokenizer.enable_truncation(artifact.max_tokens)
        tokenizer.no_padding()
        known_words = KnownWords.load(directory / files.KNOWN_WORDS)
        return cls(artifact.labels, known_words, network, tokenizer)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """The answer for each text, in order, and what it looked like; each text computed once."""
        outputs = self.outputs(texts)
        answers = self.answers(texts, outputs.probabilities)
        shares = outputs.probabilities.astype(np.float64)
        entropies = -(shares * np.log(np.maximum(shares, _LEAST_PROBABILITY))).sum(axis=1)
        return [
            replace(answer, seen=_seen(text, answer.descriptors.words, entropy, tokens, embedding))
            for text, answer, entropy, tokens, embedding in zip(
                texts,
                answers,
                entropies.tolist(),
                outputs.tokens.tolist(),
                packed(directions_of(outputs.embeddings)),
                strict=True,
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

    @torch.inference_mode()
    def _forward(self, texts: list[str]) -> Outputs:
        encodings = self._tokenizer.encode_batch_fast(texts)
        encoded = [encoding.ids for encoding in encodings]
        result = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        embeddings = np.empty((len(texts), self._network.config.hidden_size), dtype=np.float32)
        # Texts of like length share a batch, so little is spent on padding.
        order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
        for start in range(0, len(order), _BATCH_ROWS):
            rows = order[start : start + _BATCH_ROWS]
            ids = [torch.tensor(encoded[row]) for row in rows]
            pad = self._network.config.pad_token_id or 0
            tokens = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad)
            lengths = torch.tensor([len(row) for row in ids])
            mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()  # (rows, tokens)
            found = self._network(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
            result[rows] = found.logits.float().softmax(dim=-1).numpy()
            hidden = found.hidden_states[-1].float()  # (rows, tokens, hidden)
            embeddings[rows] = (hidden * mask[..., None]).sum(dim=1) / lengths.clamp(min=1)[:, None]
        counted = np.array([self._tokens(encoding) for encoding in encodings], dtype=np.int64)
        return Outputs(result, embeddings, counted)

    def _tokens(self, encoding: Encoding) -> int:
        """Tokens of the whole text, without those that the tokenizer adds to each piece."""
        added = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        return sum(len(piece.ids) - added for piece in (encoding, *encoding.overflowing))


def _seen(text: str, words: int, entropy: float, tokens: int, embedding: bytes) -> Seen:
    measures = measures_of(text)
    return Seen(
        entropy=max(entropy, 0.0),
        tokens_per_word=tokens / max(words, 1),
        non_letter_ratio=measures.non_letter_ratio,
        language=language_of(text),
        text_key=measures.text_key,
        form_key=measures.form_key,
        embedding=embedding,
    )


def load_network(directory: Path) -> PreTrainedModel:
    """The network of a checked artifact, in evaluation mode: safetensors, offline, no code."""
    network: PreTrainedModel
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it bare
    try:
        network, report = AutoModelForSequenceClassification.from_pretrained(
            directory,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise files.ArtifactInvalid(
            f"The network could not be loaded ({type(error).__name__}): {files.WEIGHTS} or "
            f"{files.CONFIG} is damaged. Fetch the model's files again or roll back."
        ) from error
    if report["missing_keys"] or report["unexpected_keys"] or report["mismatched_keys"]:
        raise files.ArtifactInvalid(
            f"{files.WEIGHTS} does not fit {files.CONFIG}: weights are missing, left over or of "
            "another shape. Register the model again from one training run."
        )
    return network


def load_tokenizer(directory: Path) -> Tokenizer:
    """The tokenizer of a checked artifact."""
    try:
        return Tokenizer.from_file(str(directory / files.TOKENIZER))
    except Exception as error:  # the library raises bare `Exception` for any broken file
        raise files.ArtifactInvalid(
            f"{files.TOKENIZER} is damaged. Fetch the model's files again or roll back."
        ) from error
