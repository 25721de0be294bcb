"""A file as plugins see it."""

import io
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, NamedTuple

from triage.engine.readpass import Reading
from triage.evidence.entry import HOLE, Entry, EntryFlag
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice
from triage.plugin import SPACE, SkipFile

_DELETED: Final = int(EntryFlag.DELETED)
_CARVED: Final = int(EntryFlag.CARVED)


class Subject(NamedTuple):
    """An entry whose content can be reached."""

    entry_id: int
    entry: Entry
    place: Callable[[], Locator]
    """Makes `locator`, which most files never need."""
    source: Callable[[], ByteSource]
    flaw: Notice | None = None
    """Why the content is not whole, if that is known before it is read."""

    @property
    def locator(self) -> Locator:
        """Where the content is."""
        return self.place()


class HostFile:
    """The `triage.plugin.File` that plugins get."""

    def __init__(self, subject: Subject, reading: Reading, companions: Mapping[str, Subject]) -> None:
        self._subject = subject
        self._reading = reading
        self._companions = companions
        self.type = ""
        self.path = subject.entry.path
        self.name = self.path.rpartition("/")[2]
        self.size = subject.entry.size
        self.deleted = bool(int(subject.entry.flags) & _DELETED)

    @property
    def locator(self) -> Locator:
        """Where it is."""
        return self._subject.locator

    @property
    def carved(self) -> bool:
        """Whether it was found by its structure, see `triage.plugin.File.carved`."""
        return bool(int(self._subject.entry.flags) & _CARVED)

    @property
    def is_space(self) -> bool:
        """Whether it is no file, see `triage.plugin.File.is_space`."""
        return self.type == SPACE

    @property
    def digests(self) -> Mapping[str, str]:
        """Digests of the whole content, empty if it could not be read whole."""
        return self._reading.digests

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return self._reading.head

    def read(self, limit: int = 64 << 20) -> bytes:
        """The whole content, see `triage.plugin.File.read`."""
        if self.size > limit:
            raise SkipFile(f"{self.size:,} bytes are more than this plugin reads ({limit:,})")
        if self._reading.whole is not None:
            return self._reading.whole
        return self.source().read_at(0, self.size)

    def open(self) -> BinaryIO:
        """A stream over the content."""
        if self._reading.whole is not None:
            return io.BytesIO(self._reading.whole)
        return io.BufferedReader(_SourceStream(self.source()))

    def source(self) -> ByteSource:
        """The content as a source, for the host."""
        return self._subject.source()

    @property
    def flaw(self) -> Notice | None:
        """Why the content is not whole, for the host."""
        return self._subject.flaw

    def hole_bytes(self) -> int:
        """Bytes that are stored nowhere and read as zeros."""
        return sum([length for at, length in self._subject.entry.extents or () if at == HOLE])

    def stored_runs(self) -> list[tuple[int, int]]:
        """Offset in the file and length of what is stored, neighbours joined."""
        runs: list[tuple[int, int]] = []
        start = 0
        for at, length in self._subject.entry.extents or ():
            if at != HOLE:
                joined = bool(runs) and sum(runs[-1]) == start
                runs[-1:] = [(runs[-1][0], runs[-1][1] + length)] if joined else [*runs[-1:], (start, length)]
            start += length
        return runs

    def companion(self, name: str) -> "HostFile | None":
        """A file beside this one, or `None` if there is none."""
        subject = self._companions.get(name)
        return None if subject is None else HostFile(subject, Reading(subject.entry.size), {})


class _SourceStream(io.RawIOBase):
    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._source.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
