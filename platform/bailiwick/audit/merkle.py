"""The Merkle tree of RFC 6962 / RFC 9162 section 2.1, with SHA-256. Pure: no I/O, no clock.

A root commits to every leaf and to their order. An inclusion proof shows one leaf under a
root, a consistency proof shows that a later tree only appended to an earlier one; both are at
most about log2(size) hashes. Hashes are 32 bytes, indexes count from 0.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Self

from bailiwick.core import errors

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()

#: The root over the leaves [start, end) of the tree that is proved about.
RangeRoot = Callable[[int, int], bytes]


class ProofError(errors.Invalid):
    """A proof, signature or export does not show what it claims."""

    code = "proof-failed"


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf's content; the prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its children's hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The state needed to append: the roots of the complete subtrees, largest first.

    Memory is one hash per set bit of `size`, however many leaves were appended.

    >>> frontier = Frontier()
    >>> frontier.append(leaf_hash(b""))
    >>> frontier.root().hex()[:16]
    '6e340b9cffb37a98'
    >>> Frontier.from_bytes(frontier.to_bytes()).size
    1
    """

    __slots__ = ("_roots", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._roots: list[bytes] = []

    @property
    def size(self) -> int:
        """How many leaves were appended."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add one leaf by its hash."""
        carry, complete = leaf, self._size
        while complete & 1:  # like a binary counter: equal subtrees merge
            carry = node_hash(self._roots.pop(), carry)
            complete >>= 1
        self._roots.append(carry)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves by their hashes, in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """The state: the size as 8 bytes, big-endian, then the subtree roots."""
        return struct.pack(">Q", self._size) + b"".join(self._roots)

    @classmethod
    def from_bytes(cls, state: bytes) -> Self:
        """The inverse of `to_bytes`; a state of the wrong length raises `ProofError`."""
        size = int.from_bytes(state[:8], "big")
        if len(state) != 8 + HASH_BYTES * size.bit_count():
            raise ProofError("The stored tree state is damaged: rebuild it from the leaves.")
        frontier = cls()
        frontier._size = size
        bounds = range(8, len(state) + 1, HASH_BYTES)
        frontier._roots = [state[start:end] for start, end in pairwise(bounds)]
        return frontier


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def in_memory(leaves: Sequence[bytes]) -> RangeRoot:
    """Range roots computed from leaf hashes at hand, in time linear in the range."""
    return lambda start, end: root_of(leaves[start:end])


def inclusion_proof(index: int, size: int, range_root: RangeRoot) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, from leaf to root.

    Only ranges that start at a multiple of the next power of two are asked for, so stored
    subtree roots can answer.
    """
    if not 0 <= index < size:
        raise ProofError(f"There is no leaf {index} in a log of {size}: ask for one below {size}.")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            path.append(range_root(middle, end))
            end = middle
        else:
            path.append(range_root(start, middle))
            start = middle
    return path[::-1]


def consistency_proof(old_size: int, size: int, range_root: RangeRoot) -> list[bytes]:
    """The proof that the tree of `size` leaves begins with the tree of `old_size` leaves."""
    if not 0 <= old_size <= size:
        raise ProofError(f"The log has {size} leaves: ask for an earlier size of 0 to {size}.")
    path, start, end = [], 0, size
    while old_size not in {0, end}:
        middle = start + _left_size(end - start)
        if old_size <= middle:
            path.append(range_root(middle, end))
            end = middle
        else:
            path.append(range_root(start, middle))
            start = middle
    if start:  # the verifier knows the old root only if it is a subtree at the left edge
        path.append(range_root(start, end))
    return path[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise `ProofError` unless leaf hash `leaf` is at `index` under `root` (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofError(f"Leaf {index} cannot be in a log of {size} leaves.")
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("The inclusion proof is longer than the path from leaf to root.")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last or computed != root:
        raise ProofError(f"The proof does not show leaf {index} under the root of size {size}.")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise `ProofError` unless the later tree only appended to the earlier (RFC 9162 2.1.4.2)."""
    trivial = old_size in {0, size}
    if not 0 <= old_size <= size or trivial != (not proof):
        raise ProofError(f"This is no consistency proof from size {old_size} to {size}.")
    if (old_size == 0 and old_root != EMPTY_ROOT) or (old_size == size and old_root != root):
        raise ProofError(f"Two different roots are claimed for the log of size {old_size}.")
    if trivial:
        return
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("The consistency proof is longer than the path to the root.")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last or old != old_root or new != root:
        raise ProofError(f"The log of size {size} does not continue the one of size {old_size}.")


def _left_size(count: int) -> int:
    """The largest power of two below `count` leaves (count > 1): where RFC 6962 splits."""
    return 1 << (count - 1).bit_length() - 1
