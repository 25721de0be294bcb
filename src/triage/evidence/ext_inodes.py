"""What must be known of ext2, ext3 and ext4 without TSK, and the view of such a volume that TSK can read.

TSK, as pytsk3 uses it, makes the list of blocks of every file that a directory names, in time that grows with the
square of its pieces, and goes through the whole tree of block pointers once a file needs it: one file of more than
4 GiB on ext3 keeps it busy for hours. So TSK is shown a smaller size of such files (not of files with extents, which it
reads well), and their size and blocks are read here.

Layout: Linux ``Documentation/filesystems/ext4`` and ``fs/ext2/ext2.h``.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from triage.evidence.entry import HOLE, Extent
from triage.evidence.source import ByteSource, UnreadableBytes

_INCOMPAT_META_BG: Final = 0x10
_INCOMPAT_64BIT: Final = 0x80
_EXTENTS_OR_INLINE: Final = 0x80000 | 0x10000000
_DIRECTORY: Final = 4
_REGULAR: Final = 8
_TYPES: Final = frozenset({1, 2, _DIRECTORY, 6, _REGULAR, 10, 12})
"""Upper four bits of the mode: FIFO, character device, directory, block device, file, link, socket."""
_DIRECT: Final = 12
_SUPERBLOCK: Final = 1024
_SUPERBLOCK_END: Final = 2048
_INODE_SIZE_FIELD: Final = _SUPERBLOCK + 88
_GOOD_OLD_INODE_SIZE: Final = b"\x80\0"
_POINTERS: Final = struct.Struct("<15I")


@dataclass(frozen=True, slots=True)
class InodeTables:
    """Geometry of a volume. ``starts`` are the byte offsets of the inode tables by group, sizes are in bytes."""

    source: ByteSource
    block: int
    blocks: int
    inode: int
    per_group: int
    starts: tuple[int, ...]
    revision: int

    @property
    def shown(self) -> int:
        """The largest size of a file with block pointers that TSK is shown: what one indirect block can hold."""
        return (_DIRECT + self.block // 4) * self.block

    @property
    def shown_directory(self) -> int:
        """The same for a directory, whose names TSK must find: two levels of indirect blocks."""
        return (_DIRECT + self.block // 4 + (self.block // 4) ** 2) * self.block

    def limit(self, mode: int) -> int:
        """The largest size that TSK is shown of an inode with ``mode``."""
        return self.shown_directory if mode >> 12 == _DIRECTORY else self.shown

    def raw(self, number: int) -> bytes:
        """The bytes of inode ``number``; empty if there are none."""
        group, index = divmod(number - 1, self.per_group)
        if not 0 <= group < len(self.starts):
            return b""
        try:
            data = self.source.read_at(self.starts[group] + index * self.inode, self.inode)
        except UnreadableBytes:
            return b""
        return data if len(data) == self.inode else b""

    def has_type(self, number: int) -> bool:
        """Whether the mode of inode ``number`` names a type of file."""
        raw = self.raw(number)
        return bool(raw) and raw[1] >> 4 in _TYPES

    def hidden(self, number: int) -> tuple[int, tuple[Extent, ...] | None] | None:
        """Size and extents of inode ``number`` if TSK is shown less of it, else `None`.

        The extents are `None` if its block pointers leave the volume or name more blocks than it has.
        """
        raw = self.raw(number)
        if not raw:
            return None
        mode, low, flags, high = _fields(128).unpack_from(raw)
        size = low | high << 32 if mode >> 12 == _REGULAR else low
        if flags & _EXTENTS_OR_INLINE or size <= self.limit(mode):
            return None
        return size, _BlockMap(self, size).extents(_POINTERS.unpack_from(raw, 40))


def _fields(size: int) -> struct.Struct:
    """Mode, low size, flags and high size of an inode of ``size`` bytes."""
    return struct.Struct(f"<H2xI24xI72xI{size - 112}x")


def locate(source: ByteSource) -> InodeTables | None:
    """Read superblock and group descriptors; `None` if they make no sense or the descriptors are spread (meta_bg)."""
    try:
        superblock = source.read_at(_SUPERBLOCK, _SUPERBLOCK_END - _SUPERBLOCK)
    except UnreadableBytes:
        return None
    if len(superblock) < 1024 or superblock[56:58] != b"\x53\xef":
        return None
    blocks, _, _, _, first, log_block, _, per_block_group, _, per_group = struct.unpack_from("<10I", superblock, 4)
    revision = struct.unpack_from("<I", superblock, 76)[0]
    incompat = struct.unpack_from("<I", superblock, 96)[0] if revision else 0
    inode = struct.unpack_from("<H", superblock, 88)[0] if revision else 128
    size = struct.unpack_from("<H", superblock, 254)[0] if incompat & _INCOMPAT_64BIT else 32
    if incompat & _INCOMPAT_64BIT:
        blocks |= struct.unpack_from("<I", superblock, 0x150)[0] << 32
    if (
        log_block > 6
        or not per_group
        or not per_block_group
        or inode < 128
        or size < 32
        or incompat & _INCOMPAT_META_BG
    ):
        return None
    block = 1024 << log_block
    groups = -(-(min(blocks, -(-source.size // block)) - first) // per_block_group)
    try:
        descriptors = source.read_at((first + 1) * block, max(0, groups) * size)
    except UnreadableBytes:
        return None
    return InodeTables(source, block, blocks, inode, per_group, tuple(_starts(descriptors, size, block)), revision)


def _starts(descriptors: bytes, size: int, block: int) -> Iterator[int]:
    for at in range(0, len(descriptors) - size + 1, size):
        table: int = struct.unpack_from("<I", descriptors, at + 8)[0]
        if size >= 64:
            table |= struct.unpack_from("<I", descriptors, at + 40)[0] << 32
        yield table * block


class TskView(ByteSource):
    """A volume as TSK is shown it. Only the fields of inodes that this module describes differ.

    In revision 0 of ext2 the superblock has no inode size: it is 128, and the field holds whatever was there, mostly 0.
    TSK takes the field and then finds no file at all, so it is shown 128.
    """

    def __init__(self, tables: InodeTables) -> None:
        self._source = tables.source
        self._tables = tables
        self._starts = sorted(set(tables.starts))
        self._length = tables.per_group * tables.inode
        self._fields = _fields(tables.inode)
        self.size = tables.source.size

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        data = self._source.read_at(offset, length)
        end = offset + len(data)
        changes = []
        if not self._tables.revision and offset < _INODE_SIZE_FIELD + 2 and end > _INODE_SIZE_FIELD:
            changes.append((_INODE_SIZE_FIELD, _GOOD_OLD_INODE_SIZE))
        index = bisect_right(self._starts, offset - self._length)
        while index < len(self._starts) and self._starts[index] < end:
            changes += self._smaller(self._starts[index], offset, end)
            index += 1
        if not changes:
            return data
        seen = bytearray(data)
        for at, field in changes:
            begin, stop = max(at, offset), min(at + len(field), end)
            if begin < stop:
                seen[begin - offset : stop - offset] = field[begin - at : stop - at]
        return bytes(seen)

    def _smaller(self, start: int, offset: int, end: int) -> Iterator[tuple[int, bytes]]:
        """What to change in the inodes of the table at ``start`` that lie in ``[offset, end)``: place, bytes."""
        inode = self._tables.inode
        first = max(0, offset - start) // inode
        last = -(-min(end - start, self._length) // inode)
        raw = self._source.read_at(start + first * inode, (last - first) * inode)
        raw = raw[: len(raw) - len(raw) % inode]
        shown = self._tables.shown
        for index, (mode, low, flags, high) in enumerate(self._fields.iter_unpack(raw), first):
            if (low <= shown and not high) or flags & _EXTENTS_OR_INLINE:
                continue
            limit = self._tables.limit(mode)
            if (low | high << 32 if mode >> 12 == _REGULAR else low) > limit:
                at = start + index * inode
                if at < _SUPERBLOCK_END:
                    continue
                yield at + 4, limit.to_bytes(4, "little") if limit < 1 << 32 else b"\xff" * 4
                yield at + 108, bytes(4)


class _BlockMap:
    """Reads the tree of block pointers of one inode."""

    def __init__(self, tables: InodeTables, size: int) -> None:
        self._tables = tables
        self._size = size
        self._left = -(-size // tables.block)
        self._stored = 0
        self._extents: list[Extent] = []

    def extents(self, pointers: tuple[int, ...]) -> tuple[Extent, ...] | None:
        """The extents by the fifteen pointers of the inode; `None` if they cannot be right."""
        whole = self._add(pointers[:_DIRECT]) and all(
            self._tree(pointers[_DIRECT + level - 1], level) for level in (1, 2, 3)
        )
        if not whole or self._left or not self._extents:
            return None
        excess = sum(extent.length for extent in self._extents) - self._size
        last = self._extents[-1]
        self._extents[-1] = Extent(last.offset, last.length - excess)
        return tuple(self._extents)

    def _tree(self, pointer: int, level: int) -> bool:
        if not self._left:
            return True
        block = self._tables.block
        if not pointer:
            self._append(HOLE, min(self._left, (block // 4) ** level))
            return True
        # A tree that leads back into itself would name more blocks than the volume has.
        self._stored += 1
        if pointer >= self._tables.blocks or self._stored > self._tables.blocks:
            return False
        try:
            data = self._tables.source.read_at(pointer * block, block)
        except UnreadableBytes:
            return False
        if len(data) < block:
            return False
        pointers = struct.unpack(f"<{block // 4}I", data)
        if level == 1:
            return self._add(pointers)
        return all(self._tree(below, level - 1) for below in pointers)

    def _add(self, pointers: tuple[int, ...]) -> bool:
        pointers = pointers[: self._left]
        if not pointers:
            return True
        first, count = pointers[0], len(pointers)
        if first and pointers == tuple(range(first, first + count)):
            return self._run(first, count)
        return all(self._run(pointer, 1) for pointer in pointers)

    def _run(self, first: int, count: int) -> bool:
        if not first:
            self._append(HOLE, count)
            return True
        self._stored += count
        if first + count > self._tables.blocks or self._stored > self._tables.blocks:
            return False
        self._append(first * self._tables.block, count)
        return True

    def _append(self, at: int, count: int) -> None:
        self._left -= count
        append(self._extents, at, count * self._tables.block)


def append(extents: list[Extent], at: int, length: int) -> None:
    """Add a run to ``extents``, as part of the last one where it goes on."""
    if extents:
        last, before = extents[-1]
        if (last == HOLE == at) or (HOLE not in (last, at) and last + before == at):
            extents[-1] = Extent(last, before + length)
            return
    extents.append(Extent(at, length))
