"""Which inodes of an ext2, ext3 or ext4 volume hold anything, read from the inode tables without TSK.

TSK builds the whole list of blocks of every inode that is opened, in time that grows with the square of its pieces; garbage
where an inode should be can so take minutes. Layout: Linux ``Documentation/filesystems/ext4``.
"""

import struct
from dataclasses import dataclass

from triage.evidence.source import ByteSource, UnreadableBytes

_INCOMPAT_META_BG = 0x10
_INCOMPAT_64BIT = 0x80
_KINDS = frozenset({1, 2, 4, 6, 8, 10, 12})
"""Upper four bits of the mode: FIFO, character device, directory, block device, file, link, socket."""


@dataclass(frozen=True, slots=True)
class InodeTables:
    """Where the inode tables of a volume are."""

    source: ByteSource
    block: int
    inode: int
    per_group: int
    descriptors: int
    descriptor: int

    def has_type(self, number: int) -> bool:
        """Whether the mode of inode ``number`` names a type of file; false where it cannot be read."""
        group, index = divmod(number - 1, self.per_group)
        try:
            entry = self.source.read_at(self.descriptors + group * self.descriptor, self.descriptor)
            if len(entry) < self.descriptor:
                return False
            table: int = struct.unpack_from("<I", entry, 8)[0]
            if self.descriptor >= 64:
                table |= struct.unpack_from("<I", entry, 40)[0] << 32
            mode = self.source.read_at(table * self.block + index * self.inode, 2)
        except UnreadableBytes:
            return False
        return len(mode) == 2 and mode[1] >> 4 in _KINDS


def locate(source: ByteSource) -> InodeTables | None:
    """Read the superblock of ``source``; `None` if it makes no sense or the descriptors lie in another way."""
    try:
        superblock = source.read_at(1024, 1024)
    except UnreadableBytes:
        return None
    if len(superblock) < 1024 or superblock[56:58] != b"\x53\xef":
        return None
    first, log_block = struct.unpack_from("<II", superblock, 20)
    per_group, revision = struct.unpack_from("<I", superblock, 40)[0], struct.unpack_from("<I", superblock, 76)[0]
    incompat = struct.unpack_from("<I", superblock, 96)[0] if revision else 0
    inode = struct.unpack_from("<H", superblock, 88)[0] if revision else 128
    descriptor = struct.unpack_from("<H", superblock, 254)[0] if incompat & _INCOMPAT_64BIT else 32
    if log_block > 6 or not per_group or inode < 128 or descriptor < 32 or incompat & _INCOMPAT_META_BG:
        return None
    block = 1024 << log_block
    return InodeTables(source, block, inode, per_group, (first + 1) * block, descriptor)
