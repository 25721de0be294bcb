"""7z archives: members in the order in which they are packed, several of them in one compressed stream (*folder*).

What cannot be decoded here (BCJ2, PPMd) is left to libarchive, if it is there and the folder is not encrypted.

Reference: 7-Zip's ``DOC/7zFormat.txt``.
"""

from collections.abc import Iterator
from typing import Final

from isal import isal_zlib

from triage.errors import EvidenceError
from triage.evidence.archives.decoders import Stored, Undecodable
from triage.evidence.archives.job import Fault, Job
from triage.evidence.archives.libarchive import Paired
from triage.evidence.archives.member import Member, member_path, raw_name, with_target
from triage.evidence.archives.seven_coders import Chain, KeyCache, chain, encrypted, unread
from triage.evidence.archives.seven_header import START, Folder, SevenFile, SevenHeader, packed_header, parse
from triage.evidence.archives.window import STEP, stored_pieces
from triage.evidence.archives.zip_fields import filetime_ns
from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType
from triage.evidence.modes import entry_type
from triage.evidence.source import ByteSource
from triage.notices import Notice, NoticeKind

_MOST_HEADER: Final = 256 << 20
_LEVELS: Final = 4  # of headers packed in headers
_UNIX: Final = 0x8000  # of the attributes: the upper half is a Unix mode
_DIRECTORY: Final = 0x10


def read_seven(job: Job) -> Iterator[Member | Notice]:
    """Members and doubts of one 7z archive."""
    yield from _Seven(job).members()


class _Seven:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._keys = KeyCache()
        self._passwords = list(job.passwords)
        self._header = SevenHeader()
        self._current = -1
        self._stream: Chain | None = None
        self._broken: Fault | None = None
        self._other = Paired(job, "7zip")

    def members(self) -> Iterator[Member | Notice]:
        try:
            self._header = self._read_header()
        except Undecodable as problem:
            cut = "before its list" in str(problem) or "cut off" in str(problem)
            kind = NoticeKind.TRUNCATED if cut and problem.kind is NoticeKind.DAMAGED else problem.kind
            yield self._job.notice(kind, f"no member can be listed: {problem}")
            return
        except EvidenceError as problem:
            yield self._job.notice(NoticeKind.UNREADABLE, f"no member can be listed: {problem}")
            return
        try:
            for number, file in enumerate(self._header.files, 1):
                yield self._member(file, number)
        finally:
            self._other.close()

    def _read_header(self) -> SevenHeader:
        data = packed_header(self._job.window)
        for _ in range(_LEVELS):
            header, packed = parse(data, self._job.limits.members)
            if not packed:
                return header
            data = self._unpacked_header(header)
        raise Undecodable("its list of members is packed too often")

    def _unpacked_header(self, header: SevenHeader) -> bytes:
        if not header.folders:
            raise Undecodable("its list of members is packed nowhere")
        folder, self._header = header.folders[0], header
        if folder.size > _MOST_HEADER:
            raise Undecodable(f"its list of members claims {folder.size:,} bytes", NoticeKind.LIMIT)
        if missing := unread(folder):
            raise Undecodable(f"its list of members is packed with {missing}", NoticeKind.UNSUPPORTED)
        if not encrypted(folder):
            return self._whole(folder, None)
        for password in list(self._passwords):
            try:
                data = self._whole(folder, password)
            except Undecodable:
                continue
            self._fits(password)
            return data
        said = "none of the passwords given fits" if self._passwords else "no password was given"
        raise Undecodable(f"even the names are encrypted; {said}", NoticeKind.ENCRYPTED)

    def _whole(self, folder: Folder, password: str | None) -> bytes:
        stream = self._open(folder, password)
        parts = []
        left = folder.size
        while left and (data := stream.read(min(left, STEP))):
            parts.append(data)
            left -= len(data)
        data = b"".join(parts)
        if left or (folder.crc is not None and isal_zlib.crc32(data) != folder.crc):
            raise Undecodable("its list of members is damaged")
        return data

    def _open(self, folder: Folder, password: str | None) -> Chain:
        header = self._header
        if folder.first_pack >= len(header.pack_sizes):
            raise Undecodable("its packed stream is not described")
        start = START + header.pack_offset + sum(header.pack_sizes[: folder.first_pack])
        size = header.pack_sizes[folder.first_pack]
        pieces = stored_pieces(self._job.window, start, size)
        return chain(folder, pieces, password, self._keys, self._job.limits.dictionary)

    def _fits(self, password: str) -> None:
        self._passwords.remove(password)
        self._passwords.insert(0, password)

    def _member(self, file: SevenFile, number: int) -> Member:
        entry = seven_entry(file, number, self._job.limits.path)
        if entry.type == EntryType.DIRECTORY or file.anti:
            return Member(entry)
        if file.folder < 0 or file.folder >= len(self._header.folders):
            return Member(entry, self._job.spool().source())
        folder = self._header.folders[file.folder]
        if encrypted(folder):
            entry = entry._replace(flags=entry.flags | EntryFlag.ENCRYPTED)
        if self._job.budget.spent:
            rest = self._header.files[number - 1 :]
            return Member(entry, None, self._job.stop(len(rest), sum(one.size for one in rest)))
        if file.folder != self._current:
            self._enter(file.folder, folder, file)
        if self._stream is not None or self._broken is not None:
            return self._here(file, entry)
        return self._elsewhere(file, entry, number, folder)

    def _enter(self, index: int, folder: Folder, first: SevenFile) -> None:
        """Begin on the stream of a folder; what prevents it is a fault of all its members."""
        self._current, self._stream, self._broken = index, None, None
        if unread(folder):
            return
        try:
            password = self._password(folder, first) if encrypted(folder) else None
            self._stream = self._open(folder, password)
        except Undecodable as problem:
            self._broken = Fault(problem.kind, str(problem))

    def _password(self, folder: Folder, first: SevenFile) -> str:
        """The password with which the first member comes out right."""
        for password in list(self._passwords):
            try:
                stream, crc, left = self._open(folder, password), 0, min(first.size, self._job.budget.allowance())
                while left and (data := stream.read(min(left, STEP))):
                    crc = isal_zlib.crc32(data, crc)
                    left -= len(data)
            except Undecodable:
                continue
            if not left and first.crc in (None, crc):
                self._fits(password)
                return password
        said = "none of the passwords given fits" if self._passwords else "no password was given"
        raise Undecodable(f"encrypted with AES-256; {said}", NoticeKind.ENCRYPTED)

    def _here(self, file: SevenFile, entry: Entry) -> Member:
        if self._broken is not None or self._stream is None:
            return Member(entry, None, self._job.reason(self._broken, entry))
        unpacked = self._job.unpack(Stored(), _taken(self._stream, file.size))
        fault = unpacked.fault
        if fault is None and unpacked.size < file.size:
            fault = Fault(NoticeKind.TRUNCATED, f"its stream ends after {unpacked.size:,} of {file.size:,} bytes")
        if fault is not None:
            said = "lies behind a member of the same compressed stream that could not be read to its end"
            self._broken = Fault(fault.kind, said)
        elif file.crc is not None and unpacked.crc != file.crc:
            fault = Fault(NoticeKind.DAMAGED, "its CRC-32 does not match")
        return self._finished(entry._replace(size=unpacked.size), unpacked.source, fault)

    def _finished(self, entry: Entry, source: ByteSource, fault: Fault | None) -> Member:
        entry = with_target(entry, source)
        return Member(entry, source, self._job.reason(fault, entry))

    def _elsewhere(self, file: SevenFile, entry: Entry, number: int, folder: Folder) -> Member:
        """A member of a folder that only libarchive may decode."""
        method = unread(folder)
        if encrypted(folder):
            return self._job.failed(entry, Fault(NoticeKind.ENCRYPTED, f"encrypted, and packed with {method}"))
        found = self._other.content(number - 1, file.size, file.crc)
        if isinstance(found, Fault):
            return self._job.failed(entry, Fault(found.kind, f"packed with {method}: {found.message}"))
        return self._finished(entry._replace(size=found.size), found.source, found.fault)


def _taken(stream: Chain, size: int) -> Iterator[bytes]:
    while size and (data := stream.read(min(size, STEP))):
        yield data
        size -= len(data)


def seven_entry(file: SevenFile, number: int, longest: int) -> Entry:
    """The entry that the header describes; its size as claimed."""
    name = file.name.decode("utf-16-le", "backslashreplace")
    name = name.encode("utf-8", "backslashreplace").decode()
    path = member_path(name, number, longest)
    mode = file.attributes >> 16 if file.attributes & _UNIX else 0
    kind = entry_type(mode) if mode & 0o170000 else EntryType.FILE
    if file.directory or (file.attributes & _DIRECTORY and file.folder < 0):
        kind = EntryType.DIRECTORY
    elif kind in (EntryType.UNKNOWN, EntryType.DIRECTORY):
        kind = EntryType.FILE
    modified, accessed, created = map(filetime_ns, file.times)
    return Entry(
        path,
        kind,
        str(number),
        file.size,
        EntryFlag.DELETED if file.anti else 0,
        EntryTimes(modified, accessed, None, created),
        name_type=kind,
        mode=mode & 0o7777,
        raw_path=raw_name(name.encode(), path) and file.name,
        container="7z",
    )
