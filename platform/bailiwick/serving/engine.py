"""One loaded text classifier: the code that serves a model, and that judges it in evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging

from bailiwick.monitoring.descriptors import KnownWords, describe
from bailiwick.serving import artifact as files
from bailiwick.serving.classification import Classification

_BATCH_ROWS = 256


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

    @torch.inference_mode()
    def _forward(self, texts: list[str]) -> NDArray[np.float32]:
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        result = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        # Texts of like length share a batch, so little is spent on padding.
        order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
        for start in range(0, len(order), _BATCH_ROWS):
            rows = order[start : start + _BATCH_ROWS]
            ids = [torch.tensor(encoded[row]) for row in rows]
            pad = self._network.config.pad_token_id or 0
            tokens = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad)
            lengths = torch.tensor([len(row) for row in ids])
            mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()  # (rows, tokens)
            logits = self._network(input_ids=tokens, attention_mask=mask).logits
            result[rows] = logits.float().softmax(dim=-1).numpy()
        return result


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
