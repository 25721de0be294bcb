"""Where TSK needs help to see what is there: fields that it trusts though the format says not to."""

import struct
from typing import Final

from triage.evidence.source import ByteSource, UnreadableBytes

_SUPERBLOCK: Final = 1024
_MAGIC: Final = 56
_REVISION: Final = 76
_INODE_SIZE: Final = 88


class _Overlay(ByteSource):
    """A source with a few bytes seen differently."""

    def __init__(self, source: ByteSource, offset: int, seen: bytes) -> None:
        self._source = source
        self._offset = offset
        self._seen = seen
        self.size = source.size

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        data = self._source.read_at(offset, length)
        begin, end = self._offset - offset, self._offset - offset + len(self._seen)
        if begin >= len(data) or end <= 0:
            return data
        seen = self._seen[max(0, -begin) : len(data) - begin]
        begin = max(0, begin)
        return data[:begin] + seen + data[begin + len(seen) :]


def as_tsk_needs(source: ByteSource) -> ByteSource:
    """``source`` as TSK should see it; for metadata only, content never goes through it elsewhere.

    In revision 0 of ext2 the superblock has no inode size: it is 128 and the field holds whatever was there, mostly 0
    (Linux ``ext2.h``, ``EXT2_GOOD_OLD_INODE_SIZE``). TSK takes the field and then finds no file at all.
    """
    try:
        superblock = source.read_at(_SUPERBLOCK, 128)
    except UnreadableBytes:
        return source
    if len(superblock) < 128 or superblock[_MAGIC : _MAGIC + 2] != b"\x53\xef":
        return source
    if struct.unpack_from("<I", superblock, _REVISION)[0] or superblock[_INODE_SIZE : _INODE_SIZE + 2] == b"\x80\0":
        return source
    return _Overlay(source, _SUPERBLOCK + _INODE_SIZE, b"\x80\0")
