"""Points in time as evidence stores them: the instant, the stored number beside it, and how far it can be trusted.

All instants are whole nanoseconds since 1970-01-01T00:00:00Z (``ns``), because a float or a
`datetime.datetime` loses digits that NTFS and APFS record.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from triage.absent import Absent

SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WINDOWS_EPOCH_S: Final = -11_644_473_600  # 1601-01-01, FILETIME and WebKit
_COCOA_EPOCH_S: Final = 978_307_200  # 2001-01-01
_FIRST_NS: Final = -62_135_596_800 * SECOND  # 0001-01-01, the first instant that ISO 8601 text can name here
_LAST_NS: Final = 253_402_300_800 * SECOND  # 10000-01-01


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """One instant.

    ``ns`` is UTC if ``basis`` is ``"utc"``; with ``"local"`` the source stored wall-clock time without a
    zone (FAT, EXIF) and ``ns`` is that wall clock read as if it were UTC, to be worded so in every output.
    ``resolution_ns`` is the step of the stored clock. ``stored`` is the value as the source holds it, ``encoding``
    its name.
    """

    ns: int
    stored: str = ""
    encoding: str = "unix_ns"
    basis: str = "utc"
    resolution_ns: int = 1

    def iso(self) -> str:
        """ISO 8601 text with as many fraction digits as the stored clock has; ``Z`` only for UTC.

        >>> unix_s(1).iso()
        '1970-01-01T00:00:01Z'
        """
        return iso(self.ns, self.resolution_ns) + ("Z" if self.basis == "utc" else "")


Time = Timestamp | Absent


def iso(ns: int, resolution_ns: int = 1) -> str:
    """ISO 8601 date and time of ``ns`` without a zone, with the fraction digits that ``resolution_ns`` justifies.

    >>> iso(1_500_000_000_123_456_789, 100)
    '2017-07-14T02:40:00.1234567'
    """
    seconds, fraction = divmod(ns, SECOND)
    minutes, second = divmod(seconds, 60)
    text = f"{_minute_text(minutes)}{second:02d}.{fraction:09d}"
    return text[: _length(resolution_ns)]


@lru_cache(maxsize=64)
def _length(resolution_ns: int) -> int:
    """Characters of a date and time that a clock with such a step justifies."""
    digits = 9 - (len(str(resolution_ns)) - 1)
    return 20 + digits if digits > 0 else 19


@lru_cache(maxsize=65_536)
def _minute_text(minutes: int) -> str:
    """Date and time up to the seconds of a minute since 1970; kept, as the times of neighbouring files are alike."""
    return (_EPOCH + timedelta(minutes=minutes)).isoformat()[:17]


def _decoder(name: str, unit_ns: int, epoch_s: int) -> Callable[[object], Time]:
    def decode(stored: object) -> Time:
        if stored is None or stored == 0:
            return Absent.NOT_RECORDED
        if isinstance(stored, bool) or not isinstance(stored, int | float):
            return Absent.UNPARSABLE
        if isinstance(stored, float) and not (-1e18 < stored < 1e18):  # also refuses NaN
            return Absent.UNPARSABLE
        ns = epoch_s * SECOND + (stored * unit_ns if isinstance(stored, int) else round(stored * unit_ns))
        if not _FIRST_NS <= ns < _LAST_NS:
            return Absent.UNPARSABLE
        # A floating second count carries its fraction in the same number.
        resolution = unit_ns if isinstance(stored, int) else min(unit_ns, 1000)
        return Timestamp(ns, str(stored), name, "utc", resolution)

    decode.__name__ = name
    decode.__doc__ = (
        f"Decode a stored ``{name}`` number; `None` and 0 are `Absent.NOT_RECORDED`, text is `Absent.UNPARSABLE`."
    )
    return decode


unix_s: Final = _decoder("unix_s", SECOND, 0)
unix_ms: Final = _decoder("unix_ms", 1_000_000, 0)
unix_us: Final = _decoder("unix_us", 1_000, 0)
unix_ns: Final = _decoder("unix_ns", 1, 0)
cocoa_s: Final = _decoder("cocoa_s", SECOND, _COCOA_EPOCH_S)
cocoa_ns: Final = _decoder("cocoa_ns", 1, _COCOA_EPOCH_S)
webkit_us: Final = _decoder("webkit_us", 1_000, _WINDOWS_EPOCH_S)
filetime: Final = _decoder("filetime", 100, _WINDOWS_EPOCH_S)


def local_text(stored: str, pattern: str) -> Time:
    """Decode wall-clock text without a zone, such as EXIF's ``2024:05:01 10:20:30`` with ``%Y:%m:%d %H:%M:%S``.

    >>> local_text("2024:05:01 10:20:30", "%Y:%m:%d %H:%M:%S").iso()
    '2024-05-01T10:20:30'
    """
    if not stored.strip() or not stored.strip("0: \0"):
        return Absent.NOT_RECORDED
    try:
        moment = datetime.strptime(stored, pattern).replace(tzinfo=UTC)
    except ValueError:
        return Absent.UNPARSABLE
    return Timestamp(round((moment - _EPOCH).total_seconds()) * SECOND, stored, "text", "local", SECOND)


def offset_text(stored: str, pattern: str, offset: str) -> Time:
    """Decode wall-clock text whose distance from UTC is stored beside it, such as EXIF 2.31's ``+03:00`` or ``Z``.

    Without a readable offset the result stays wall-clock time, as from `local_text`.

    >>> offset_text("2024:05:01 10:20:30", "%Y:%m:%d %H:%M:%S", "+03:00").iso()
    '2024-05-01T07:20:30Z'
    """
    local = local_text(stored, pattern)
    if isinstance(local, Absent):
        return local
    try:
        distance = datetime.strptime(offset.strip(), "%z").utcoffset()
    except ValueError:
        return local
    if distance is None:
        return local
    ns = local.ns - round(distance.total_seconds()) * SECOND
    return Timestamp(ns, f"{stored} {offset.strip()}", "text", "utc", SECOND) if _FIRST_NS <= ns < _LAST_NS else local


@dataclass(frozen=True, slots=True)
class Clock:
    """How a file system stores its four times: basis, and step in ns of modified, accessed, changed and created.

    A step of 0 says that this file system has no such time.
    """

    basis: str
    modified: int
    accessed: int
    changed: int
    created: int

    def steps(self) -> tuple[int, int, int, int]:
        """The four steps in the order modified, accessed, changed, created."""
        return self.modified, self.accessed, self.changed, self.created


_DAY: Final = 86_400 * SECOND
_UTC_NS: Final = Clock("utc", 1, 1, 1, 1)
_UTC_S: Final = Clock("utc", SECOND, SECOND, SECOND, SECOND)
_NO_TIMES: Final = Clock("utc", 0, 0, 0, 0)
_FAT: Final = Clock("local", 2 * SECOND, _DAY, 0, 10_000_000)

CLOCKS: Final[dict[str, Clock]] = {
    "ntfs": Clock("utc", 100, 100, 100, 100),
    "fat12": _FAT,
    "fat16": _FAT,
    "fat32": _FAT,
    "exfat": Clock("local", 10_000_000, 2 * SECOND, 0, 10_000_000),
    "ext2": Clock("utc", SECOND, SECOND, SECOND, 0),
    "ext3": Clock("utc", SECOND, SECOND, SECOND, 0),
    "ext4": _UTC_NS,
    "hfs+": _UTC_S,
    "iso9660": Clock("local", 0, 0, 0, SECOND),  # TSK drops the offset that is stored with the wall clock
    "ufs": _UTC_NS,
    "apfs": _UTC_NS,
    "xfs": _UTC_NS,
    "ewf-logical": _UTC_S,
    "folder": _UTC_NS,
    "memory": _UTC_NS,
    "carved": Clock("utc", 0, 0, 0, 0),  # nothing tells when
    # Members of archives: by what the archive, or the extra field that gave the times, stores.
    "zip": Clock("local", 2 * SECOND, 0, 0, 0),
    "zip-unix": _UTC_S,
    "zip-ntfs": Clock("utc", 100, 100, 0, 100),
    "tar": Clock("utc", SECOND, 0, 0, 0),
    "tar-pax": _UTC_NS,
    "gzip": Clock("utc", SECOND, 0, 0, 0),
    "bzip2": _NO_TIMES,
    "xz": _NO_TIMES,
    "zstd": _NO_TIMES,
    "7z": Clock("utc", 100, 100, 0, 100),
    "rar": Clock("local", 2 * SECOND, 2 * SECOND, 0, 2 * SECOND),
    "rar-fine": Clock("local", 100, 100, 0, 100),
    "rar-unix": _UTC_NS,
    "rar-windows": Clock("utc", 100, 100, 0, 100),
}
"""Clock of each file-system type by `FileSystem.type`, and of members of archives by `Entry.container`."""
