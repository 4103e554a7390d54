"""What one text looks like in three numbers, so that a change of input is seen without the text.

The words a model learned from travel with it as sorted 64-bit BLAKE2b hashes. That keeps clear
text out of the artifact and out of reports; it is NOT a protection against somebody who guesses
a word and looks its hash up.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np

from bailiwick.core.errors import Invalid

_WORD = re.compile(r"\w+")
_HASH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Descriptors:
    """One text: its length in code points, its word tokens, the share of them never learned."""

    characters: int
    words: int
    unseen_words_ratio: float


@lru_cache(maxsize=1 << 16)
def _hash_of(word: str) -> int:
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "little")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


@dataclass(frozen=True, slots=True)
class KnownWords:
    """The words of some training data, as 64-bit hashes."""

    hashes: frozenset[int]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "KnownWords":
        """Every word of `texts`, letter case ignored."""
        return cls(frozenset(_hash_of(word) for text in texts for word in _words(text)))

    def __or__(self, other: "KnownWords") -> "KnownWords":
        return KnownWords(self.hashes | other.hashes)

    def __contains__(self, word: str) -> bool:
        return _hash_of(word.casefold()) in self.hashes

    def save(self, path: Path) -> None:
        """Write the hashes, ascending, as raw little-endian unsigned 64-bit integers."""
        path.write_bytes(np.array(sorted(self.hashes), dtype="<u8").tobytes())

    @classmethod
    def load(cls, path: Path) -> "KnownWords":
        """Read what `save` wrote. Raises `Invalid` where the bytes cannot be that."""
        if path.stat().st_size % _HASH_BYTES:
            raise Invalid(
                f"{path.name} is cut off: its size is no multiple of {_HASH_BYTES} bytes. "
                "Fetch the model's files again."
            )
        hashes = np.fromfile(path, dtype="<u8")
        if np.any(hashes[1:] <= hashes[:-1]):
            raise Invalid(
                f"{path.name} is damaged: its hashes are not in ascending order. "
                "Fetch the model's files again."
            )
        return cls(frozenset(hashes.tolist()))


def describe(text: str, known_words: KnownWords) -> Descriptors:
    """The descriptors of `text`; a text without words has an unseen ratio of 0.

    >>> describe("Shell Kings 587", KnownWords.of(["shell garage"]))
    Descriptors(characters=15, words=3, unseen_words_ratio=0.6666666666666666)
    """
    words = _words(text)
    unseen = sum(_hash_of(word) not in known_words.hashes for word in words)
    return Descriptors(
        characters=len(text),
        words=len(words),
        unseen_words_ratio=unseen / len(words) if words else 0.0,
    )
