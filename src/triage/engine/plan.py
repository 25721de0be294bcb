"""What is read, and in which order: what matters most first, and within that in the order of the disk.

Nothing is dropped by class; system folders are only read later than a user's pictures.
"""

import re
from typing import Final

from triage.case.rows import PlannedEntry
from triage.evidence.entry import HOLE, Entry, EntryFlag, EntryType, FileSystem
from triage.evidence.source import physical_offset

APPLICATION_DATA: Final = 0
USER_MEDIA: Final = 1
USER_FILES: Final = 2
OTHER: Final = 3
SYSTEM: Final = 4

_MEDIA: Final = frozenset(
    "jpg jpeg jpe jfif png gif bmp webp heic heif avif tif tiff dng cr2 nef arw "
    "mp4 m4v mov avi mkv webm 3gp 3g2 wmv flv mpg mpeg mts ts vob".split()
)
# First folders of a path, in lower case, with _ for a space.
_SYSTEM: Final = frozenset(
    "windows winnt applications system usr lib lib64 bin sbin boot proc sys $extend "
    "program_files program_files_(x86) system_volume_information".split()
)
_USERS: Final = frozenset(
    "users home root media sdcard storage data $recycle.bin recycler documents_and_settings".split()
)
_STORE_FOLDER: Final = re.compile(
    r"/appdata/|/application support/|/data/data/|/\.config/|/\.mozilla/|/containers/|/messages/|/databases/"
)
_STORE_FILE: Final = re.compile(
    r"(?:history|cookies|web data|login data|.*\.(?:db|sqlite|sqlite3|sqlitedb|storedata|ldb|plist"
    r"|crypt1[245]|realm|dat|met|torrent))(?:-wal|-journal)?$",
    re.DOTALL,
)
_ELSEWHERE: Final = int(EntryFlag.REALLOCATED | EntryFlag.NO_CONTENT)
_RECYCLE_INDEX: Final = re.compile(r"^/\$recycle\.bin/[^/]+/\$i[^/]*$|^/recycler/[^/]+/info2$")


def priority(path: str) -> int:
    """Priority class of a path, 0 first.

    >>> priority("/Users/Amani/Pictures/a.JPG"), priority("/Windows/Web/a.jpg"), priority("/notes.txt")
    (1, 4, 3)
    """
    low = path.lower()
    top = low.split("/", 2)[1].replace(" ", "_") if "/" in low else ""
    if top in _SYSTEM or (top.startswith("$") and top not in _USERS):
        return SYSTEM
    if (_STORE_FILE.match(low, low.rfind("/") + 1) and _STORE_FOLDER.search(low)) or _RECYCLE_INDEX.match(low):
        return APPLICATION_DATA
    if low.rpartition(".")[2] in _MEDIA:
        return USER_MEDIA
    return USER_FILES if top in _USERS else OTHER


def wanted(entry: Entry) -> bool:
    """Whether this entry has content of its own that can be read; one that is a single hole has none."""
    if entry.type != EntryType.FILE:
        return False
    if entry.size and entry.extents and all(extent.offset == HOLE for extent in entry.extents):
        return False
    return not entry.flags & _ELSEWHERE


def plan_entry(file_system: FileSystem, entry: Entry) -> PlannedEntry:
    """An entry with its place in the reading order."""
    physical = -1
    if entry.extents and file_system.source is not None:
        first = next((extent.offset for extent in entry.extents if extent.offset != HOLE), HOLE)
        if first != HOLE:
            physical = physical_offset(file_system.source, first)
    return PlannedEntry(file_system.locator.volume, entry, priority(entry.path), physical, wanted(entry))
