"""Body file, version 3: one line for each entry, as ``fls -m`` of The Sleuth Kit writes and ``mactime`` reads it.

Format: https://wiki.sleuthkit.org/index.php?title=Body_file
``MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime`` with times in seconds since 1970, 0 for none.

Lines are bytes, because names are: a name that is no UTF-8 stands as it is stored, control characters as ``^``, both
as fls does it. Differences from fls: ``|`` in a name stands as ``\\x7C``, for it would break the row; the address in
a ``($FILE_NAME)`` line lacks the attribute's number. Times of file systems without a zone stand at their wall-clock
reading.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType
from triage.times import SECOND

_CONTROL: Final = bytes(ord("^") if byte < 32 or byte == 127 else byte for byte in range(256))
_DELETED: Final = int(EntryFlag.DELETED)
_REALLOCATED: Final = int(EntryFlag.REALLOCATED)
_FILE_NAME_HEADER: Final = 66  # bytes of a $FILE_NAME attribute before the name


def bodyfile_lines(label: str, volume: str, entry: Entry, md5: str = "") -> Iterator[bytes]:
    """The lines of one entry, without line ends: the one with the times of its NTFS name first, where there is one.

    ``label`` and ``volume`` are put before the path (as fls does with the argument of ``-m``); empty ones are left out.
    """
    prefix = "/".join(part for part in (label, volume) if part)
    path = _name(prefix) + (entry.raw_path or _name(entry.path))
    deleted = _deleted(entry)
    mode = mode_text(entry)
    if entry.name_times is not None:
        units = len(entry.path.rpartition("/")[2].encode("utf-16-le", "surrogatepass")) // 2
        address = f"{entry.address.partition('-')[0]}-48"
        name = path + b" ($FILE_NAME)" + deleted
        yield _line("", name, address, mode, entry, _FILE_NAME_HEADER + 2 * units, entry.name_times)
    stream = _name(f":{entry.stream}") if entry.stream else b""
    target = _name(f" -> {entry.link_target}") if entry.type == EntryType.SYMLINK and entry.link_target else b""
    yield _line(md5, path + stream + target + deleted, entry.address, mode, entry, entry.size, entry.times)


def _deleted(entry: Entry) -> bytes:
    """The remark of fls; it says ``realloc`` only where there is metadata to speak of."""
    if not entry.flags & _DELETED:
        return b""
    has_metadata = entry.type != EntryType.UNKNOWN or any(entry.times)
    return b" (deleted-realloc)" if entry.flags & _REALLOCATED and has_metadata else b" (deleted)"


def _name(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def mode_text(entry: Entry) -> str:
    """Type of the name, type of the metadata and permissions: ``r/rrwxr-xr-x``.

    >>> mode_text(Entry("/a", "d", "5", 0, mode=0o41755, name_type="d"))
    'd/drwxr-xr-t'
    """
    return mode_letters(entry.name_type, entry.type, entry.mode)


@lru_cache(maxsize=1024)
def mode_letters(name_type: str, kind: str, mode: int) -> str:
    """The same of the type letters of name and metadata, and the mode.

    >>> mode_letters("", "r", 0o644)
    '-/rrw-r--r--'
    """
    bits = mode & 0o7777
    letters = [letter if bits >> 8 - n & 1 else "-" for n, letter in enumerate("rwxrwxrwx")]
    for place, bit, letter in ((2, 0o4000, "s"), (5, 0o2000, "s"), (8, 0o1000, "t")):
        if bits & bit:
            letters[place] = letter if letters[place] == "x" else letter.upper()
    return f"{name_type or '-'}/{kind}{''.join(letters)}"


def _line(md5: str, name: bytes, address: str, mode: str, entry: Entry, size: int, times: EntryTimes) -> bytes:
    modified, accessed, changed, created = times
    safe = name.translate(_CONTROL)
    if b"|" in safe:
        safe = safe.replace(b"|", b"\\x7C")
    return b"%b|%b|%b|%b|%d|%d|%d|%d|%d|%d|%d" % (
        md5.encode() or b"0",
        safe,
        address.encode(),
        mode.encode(),
        entry.uid,
        entry.gid,
        size,
        accessed // SECOND if accessed else 0,
        modified // SECOND if modified else 0,
        changed // SECOND if changed else 0,
        created // SECOND if created else 0,
    )
