"""The tree against published vectors, an independent definition, and forged proofs."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    consistency_proof,
    in_memory,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The reference leaves, roots and paths of the certificate-transparency project
# (github.com/google/certificate-transparency, merkletree/merkle_tree_test.cc).
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
INCLUSION = [  # index, size, path
    (0, 1, []),
    (0, 8, [A, B, C]),
    (5, 8, [D, E, ROOTS[4]]),
    (2, 3, [ROOTS[2]]),
    (1, 5, [ROOTS[1], B, D]),
]
CONSISTENCY = [  # old size, size, path
    (1, 1, []),
    (1, 8, [A, B, C]),
    (6, 8, [F, E, ROOTS[4]]),
    (2, 5, [B, D]),
]


def many(count: int) -> list[bytes]:
    return [leaf_hash(str(i).encode()) for i in range(count)]


def defined_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word, over leaf contents."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    children = defined_root(leaves[:k]) + defined_root(leaves[k:])
    return hashlib.sha256(b"\1" + children).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert root_of(HASHES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int, path: list[str]) -> None:
    proof = inclusion_proof(index, size, in_memory(HASHES))
    assert [node.hex() for node in proof] == path
    verify_inclusion(HASHES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old_size", "size", "path"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(
    old_size: int, size: int, path: list[str]
) -> None:
    proof = consistency_proof(old_size, size, in_memory(HASHES))
    assert [node.hex() for node in proof] == path
    old_root, root = bytes.fromhex(ROOTS[old_size]), bytes.fromhex(ROOTS[size])
    verify_consistency(old_size, old_root, size, root, proof)


@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_frontier_computes_the_root_as_the_standard_defines_it(leaves: list[bytes]) -> None:
    assert root_of(map(leaf_hash, leaves)) == defined_root(leaves)


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_frontier_that_was_stored_between_batches_goes_on_as_if_never_stopped(
    first: int, second: int
) -> None:
    hashes = many(first + second)
    frontier = Frontier()
    frontier.extend(hashes[:first])
    state = frontier.to_bytes()
    assert len(state) == 8 + 32 * first.bit_count()
    frontier = Frontier.from_bytes(state)
    frontier.extend(hashes[first:])
    assert frontier.size == first + second
    assert frontier.root() == root_of(hashes)


@pytest.mark.parametrize("state", [b"", b"\0" * 7, b"\0" * 9, b"\0" * 7 + b"\3" + b"x" * 32])
def test_a_damaged_frontier_is_refused(state: bytes) -> None:
    with pytest.raises(ProofError, match="rebuild it"):
        Frontier.from_bytes(state)


def test_every_inclusion_proof_up_to_33_leaves_verifies_and_only_for_its_leaf() -> None:
    hashes = many(33)
    for size in range(1, 34):
        root = root_of(hashes[:size])
        for index in range(size):
            proof = inclusion_proof(index, size, in_memory(hashes))
            verify_inclusion(hashes[index], index, size, proof, root)
            for forged in range(size):
                if forged != index:
                    with pytest.raises(ProofError):
                        verify_inclusion(hashes[index], forged, size, proof, root)


def test_every_consistency_proof_up_to_33_leaves_verifies_and_only_for_its_roots() -> None:
    hashes = many(33)
    roots = [root_of(hashes[:size]) for size in range(34)]
    for size in range(34):
        for old in range(size + 1):
            proof = consistency_proof(old, size, in_memory(hashes))
            verify_consistency(old, roots[old], size, roots[size], proof)
            for wrong in {0, 1, size - 1, size} - {old} if size else ():
                with pytest.raises(ProofError):
                    verify_consistency(old, roots[wrong], size, roots[size], proof)


@pytest.mark.parametrize("damage", ["drop", "add", "change", "swap"])
def test_a_damaged_proof_is_refused(damage: str) -> None:
    hashes = many(23)
    root, old_root = root_of(hashes), root_of(hashes[:11])

    def damaged(proof: list[bytes]) -> list[bytes]:
        changes = {
            "drop": proof[:-1],
            "add": [*proof, proof[0]],
            "change": [*proof[:-1], bytes(32)],
            "swap": [proof[1], proof[0], *proof[2:]],
        }
        return changes[damage]

    path = damaged(inclusion_proof(9, 23, in_memory(hashes)))
    with pytest.raises(ProofError):
        verify_inclusion(hashes[9], 9, 23, path, root)
    path = damaged(consistency_proof(11, 23, in_memory(hashes)))
    with pytest.raises(ProofError):
        verify_consistency(11, old_root, 23, root, path)


def test_sizes_and_indexes_that_cannot_be_are_refused() -> None:
    hashes = many(4)
    roots = in_memory(hashes)
    for index in (-1, 4):
        with pytest.raises(ProofError, match="leaf"):
            inclusion_proof(index, 4, roots)
        with pytest.raises(ProofError, match="cannot be"):
            verify_inclusion(hashes[0], index, 4, [], root_of(hashes))
    for old in (-1, 5):
        with pytest.raises(ProofError, match="earlier size"):
            consistency_proof(old, 4, roots)
        with pytest.raises(ProofError, match="no consistency proof"):
            verify_consistency(old, hashes[0], 4, root_of(hashes), [hashes[0]])
    with pytest.raises(ProofError, match="no consistency proof"):
        verify_consistency(2, root_of(hashes[:2]), 4, root_of(hashes), [])
    with pytest.raises(ProofError, match="no consistency proof"):
        verify_consistency(4, root_of(hashes), 4, root_of(hashes), [hashes[0]])
    with pytest.raises(ProofError, match="Two different roots"):
        verify_consistency(0, EMPTY_ROOT, 0, hashes[0], [])


def test_proofs_of_a_large_tree_ask_only_for_aligned_ranges() -> None:
    asked = []

    def range_root(start: int, end: int) -> bytes:
        asked.append((start, end))
        return bytes(32)

    proofs = [
        inclusion_proof(777_777, 1_000_003, range_root),
        consistency_proof(777_777, 1_000_003, range_root),
    ]
    assert all(len(proof) <= 21 for proof in proofs)
    for start, end in asked:
        assert start % (1 << (end - start - 1).bit_length()) == 0
