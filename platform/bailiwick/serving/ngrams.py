"""Hashed n-grams of texts, in arrays: the frozen encoder of models that have no other.

Words, pairs of neighbouring words, and the 3- to 5-grams of characters inside each word with a
space on either side, hashed into buckets (Weinberger et al., 2009, arXiv:0902.2206; the n-grams
of fastText). Nothing is learned and no text is kept, only the numbers of buckets.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

_WORD = re.compile(r"\w+")
_SPACE = 32
_LENGTHS = (3, 4, 5)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_KINDS = {"word": np.uint64(1), "pair": np.uint64(2)}
_BLOCK_TEXTS = 8192  # keeps the arrays of one step in some tens of megabytes


@dataclass(frozen=True, slots=True)
class Ngrams:
    """`buckets` (n-grams of all rows,), each row's ascending and once; `offsets` (rows + 1,)."""

    buckets: Indices
    offsets: Indices

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self, chosen: Indices) -> "Ngrams":
        """The n-grams of the `chosen` rows, in their order."""
        lengths = self.offsets[chosen + 1] - self.offsets[chosen]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], lengths)
        return Ngrams(self.buckets[places], offsets)


def hashed_ngrams(texts: Sequence[str], *, buckets: int, max_characters: int) -> Ngrams:
    """The n-grams of each text's first `max_characters`; letter case and punctuation are dropped.

    >>> same, other = (hashed_ngrams([text], buckets=10**6, max_characters=99) for text in
    ...                ("BP  Connect!", "bp connect"))
    >>> bool((same.buckets == other.buckets).all()), len(same.buckets)
    (True, 24)
    """
    parts, lengths = [], [np.zeros(1, np.int64)]
    for start in range(0, len(texts), _BLOCK_TEXTS):
        block = [_words(text[:max_characters]) for text in texts[start : start + _BLOCK_TEXTS]]
        rows, hashes = _hashes_of(block)
        places = (_mixed(hashes) % np.uint64(buckets)).astype(np.int64)
        distinct = np.unique(rows * buckets + places)
        parts.append(distinct % buckets)
        lengths.append(np.bincount(distinct // buckets, minlength=len(block)))
    found = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return Ngrams(found, np.cumsum(np.concatenate(lengths)))


def _words(text: str) -> str:
    """The words of `text`, each with a space before and after it."""
    return "".join(f" {word} " for word in _WORD.findall(_folded(text)))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _hashes_of(block: Sequence[str]) -> tuple[Indices, Hashes]:
    """(row, hash) of every n-gram of the texts that `_words` wrote."""
    codes = np.frombuffer("".join(block).encode("utf-32-le", "surrogatepass"), np.uint32)
    characters = codes.astype(np.uint64)
    owners = np.repeat(np.arange(len(block)), [len(text) for text in block])
    found = [*_of_characters(characters, owners), *_of_words(characters, owners)]
    rows, hashes = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(hashes)


def _of_characters(characters: Hashes, owners: Indices) -> Iterator[tuple[Indices, Hashes]]:
    """Windows over one word: a space can only be their first or last character."""
    space = characters == _SPACE
    for length in _LENGTHS:
        starts = max(0, len(characters) - length + 1)
        hashes = np.full(starts, length, np.uint64)
        inside = ~(space[:starts] & space[1 : starts + 1])
        for place in range(length):
            hashes = hashes * _BASE + characters[place : place + starts]
            if 0 < place < length - 1:
                inside &= ~space[place : place + starts]
        yield owners[:starts][inside], hashes[inside]


def _of_words(characters: Hashes, owners: Indices) -> Iterator[tuple[Indices, Hashes]]:
    letters = np.flatnonzero(characters != _SPACE)
    if not len(letters):
        return
    firsts = np.flatnonzero(np.diff(letters, prepend=-2) > 1)  # where words start, in `letters`
    starts = letters[firsts]
    inside = letters - np.repeat(starts, np.diff(firsts, append=len(letters)))
    powers = np.full(inside.max() + 1, _BASE).cumprod()
    words = np.add.reduceat(characters[letters] * powers[inside], firsts)
    rows = owners[starts]
    yield rows, words * _BASE + _KINDS["word"]
    together = rows[1:] == rows[:-1]
    pairs = (words[:-1] * _BASE + words[1:]) * _BASE + _KINDS["pair"]
    yield rows[1:][together], pairs[together]


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit made to depend on every other: the finaliser of SplitMix64."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
