"""Body file, version 3: one line for each entry, as ``fls -m`` of The Sleuth Kit writes and ``mactime`` reads it.

Format: https://wiki.sleuthkit.org/index.php?title=Body_file
``MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime`` with times in seconds since 1970, 0 for none.

Differences from fls: control characters and ``|`` in names stand as ``\\xNN`` (fls writes ``^``, and the bar as it is,
which breaks the row for its readers); the address in a ``($FILE_NAME)`` line lacks the attribute's number. Times of
file systems without a zone stand at their wall-clock reading.
"""

import re
from collections.abc import Iterator
from typing import Final

from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType
from triage.times import SECOND

_BREAKING: Final = re.compile("[\x00-\x1f\x7f|]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FILE_NAME_HEADER: Final = 66  # bytes of a $FILE_NAME attribute before the name


def bodyfile_lines(label: str, volume: str, entry: Entry, md5: str = "") -> Iterator[str]:
    """The lines of one entry, without line ends: the one with the times of its NTFS name first, where there is one.

    ``label`` and ``volume`` are put before the path (as fls does with the argument of ``-m``); empty ones are left out.
    """
    prefix = "/".join(part for part in (label, volume) if part)
    deleted = ""
    if entry.flags & EntryFlag.DELETED:
        deleted = " (deleted-realloc)" if entry.flags & EntryFlag.REALLOCATED else " (deleted)"
    target = f" -> {entry.link_target}" if entry.type == EntryType.SYMLINK and entry.link_target else ""
    mode = mode_text(entry)
    if entry.name_times is not None:
        units = len(entry.path.rpartition("/")[2].encode("utf-16-le", "surrogatepass")) // 2
        address = f"{entry.address.partition('-')[0]}-48"
        name = f"{prefix}{entry.path} ($FILE_NAME){deleted}"
        yield _line("", name, address, mode, entry, _FILE_NAME_HEADER + 2 * units, entry.name_times)
    stream = f":{entry.stream}" if entry.stream else ""
    name = f"{prefix}{entry.path}{stream}{target}{deleted}"
    yield _line(md5, name, entry.address, mode, entry, entry.size, entry.times)


def mode_text(entry: Entry) -> str:
    """Type of the name, type of the metadata and permissions: ``r/rrwxr-xr-x``.

    >>> mode_text(Entry("/a", "d", "5", 0, mode=0o41755, name_type="d"))
    'd/drwxr-xr-t'
    """
    bits = entry.mode & 0o7777
    letters = [letter if bits >> 8 - n & 1 else "-" for n, letter in enumerate("rwxrwxrwx")]
    for place, bit, letter in ((2, 0o4000, "s"), (5, 0o2000, "s"), (8, 0o1000, "t")):
        if bits & bit:
            letters[place] = letter if letters[place] == "x" else letter.upper()
    return f"{entry.name_type or '-'}/{entry.type}{''.join(letters)}"


def _line(md5: str, name: str, address: str, mode: str, entry: Entry, size: int, times: EntryTimes) -> str:
    modified, accessed, changed, created = (0 if ns is None else ns // SECOND for ns in times)
    name = _SURROGATE.sub(
        lambda m: f"\\u{ord(m.group()):04x}", _BREAKING.sub(lambda m: f"\\x{ord(m.group()):02X}", name)
    )
    columns = (md5 or "0", name, address, mode, entry.uid, entry.gid, size, accessed, modified, changed, created)
    return "|".join(map(str, columns))
