"""What zip says of a member beside its bytes: names in several encodings, times on several clocks, extra fields.

References: PKWARE APPNOTE.TXT 6.3.10 (4.4, 4.5, Appendix D); Info-ZIP ``proginfo/extrafld.txt`` (UT, Unicode path).
"""

import struct
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from isal import isal_zlib

from triage.evidence.entry import EntryTimes
from triage.times import SECOND

_UTF8: Final = 0x800
_HOSTS_OF_WINDOWS: Final = (0, 10, 11, 14)  # FAT, NTFS, MVS is 11 in old texts, VFAT
_UNICODE_PATH: Final = 0x7075
_UNIX_TIMES: Final = 0x5455
_NTFS: Final = 0x000A
_OWNER: Final = 0x7875
_FILETIME_EPOCH: Final = 116_444_736_000_000_000


def extra_fields(extra: bytes) -> dict[int, bytes]:
    """Extra fields by id, the first of each; what does not fit is left out."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            break
        found.setdefault(kind, extra[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def name_of(stored: bytes, flags: int, host: int, fields: dict[int, bytes]) -> str:
    r"""The text of a stored name.

    By the flag it is UTF-8, without it code page 437; many programs write UTF-8 without the flag, and bytes of 437
    hardly ever are valid UTF-8 by chance. Bytes that are no UTF-8 in spite of the flag are shown as ``\xNN``.

    >>> name_of(b"gr\x81n.txt", 0, 0, {}), name_of(b"gr\xff", 0x800, 3, {}), name_of(b"a\\b", 0, 0, {})
    ('grün.txt', 'gr\\xff', 'a/b')
    """
    named = b"" if stored.isascii() or flags & _UTF8 else _unicode_path(stored, fields)
    raw = named or stored
    # The separator is "/", but some programs on Windows write their own.
    if host in _HOSTS_OF_WINDOWS and b"/" not in raw:
        raw = raw.replace(b"\\", b"/")
    return raw.decode("utf-8", "backslashreplace") if named or flags & _UTF8 else _unflagged(raw)


def _unicode_path(stored: bytes, fields: dict[int, bytes]) -> bytes:
    field = fields.get(_UNICODE_PATH, b"")
    if len(field) < 5 or field[0] != 1 or int.from_bytes(field[1:5], "little") != isal_zlib.crc32(stored):
        return b""
    return field[5:]


def _unflagged(stored: bytes) -> str:
    try:
        return stored.decode("utf-8")
    except UnicodeDecodeError:
        return stored.decode("cp437")


def times_of(dos: int, fields: dict[int, bytes]) -> tuple[str, EntryTimes]:
    """Kind (`Entry.container`) and times: NTFS or Unix times where there are any, else those of DOS."""
    if fields:
        times = _ntfs_times(fields.get(_NTFS, b""))
        if times is not None:
            return "zip-ntfs", times
        times = _unix_times(fields.get(_UNIX_TIMES, b""))
        if times is not None:
            return "zip-unix", times
    return "zip", EntryTimes(dos_time(dos))


@lru_cache(maxsize=1024)
def dos_time(stored: int) -> int | None:
    """ns of a DOS date and time (date in the upper 16 bits), wall clock; `None` for 0 and for dates that are none.

    >>> dos_time(0x5821_0000) == int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * SECOND, dos_time(0)
    (True, None)
    """
    day, clock = stored >> 16, stored & 0xFFFF
    try:
        moment = datetime(
            1980 + (day >> 9), day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2, tzinfo=UTC
        )
    except ValueError:
        return None
    return int(moment.timestamp()) * SECOND


def _ntfs_times(field: bytes) -> EntryTimes | None:
    at = 4
    while at + 4 <= len(field):
        tag, length = struct.unpack_from("<HH", field, at)
        if tag == 1 and length >= 24 and at + 28 <= len(field):
            modified, accessed, created = struct.unpack_from("<QQQ", field, at + 4)
            return EntryTimes(filetime_ns(modified), filetime_ns(accessed), None, filetime_ns(created))
        at += 4 + length
    return None


def filetime_ns(stored: int) -> int | None:
    """ns since 1970 of 100 ns since 1601; `None` for 0 and for what lies beyond the year 9999."""
    return (stored - _FILETIME_EPOCH) * 100 if 0 < stored < 2_650_467_744_000_000_000 else None


def _unix_times(field: bytes) -> EntryTimes | None:
    if len(field) < 5:
        return None
    found: list[int | None] = [None, None, None]
    at = 1
    for index in range(3):
        # The directory holds the first time only, though the flags name all that stand in the local header.
        if field[0] & 1 << index and at + 4 <= len(field):
            seconds = int.from_bytes(field[at : at + 4], "little", signed=True)
            found[index] = seconds * SECOND if seconds else None
            at += 4
    modified, accessed, created = found
    return EntryTimes(modified, accessed, None, created) if at > 1 else None


def owner_of(fields: dict[int, bytes]) -> tuple[int, int]:
    """User and group id of Info-ZIP's third Unix field; 0, 0 without."""
    field = fields.get(_OWNER, b"")
    if len(field) < 3 or field[0] != 1:
        return 0, 0
    user_end = 2 + field[1]
    group = field[user_end + 1 :][: field[user_end]] if user_end < len(field) else b""
    return int.from_bytes(field[2:user_end], "little"), int.from_bytes(group, "little")
