"""Compressed single files: gzip, bzip2, xz (and lzma), Zstandard. Streams one behind the other are one file.

A tar inside is a member like any other (``x.tar.gz`` holds ``x.tar``) and an archive for the caller to open.

References: RFC 1952 (gzip), RFC 8878 (Zstandard), "The .xz File Format" 1.2.1.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from triage.errors import EvidenceError
from triage.evidence.archives.decoders import Decoder, bzip2, decode, gzip, xz, zstandard
from triage.evidence.archives.job import Fault, Job, Unpacked
from triage.evidence.archives.member import Member, member_path, raw_name
from triage.evidence.entry import Entry, EntryTimes, EntryType
from triage.notices import Notice, NoticeKind
from triage.times import SECOND

_SUFFIXES: Final = {
    ".tgz": ".tar", ".tbz": ".tar", ".tbz2": ".tar", ".txz": ".tar", ".tzst": ".tar", ".svgz": ".svg", ".gz": "",
    ".bz2": "", ".xz": "", ".lzma": "", ".zst": "", ".z": "",
}  # fmt: skip
_GZIP: Final = (b"\x1f\x8b\x08",)
# A frame may be one to skip, of which there are sixteen kinds.
_ZSTANDARD: Final = (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + kind]) + b"\x2a\x4d\x18" for kind in range(16)))
_MOST_HEADER: Final = 128 << 10


class GzipHeader(NamedTuple):
    """What a gzip header says; ``length`` in bytes, ``name`` as stored, ``modified`` in seconds (0: not known)."""

    length: int
    name: bytes
    modified: int


def gzip_header(data: bytes) -> GzipHeader | None:
    """The header at the start of ``data``, or `None` if there is no whole one (RFC 1952, 2.3)."""
    if len(data) < 10 or not data.startswith(_GZIP):
        return None
    flags = data[3]
    (modified,) = struct.unpack_from("<I", data, 4)
    at, name = 10, b""
    if flags & 4:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (8, 16):  # name, comment
        if flags & flag:
            end = data.find(b"\0", at)
            if end < 0:
                return None
            name = data[at:end] if flag == 8 else name
            at = end + 1
    at += 2 if flags & 2 else 0
    return GzipHeader(at, name, modified) if at <= len(data) else None


def read_gzip(job: Job) -> Iterator[Member | Notice]:
    """The member of a gzip file."""
    try:
        header = gzip_header(job.window.read_at(0, _MOST_HEADER))
    except EvidenceError as problem:
        yield job.notice(NoticeKind.UNREADABLE, f"its header cannot be read: {problem}")
        return
    if header is None:
        yield job.notice(NoticeKind.TRUNCATED, "its header is cut off")
        return
    # ISO 8859-1 by the standard, UTF-8 in practice.
    stored = header.name
    yield from _single(
        job, "gzip", gzip, _GZIP, stored, EntryTimes(header.modified * SECOND if header.modified else None)
    )


def read_bzip2(job: Job) -> Iterator[Member | Notice]:
    """The member of a bzip2 file."""
    yield from _single(job, "bzip2", bzip2, (b"BZh",), b"", EntryTimes())


def read_xz(job: Job) -> Iterator[Member | Notice]:
    """The member of an xz or lzma file."""
    yield from _single(job, "xz", lambda: xz(job.limits.dictionary), (b"\xfd7zXZ\0",), b"", EntryTimes())


def read_zstandard(job: Job) -> Iterator[Member | Notice]:
    """The member of a Zstandard file."""
    yield from _single(job, "zstd", zstandard, _ZSTANDARD, b"", EntryTimes())


def _single(
    job: Job, container: str, make: Callable[[], Decoder], magic: tuple[bytes, ...], stored: bytes, times: EntryTimes
) -> Iterator[Member | Notice]:
    # A name that leads through directories would be hostile; its last part is the name.
    last = stored.replace(b"\\", b"/").rstrip(b"/").rpartition(b"/")[2]
    name = last.decode("utf-8", "backslashreplace") or _without_suffix(job.name)
    path = member_path(name, 1, job.limits.path)
    raw = raw_name(stored, path) if stored else b""
    entry = Entry(path, EntryType.FILE, "1", 0, 0, times, name_type=EntryType.FILE, raw_path=raw, container=container)
    tries: list[_Joined] = []

    def joined() -> Decoder:
        tries.append(_Joined(make, magic))
        return tries[-1]

    unpacked = job.unpack_range(joined, 0, job.source.size)
    decoder = tries[-1]
    entry = entry._replace(size=unpacked.size)
    yield Member(entry, unpacked.source, job.reason(_fault(unpacked, decoder), entry))
    if decoder.trailing:
        said = f"about {decoder.trailing:,} bytes that are no compressed stream follow the last one"
        yield job.notice(NoticeKind.REMARK, said)


def _fault(unpacked: Unpacked, decoder: "_Joined") -> Fault | None:
    if unpacked.fault is None and not decoder.complete:
        return Fault(NoticeKind.TRUNCATED, f"the compressed stream is cut off after {unpacked.size:,} unpacked bytes")
    return unpacked.fault


def _without_suffix(name: str) -> str:
    lower = name.lower()
    for suffix, instead in _SUFFIXES.items():
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)] + instead
    return f"{name} (content)"


class _Joined:
    """Streams of one kind one behind the other, decoded as one."""

    eof = False  # more may follow until the file ends
    unused_data = b""

    def __init__(self, make: Callable[[], Decoder], magic: tuple[bytes, ...]) -> None:
        self._make = make
        self._magic = magic
        self._longest = max(map(len, magic))
        self._decoder: Decoder | None = make()
        self._input = b""
        self._trailing = 0

    @property
    def trailing(self) -> int:
        """Bytes behind the last stream that are neither a stream nor padding."""
        return self._trailing + (len(self._input.lstrip(b"\0")) if self._decoder is None else 0)

    @property
    def complete(self) -> bool:
        """Whether the last stream came to its end."""
        return self._decoder is None

    @property
    def needs_input(self) -> bool:
        """See `Decoder.needs_input`."""
        if self._decoder is None:
            return len(self._input) < self._longest or bool(self._trailing)
        return self._decoder.needs_input and not self._input

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """See `Decoder.decompress`."""
        if self._trailing:
            self._trailing += len(data)
            return b""
        self._input += data
        if self._decoder is None and not self._begin():
            return b""
        if self._decoder is None:
            return b""
        given, self._input = self._input, b""
        out = decode(self._decoder, given, max_length)
        if self._decoder.eof:
            self._input = self._decoder.unused_data
            self._decoder = None
        return out

    def _begin(self) -> bool:
        """Start on the next stream if there is one; padding by zeros is passed over."""
        self._input = self._input.lstrip(b"\0")
        if self._input.startswith(self._magic):
            self._decoder = self._make()
            return True
        if len(self._input) >= self._longest:
            self._trailing, self._input = len(self._input), b""
        return False
