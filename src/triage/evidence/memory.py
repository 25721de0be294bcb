"""Evidence in memory, for tests and for plugin authors: a parser test is "this file at that path, run, compare"."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from triage.errors import EvidenceError
from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType, Evidence, Extent, FileSystem, Volume
from triage.evidence.source import ByteSource, MemorySource
from triage.locator import Locator
from triage.notices import Notice

_GAP = b"\xee" * 512  # between files, so that an extent off by one byte shows


class MemoryFileSystem(FileSystem):
    """Files given as path and content; directories are implied.

    Paths start with ``/``. Those in ``deleted`` are marked as deleted names. ``times`` are given by path. With
    ``extents`` all content lies in one source and entries say where, as on a disk; without, it is read through `open`.

    Raises:
        ValueError: a path is none, or the same path would be a file and a directory.
    """

    type = "memory"

    def __init__(
        self,
        files: Mapping[str, bytes],
        locator: Locator,
        *,
        deleted: Collection[str] = (),
        times: Mapping[str, EntryTimes] | None = None,
        extents: bool = False,
    ) -> None:
        for path in files:
            if path == "/" or path[:2] == "//" or path[:1] != "/" or path != str(PurePosixPath(path)):
                raise ValueError(f"{path!r} is not the absolute path of a file")
        self._folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"/"}
        if clash := self._folders & files.keys():
            raise ValueError(f"{min(clash)} is both a file and a directory")
        self.locator = locator
        self._files = dict(files)
        self._deleted = frozenset(deleted)
        self._times = dict(times or {})
        self._places: dict[str, Extent] = {}
        if extents:
            self.source = self._disk()

    def walk(self) -> Iterator[Entry | Notice]:
        """See `FileSystem.walk`; sorted by path."""
        for number, path in enumerate(sorted(self._folders | self._files.keys()), 1):
            kind = EntryType.FILE if path in self._files else EntryType.DIRECTORY
            place = self._places.get(path)
            yield Entry(
                path=path,
                type=kind,
                address=str(number),
                size=len(self._files.get(path, b"")),
                flags=EntryFlag.DELETED | EntryFlag.META_UNALLOCATED if path in self._deleted else 0,
                times=self._times.get(path, EntryTimes()),
                extents=None if place is None else (place,),
                name_type=kind,
            )

    def open(self, entry: Entry) -> ByteSource:
        """See `FileSystem.open`."""
        try:
            return MemorySource(self._files[entry.path])
        except KeyError as error:
            raise EvidenceError(f"{entry.path}: no such file") from error

    def _disk(self) -> MemorySource:
        parts: list[bytes] = []
        at = 0
        for path, data in self._files.items():
            parts += _GAP, data
            at += len(_GAP)
            self._places[path] = Extent(at, len(data))
            at += len(data)
        return MemorySource(b"".join(parts))


def memory_evidence(files: Mapping[str, bytes], label: str = "memory") -> Evidence:
    """Evidence that consists of ``files`` (absolute path → content) in one volume.

    >>> [entry.path for entry in memory_evidence({"/a/b.txt": b"hi"}).file_systems()[""].walk()]
    ['/a', '/a/b.txt']
    """
    return as_evidence(MemoryFileSystem(files, Locator(label)))


def as_evidence(file_system: MemoryFileSystem) -> Evidence:
    """Evidence with one file system made by hand (deleted names, times, extents)."""
    label = file_system.locator.evidence
    size = 0 if file_system.source is None else file_system.source.size
    volume = Volume(file_system.locator.volume, "memory", 0, size, "open", file_systems=(file_system,))
    return Evidence(label, Path(label), "memory", size, (), file_system.source, (volume,))
