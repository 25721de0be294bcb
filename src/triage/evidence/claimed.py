"""How large a file system says that it is, read from its own superblock or boot sector.

References: Linux ``fs/ext4/ext4.h`` and ``fs/xfs/libxfs/xfs_format.h``; Microsoft "FAT: General Overview of On-Disk
Format" 1.03 and "exFAT file system specification"; Apple TN1150 (HFS+).
"""

import struct
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.entry import FileSystem

_EXT_64BIT: Final = 0x80
_MAX_SHIFT: Final = 25


def claimed_size(system: FileSystem) -> int:
    """Size in bytes by the file system's own account; 0 for a type that nothing is known of, or without a source."""
    if system.source is None:
        return 0
    try:
        head = system.source.read_at(0, 2048)
    except EvidenceError:
        return 0
    if len(head) < 2048:
        return 0
    if system.type.startswith("ext") and system.type != "exfat":
        return _ext(head)
    if system.type.startswith("fat") or system.type == "ntfs":
        return _boot_sector(head, system.type)
    readers = {"exfat": _exfat, "xfs": _xfs, "hfs+": _hfs}
    return readers[system.type](head) if system.type in readers else 0


def _ext(head: bytes) -> int:
    (low,) = struct.unpack_from("<I", head, 1024 + 4)
    (shift,) = struct.unpack_from("<I", head, 1024 + 24)
    (features,) = struct.unpack_from("<I", head, 1024 + 96)
    (high,) = struct.unpack_from("<I", head, 1024 + 336)
    blocks = low + (high << 32 if features & _EXT_64BIT else 0)
    return int(blocks * (1024 << shift)) if shift <= 6 else 0


def _boot_sector(head: bytes, kind: str) -> int:
    (sector,) = struct.unpack_from("<H", head, 11)
    if kind == "ntfs":
        (sectors,) = struct.unpack_from("<Q", head, 40)
        return int(sectors * sector)
    (small,) = struct.unpack_from("<H", head, 19)
    (large,) = struct.unpack_from("<I", head, 32)
    return int((small or large) * sector)


def _exfat(head: bytes) -> int:
    (sectors,) = struct.unpack_from("<Q", head, 72)
    return int(sectors << head[108]) if head[108] <= _MAX_SHIFT else 0


def _xfs(head: bytes) -> int:
    block, blocks = struct.unpack_from(">IQ", head, 4)
    return int(block * blocks)


def _hfs(head: bytes) -> int:
    block, blocks = struct.unpack_from(">II", head, 1024 + 40)
    return int(block * blocks) if head[1024:1026] in (b"H+", b"HX") else 0
