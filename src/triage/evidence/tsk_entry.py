"""From what TSK found to entries: paths, flags, times, extents."""

import calendar
import time
from functools import cache
from typing import Final

from triage.evidence import fat_times, ntfs_mft, tsk_native
from triage.evidence.entry import HOLE, Entry, EntryFlag, EntryTimes, EntryType, Extent, ExtentSource
from triage.evidence.ext_inodes import append
from triage.evidence.fat_times import FatDirectoryEntries
from triage.evidence.mft_blocks import MftBlocks
from triage.evidence.names import name_text
from triage.evidence.ntfs_mft import Mft
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.evidence.tsk_native import Attribute, Meta, Name, NativeFileSystem, Run
from triage.times import SECOND

_BAD_CLUSTERS: Final = 8
"""MFT record of $BadClus."""
_NO_TIMES: Final = EntryTimes()
_ALL_VALID: Final[dict[str, int]] = {}
_VIRTUAL: Final = (EntryType.VIRTUAL_FILE, EntryType.VIRTUAL_DIRECTORY)
_DIRECTORIES: Final = (EntryType.DIRECTORY, EntryType.VIRTUAL_DIRECTORY)

# Plain numbers and letters, because arithmetic on members of an enumeration, and looking them up, took a fifth of the
# walk.
_FILE: Final = EntryType.FILE
_DIRECTORY: Final = EntryType.DIRECTORY
_NTFS_DATA: Final = tsk_native.NTFS_DATA
_NTFS_INDEX_ROOT: Final = tsk_native.NTFS_INDEX_ROOT
_DELETED: Final = int(EntryFlag.DELETED)
_META_UNALLOCATED: Final = int(EntryFlag.META_UNALLOCATED)
_ORPHAN: Final = int(EntryFlag.ORPHAN)
_REALLOCATED: Final = int(EntryFlag.REALLOCATED)
_SPARSE: Final = int(EntryFlag.SPARSE)
_RESIDENT: Final = int(EntryFlag.RESIDENT)
_VIRTUAL_FLAG: Final = int(EntryFlag.VIRTUAL)
_NO_CONTENT: Final = int(EntryFlag.NO_CONTENT)
_THROUGH_LIBRARY: Final = int(EntryFlag.RESIDENT | EntryFlag.COMPRESSED | EntryFlag.ENCRYPTED)
_STORAGE: Final = (
    (tsk_native.ATTRIBUTE_RESIDENT, _RESIDENT),
    (tsk_native.ATTRIBUTE_COMPRESSED, int(EntryFlag.COMPRESSED)),
    (tsk_native.ATTRIBUTE_ENCRYPTED, int(EntryFlag.ENCRYPTED)),
    (tsk_native.ATTRIBUTE_SPARSE, int(EntryFlag.SPARSE)),
)


def is_directory(found: Name) -> bool:
    """Whether ``found`` leads to a directory (or one made up by TSK)."""
    return found.meta is not None and found.meta.type in _DIRECTORIES


class EntryMaker:
    """Makes the entries of the names in one file system."""

    def __init__(self, native: NativeFileSystem, source: ByteSource) -> None:
        self._native = native
        self._source = source
        self._block = native.block_size
        self._end = min((native.last_block + 1) * native.block_size, source.size)
        self._mft: Mft | None = None
        self.mft_extents: tuple[Extent, ...] = ()
        """Where the master file table lies; empty if that is unknown."""
        self.mft_record_size = 0
        self._fat: FatDirectoryEntries | None = None
        self._forgets = native.type in ("ext3", "ext4")
        self._times = _iso_times if native.type == "iso9660" else _stored_times
        if native.type == "ntfs":
            self._mft = self._open_mft()
        elif native.type in ("fat12", "fat16", "fat32", "exfat"):
            self._fat = fat_times.locate(source, native.type == "exfat")
            self._times = self._fat_times

    def _open_mft(self) -> Mft | None:
        try:
            boot = self._source.read_at(0, 512)
        except UnreadableBytes:
            return None
        size = ntfs_mft.record_size(boot) if len(boot) == 512 else 0
        if not size:
            return None
        for attribute in self._native.attributes(0):
            if attribute.type == tsk_native.NTFS_DATA and not attribute.name:
                extents = self._extents(attribute.runs, attribute.size, attribute.size)
                if extents is not None:
                    self.mft_extents, self.mft_record_size = extents, size
                    blocks = MftBlocks.of_volume(self._source, extents)
                    self._native.keep_mft(blocks)
                    return Mft(blocks, size, self._attribute_list)
        return None

    def mft_source(self) -> ByteSource:
        """The master file table, as far as ``mft_extents`` tell."""
        return ExtentSource(self._source, self.mft_extents)

    def _attribute_list(self, address: int, attribute: int, size: int) -> bytes:
        return self._native.content(address, (tsk_native.NTFS_ATTRIBUTE_LIST, attribute)).read(0, size)

    def entries(self, found: Name, path: str, raw_path: bytes, orphan: bool) -> list[Entry]:
        """The entries of one name: one on most file systems, one for each data stream on NTFS."""
        flags = _DELETED if found.flags & tsk_native.NAME_UNALLOCATED else 0
        if orphan:
            flags |= _ORPHAN
        meta = found.meta
        if meta is None:
            if found.superseded:
                flags |= _REALLOCATED
            kind, address = EntryType.UNKNOWN, str(found.address)
            return [
                Entry(path, kind, address, 0, flags | _NO_CONTENT, extents=(), name_type=found.type, raw_path=raw_path)
            ]
        if meta.type in _VIRTUAL:
            flags |= _VIRTUAL_FLAG
        if meta.flags & tsk_native.META_UNALLOCATED:
            flags |= _META_UNALLOCATED
        elif flags & _DELETED:
            flags |= _REALLOCATED
        if self._native.type == "ntfs":
            return self._streams(found, meta, path, raw_path, flags)
        return [self._single(found, meta, path, raw_path, flags)]

    def _single(self, found: Name, meta: Meta, path: str, raw_path: bytes, flags: int) -> Entry:
        size = meta.size
        extents: tuple[Extent, ...] | None = None if size else ()
        attributes = self._native.attributes_of(found)
        hidden = self.hidden(meta.address, size)
        if hidden is not None:
            size, extents = hidden
        elif attributes:
            flags |= _storage_flags(attributes[0].flags)
            if attributes[0].size == meta.size and not flags & _THROUGH_LIBRARY:
                extents = self._extents(attributes[0].runs, meta.size, meta.size)
        if self._is_forgotten(meta, attributes):
            flags |= _NO_CONTENT
        return Entry(
            path, meta.type, str(found.address), size, flags, self._times(meta), extents, "", found.type, meta.mode,
            meta.uid, meta.gid, meta.links, meta.link.decode("utf-8", "backslashreplace"), raw_path,
        )  # fmt: skip

    def hidden(self, address: int, size: int) -> tuple[int, tuple[Extent, ...] | None] | None:
        """True size and extents of an ext inode of which TSK is shown only ``size`` or less, else `None`."""
        ext = self._native.ext
        return ext.hidden(address) if ext is not None and size >= ext.shown else None

    def _is_forgotten(self, meta: Meta, attributes: tuple[Attribute, ...]) -> bool:
        """Whether a deleted file's place is lost: ext3 and ext4 clear the pointers (ext4 the size too) on deletion."""
        if not meta.flags & tsk_native.META_UNALLOCATED or meta.type in _DIRECTORIES:
            return False
        known = any(a.runs or a.flags & tsk_native.ATTRIBUTE_RESIDENT for a in attributes)
        return not known and (meta.size > 0 or self._forgets)

    def _streams(self, found: Name, meta: Meta, path: str, raw_path: bytes, flags: int) -> list[Entry]:
        name_times, valid = None, _ALL_VALID
        times = _stored_times(meta)
        if self._mft is not None and not flags & _VIRTUAL_FLAG:
            name_times, valid = self._mft.facts(meta.address)
            modified, accessed, changed, created = times
            if (
                modified is None or accessed is None or changed is None or created is None
                or modified < SECOND or accessed < SECOND or changed < SECOND or created < SECOND
            ):  # fmt: skip
                # TSK gives second 0, but keeps the fraction, for times before 1970 and after 2106.
                times = self._mft.times(meta.address) or times
        attributes = self._native.attributes_of(found)
        return self.stream_entries(found, meta, attributes, path, raw_path, flags, times, name_times, valid)

    def stream_entries(
        self, found: Name, meta: Meta, attributes: tuple[Attribute, ...], path: str, raw_path: bytes, flags: int,
        times: EntryTimes, name_times: EntryTimes | None, valid: dict[str, int],
    ) -> list[Entry]:  # fmt: skip
        """The entries of a name on NTFS, one for each of ``attributes``; ``valid`` as in `RecordFacts`."""
        address, name_type = found.address, found.type
        _, _, kind, _, size, mode, uid, gid, links, _, _ = meta
        if not attributes:
            if flags & _META_UNALLOCATED and kind not in _DIRECTORIES:
                flags |= _NO_CONTENT
            nothing = Entry(
                path, kind, str(address), size, flags, times, None if size else (), "", name_type, mode, uid, gid,
                links, "", raw_path, name_times,
            )  # fmt: skip
            return [nothing]
        entries = []
        is_named = False
        for type_, number, raw_name, size, stored_flags, runs in attributes:
            stream = name_text(raw_name) if raw_name else ""
            if type_ == _NTFS_INDEX_ROOT and stream == "$I30":
                stream = ""  # a directory's index is the directory itself
            storage = _storage_flags(stored_flags)
            extents = None
            if not storage & _THROUGH_LIBRARY:
                extents = self._extents(runs, size, valid.get(stream, size) if valid else size)
                if address == _BAD_CLUSTERS and not runs and size:
                    # As long as the volume; TSK drops its one hole, so that nothing could be read.
                    extents, storage = (Extent(HOLE, size),), storage | _SPARSE
            is_named = is_named or not stream
            entry = Entry(
                path, _FILE if type_ == _NTFS_DATA and kind == _DIRECTORY else kind,
                f"{address}-{type_}-{number}", size, flags | storage, times, extents, stream, name_type, mode, uid, gid,
                links, "", raw_path, None if stream else name_times,
            )  # fmt: skip
            entries.append(entry)
        if not is_named and name_times is not None:
            entries[0] = entries[0]._replace(name_times=name_times)
        return entries

    def _extents(self, runs: tuple[Run, ...], size: int, valid: int) -> tuple[Extent, ...] | None:
        """Runs in bytes, cut at ``size``, holes from ``valid`` on; `None` if they are too few or leave the volume."""
        block = self._block
        if len(runs) == 1 and valid >= size:
            address, length, flags, offset = runs[0]
            at = address * block
            if not (flags or offset) and length * block >= size and at + size <= self._end:
                return (Extent(at, size),) if size else ()
        extents: list[Extent] = []
        done = 0
        for run in runs:
            if done >= size:
                break
            if run.offset * block != done or run.flags & tsk_native.RUN_ENCRYPTED:
                return None
            length = min(run.length * block, size - done)
            stored = 0 if run.flags & tsk_native.RUN_HOLE else min(length, max(0, valid - done))
            at = run.address * block
            if stored:
                if at + stored > self._end:
                    return None
                append(extents, at, stored)
            if stored < length:
                append(extents, HOLE, length - stored)
            done += length
        return tuple(extents) if done >= size else None

    def _fat_times(self, meta: Meta) -> EntryTimes:
        modified, _, accessed, _, _, _, created, _ = meta.times
        if self._fat is None or not (modified or accessed or created):
            return _NO_TIMES
        return self._fat.times(meta.address) or _NO_TIMES


@cache
def _storage_flags(stored: int) -> int:
    return sum(ours for theirs, ours in _STORAGE if stored & theirs)


def _iso_times(meta: Meta) -> EntryTimes:
    return EntryTimes(created=_wall_clock(meta.times[6]))


def _stored_times(meta: Meta) -> EntryTimes:
    """TSK's times; 0 seconds and 0 nanoseconds stand for none."""
    m, m_ns, a, a_ns, c, c_ns, b, b_ns = meta.times
    return EntryTimes(
        m * SECOND + m_ns if m or m_ns else None,
        a * SECOND + a_ns if a or a_ns else None,
        c * SECOND + c_ns if c or c_ns else None,
        b * SECOND + b_ns if b or b_ns else None,
    )


def _wall_clock(seconds: int) -> int | None:
    """Undo the zone of this process, in which TSK read a wall clock of ISO 9660.

    TSK calls ``mktime`` with daylight saving off, so that in summer the clock of this zone shows another hour.
    """
    if not seconds:
        return None
    shown = calendar.timegm(time.localtime(seconds))
    for saving in (0, 3600, 1800, 7200):
        wall = shown - saving
        if time.mktime((*time.gmtime(wall)[:8], 0)) == seconds:
            return wall * SECOND
    return shown * SECOND
