"""Files that eMule and aMule know, were downloading, or gave up."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from triage.api import Absent, File, Parser, ReferencedFile, Time, UnsupportedSchema, unix_s

KNOWN: Final = (0x0E, 0x0F)
PARTS: Final = (0xE0, 0xE1, 0xE2)
CANCELLED_PLAIN: Final = 0x0E
CANCELLED_SALTED: Final = 0x0F
CANCELLED_AMULE: Final = 0x21
NO_DATE: Final = 0xFFFFFFFF
NAME, SIZE, SIZE_HIGH, SEEN_COMPLETE, RECEIVED, PART_NAME = 0x01, 0x02, 0x3A, 0x05, 0x08, 0x12
LAST_SEEN_AMULE, LAST_SHARED = 0x28, 0x34
SENT, REQUESTS, ACCEPTED, SENT_HIGH = 0x50, 0x51, 0x52, 0x54
_FIXED: Final = {0x01: 16, 0x04: 4, 0x05: 1}
"""Types of tags whose values are passed over, with their lengths: digest, float, bool."""
_NUMBERS: Final = {0x03: "<I", 0x08: "<H", 0x09: "<B", 0x0B: "<Q"}


@dataclass(slots=True)
class _Entry:
    at: int
    modified: int
    digest: bytes
    names: list[str] = field(default_factory=list)
    part_name: str = ""
    numbers: dict[int, int] = field(default_factory=dict)


class EmuleFiles(Parser):
    """Files in eMule's and aMule's ``known.met``, ``*.part.met`` and ``cancelled.met`` by eD2k digest.

    The eD2k digest of a file is MD4 (of the MD4s of its parts of 9,728,000 bytes). ``known.met`` lists files that were
    shared or downloaded, ``*.part.met`` is one unfinished download, ``cancelled.met`` lists downloads that were given
    up. ``recorded`` is when the program last shared or saw the file, of an unfinished download when it last saw a
    complete source; ``context`` holds the file's own modification time (UTC) and what was sent to others, which says
    that it was not only available but shared.

    Does not cover AICH digests (``known2_64.met``), digests of parts, gaps of unfinished downloads, and newer
    ``cancelled.met`` files, which hold salted digests: their number is told.

    References: https://github.com/amule-project/amule (KnownFile.cpp, PartFile.cpp, Tag.cpp, CanceledFileList.cpp),
    https://github.com/irwir/eMule (KnownFileList.cpp, Opcodes.h)
    """

    id = "emule.met"
    yields = (ReferencedFile,)
    paths = ("**/known.met", "**/known.met.bak", "**/*.part.met", "**/*.part.met.bak", "**/cancel{,l}ed.met")

    def parse(self, file: File) -> Iterator[ReferencedFile]:
        """One record for each file; what stands before damage is given."""
        reader, name = _Reader(file.read()), file.name.lower()
        try:
            if name.startswith("cancel"):
                yield from _cancelled(file, reader)
            elif name.startswith("known"):
                reader.version(KNOWN)
                for _ in range(reader.number("<I")):
                    yield _record(file, reader.entry(), "known", (LAST_SHARED, LAST_SEEN_AMULE))
            else:
                yield _record(file, _part(reader), "unfinished download", (SEEN_COMPLETE,))
        except ValueError as error:
            raise UnsupportedSchema(str(error)) from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            raise ValueError(f"the data ends at offset {len(self.data):,}, {length:,} bytes are due at {self.at:,}")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def version(self, known: tuple[int, ...]) -> int:
        found = self.number("<B")
        if found not in known:
            raise ValueError(f"version {found:#04x} of such a file")
        return found

    def entry(self, parts: bool = True) -> _Entry:
        entry = _Entry(self.at, self.number("<I"), self.take(16))
        if parts:
            self.take(16 * self.number("<H"))
        self.tags(entry, self.number("<I"))
        return entry

    def tags(self, entry: _Entry, count: int) -> None:
        for _ in range(count):
            kind, start = self.number("<B"), self.at
            name = self.take(1) if kind & 0x80 else self.take(self.number("<H"))
            value = self._value(kind & 0x7F, start)
            tag = name[0] if len(name) == 1 else -1
            if isinstance(value, int):
                entry.numbers.setdefault(tag, value)
            elif tag == NAME:
                entry.names.append(value)
            elif tag == PART_NAME:
                entry.part_name = value

    def _value(self, kind: int, start: int) -> int | str:
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == 0x02 or 0x11 <= kind <= 0x26:
            raw = self.take(self.number("<H") if kind == 0x02 else kind - 0x10)
            # Text without the mark is of a code page that the file does not name, or plain ASCII.
            return raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace")
        if kind == 0x06:
            self.take(self.number("<H") // 8 + 1)
        elif kind in (0x07, 0x0A):
            self.take(self.number("<I" if kind == 0x07 else "<B"))
        elif kind in _FIXED:
            self.take(_FIXED[kind])
        else:
            raise ValueError(f"a tag of unknown type {kind:#04x} at offset {start - 1:,}")
        return ""


def _part(reader: _Reader) -> _Entry:
    version = reader.version(PARTS)
    # Parts of eDonkey's own client have the digest without those of its parts, one byte later.
    foreign = version == 0xE1 or (version == 0xE0 and reader.data[24:28] == b"\0\0\x02\x01")
    if foreign and reader.data[1:5] != bytes(4):
        reader.take(1)
        return reader.entry(parts=False)
    return reader.entry()


def _cancelled(file: File, reader: _Reader) -> Iterator[ReferencedFile]:
    version = reader.version((CANCELLED_PLAIN, CANCELLED_SALTED, CANCELLED_AMULE))
    if version == CANCELLED_SALTED:
        reader.take(5)
        raise ValueError(f"{reader.number('<I'):,} cancelled downloads, by salted digests that compare with nothing")
    for _ in range(reader.number("<I")):
        entry = _Entry(reader.at, 0, reader.take(16))
        if version == CANCELLED_PLAIN:
            reader.tags(entry, reader.number("<B"))
        yield _record(file, entry, "cancelled download", ())


def _record(file: File, entry: _Entry, state: str, times: tuple[int, ...]) -> ReferencedFile:
    numbers = entry.numbers
    size = numbers.get(SIZE, Absent.NOT_RECORDED)
    return ReferencedFile(
        source=file.locator.at(entry.at),
        application="aMule" if "amule" in file.path.lower() else "eMule",
        algorithm="ed2k",
        digest=entry.digest.hex(),
        name=next((name for name in entry.names if name), Absent.NOT_RECORDED),
        path=entry.part_name or Absent.NOT_RECORDED,
        size=size if isinstance(size, Absent) else size | numbers.get(SIZE_HIGH, 0) << 32,
        recorded=next((unix_s(numbers[tag]) for tag in times if tag in numbers), Absent.NOT_RECORDED),
        state=state,
        context=_context(unix_s(0 if entry.modified == NO_DATE else entry.modified), numbers),
        url=Absent.NOT_APPLICABLE,
    )


def _context(modified: Time, numbers: dict[int, int]) -> str | Absent:
    sent = numbers.get(SENT, 0) | numbers.get(SENT_HIGH, 0) << 32
    parts = [
        "" if isinstance(modified, Absent) else f"file modified {modified.iso()}",
        f"received {numbers[RECEIVED]:,} bytes" if RECEIVED in numbers else "",
        f"sent to others {sent:,} bytes" if SENT in numbers or SENT_HIGH in numbers else "",
        f"asked for {numbers[REQUESTS]:,} times" if REQUESTS in numbers else "",
        f"granted {numbers[ACCEPTED]:,} times" if ACCEPTED in numbers else "",
    ]
    return "; ".join(part for part in parts if part) or Absent.NOT_RECORDED
