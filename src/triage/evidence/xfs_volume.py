"""Reads what XFS structures point to: inodes, extents, directories, link targets and extended attributes."""

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.entry import HOLE, Extent
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.evidence.xfs_attributes import Attribute, parse_leaf, parse_short_attributes, remote_payload, step_down
from triage.evidence.xfs_format import (
    BTREE,
    DIRECTORY_LIMIT,
    EXTENTS,
    LOCAL,
    NO_INODE,
    Geometry,
    Inode,
    Name,
    Run,
    parse_directory_block,
    parse_inode,
    parse_node,
    parse_root,
    parse_runs,
    parse_short_directory,
)

_LINK_LIMIT: Final = 1024  # XFS_SYMLINK_MAXLEN
_VALUE_LIMIT: Final = 64 << 10  # XFS_XATTR_SIZE_MAX
_RUN_LIMIT: Final = 4_000_000
_LEAF_LIMIT: Final = 65_536


class BudgetError(EvidenceError):
    """The metadata would be read for ever."""


class XfsVolume:
    """One XFS volume. Metadata reads share a budget, so that structures which point to each other cannot run forever.

    ``budget`` is in bytes; no sound volume needs more than a few times its own size for one walk.
    """

    def __init__(self, source: ByteSource, geometry: Geometry, budget: int) -> None:
        self.source = source
        self.geometry = geometry
        self._budget = budget

    @property
    def spent(self) -> bool:
        """Whether the budget is used up, so that every further read fails."""
        return self._budget < 0

    def inode(self, number: int) -> Inode:
        """The inode ``number``.

        Raises:
            EvidenceError: it lies nowhere, cannot be read, or is damaged.
        """
        offset = self.geometry.inode_offset(number)
        return parse_inode(self.geometry, number, self._read(offset, self.geometry.inode_size))

    def runs(self, form: int, fork: bytes, count: int) -> list[Run]:
        """The extent records of a fork in file order; none where the fork holds its bytes itself.

        Raises:
            EvidenceError: the extents cannot be read, overlap, or do not end.
        """
        if form == EXTENTS:
            runs = list(parse_runs(fork, count))
        elif form == BTREE:
            runs = list(self._tree(fork))
        else:
            return []
        if any(after.file < before.file + before.blocks for before, after in pairwise(runs)):
            raise EvidenceError("XFS extents overlap or are out of order")
        return runs

    def extents(self, inode: Inode) -> tuple[Extent, ...]:
        """Where the content of a regular file lies; covers its size exactly, holes and unwritten blocks as `HOLE`.

        Raises:
            EvidenceError: that cannot be told, or the content lies on a separate real-time device.
        """
        if inode.realtime:
            raise EvidenceError(f"XFS inode {inode.number}: the content lies on a real-time device that is not at hand")
        if inode.format not in (EXTENTS, BTREE):
            raise EvidenceError(f"XFS inode {inode.number}: a file cannot have data format {inode.format}")
        return self._layout(self.runs(inode.format, inode.fork, inode.extents), inode.size)

    def names(self, inode: Inode) -> Iterator[Name | EvidenceError]:
        """Entries of a directory without ``.`` and ``..``; an error stands for each block that cannot be read."""
        if inode.format == LOCAL:
            yield from _until_error(parse_short_directory(self.geometry, inode.fork[: inode.size]))
            return
        try:
            runs = self.runs(inode.format, inode.fork, inode.extents)
        except EvidenceError as error:
            yield error
            return
        for block in self._directory_blocks(runs, min(inode.size, DIRECTORY_LIMIT)):
            if isinstance(block, EvidenceError):
                yield block
            else:
                yield from _until_error(parse_directory_block(self.geometry, block))

    def _directory_blocks(self, runs: list[Run], size: int) -> Iterator[bytes | EvidenceError]:
        """Whole directory blocks up to ``size``; a directory block is one or more neighbouring file-system blocks."""
        unit = self.geometry.block_size
        share = self.geometry.directory_block // unit
        parts: list[bytes] = []
        for number, disk in ((run.file + i, run.disk + i) for run in runs for i in range(run.blocks)):
            if number * unit >= size:
                return
            parts = parts if number % share else []
            try:
                parts.append(self._block(disk))
            except BudgetError as error:
                yield error
                return
            except EvidenceError as error:
                yield error
            if len(parts) == share:
                yield b"".join(parts)

    def link_target(self, inode: Inode) -> bytes:
        """What a symbolic link says.

        Raises:
            EvidenceError: it cannot be read.
        """
        if inode.size > _LINK_LIMIT:
            raise EvidenceError(f"XFS inode {inode.number}: a link target of {inode.size} bytes is impossible")
        if inode.format == LOCAL:
            return inode.fork[: inode.size]
        parts: list[bytes] = []
        left = inode.size
        for run in self.runs(inode.format, inode.fork, inode.extents):
            # In version 5 each run has one header, unlike the values of attributes, where each block has one.
            count = min(run.blocks, _LINK_LIMIT // self.geometry.block_size + 2)
            stored = b"".join(self._block(run.disk + number) for number in range(count))
            parts.append(remote_payload(self.geometry.v5, stored, b"XSLM")[:left])
            left -= len(parts[-1])
        if left:
            raise EvidenceError(f"XFS inode {inode.number}: the link target ends early")
        return b"".join(parts)

    def attributes(self, inode: Inode) -> Iterator[Attribute]:
        """Extended attributes with their values.

        Raises:
            EvidenceError: they cannot be read.
        """
        if not inode.attributes:
            return
        if inode.attribute_format == LOCAL:
            yield from parse_short_attributes(inode.attributes)
            return
        runs = self.runs(inode.attribute_format, inode.attributes, inode.attribute_extents)
        if not runs:  # room was made for attributes and none is left, or none came
            return
        for block in self._attribute_leaves(runs):
            for attribute, at, size in parse_leaf(self.geometry.v5, block):
                if size is None:
                    yield attribute
                elif size > _VALUE_LIMIT:
                    raise EvidenceError(f"XFS attribute value of {size} bytes is impossible")
                else:
                    yield attribute._replace(value=self._value(runs, at, size), remote=True)

    def unlinked(self) -> Iterator[int | EvidenceError]:
        """Numbers of inodes that were deleted while open, as each allocation group lists them for its recovery."""
        shift = self.geometry.ag_log + self.geometry.inode_log
        for group in range(self.geometry.ag_count):
            at = self.geometry.unlinked_lists(group)
            if at >= self.source.size:
                return
            try:
                for head in struct.unpack(">64I", self._read(at, 256)):
                    yield from self._chain(group << shift, head)
            except EvidenceError as error:
                yield error

    def _chain(self, base: int, head: int) -> Iterator[int]:
        seen = set[int]()
        while head != NO_INODE:
            if head in seen:
                raise EvidenceError("XFS list of unlinked inodes leads back to itself")
            seen.add(head)
            yield base | head
            head = self.inode(base | head).next_unlinked

    def _attribute_leaves(self, runs: list[Run]) -> Iterator[bytes]:
        number, seen = 0, set[int]()
        while True:
            if number in seen or len(seen) > _LEAF_LIMIT:
                raise EvidenceError("XFS attribute blocks lead back to themselves")
            seen.add(number)
            block = self._file_block(runs, number)
            child, following = step_down(self.geometry.v5, block)
            if child is None:
                yield block
            number = following if child is None else child
            if not number:
                return

    def _value(self, runs: list[Run], first: int, size: int) -> bytes:
        """``size`` bytes stored from file block ``first`` on; in version 5 each block has a header before its share."""
        parts: list[bytes] = []
        while size > 0:
            part = remote_payload(self.geometry.v5, self._file_block(runs, first), b"XARM")[:size]
            if not part:
                raise EvidenceError("XFS block of an attribute value is empty")
            parts.append(part)
            size, first = size - len(part), first + 1
        return b"".join(parts)

    def _file_block(self, runs: list[Run], number: int) -> bytes:
        for run in runs:
            if run.file <= number < run.file + run.blocks:
                return self._block(run.disk + number - run.file)
        raise EvidenceError(f"XFS fork has no block {number}")

    def _tree(self, fork: bytes) -> Iterator[Run]:
        root = parse_root(fork)
        stack = [(root.level - 1, child) for child in reversed(root.children)]
        seen, found = set[int](), 0
        while stack:
            level, block = stack.pop()
            node = parse_node(self.geometry, self._block(block))
            if node.level != level or block in seen:
                raise EvidenceError("XFS extent tree leads back to itself")
            seen.add(block)
            found += len(node.runs)
            if found > _RUN_LIMIT:
                raise EvidenceError(f"XFS file has more than {_RUN_LIMIT} extents")
            yield from node.runs
            stack.extend((level - 1, child) for child in reversed(node.children))

    def _layout(self, runs: list[Run], size: int) -> tuple[Extent, ...]:
        unit = self.geometry.block_size
        extents: list[Extent] = []
        at = 0
        for run in runs:
            start, length = run.file * unit, run.blocks * unit
            if start >= size:
                break
            if start > at:
                _append(extents, HOLE, start - at)
            length = min(length, size - start)
            offset = self.geometry.block_offset(run.disk)
            self.geometry.block_offset(run.disk + run.blocks - 1)  # the end must lie inside too
            _append(extents, HOLE if run.unwritten else offset, length)
            at = start + length
        if at < size:
            _append(extents, HOLE, size - at)
        return tuple(extents)

    def _block(self, number: int) -> bytes:
        return self._read(self.geometry.block_offset(number), self.geometry.block_size)

    def _read(self, offset: int, length: int) -> bytes:
        self._spend(length)
        data = self.source.read_at(offset, length)
        if len(data) < length:
            raise UnreadableBytes(f"the source ends before byte {offset + length}", offset, length)
        return data

    def _spend(self, length: int) -> None:
        self._budget -= length
        if self._budget < 0:
            raise BudgetError("XFS structures ask for more reads than a sound volume needs")


def _append(extents: list[Extent], offset: int, length: int) -> None:
    """Add a run, joined to the last one where it goes on from there."""
    if extents:
        last = extents[-1]
        both_holes = offset == HOLE and last.offset == HOLE
        if both_holes or (HOLE not in (offset, last.offset) and last.offset + last.length == offset):
            extents[-1] = Extent(last.offset, last.length + length)
            return
    extents.append(Extent(offset, length))


def _until_error(names: Iterator[Name]) -> Iterator[Name | EvidenceError]:
    try:
        yield from names
    except EvidenceError as error:
        yield error
