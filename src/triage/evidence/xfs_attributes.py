"""Extended attributes of XFS, decoded. Nothing here reads a disk; sources as in `triage.evidence.xfs_format`."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from triage.errors import EvidenceError

_LOCAL: Final = 0x01
_ROOT: Final = 0x02
_SECURE: Final = 0x04
_PARENT: Final = 0x08
_INCOMPLETE: Final = 0x80
_LEAF_MAGIC: Final = {False: 0xFBEE, True: 0x3BEE}
_NODE_MAGIC: Final = {False: 0xFEBE, True: 0x3EBE}
_REMOTE_HEADER: Final = 56


class Attribute(NamedTuple):
    """One extended attribute; ``name`` carries its namespace (``user.``, ``trusted.``, ``security.``).

    ``remote`` says that the value has blocks of its own.
    """

    name: bytes
    value: bytes
    remote: bool = False


def parse_short_attributes(data: bytes) -> Iterator[Attribute]:
    """Attributes that fit into the inode.

    Raises:
        EvidenceError: the structure ends early.
    """
    at = 4
    for _ in range(data[2]):
        if at + 3 > len(data):
            raise EvidenceError("XFS attributes in an inode end early")
        name_size, value_size, flags = data[at : at + 3]
        middle = at + 3 + name_size
        at = middle + value_size
        if at > len(data):
            raise EvidenceError("XFS attributes in an inode end early")
        if not flags & (_PARENT | _INCOMPLETE):
            yield Attribute(_space(flags) + data[middle - name_size : middle], data[middle:at])


def step_down(v5: bool, block: bytes) -> tuple[int | None, int]:
    """Where an attribute block leads: ``(first child, 0)`` for a node, ``(None, next leaf or 0)`` for a leaf.

    Raises:
        EvidenceError: it is neither.
    """
    following, _, magic = struct.unpack_from(">IIH", block)
    if magic == _LEAF_MAGIC[v5]:
        return None, following
    if magic == _NODE_MAGIC[v5]:
        return struct.unpack_from(">I", block, (64 if v5 else 16) + 4)[0], 0
    raise EvidenceError("XFS attribute block has no signature")


def parse_leaf(v5: bool, block: bytes) -> Iterator[tuple[Attribute, int, int | None]]:
    """Attributes of a leaf block; where the value has blocks of its own also the first of them and its size.

    Raises:
        EvidenceError: the structure breaks off.
    """
    (count,) = struct.unpack_from(">H", block, 56 if v5 else 12)
    first = 80 if v5 else 32
    if first + count * 8 > len(block):
        raise EvidenceError("XFS attribute leaf is damaged")
    for number in range(count):
        at, flags = struct.unpack_from(">HB", block, first + number * 8 + 4)
        if flags & (_PARENT | _INCOMPLETE):
            continue
        if at + (3 if flags & _LOCAL else 9) > len(block):
            raise EvidenceError("XFS attribute leaf is damaged")
        if flags & _LOCAL:
            value_size, name_size = struct.unpack_from(">HB", block, at)
            middle = at + 3 + name_size
            name, value = block[at + 3 : middle], block[middle : middle + value_size]
            if len(value) < value_size:
                raise EvidenceError("XFS attribute leaf is damaged")
            yield Attribute(_space(flags) + name, value), 0, None
        else:
            value_block, value_size, name_size = struct.unpack_from(">IIB", block, at)
            yield Attribute(_space(flags) + block[at + 9 : at + 9 + name_size], b""), value_block, value_size


def remote_payload(v5: bool, block: bytes, magic: bytes) -> bytes:
    """The share of a link target or attribute value in one block.

    Raises:
        EvidenceError: version 5 wants the header ``magic`` and it is not there.
    """
    if not v5:
        return block
    found, _offset, size = struct.unpack_from(">4sII", block)
    if found != magic:
        raise EvidenceError(f"XFS block has no {magic.decode()} signature")
    return block[_REMOTE_HEADER : _REMOTE_HEADER + size]


def _space(flags: int) -> bytes:
    if flags & _ROOT:
        return b"trusted."
    return b"security." if flags & _SECURE else b"user."
