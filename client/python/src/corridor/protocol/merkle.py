"""RFC 6962 trees over SHA-256: roots, proofs and their verification, from the definitions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

PROOF_HASHES_MAX = 126


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes (RFC 6962, 2.1)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return node_hash(root(leaves[:middle]), root(leaves[middle:]))


def frontier(leaves: Sequence[bytes]) -> list[bytes]:
    """Roots of the complete subtrees, largest first."""
    nodes, start = [], 0
    for level in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> level & 1:
            nodes.append(root(leaves[start : start + (1 << level)]))
            start += 1 << level
    return nodes


def frontier_root(nodes: Sequence[bytes]) -> bytes:
    """The root that a frontier gives."""
    if not nodes:
        return root([])
    found = nodes[-1]
    for left in reversed(nodes[:-1]):
        found = node_hash(left, found)
    return found


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(index, leaves) (RFC 6962, 2.1.1)."""
    if len(leaves) <= 1:
        return []
    middle = split(len(leaves))
    if index < middle:
        return [*inclusion_proof(index, leaves[:middle]), root(leaves[middle:])]
    return [*inclusion_proof(index - middle, leaves[middle:]), root(leaves[:middle])]


def consistency_proof(size: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF(size, leaves, whole) (RFC 6962, 2.1.2); nothing for size 0."""
    if size > len(leaves):
        raise ValueError("no log begins with more than it has")
    if size == 0:
        return []
    if size == len(leaves):
        return [] if whole else [root(leaves)]
    middle = split(len(leaves))
    if size <= middle:
        return [*consistency_proof(size, leaves[:middle], whole), root(leaves[middle:])]
    return [*consistency_proof(size - middle, leaves[middle:], False), root(leaves[:middle])]


def includes(leaf: bytes, index: int, size: int, top: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof leads from leaf `index` to the root of `size` leaves."""
    if not 0 <= index < size:
        return False
    path = list(proof)

    def climb(index: int, size: int) -> bytes | None:
        if size == 1:
            return leaf
        if not path:
            return None
        sibling, middle = path.pop(), split(size)
        if index < middle:
            left = climb(index, middle)
            return None if left is None else node_hash(left, sibling)
        right = climb(index - middle, size - middle)
        return None if right is None else node_hash(sibling, right)

    return climb(index, size) == top and not path


def extends(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of `old` leaves begins that of `new` leaves."""
    if old > new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == root([])
    path = list(proof)

    def climb(old: int, new: int, whole: bool) -> tuple[bytes, bytes] | None:
        if old == new:
            known = old_root if whole else (path.pop() if path else None)
            return None if known is None else (known, known)
        if not path:
            return None
        sibling, middle = path.pop(), split(new)
        if old <= middle:
            below = climb(old, middle, whole)
            return None if below is None else (below[0], node_hash(below[1], sibling))
        below = climb(old - middle, new - middle, False)
        return None if below is None else (
            node_hash(sibling, below[0]),
            node_hash(sibling, below[1]),
        )

    found = climb(old, new, True)
    return found == (old_root, new_root) and not path
