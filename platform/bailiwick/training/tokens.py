"""Texts to token ids: a byte-level BPE tokenizer of the task's own, and length-bucketed batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

PAD, CLS, SEP, MASK = "[PAD]", "[CLS]", "[SEP]", "[MASK]"
PAD_ID, CLS_ID, SEP_ID, MASK_ID = range(4)
FIRST_WORD_ID = 4
# Buckets: rows are sorted by length within this many shuffled batches.
_BUCKET_BATCHES = 50


def train_tokenizer(texts: Sequence[str], *, vocabulary_size: int, max_tokens: int) -> Tokenizer:
    """A byte-level BPE tokenizer: any text has tokens, none is unknown; letter case is dropped.

    Every text begins with [CLS], so that an empty one still has a token.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[AddedToken(token, special=True) for token in (PAD, CLS, SEP, MASK)],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer, len(texts))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A", special_tokens=[(CLS, CLS_ID)]
    )
    # A text that spells out "[MASK]" is that text, not the token.
    tokenizer.encode_special_tokens = True
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def tokenizer_config(max_tokens: int) -> dict[str, object]:
    """`tokenizer_config.json`, from which transformers' AutoTokenizer finds the tokenizer."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "model_input_names": ["input_ids", "attention_mask"],
        "pad_token": PAD,
        "cls_token": CLS,
        "sep_token": SEP,
        "mask_token": MASK,
        "split_special_tokens": True,
    }


@dataclass(frozen=True, slots=True)
class EncodedTexts:
    """`ids` (rows, longest) int64 padded with 0, `lengths` (rows,) int64."""

    ids: torch.Tensor
    lengths: torch.Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask of `rows`, both (rows, longest of them) int64."""
        lengths = self.lengths[rows]
        longest = int(lengths.max())
        return self.ids[rows, :longest], (torch.arange(longest) < lengths[:, None]).long()

    def buckets(self, batch_rows: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
        """Every row once, in random batches of rows of like length."""
        order = torch.randperm(len(self), generator=generator)
        batches = [
            batch
            for chunk in torch.split(order, batch_rows * _BUCKET_BATCHES)
            for batch in torch.split(chunk[self.lengths[chunk].argsort(stable=True)], batch_rows)
        ]
        for index in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[index]


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> EncodedTexts:
    """The token ids of `texts`."""
    rows = [torch.tensor(row.ids) for row in tokenizer.encode_batch_fast(texts)]
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD_ID)
    return EncodedTexts(ids, lengths)
