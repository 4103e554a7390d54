"""A transformer classifier: its loading, and its answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors import SafetensorError
from tokenizers import Encoding, Tokenizer
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.utils import logging

from bailiwick.serving import artifact as files
from bailiwick.serving.outputs import Outputs

_BATCH_ROWS = 256


@dataclass(frozen=True, slots=True)
class TransformerScorer:
    """A transformer with its tokenizer, as the engine uses them."""

    network: PreTrainedModel
    tokenizer: Tokenizer

    @classmethod
    def load(cls, artifact: files.Artifact) -> Self:
        """The network and tokenizer of a checked artifact. Raises `ArtifactInvalid`."""
        network = load_network(artifact.directory)
        tokenizer = load_tokenizer(artifact.directory)
        tokenizer.enable_truncation(artifact.max_tokens)
        tokenizer.no_padding()
        return cls(network, tokenizer)

    @property
    def labels(self) -> int:
        """How many it tells apart."""
        return int(self.network.config.num_labels or 0)

    @torch.inference_mode()
    def outputs(self, texts: Sequence[str]) -> Outputs:
        """Probabilities, embeddings and tokens of the texts, in order."""
        encodings = self.tokenizer.encode_batch_fast(texts)
        encoded = [encoding.ids for encoding in encodings]
        result = np.empty((len(texts), self.labels), dtype=np.float32)
        embeddings = np.empty((len(texts), self.network.config.hidden_size), dtype=np.float32)
        # Texts of like length share a batch, so little is spent on padding.
        order = sorted(range(len(texts)), key=lambda row: len(encoded[row]))
        for start in range(0, len(order), _BATCH_ROWS):
            rows = order[start : start + _BATCH_ROWS]
            ids = [torch.tensor(encoded[row]) for row in rows]
            pad = self.network.config.pad_token_id or 0
            tokens = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=pad)
            lengths = torch.tensor([len(row) for row in ids])
            mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()  # (rows, tokens)
            found = self.network(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
            result[rows] = found.logits.float().softmax(dim=-1).numpy()
            hidden = found.hidden_states[-1].float()  # (rows, tokens, hidden)
            embeddings[rows] = (hidden * mask[..., None]).sum(dim=1) / lengths.clamp(min=1)[:, None]
        counted = np.array([self._tokens(encoding) for encoding in encodings], dtype=np.int64)
        return Outputs(result, embeddings, counted)

    def _tokens(self, encoding: Encoding) -> int:
        """Tokens of the whole text, without those that the tokenizer adds to each piece."""
        added = self.tokenizer.num_special_tokens_to_add(is_pair=False)
        return sum(len(piece.ids) - added for piece in (encoding, *encoding.overflowing))


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
