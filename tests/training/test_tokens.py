"""The tokenizer knows every text; batches hold every row once."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from bailiwick.training.tokens import CLS_ID, MASK_ID, PAD_ID, encode, train_tokenizer
from support.tiny_training import rows

pytestmark = pytest.mark.torch
TEXTS = [text for _, text, _ in rows(200)]


def test_any_text_has_tokens_and_a_spelled_out_mask_is_not_the_mask() -> None:
    tokenizer = train_tokenizer(TEXTS, vocabulary_size=320, max_tokens=16)
    encoded = encode(tokenizer, ["", "北京 \x00 🚌", "[MASK] [PAD]", "word " * 99])
    assert encoded.lengths.tolist()[0] == 1
    assert encoded.lengths.tolist()[3] == 16
    assert encoded.ids[:, 0].tolist() == [CLS_ID] * 4
    assert not (encoded.ids == MASK_ID).any()
    assert ((encoded.ids != PAD_ID).sum(1) == encoded.lengths).all()


def test_the_same_texts_give_the_same_tokenizer() -> None:
    first, second = (
        train_tokenizer(TEXTS, vocabulary_size=400, max_tokens=16).to_str() for _ in range(2)
    )
    assert first == second


def test_transformers_reads_the_tokenizer_and_cuts_texts_alike(trained: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(trained / "artifact", local_files_only=True)
    ours = encode(
        train_tokenizer(
            [text for _, text, _ in rows(300)[:216]], vocabulary_size=320, max_tokens=16
        ),
        [*TEXTS, "[MASK]", "word " * 99],
    )
    given = theirs([*TEXTS, "[MASK]", "word " * 99], truncation=True, padding=True)
    assert torch.equal(torch.tensor(given["input_ids"]), ours.ids)


def test_a_round_of_buckets_holds_every_row_once_in_batches_of_like_length() -> None:
    encoded = encode(train_tokenizer(TEXTS, vocabulary_size=320, max_tokens=16), TEXTS)
    batches = list(encoded.buckets(16, torch.Generator().manual_seed(0)))
    assert sorted(torch.cat(batches).tolist()) == list(range(len(TEXTS)))
    padding = sum(int((encoded.batch(batch)[1] == 0).sum()) for batch in batches)
    assert padding < 0.1 * int(encoded.lengths.sum())
