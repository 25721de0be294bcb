"""What can still be said about a volume in which no structure was recognised."""

import math
from collections import Counter
from contextlib import suppress
from typing import Final

from triage.evidence import vfs
from triage.evidence.layout import ORIGIN
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice

_SAMPLE: Final = 4096
_SAMPLES: Final = 64
_SMALL: Final = 16 << 10
_HIGH_ENTROPY: Final = 7.9  # bits a byte over 256 KiB; compressed archives reach it too, hence "may be"

_MEMBERS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0x1000, b"\xfc\x4e\x2b\xa9", "a member of a Linux RAID (version 1.2)"),
    (0, b"\xfc\x4e\x2b\xa9", "a member of a Linux RAID (version 1.1)"),
    (0, b"SPACEDB ", "Windows storage spaces"),
    (0xC00, b"PRIVHEAD", "a Windows dynamic disk"),
    (0, b"PK\x03\x04", "a zip archive"),
)
"""What is neither a file system nor a volume system that is read here."""
_SWAP: Final = "Linux swap"


def look(source: ByteSource, locator: Locator, description: str = "") -> Notice:
    """The notice for a volume without a recognised structure: what is known about its bytes, by signature or by
    sample.

    A volume of zeros (in 64 samples) and one of up to 16 KiB is a `NoticeKind.REMARK`, Linux swap
    `NoticeKind.NOT_EXAMINED`, all else `NoticeKind.UNSUPPORTED`.
    """
    what = f"{description}: " if description else ""
    try:
        if boot := _boot_sector(source):
            text = f"{what}a boot sector of {boot}, but the file system behind it cannot be opened"
            return notice(NoticeKind.DAMAGED, locator, text, ORIGIN)
        signature = _signature(source)
        if signature == _SWAP:
            return notice(NoticeKind.NOT_EXAMINED, locator, f"{what}swap space, no file system", ORIGIN)
        if signature:
            return notice(NoticeKind.UNSUPPORTED, locator, f"{what}{signature} is not supported", ORIGIN)
        head, sample = _sample(source)
    except UnreadableBytes as error:
        return notice(NoticeKind.UNREADABLE, locator, f"{what}{error}", ORIGIN)
    if not sample.strip(b"\0"):
        return notice(NoticeKind.REMARK, locator, f"{what}empty: every sample reads as zeros", ORIGIN)
    if entropy(sample) > _HIGH_ENTROPY and len(sample) >= _SAMPLES * _SAMPLE:
        text = f"{what}no structure recognised, high entropy: may be encrypted"
        return notice(NoticeKind.UNSUPPORTED, locator, text, ORIGIN)
    kind = NoticeKind.REMARK if source.size <= _SMALL and locator.volume else NoticeKind.UNSUPPORTED
    return notice(kind, locator, f"{what}no file system recognised, begins with {head[:16].hex(' ')}", ORIGIN)


def entropy(data: bytes) -> float:
    """Shannon entropy in bits a byte.

    >>> entropy(bytes(range(256)))
    8.0
    """
    total = len(data)
    return -sum(n / total * math.log2(n / total) for n in Counter(data).values()) if total else 0.0


def _signature(source: ByteSource) -> str:
    matches = (name for offset, magic, name in _MEMBERS if source.read_at(offset, len(magic)) == magic)
    return vfs.unsupported(source) or next(matches, "")


def _boot_sector(source: ByteSource) -> str:
    head = source.read_at(0, 90)
    names = ((3, b"NTFS    ", "NTFS"), (3, b"EXFAT   ", "exFAT"), (54, b"FAT1", "FAT"), (82, b"FAT32   ", "FAT32"))
    return next((name for offset, magic, name in names if head[offset : offset + len(magic)] == magic), "")


def _sample(source: ByteSource) -> tuple[bytes, bytes]:
    """The first bytes, and up to 64 blocks of 4 KiB spread evenly over the source."""
    step = max(_SAMPLE, source.size // _SAMPLES // 512 * 512)
    blocks = [source.read_at(0, _SAMPLE)]
    for n in range(1, _SAMPLES):
        with suppress(UnreadableBytes):  # what is left of a damaged volume still tells something
            blocks.append(source.read_at(n * step, _SAMPLE))
    return blocks[0], b"".join(blocks)
