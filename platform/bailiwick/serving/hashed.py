"""A linear classifier on hashed n-grams: its network, and its loading."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from bailiwick.serving import artifact as files
from bailiwick.serving.ngrams import Ngrams, hashed_ngrams
from bailiwick.serving.outputs import Outputs

_BATCH_ROWS = 2048
# A row's vector has this length, so that its n-grams together learn faster than the bias.
_NORM = 5.0
_KEYS_OF_16_BITS = 1 << 16


class SummedWeights(torch.autograd.Function):
    """The sum of the weights of each row's n-grams, with a gradient that is quick to come by.

    The gradient of a bucket's weights is the sum of the gradients of the rows that it occurs in, in
    their order: the same sum the other way round. `embedding_bag` takes three times as long for it.
    """

    @staticmethod
    def forward(
        ctx: Any, weight: torch.Tensor, buckets: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> torch.Tensor:
        """Sums (rows, labels) of `weight` (buckets, labels); `buckets`, `offsets`: see `Ngrams`."""
        ctx.buckets, ctx.offsets, ctx.of = buckets, offsets, len(weight)
        return _sums(weight, buckets, offsets)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """The gradient (buckets, labels) of the weights, by that of the sums."""
        rows = np.repeat(np.arange(len(ctx.offsets) - 1), np.diff(ctx.offsets))
        # Keys of 16 bits are sorted by radix, ten times as fast.
        keys = ctx.buckets.astype(np.uint16) if ctx.of <= _KEYS_OF_16_BITS else ctx.buckets
        occurrences = np.bincount(ctx.buckets, minlength=ctx.of)
        by_bucket = np.concatenate(([0], np.cumsum(occurrences)))
        order = np.argsort(keys, kind="stable")
        return _sums(gradients[0], rows[order], by_bucket), None, None


def _sums(
    values: torch.Tensor, chosen: NDArray[np.int64], offsets: NDArray[np.int64]
) -> torch.Tensor:
    return torch.nn.functional.embedding_bag(
        torch.from_numpy(chosen),
        values,
        torch.from_numpy(offsets),
        mode="sum",
        include_last_offset=True,
    )


class NgramNetwork(torch.nn.Module):
    """Logits = the sum of the n-grams' weights, scaled to one norm for all texts, plus a bias."""

    def __init__(self, *, buckets: int, max_characters: int, labels: int) -> None:
        super().__init__()
        self.buckets, self.max_characters = buckets, max_characters
        self.weight = torch.nn.Parameter(torch.zeros(buckets, labels))
        self.bias = torch.nn.Parameter(torch.zeros(labels))

    def forward(self, ngrams: Ngrams) -> torch.Tensor:
        """Logits (rows, labels)."""
        sums: torch.Tensor = SummedWeights.apply(  # type: ignore[no-untyped-call]  # torch's own
            self.weight, ngrams.buckets, ngrams.offsets
        )
        counts = torch.from_numpy(ngrams.offsets).diff().clamp(min=1)
        return sums * (_NORM * counts.rsqrt())[:, None] + self.bias

    def encoded(self, texts: Sequence[str]) -> Ngrams:
        """The n-grams that `forward` takes."""
        return hashed_ngrams(texts, buckets=self.buckets, max_characters=self.max_characters)

    @torch.inference_mode()
    def logits_of(self, ngrams: Ngrams) -> torch.Tensor:
        """Logits (rows, labels), computed in batches without gradients."""
        batches = np.split(np.arange(len(ngrams)), range(_BATCH_ROWS, len(ngrams), _BATCH_ROWS))
        return torch.cat([self(ngrams.rows(rows)) for rows in batches])

    def config_json(self) -> str:
        """`config.json`, from which `load` makes the network again."""
        return json.dumps(
            {
                "model_type": files.HASHED_NGRAMS,
                "buckets": self.buckets,
                "max_characters": self.max_characters,
                "labels": len(self.bias),
            },
            indent=1,
        )

    @classmethod
    def load(cls, directory: Path) -> Self:
        """The network of a checked artifact. Raises `ArtifactInvalid`."""
        match json.loads((directory / files.CONFIG).read_bytes()):
            case {
                "buckets": int(buckets),
                "max_characters": int(max_characters),
                "labels": int(labels),
            } if min(buckets, max_characters, labels) > 0:
                pass
            case _:
                raise files.ArtifactInvalid(
                    f"{files.CONFIG} must give buckets, max_characters and labels of an n-gram "
                    "model. Fetch the model's files again."
                )
        with torch.device("meta"):  # shapes alone: a wrong config cannot ask for memory
            network = cls(buckets=buckets, max_characters=max_characters, labels=labels)
        try:
            weights = load_file(directory / files.WEIGHTS)
            network.load_state_dict(weights, assign=True)
        except (SafetensorError, OSError, RuntimeError) as error:
            raise files.ArtifactInvalid(
                f"{files.WEIGHTS} is damaged or does not fit {files.CONFIG} "
                f"({type(error).__name__}). Fetch the model's files again or roll back."
            ) from error
        return network.eval()


@dataclass(frozen=True, slots=True)
class NgramScorer:
    """An n-gram model as the engine uses it."""

    network: NgramNetwork

    @property
    def labels(self) -> int:
        """How many it tells apart."""
        return len(self.network.bias)

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """Probabilities of the texts, in order."""
        logits = self.network.logits_of(self.network.encoded(texts))
        return Outputs(logits.softmax(dim=-1).numpy())
