"""Files in Shareaza's library."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from triage.api import Absent, File, Parser, ReferencedFile, Time, UnsupportedSchema, filetime

NEWEST: Final = 29
MOST_DEPTH: Final = 64
SHARING: Final = {1: "not shared", 2: "shared"}
"""What a folder or file says of its own sharing; any other number leaves it to the folder above."""


@dataclass(slots=True)
class _Entry:
    at: int
    name: str
    size: int
    written: Time
    sharing: str
    digests: list[tuple[str, str]]
    uploads: int = 0
    url: str | Absent = Absent.NOT_RECORDED


class ShareazaLibrary(Parser):
    """Files in Shareaza's library (``Library1.dat``, ``Library2.dat``, ``Library.dat``), shared and deleted ones.

    A file is named by those of SHA-1, MD5, eD2k digest and BitTorrent info-hash that the library holds. ``recorded`` is
    the file's own modification time, ``state`` whether it is shared (where it does not say so itself, its folder
    does), or that it was deleted and is remembered; ``context`` is how often it was sent to others, ``url`` the first
    source that is remembered.

    Does not cover Tiger digests, albums, comments, and the versions above 29 that relatives of Shareaza write.

    References: https://sourceforge.net/p/shareaza/code/ (Library.cpp, SharedFolder.cpp, SharedFile.cpp, XML.cpp),
    https://github.com/sepinf-inc/IPED (LibraryFile.java), https://learn.microsoft.com/cpp/mfc/serialization-in-mfc
    """

    id = "shareaza.library"
    yields = (ReferencedFile,)
    paths = ("**/Shareaza/**/Library{,1,2}.dat",)

    def parse(self, file: File) -> Iterator[ReferencedFile]:
        """One record for each digest of each file; what stands before damage is given."""
        reader = _Reader(file.read())
        try:
            reader.take(8)  # when it was saved
            reader.version = reader.number("<i")
            if not 1 <= reader.version <= NEWEST:
                raise ValueError(f"version {reader.version} of the library")
            reader.skip(29, 4)
            reader.take(4)
            reader.skip(28, 12)
            for _ in range(reader.count()):
                for folder, entry in reader.folder("", 0):
                    yield from _records(file, folder, entry)
            if reader.version >= 6:
                reader.album(0)
            if reader.version >= 7:
                reader.history()
            if reader.version >= 18:
                for _ in range(reader.count()):
                    entry = reader.entry("")
                    entry.sharing = "deleted, and remembered"
                    yield from _records(file, "", entry)
        except ValueError as error:
            raise UnsupportedSchema(f"not a whole library: {error}") from error


class _Reader:
    """MFC's archive form: little-endian numbers, counts of two bytes or more, text with its length before it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.version = 0

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            raise ValueError(f"the data ends at offset {len(self.data):,}, {length:,} bytes are due at {self.at:,}")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def skip(self, since: int, length: int) -> None:
        """Pass over a value that exists since a version."""
        self.take(length if self.version >= since else 0)

    def count(self) -> int:
        short = self.number("<H")
        return self.number("<I") if short == 0xFFFF else short

    def text(self) -> str:
        length, width = self.number("<B"), 1
        if length == 0xFF:
            length = self.number("<H")
            if length == 0xFFFE:
                width, length = 2, self.number("<B")
                length = self.number("<H") if length == 0xFF else length
            length = self.number("<I") if length == 0xFFFF else length
        raw = self.take(length * width)
        if width == 1:
            return raw.decode("utf-8", "backslashreplace")
        return raw.decode("utf-16-le", "surrogatepass").encode("utf-8", "backslashreplace").decode()

    def digest(self, since: int, length: int) -> str:
        return self.take(length).hex() if self.version >= since and self.number("<I") else ""

    def sharing(self, inherited: str) -> str:
        if self.version < 5:
            return inherited if self.number("<B") else SHARING[1]
        return SHARING.get(self.number("<I"), inherited)

    def folder(self, inherited: str, depth: int) -> Iterator[tuple[str, _Entry]]:
        self.limit(depth)
        path, sharing = self.text(), self.sharing(inherited)
        self.skip(3, 4)
        for _ in range(self.count()):
            yield from self.folder(sharing, depth + 1)
        for _ in range(self.count()):
            yield path, self.entry(sharing)

    def entry(self, inherited: str) -> _Entry:
        at, name = self.at, self.text()
        self.take(4)
        size = self.number("<Q" if self.version >= 17 else "<I")
        written, sharing = filetime(self.number("<Q")), self.sharing(inherited)
        if self.version >= 21 and self.number("<Q"):
            self.take(8)
        digests = [("sha1", self.digest(1, 20)), ("tiger", self.digest(8, 24)), ("md5", self.digest(11, 16))]
        digests += [("ed2k", self.digest(11, 16)), ("btih", self.digest(26, 20))]
        found = [(algorithm, value) for algorithm, value in digests if value and algorithm != "tiger"]
        entry = _Entry(at, name, size, written, sharing, found)
        self.skip(4, 4)
        self.metadata()
        entry.uploads = struct.unpack("<II", self.take(8))[1]
        self.skip(14, 4)
        self.skip(20, 4)
        if self.version >= 2:
            urls = [self.source() for _ in range(self.count())]
            entry.url = urls[0] if urls else Absent.NOT_RECORDED
        return entry

    def metadata(self) -> None:
        automatic = False
        if self.text():
            if self.version < 27:
                automatic = bool(self.number("<I"))
                self.take(0 if automatic else 8)
            self.element(0)
        if self.version >= 13:
            rated = self.number("<i") != 0
            rated = bool(self.text()) or rated
            if self.version >= 16:
                self.text()
            self.take(12 if self.version >= 27 else 8 if automatic and rated else 0)

    def source(self) -> str:
        url = self.text()
        self.take(8 if self.version >= 10 else 4)
        return url

    def element(self, depth: int) -> None:
        self.limit(depth)
        self.text()
        self.text()
        for _ in range(self.count()):
            self.text()
            self.text()
        for _ in range(self.count()):
            self.element(depth + 1)

    def album(self, depth: int) -> None:
        self.limit(depth)
        self.text()
        if self.count():
            self.element(depth)
        self.digest(19, 20)
        self.digest(24, 16)
        self.text()
        self.take(8)
        if self.version >= 9:
            self.text()
        for _ in range(self.count()):
            self.album(depth + 1)
        self.take(4 * self.count())

    def history(self) -> None:
        self.take(12 * self.count())
        if self.version > 22 and self.text():
            self.text()
            self.take(24)

    def limit(self, depth: int) -> None:
        if depth > MOST_DEPTH:
            raise ValueError(f"more than {MOST_DEPTH} levels at offset {self.at:,}")


def _records(file: File, folder: str, entry: _Entry) -> Iterator[ReferencedFile]:
    for algorithm, digest in entry.digests:
        yield ReferencedFile(
            source=file.locator.at(entry.at),
            application="Shareaza",
            algorithm=algorithm,
            digest=digest,
            name=entry.name,
            path=f"{folder}\\{entry.name}" if folder else Absent.NOT_RECORDED,
            size=entry.size,
            recorded=entry.written,
            state=entry.sharing or Absent.NOT_RECORDED,
            context=f"sent to others {entry.uploads:,} times",
            url=entry.url,
        )
