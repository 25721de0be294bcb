"""One block of tar: the header before each member, and its times.

References: POSIX.1-2024 ``pax``, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" (base-256 numbers).
"""

import re
from typing import Final, NamedTuple

from triage.evidence.entry import EntryTimes
from triage.times import SECOND

BLOCK: Final = 512
_MOST: Final = 1 << 62
_SECONDS: Final = re.compile(rb"(-?)(\d{1,11})(?:\.(\d{1,18}))?")
_LAST: Final = 253_402_300_800


class TarHeader(NamedTuple):
    """A header as it stands, numbers decoded; ``kind`` is the type byte, ``block`` the whole."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    modified: int
    kind: bytes
    link: bytes
    block: bytes


def padded(size: int) -> int:
    """Bytes that content of ``size`` takes."""
    return -(-size // BLOCK) * BLOCK


def number(field: bytes) -> int:
    r"""A number as octal digits, or in base 256 if its first bit says so; -1 for what is neither.

    >>> number(b"0000644\0"), number(b"\x80" + bytes(6) + b"\x07"), number(b"12z"), number(b"")
    (420, 7, -1, 0)
    """
    if field[:1] in (b"\x80", b"\xff"):
        value = int.from_bytes(field[1:], "big") - (1 << 8 * (len(field) - 1) if field[:1] == b"\xff" else 0)
        return value if -_MOST < value < _MOST else -1
    digits = field.strip(b" \0").partition(b"\0")[0].strip()
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        return -1


def header_of(block: bytes) -> TarHeader | None:
    """The header that a block is, or `None` if its check sum says that it is none."""
    stated = number(block[148:156])
    unsigned = sum(block) - sum(block[148:156]) + 8 * 0x20
    # Some old programs summed signed characters.
    if stated not in (unsigned, unsigned - 256 * sum(byte > 127 for byte in block[:148] + block[156:])):
        return None
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0" and block[345] and block[156:157] not in (b"L", b"K"):
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    return TarHeader(
        name,
        max(number(block[100:108]), 0),
        max(number(block[108:116]), 0),
        max(number(block[116:124]), 0),
        number(block[124:136]),
        number(block[136:148]),
        block[156:157],
        block[157:257].partition(b"\0")[0],
        block,
    )


def tar_times(header: TarHeader, words: dict[bytes, bytes]) -> tuple[str, EntryTimes]:
    """Kind (`Entry.container`) and times: of the extended header with fractions, else of the header."""
    modified = _seconds(words.get(b"mtime"))
    accessed, changed = _seconds(words.get(b"atime")), _seconds(words.get(b"ctime"))
    created = _seconds(words.get(b"LIBARCHIVE.creationtime"))
    if modified is accessed is changed is created is None:
        return "tar", EntryTimes(header.modified * SECOND if 0 < header.modified < _LAST else None)
    if modified is None and 0 < header.modified < _LAST:
        modified = header.modified * SECOND
    return "tar-pax", EntryTimes(modified, accessed, changed, created)


def _seconds(word: bytes | None) -> int | None:
    found = _SECONDS.fullmatch(word or b"")
    if found is None:
        return None
    fraction = int((found[3] or b"").ljust(9, b"0")[:9] or b"0")
    ns = int(found[2]) * SECOND + fraction
    return None if ns == 0 or int(found[2]) >= _LAST else -ns if found[1] else ns
