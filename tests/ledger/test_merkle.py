"""The tree of the sealed journal is RFC 6962's: another implementation finds the same roots and believes the same proofs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_inclusion
from pymerkle.proof import MerkleProof

from voucher.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    inclusion_path,
    leaf_hash,
    node_hash,
    peaks_of,
    root_of_inclusion,
    split,
)

SIZES = st.integers(min_value=1, max_value=600)


def a_tree(size: int) -> list[bytes]:
    return [leaf_hash(f"écriture {number}".encode()) for number in range(size)]


def range_root(hashes: list[bytes], start: int, end: int) -> bytes:
    """The definition of RFC 6962 §2.1, written again."""
    if end - start == 1:
        return hashes[start]
    middle = start + split(end - start)
    return node_hash(range_root(hashes, start, middle), range_root(hashes, middle, end))


def the_oracle(size: int) -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for number in range(size):
        tree.append_entry(f"écriture {number}".encode())
    return tree


def grown(hashes: list[bytes]) -> Frontier:
    frontier = Frontier()
    frontier.extend(hashes)
    return frontier


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root() == EMPTY_ROOT


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 1000])
def test_the_root_is_the_one_another_implementation_finds(size: int) -> None:
    hashes = a_tree(size)
    assert grown(hashes).root() == the_oracle(size).get_root() == range_root(hashes, 0, size)


@given(SIZES, SIZES)
def test_a_tree_taken_up_again_grows_as_if_it_had_never_stopped(before: int, added: int) -> None:
    hashes = a_tree(before + added)
    taken_up = Frontier(before, peaks_of(before, lambda start, end: range_root(hashes, start, end)))
    taken_up.extend(hashes[before:])
    assert taken_up.root() == grown(hashes).root()


@given(SIZES, st.data())
def test_an_inclusion_proof_leads_to_the_root_and_the_oracle_gives_the_same(size: int, data: st.DataObject) -> None:
    leaf = data.draw(st.integers(min_value=0, max_value=size - 1))
    hashes = a_tree(size)
    root = grown(hashes).root()
    path = inclusion_path(leaf, size, lambda start, end: range_root(hashes, start, end))
    assert root_of_inclusion(leaf, size, hashes[leaf], path) == root
    theirs = the_oracle(size).prove_inclusion(leaf + 1, size)
    assert [bytes.fromhex(one) for one in theirs.serialize()["path"]][1:] == path
    verify_inclusion(hashes[leaf], root, MerkleProof.deserialize(theirs.serialize()))
    assert root_of_inclusion(leaf, size, leaf_hash(b"another"), path) != root
    assert root_of_inclusion(leaf, size, hashes[leaf], [*path, root]) != root
    if path:
        assert root_of_inclusion(leaf, size, hashes[leaf], path[:-1]) != root


def test_kept_nodes_stand_for_256_each() -> None:
    hashes = a_tree(513)
    frontier = Frontier()
    kept = [node for part in (hashes[:1], hashes[1:300], hashes[300:]) for node in frontier.extend(part)]
    assert kept == [(1, 0, range_root(hashes, 0, 256)), (1, 1, range_root(hashes, 256, 512))]
