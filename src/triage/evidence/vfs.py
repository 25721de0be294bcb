"""File systems that The Sleuth Kit lacks: XFS is read here (APFS: `triage.evidence.apfs`), others are named at least.

What is neither read nor named here is for `triage.evidence.unrecognised` to describe.
"""

import struct
from typing import Final

from triage.evidence.entry import FileSystem, OpenOptions
from triage.evidence.source import ByteSource
from triage.evidence.xfs import open_xfs
from triage.locator import Locator

# Signatures as in the superblock probes of util-linux (libblkid/src/superblocks) and the on-disk headers of Linux.
_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0x10040, b"_BHRfS_M", "btrfs"),
    (0x400, b"\x10\x20\xf5\xf2", "F2FS"),
    (0x400, b"\xe2\xe1\xf5\xe0", "EROFS"),
    (3, b"ReFS\0\0\0\0", "ReFS"),
    (0, b"hsqs", "SquashFS"),
    (0, b"sqsh", "SquashFS"),
    (0x1018, bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef"), "bcachefs"),
    (0x1018, bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81"), "bcache or bcachefs"),
    (0x8000, b"JFS1", "JFS"),
    (0x10034, b"ReIsEr", "ReiserFS"),
    (0x2034, b"ReIsEr", "ReiserFS"),
    (0x10000, b"ReIsEr4", "Reiser4"),
    (0x10000, b"\x01\x16\x19\x70", "GFS2"),
    (0x100000, b"\x0d\xd0\x01\xc0", "VMFS volume member"),
    (0x200000, b"\x5e\xf1\xab\x2f", "VMFS"),
    (0x2000, b"\x49\xe8\x95\xf9", "HPFS"),
    (0, b"\x45\x3d\xcd\x28", "cramfs"),
    (0, b"-rom1fs-", "romfs"),
    (0, b"UBI#", "UBI"),
    (0, b"\x31\x18\x10\x06", "UBIFS"),
)
_PAGES: Final = (4 << 10, 8 << 10, 16 << 10, 64 << 10)
_UBERBLOCK: Final = 0x00BAB10C
_MINIX: Final = (0x137F, 0x138F, 0x2468, 0x2478)


def detect(source: ByteSource, locator: Locator, options: OpenOptions) -> tuple[FileSystem, ...]:  # noqa: ARG001
    """The XFS file system at the start of ``source``, if there is one."""
    found = open_xfs(source, locator)
    return () if found is None else (found,)


def unsupported(source: ByteSource) -> str | None:
    """Name of the file system that ``source`` holds by its signature and that nothing here reads, `None` if unknown.

    ``Linux swap`` is among them although it holds no files.

    Raises:
        UnreadableBytes: the places of the signatures cannot be read.
    """
    for offset, magic, name in _SIGNATURES:
        if source.read_at(offset, len(magic)) == magic:
            return name
    return next((name for probe, name in _PROBES if probe(source)), None)


def _swap(source: ByteSource) -> bool:
    return any(source.read_at(page - 10, 10) in (b"SWAPSPACE2", b"SWAP-SPACE") for page in _PAGES)


def _nilfs(source: ByteSource) -> bool:
    """A two-byte signature needs company: revision 2, and a superblock of a few hundred bytes."""
    head = source.read_at(0x400, 10)
    if len(head) < 10:
        return False
    revision, _, magic, size = struct.unpack("<IHHH", head)
    return bool(magic == 0x3434 and revision == 2 and 200 <= size <= 1024)


def _hfs(source: ByteSource) -> bool:
    """Classic HFS, unless it only wraps an HFS+ volume, which TSK reads."""
    head = source.read_at(0x400, 126)
    return head[:2] == b"BD" and head[124:126] not in (b"H+", b"HX")


def _zfs(source: ByteSource) -> bool:
    """Uberblocks stand every KiB (or wider) in the second half of the first label, in the byte order of the machine."""
    ring = source.read_at(128 << 10, 128 << 10)
    magics = (_UBERBLOCK.to_bytes(8, "little"), _UBERBLOCK.to_bytes(8, "big"))
    return any(ring[at : at + 8] in magics for at in range(0, len(ring), 1024))


def _udf(source: ByteSource) -> bool:
    """UDF without an ISO 9660 bridge: its descriptor stands among the first of the volume recognition sequence."""
    heads = [source.read_at(0x8000 + number * 2048 + 1, 5) for number in range(16)]
    return b"CD001" not in heads and any(head in (b"NSR02", b"NSR03") for head in heads)


def _minix(source: ByteSource) -> bool:
    """A two-byte signature needs company: both maps exist and zones are as large as blocks."""
    head = source.read_at(0x400, 32)
    if len(head) < 32:
        return False
    inode_map, zone_map, first, zone_log = struct.unpack_from("<HHHH", head, 4)
    magic, state = struct.unpack_from("<HH", head, 16)
    if magic in _MINIX:
        return bool(inode_map and zone_map and first) and zone_log == 0 and state <= 3
    inode_map, zone_map, first, zone_log = struct.unpack_from("<HHHH", head, 6)
    magic, _, block = struct.unpack_from("<HHH", head, 24)
    return magic == 0x4D5A and bool(inode_map and zone_map and first) and zone_log == 0 and block in (1024, 2048, 4096)


_PROBES: Final = (
    (_swap, "Linux swap"),
    (_nilfs, "NILFS2"),
    (_hfs, "HFS (classic)"),
    (_zfs, "ZFS"),
    (_udf, "UDF"),
    (_minix, "Minix"),
)
