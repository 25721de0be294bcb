"""The sections of EWF-E01 and EWF-S01 segment files.

Format: J. Metz, "Expert Witness Compression Format (EWF)", libewf documentation, sections "Segment file" and
"The sections". All numbers are little-endian, all checksums Adler-32.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import adler32

from triage.evidence.container import Doubt
from triage.evidence.files import FileSet
from triage.notices import NoticeKind

SIGNATURE: Final = b"EVF\t\r\n\xff\0"
LOGICAL_SIGNATURE: Final = b"LVF\t\r\n\xff\0"
FILE_HEADER: Final = 13
DESCRIPTOR: Final = 76
MAX_SECTIONS: Final = 200_000
"""Of one segment; a writer makes three for each 16,375 chunks."""
MAX_CHUNK: Final = 128 << 20
"""The format allows 32,768 sectors to a chunk."""
MAX_MEDIA: Final = 1 << 62
LOGICAL: Final = 14
"""Media type of a logical evidence file, which need not state sectors."""
_KINDS: Final = frozenset(
    [
        *("header", "header2", "xheader", "volume", "disk", "data", "sectors", "table", "table2", "next", "done"),
        *("hash", "digest", "xhash", "error2", "session", "ltree", "ltypes", "map", "incomplete"),
    ]
)


class Section(NamedTuple):
    """One section: its kind, where its descriptor and its data start and where it ends, in bytes of its file."""

    kind: str
    offset: int
    data: int
    end: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment file: ``index`` in the file set, ``number`` that its header states, sections in order.

    ``ending`` is ``next`` or ``done`` if the chain of sections ends as it should, else empty.
    """

    index: int
    number: int
    sections: tuple[Section, ...]
    ending: str
    doubts: tuple[Doubt, ...]

    def of_kind(self, *kinds: str) -> list[Section]:
        """The sections of these kinds."""
        return [section for section in self.sections if section.kind in kinds]


def segment_number(head: bytes) -> int | None:
    """The segment number out of a file header, or `None` if this is no EWF-E01, EWF-S01 or EWF-L01 segment."""
    if len(head) < FILE_HEADER or not head.startswith((SIGNATURE, LOGICAL_SIGNATURE)):
        return None
    return int.from_bytes(head[9:11], "little")


def read_segment(files: FileSet, index: int) -> Segment:
    """Follow the chain of sections of one file. Offsets only ever grow, so that it ends on any input.

    Raises:
        UnreadableBytes: the operating system reports an error.
    """
    size, name = files.sizes[index], files.paths[index].name
    number = segment_number(files.read(index, 0, FILE_HEADER)) or 0
    sections: list[Section] = []
    doubts: list[Doubt] = []
    at, ending = FILE_HEADER, ""
    while not ending:
        descriptor = files.read(index, at, DESCRIPTOR)
        if len(descriptor) < DESCRIPTOR:
            doubts.append((NoticeKind.TRUNCATED, f"{name} ends at byte {size} without a closing section"))
            break
        section, following, doubt = _section(descriptor, at, size)
        if doubt:
            doubts.append((doubt[0], f"{name}: section at byte {at}: {doubt[1]}"))
        if section is None or len(sections) >= MAX_SECTIONS:
            break
        sections.append(section)
        ending = section.kind if section.kind in ("next", "done") else ""
        at = following
    return Segment(index, number, tuple(sections), ending, tuple(doubts))


def _section(descriptor: bytes, at: int, file_size: int) -> tuple[Section | None, int, Doubt | None]:
    """A section, the offset of the one after it, and what is doubtful about it; no section if the chain breaks here."""
    kind = descriptor[:16].rstrip(b"\0").decode("ascii", "replace")
    following, size = struct.unpack_from("<QQ", descriptor, 16)
    data = at + DESCRIPTOR
    doubt: Doubt | None = None
    if adler32(descriptor[:72]) != int.from_bytes(descriptor[72:], "little"):
        doubt = (NoticeKind.DAMAGED, "checksum of the descriptor does not match")
        if kind not in _KINDS:
            return (
                None,
                0,
                (NoticeKind.DAMAGED, "neither type nor checksum are those of a section; the chain ends here"),
            )
    if kind in ("next", "done"):
        return Section(kind, at, data, data), 0, doubt
    if following < data and size > DESCRIPTOR:
        following, doubt = (
            at + size,
            (NoticeKind.LOOP, f"the next section is said to be at byte {following}, before this one"),
        )
    elif size and following != at + size:
        # Two readers that trust one of the fields each would see two different images.
        doubt = (NoticeKind.DAMAGED, f"size {size} and next offset {following} do not agree")
    if following < data:
        return None, 0, (NoticeKind.LOOP, f"the next section is said to be at byte {following}; the chain ends here")
    if following > file_size:
        doubt = doubt or (NoticeKind.TRUNCATED, f"{kind} needs {following - file_size} bytes more than the file has")
    return Section(kind, at, data, min(following, file_size)), following, doubt


@dataclass(frozen=True, slots=True)
class Volume:
    """Geometry of the media as the volume section states it. ``smart`` marks the EWF-S01 layout."""

    chunks: int
    sectors_per_chunk: int
    bytes_per_sector: int
    sectors: int
    media_type: int = 0
    media_flags: int = 0
    identifier: str = ""
    smart: bool = False

    @property
    def chunk_size(self) -> int:
        """Bytes in a full chunk."""
        return self.sectors_per_chunk * self.bytes_per_sector

    @property
    def size(self) -> int:
        """Bytes of media in whole sectors."""
        return self.sectors * self.bytes_per_sector

    def sane(self) -> bool:
        """Whether the numbers can be those of media."""
        return 0 < self.chunk_size <= MAX_CHUNK and 0 < self.size <= MAX_MEDIA


def read_volume(files: FileSet, segments: Sequence[Segment]) -> tuple[Volume | None, list[Doubt]]:
    """The geometry from the volume section, or from a copy of it (``data``) where that is damaged."""
    doubts: list[Doubt] = []
    fallback: Volume | None = None
    for kinds in (("volume", "disk"), ("data",)):
        for segment in segments:
            for section in segment.of_kind(*kinds):
                data = files.read(segment.index, section.data, min(section.end - section.data, 1052))
                volume = _volume(data)
                if volume is None or not volume.sane():
                    continue
                if adler32(data[:-4]) == int.from_bytes(data[-4:], "little"):
                    return volume, doubts
                fallback = fallback or volume
                name = files.paths[segment.index].name
                doubts.append((NoticeKind.DAMAGED, f"{name}: checksum of the {section.kind} section does not match"))
    return fallback, doubts


def _volume(data: bytes) -> Volume | None:
    if len(data) == 94:  # EWF-S01
        chunks, per_chunk, per_sector, sectors = struct.unpack_from("<IIII", data, 4)
        return Volume(chunks, per_chunk, per_sector, sectors, smart=True)
    if len(data) < 1052:
        return None
    media_type, chunks, per_chunk, per_sector, sectors = struct.unpack_from("<BxxxIIIQ", data)
    if media_type == LOGICAL:
        sectors = sectors or chunks * per_chunk
    identifier = data[64:80].hex() if data[64:80].strip(b"\0") else ""
    return Volume(chunks, per_chunk, per_sector, sectors, media_type, data[36], identifier)


def read_digests(files: FileSet, segments: Sequence[Segment]) -> tuple[dict[str, str], list[Doubt]]:
    """MD5 and SHA-1 over the media from the hash and digest sections. All zeros stand for a digest never made."""
    digests: dict[str, str] = {}
    doubts: list[Doubt] = []
    for segment in segments:
        for section in segment.of_kind("hash", "digest"):
            length = 36 if section.kind == "hash" else 80
            data = files.read(segment.index, section.data, length)
            if len(data) < length or adler32(data[:-4]) != int.from_bytes(data[-4:], "little"):
                name = files.paths[segment.index].name
                doubts.append(
                    (NoticeKind.DAMAGED, f"{name}: the {section.kind} section is damaged; its digests are not used")
                )
                continue
            stored = {"md5": data[:16], "sha1": data[16:36] if section.kind == "digest" else b""}
            for algorithm, digest in stored.items():
                if not digest.strip(b"\0"):
                    continue
                if digests.setdefault(algorithm, digest.hex()) != digest.hex():
                    message = f"two different {algorithm} digests are stored: {digests[algorithm]} and {digest.hex()}"
                    doubts.append((NoticeKind.DAMAGED, message))
    return digests, doubts


def read_acquisition_errors(files: FileSet, segments: Sequence[Segment]) -> tuple[list[tuple[int, int]], list[Doubt]]:
    """(first sector, number of sectors) that could not be read from the media when it was acquired (``error2``)."""
    ranges: list[tuple[int, int]] = []
    doubts: list[Doubt] = []
    for segment in segments:
        for section in segment.of_kind("error2"):
            head = files.read(segment.index, section.data, 520)
            count = int.from_bytes(head[:4], "little")
            fits = len(head) == 520 and section.data + 520 + count * 8 <= section.end
            body = files.read(segment.index, section.data + 520, count * 8) if fits else b""
            if not fits or adler32(head[:516]) != int.from_bytes(head[516:], "little"):
                name = files.paths[segment.index].name
                doubts.append((NoticeKind.DAMAGED, f"{name}: the list of sectors with read errors is damaged"))
            ranges += [(first, length) for first, length in struct.iter_unpack("<II", body)]
    return ranges, doubts
