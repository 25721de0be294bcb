"""Block devices: disks, partitions and card readers, opened read-only and read in whole sectors.

Sectors that the drive cannot deliver are told exactly, so that all others are examined. The size comes from the kernel,
which each system tells in its own way; Linux is the one that is known here.
"""

import os
import stat
import sys
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.container import Container, Doubt
from triage.evidence.filelike import BlockSource
from triage.evidence.files import OpenFile, bad_sectors, read_exactly
from triage.evidence.source import UnreadableBytes
from triage.notices import NoticeKind

_BLOCK: Final = 64 << 10
_LOGICAL_SECTOR: Final = 0x1268  # BLKSSZGET, linux/fs.h
_READ_ONLY: Final = 0x125E  # BLKROGET
_WINDOWS_PREFIXES: Final = ("\\\\.\\", "\\\\?\\")


def is_device(path: Path) -> bool:
    """Whether ``path`` names a block device (on macOS also the raw character device of a disk)."""
    if sys.platform == "win32":
        return str(path).startswith(_WINDOWS_PREFIXES)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISBLK(mode) or (sys.platform == "darwin" and stat.S_ISCHR(mode) and path.name.startswith("rdisk"))


class DeviceSource(BlockSource):
    """The bytes of an open device; ``sector`` is its logical sector size in bytes."""

    def __init__(self, path: Path, handle: OpenFile, size: int, sector: int) -> None:
        super().__init__(size, max(_BLOCK, sector), granule=sector)
        self.path = path
        self.sector = sector
        self._handle = handle

    def _load(self, offset: int, length: int) -> bytes:
        try:
            data = read_exactly(self._handle, offset, length)
        except OSError as problem:
            raise bad_sectors(self.path, self._handle, offset, length, problem, self.sector) from problem
        if len(data) < length:
            lost = offset + len(data)
            raise UnreadableBytes(f"{self.path}: ends at byte {lost} of {self.size}", lost, self.size - lost)
        return data

    def close(self) -> None:
        """See `ByteSource.close`."""
        self._handle.close()


def open_device(path: Path) -> Container:
    """Open a device as media. One that the kernel would let someone write to is remarked on.

    Raises:
        UnsupportedEvidence: not on Linux.
        EvidenceError: it cannot be opened (often: only root may read it), or holds no medium.
    """
    if sys.platform != "linux":
        raise UnsupportedEvidence(f"{path}: devices are read on Linux only; make an image of it first")
    handle = OpenFile(path)
    try:
        sector = _ask(handle, _LOGICAL_SECTOR)
        protected = bool(_ask(handle, _READ_ONLY))
        size = os.lseek(handle.descriptor, 0, os.SEEK_END)
    except OSError as problem:
        handle.close()
        raise EvidenceError(f"{path}: the kernel does not tell its size: {problem.strerror}") from problem
    if not size or not sector:
        handle.close()
        raise EvidenceError(f"{path}: the device holds no medium")
    doubts: list[Doubt] = []
    if not protected:
        message = (
            f"{path} is not write-protected; it is only read here, but a write blocker or blockdev --setro is safer"
        )
        doubts.append((NoticeKind.REMARK, message))
    facts = {"sector_size": str(sector), "write_protected": "yes" if protected else "no"}
    return Container("device", DeviceSource(path, handle, size, sector), (path,), facts=facts, notices=tuple(doubts))


def _ask(handle: OpenFile, request: int) -> int:
    """The 32-bit answer of a Linux block device to an ioctl."""
    if sys.platform == "linux":
        from fcntl import ioctl

        return int.from_bytes(ioctl(handle.descriptor, request, bytes(4))[:4], sys.byteorder)
    return 0
