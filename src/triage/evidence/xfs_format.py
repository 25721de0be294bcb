"""The structures of XFS, decoded: superblock, inode, extents, directory blocks. Nothing here reads a disk.

Every number is big-endian. Source of the format facts: "XFS Algorithms & Data Structures", 3rd edition
(https://www.kernel.org/pub/linux/utils/fs/xfs/docs/xfs_filesystem_structure.pdf), and for the features that came after
it (bigtime, large extent counts) the on-disk header ``fs/xfs/libxfs/xfs_format.h`` of Linux.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from triage.errors import EvidenceError
from triage.evidence.entry import EntryTimes
from triage.evidence.modes import entry_type

SUPERBLOCK_SIZE: Final = 512
DEVICE, LOCAL, EXTENTS, BTREE = range(4)  # di_format
DIRECTORY_LIMIT: Final = 1 << 35
"""Directory bytes from here on are indexes, not names (``XFS_DIR2_LEAF_OFFSET``)."""

_KNOWN_INCOMPAT: Final = 0xFF  # ftype, sparse inodes, meta uuid, bigtime, needs repair, nrext64, exchange range, parent
_REALTIME: Final = 1  # di_flags
_BIGTIME: Final = 1 << 3  # di_flags2
_LARGE_COUNTS: Final = 1 << 4  # di_flags2
_BIGTIME_EPOCH_NS: Final = (1 << 31) * 1_000_000_000
_FREE: Final = 0xFFFF
_UNLINKED_AT: Final = 40  # agi_unlinked
NO_INODE: Final = 0xFFFFFFFF
_CORE: Final = struct.Struct(">2sHBBHIII12xQQQQ12xIHBB6xH4xI")
_NAME_TYPES: Final = ("", "r", "d", "c", "b", "p", "h", "l", "w")  # XFS_DIR3_FT_*


class Run(NamedTuple):
    """One extent record: the file's blocks from ``file`` on are ``blocks`` file-system blocks from ``disk`` on."""

    file: int
    disk: int
    blocks: int
    unwritten: bool


class Name(NamedTuple):
    """One directory entry; ``type`` is an `EntryType` letter or empty where the directory does not hold it."""

    raw: bytes
    inode: int
    type: str


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the superblock says. Sizes in bytes; ``*_log`` are powers of two."""

    block_size: int
    blocks: int
    root: int
    ag_blocks: int
    ag_count: int
    inode_size: int
    inode_log: int
    ag_log: int
    sector_size: int
    directory_block: int
    v5: bool
    types_in_names: bool
    unknown_features: int
    label: str

    def inode_offset(self, number: int) -> int:
        """Byte offset of an inode.

        Raises:
            EvidenceError: there is no such place.
        """
        return self.block_offset(number >> self.inode_log) + (number & ((1 << self.inode_log) - 1)) * self.inode_size

    def block_offset(self, block: int) -> int:
        """Byte offset of a file-system block number (allocation group in the upper bits).

        Raises:
            EvidenceError: there is no such place.
        """
        group, within = block >> self.ag_log, block & ((1 << self.ag_log) - 1)
        linear = group * self.ag_blocks + within
        if group >= self.ag_count or within >= self.ag_blocks or linear >= self.blocks:
            raise EvidenceError(f"XFS block {block} lies outside the file system")
        return linear * self.block_size

    def unlinked_lists(self, group: int) -> int:
        """Byte offset of an allocation group's 64 lists of inodes that are open but have no name any more."""
        return group * self.ag_blocks * self.block_size + 2 * self.sector_size + _UNLINKED_AT


def parse_superblock(data: bytes) -> Geometry | None:
    """The geometry in the first 512 bytes of a volume, `None` if they are no XFS superblock that makes sense."""
    if len(data) < SUPERBLOCK_SIZE or data[:4] != b"XFSB":
        return None
    block_size, blocks = struct.unpack_from(">IQ", data, 4)
    (root,) = struct.unpack_from(">Q", data, 56)
    ag_blocks, ag_count = struct.unpack_from(">II", data, 84)
    version, sector_size, inode_size = struct.unpack_from(">HHH", data, 100)
    block_log, _, inode_log, per_block_log, ag_log = data[120:125]
    directory_log = data[192]
    (features,) = struct.unpack_from(">I", data, 200)
    (incompat,) = struct.unpack_from(">I", data, 216)
    v5 = version & 0xF == 5
    sound = (
        version & 0xF in (4, 5)
        and 9 <= block_log <= 16
        and block_size == 1 << block_log
        and 8 <= inode_log <= 11
        and inode_size == 1 << inode_log
        and per_block_log == block_log - inode_log
        and block_log + directory_log <= 16
        and 512 <= sector_size <= 32_768
        and 0 < ag_blocks <= 1 << min(ag_log, 31)
        and ag_blocks * (ag_count - 1) < blocks <= ag_blocks * ag_count
    )
    if not sound:
        return None
    return Geometry(
        block_size=block_size,
        blocks=blocks,
        root=root,
        ag_blocks=ag_blocks,
        ag_count=ag_count,
        inode_size=inode_size,
        inode_log=per_block_log,
        ag_log=ag_log,
        sector_size=sector_size,
        directory_block=block_size << directory_log,
        v5=v5,
        types_in_names=bool(incompat & 1) if v5 else bool(version & 0x8000 and features & 0x200),
        unknown_features=incompat & ~_KNOWN_INCOMPAT if v5 else 0,
        label=data[108:120].rstrip(b"\0").decode("utf-8", "backslashreplace"),
    )


@dataclass(frozen=True, slots=True)
class Inode:
    """One inode. ``fork`` and ``attributes`` are the raw bytes of the data fork and the attribute fork."""

    number: int
    mode: int
    type: str
    format: int
    uid: int
    gid: int
    links: int
    size: int
    extents: int
    times: EntryTimes
    realtime: bool
    next_unlinked: int
    fork: bytes
    attribute_format: int
    attribute_extents: int
    attributes: bytes


def parse_inode(geometry: Geometry, number: int, data: bytes) -> Inode:
    """Decode the inode ``number`` from its bytes.

    Raises:
        EvidenceError: it is none, or that of another number.
    """
    core = _CORE.unpack_from(data)
    magic, mode, version, form, old_links, uid, gid, links, atime, mtime, ctime, size, extents = core[:13]
    attribute_extents, fork_offset, attribute_format, flags, next_unlinked = core[13:]
    if magic != b"IN" or version not in (1, 2, 3):
        raise EvidenceError(f"XFS inode {number} has no inode signature")
    if size >= 1 << 63:
        raise EvidenceError(f"XFS inode {number} has a negative size")
    flags2, crtime, core_size = 0, 0, 100
    if version == 3:
        core_size = 176
        (flags2,) = struct.unpack_from(">Q", data, 120)
        crtime, own = struct.unpack_from(">QQ", data, 144)
        if own != number:
            raise EvidenceError(f"XFS inode {number} says that it is inode {own}")
    if flags2 & _LARGE_COUNTS:
        extents, attribute_extents = struct.unpack_from(">Q", data, 24)[0], struct.unpack_from(">I", data, 76)[0]
    limit = core_size + fork_offset * 8 if fork_offset else geometry.inode_size
    if limit > geometry.inode_size:
        raise EvidenceError(f"XFS inode {number} has its attribute fork outside itself")
    modified, accessed, changed, created = (_ns(t, bool(flags2 & _BIGTIME)) for t in (mtime, atime, ctime, crtime))
    return Inode(
        number=number,
        mode=mode,
        type=entry_type(mode),
        format=form,
        uid=uid,
        gid=gid,
        links=links if version > 1 else old_links,
        size=size,
        extents=extents,
        times=EntryTimes(modified, accessed, changed, created if version == 3 else None),
        realtime=bool(flags & _REALTIME),
        next_unlinked=next_unlinked,
        fork=data[core_size:limit],
        attribute_format=attribute_format,
        attribute_extents=attribute_extents,
        attributes=data[limit : geometry.inode_size] if fork_offset else b"",
    )


def _ns(stored: int, bigtime: bool) -> int | None:
    """Nanoseconds since 1970 of a stored time.

    The epoch itself is a slot that was never filled (mkfs leaves some so); what would not fit 64 bits is none either.
    """
    if bigtime:
        ns = stored - _BIGTIME_EPOCH_NS
        return None if ns == 0 or ns >= 1 << 63 else ns
    seconds, fraction = struct.unpack(">iI", stored.to_bytes(8, "big"))
    return int(seconds) * 1_000_000_000 + int(fraction) or None


def parse_runs(data: bytes, count: int) -> Iterator[Run]:
    """Decode ``count`` packed extent records of 16 bytes, as many as there are."""
    for high, low in struct.iter_unpack(">QQ", data[: min(count, len(data) // 16) * 16]):
        yield Run(high >> 9 & (1 << 54) - 1, (high & 0x1FF) << 43 | low >> 21, low & (1 << 21) - 1, bool(high >> 63))


class Node(NamedTuple):
    """One block of an extent B+tree: records if ``level`` is 0, else block numbers of the level below."""

    level: int
    runs: tuple[Run, ...]
    children: tuple[int, ...]


def parse_root(fork: bytes) -> Node:
    """The root of an extent B+tree as it stands in an inode."""
    level, count = struct.unpack_from(">HH", fork)
    room = (len(fork) - 4) // 16
    if count > room or level == 0:
        raise EvidenceError("XFS extent tree root is damaged")
    return Node(level, (), struct.unpack_from(f">{count}Q", fork, 4 + room * 8))


def parse_node(geometry: Geometry, data: bytes) -> Node:
    """A block of an extent B+tree.

    Raises:
        EvidenceError: it is none.
    """
    header = 72 if geometry.v5 else 24
    magic, level, count = struct.unpack_from(">4sHH", data)
    room = (len(data) - header) // 16
    if magic != (b"BMA3" if geometry.v5 else b"BMAP") or count > room:
        raise EvidenceError("XFS extent tree block is damaged")
    if level == 0:
        return Node(0, tuple(parse_runs(data[header:], count)), ())
    return Node(level, (), struct.unpack_from(f">{count}Q", data, header + room * 8))


def parse_short_directory(geometry: Geometry, fork: bytes) -> Iterator[Name]:
    """Names of a directory that fits into its inode.

    Raises:
        EvidenceError: the structure ends early.
    """
    if len(fork) < 6:
        raise EvidenceError("XFS directory in an inode ends early")
    width = 8 if fork[1] else 4
    at = 2 + width
    for _ in range(fork[1] or fork[0]):
        if at + 3 > len(fork):
            raise EvidenceError("XFS directory in an inode ends early")
        end = at + 3 + fork[at]
        raw = fork[at + 3 : end]
        letter = fork[end] if geometry.types_in_names and end < len(fork) else 0
        end += geometry.types_in_names
        inode = fork[end : end + width]
        if not raw or len(inode) < width:
            raise EvidenceError("XFS directory in an inode ends early")
        yield Name(raw, int.from_bytes(inode, "big"), _name_type(letter))
        at = end + width


def parse_directory_block(geometry: Geometry, data: bytes) -> Iterator[Name]:
    """Names in one directory block, without ``.`` and ``..``.

    Raises:
        EvidenceError: the structure breaks off; names before that have been yielded.
    """
    magic = data[:4]
    if magic not in (b"XDB3", b"XDD3") if geometry.v5 else magic not in (b"XD2B", b"XD2D"):
        raise EvidenceError("XFS directory block has no signature")
    at, end = (64 if geometry.v5 else 16), len(data)
    if magic in (b"XDB3", b"XD2B"):  # one block holds names, index and tail
        (leaves,) = struct.unpack_from(">I", data, end - 8)
        end -= 8 + leaves * 8
        if end < at:
            raise EvidenceError("XFS directory block is damaged")
    while at + 12 <= end:
        tag, length = struct.unpack_from(">HH", data, at)
        if tag == _FREE:
            if length < 8 or length % 8:
                raise EvidenceError("XFS directory block is damaged")
            at += length
            continue
        inode, size = struct.unpack_from(">QB", data, at)
        raw = data[at + 9 : at + 9 + size]
        letter = data[at + 9 + size] if geometry.types_in_names and at + 9 + size < end else 0
        at += (8 + 1 + size + geometry.types_in_names + 2 + 7) // 8 * 8
        if not raw or at > end:
            raise EvidenceError("XFS directory block is damaged")
        if raw not in (b".", b".."):
            yield Name(raw, inode, _name_type(letter))


def _name_type(letter: int) -> str:
    return _NAME_TYPES[letter] if letter < len(_NAME_TYPES) else ""
