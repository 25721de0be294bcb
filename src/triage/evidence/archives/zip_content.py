"""The bytes of zip members: stored, deflated and otherwise compressed, plain and encrypted, each against its CRC-32."""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, cast

from isal import isal_zlib

from triage.errors import EvidenceError
from triage.evidence.archives.decoders import (
    Decoder,
    Deflate64,
    Stored,
    Undecodable,
    ZipLzma,
    bzip2,
    deflate,
    xz,
    zstandard,
)
from triage.evidence.archives.job import Fault, Job, Unpacked
from triage.evidence.archives.member import Member, with_target
from triage.evidence.archives.window import BLOCK, STEP, Window, stored_pieces
from triage.evidence.archives.zip_fields import extra_fields
from triage.evidence.archives.zip_keys import AES_METHOD, HEADER, MAC, AesFacts, AesMember, OldCipher, aes_facts
from triage.evidence.archives.zip_records import DESCRIBED, ZipRecord, local_record
from triage.evidence.entry import Entry, EntryType
from triage.evidence.source import MemorySource, Slice
from triage.notices import Notice, NoticeKind

_ENCRYPTED: Final = 0x0001
_STRONG: Final = 0x0040
_MASKED: Final = 0x2000
_STORED: Final = 0
_DEFLATED: Final = 8
_OLD_CIPHER_BYTES: Final = 64 << 20
_SEARCHES: Final = 16
_DESCRIPTOR: Final = b"PK\7\x08"
_METHODS: Final = {
    1: "Shrink", 2: "Reduce", 3: "Reduce", 4: "Reduce", 5: "Reduce", 6: "Implode", 10: "DCL Implode", 16: "IBM CMPSC",
    18: "IBM TERSE", 19: "IBM LZ77", 94: "MP3", 96: "JPEG", 97: "WavPack", 98: "PPMd",
}  # fmt: skip
_ISAL_ERROR: Final = cast("type[Exception]", isal_zlib.error)


class ZipContent:
    """Reads members one after the other. ``end`` is where the stored bytes of the last one end."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._searched = 0
        self.end = 0

    def member(self, record: ZipRecord, entry: Entry) -> Iterator[Member | Notice]:
        """The member with its content, and a remark where its two names differ."""
        self.end = 0
        try:
            header = local_record(self._job.window, record.offset, record.number)
        except EvidenceError as problem:
            yield self._job.failed(entry, Fault(NoticeKind.UNREADABLE, f"its header cannot be read: {problem}"))
            return
        if header is None:
            cut = record.offset >= self._job.source.size
            kind, said = (
                (NoticeKind.TRUNCATED, f"lies at {record.offset:,}, behind the end of the archive")
                if cut
                else (NoticeKind.DAMAGED, f"has no header at {record.offset:,}")
            )
            yield self._job.failed(entry, Fault(kind, said))
            return
        local, start = header
        if local.name != record.name:
            shown = local.name[:200].decode("utf-8", "backslashreplace")
            yield self._job.notice(NoticeKind.REMARK, f"has another name in its own header: {shown}", entry)
        self.end = start + max(record.stored, 0)
        yield self._with_content(record, start, entry)

    def _with_content(self, record: ZipRecord, start: int, entry: Entry) -> Member:
        if entry.type == EntryType.DIRECTORY:
            return Member(entry)
        try:
            unpacked = self._unpacked(record, start)
        except EvidenceError as problem:
            unpacked = Fault(NoticeKind.UNREADABLE, f"cannot be read: {problem}")
        if isinstance(unpacked, Fault):
            return self._job.failed(entry, unpacked)
        entry = with_target(entry._replace(size=unpacked.size), unpacked.source)
        return Member(entry, unpacked.source, self._job.reason(unpacked.fault, entry))

    def _unpacked(self, record: ZipRecord, start: int) -> Unpacked | Fault:
        unknown = record.stored < 0
        if unknown:
            record = record._replace(stored=self._job.source.size - start)
        if record.flags & _ENCRYPTED or record.method == AES_METHOD:
            return self._decrypted(record, start)
        return self._small(record, start) or self._plain(record, start, unknown)

    def _small(self, record: ZipRecord, start: int) -> Unpacked | None:
        """Content that fits into memory and is what the header claims, in one step; else `None`."""
        job, size = self._job, record.size
        if record.method not in (_STORED, _DEFLATED) or not 0 <= size <= min(job.limits.memory, BLOCK):
            return None
        if record.stored > BLOCK or size > job.budget.allowance():
            return None
        try:
            data = job.window.read_at(start, record.stored)
            if len(data) != record.stored:
                return None
            if record.method == _DEFLATED:
                data = isal_zlib.decompressobj(-15).decompress(data, size + 1)
        except (EvidenceError, _ISAL_ERROR):
            return None
        if len(data) != size or isal_zlib.crc32(data) != record.crc:
            return None
        job.budget.charge(size)
        return Unpacked(MemorySource(data), size, record.crc, None, True)

    def _plain(self, record: ZipRecord, start: int, unknown: bool) -> Unpacked | Fault:
        if record.method == _STORED and not unknown:
            return self._checked(self._stored(record, start), record, start)
        maker = self._maker(record, record.method)
        if isinstance(maker, Fault):
            return maker
        if unknown:
            return self._of_unknown_length(maker(), record, start)
        return self._checked(self._job.unpack_range(maker, start, record.stored), record, start)

    def _stored(self, record: ZipRecord, start: int) -> Unpacked:
        """Stored content is checked in one pass and then read where it lies."""
        source = Slice(self._job.source, start, record.stored)
        crc, at = 0, 0
        fault: Fault | None = None
        try:
            for piece in stored_pieces(source, 0, source.size, BLOCK):
                crc = isal_zlib.crc32(piece, crc)
                at += len(piece)
        except EvidenceError as problem:
            fault = Fault(NoticeKind.UNREADABLE, f"stops at {at:,} bytes: {problem}")
        return Unpacked(source, source.size, crc, fault, at == record.stored)

    def _of_unknown_length(self, decoder: Decoder, record: ZipRecord, start: int) -> Unpacked | Fault:
        """Content of a member whose sizes stand behind it, in an archive without a directory."""
        if isinstance(decoder, Stored):
            return self._up_to_descriptor(record, start)
        taken = _Counted(stored_pieces(self._job.window, start, record.stored))
        unpacked = self._job.unpack(decoder, taken)
        self.end = start + taken.count - len(decoder.unused_data)
        stated = descriptor(self._job.window, self.end)
        if unpacked.fault is None and not unpacked.finished:
            return unpacked._replace(fault=Fault(NoticeKind.TRUNCATED, "the archive ends before the member does"))
        if unpacked.fault is None and stated is not None and stated[0] != unpacked.crc:
            return unpacked._replace(fault=Fault(NoticeKind.DAMAGED, "its CRC-32 does not match"))
        return unpacked

    def _up_to_descriptor(self, record: ZipRecord, start: int) -> Unpacked | Fault:
        """Stored content ends where a description follows that fits it."""
        window, at = self._job.window, start
        while len(data := window.read_at(at, STEP)) >= len(_DESCRIPTOR):
            self._searched += len(data)
            if self._searched > _SEARCHES * window.size + STEP:
                return Fault(
                    NoticeKind.LIMIT, "stored without its length, and too much was searched for its end before"
                )
            found = data.find(_DESCRIPTOR)
            while found >= 0:
                end = at + found
                stated = descriptor(window, end)
                if stated is not None and stated[1] == end - start:
                    known = record._replace(stored=end - start, size=end - start, crc=stated[0])
                    self.end = end
                    return self._checked(self._stored(known, start), known, start)
                found = data.find(_DESCRIPTOR, found + 1)
            at += len(data) - len(_DESCRIPTOR) + 1
        return Fault(NoticeKind.TRUNCATED, "stored without its length, and the description behind it is not found")

    def _maker(self, record: ZipRecord, method: int) -> Callable[[], Decoder] | Fault:
        memory = self._job.limits.dictionary
        size = record.size if record.size >= 0 else None
        # Bit 1 of the flags says that LZMA has an end marker; the size is then not needed, and may be missing.
        makers: dict[int, Callable[[], Decoder]] = {
            _STORED: Stored,
            _DEFLATED: deflate,
            9: Deflate64,
            12: bzip2,
            14: lambda: ZipLzma(None if record.flags & 2 else size, memory),
            20: zstandard,
            93: zstandard,
            95: lambda: xz(memory),
        }
        if method in makers:
            return makers[method]
        return Fault(NoticeKind.UNSUPPORTED, f"compressed with method {method} ({_METHODS.get(method, 'unknown')})")

    def _checked(self, unpacked: Unpacked, record: ZipRecord, start: int, crc: bool = True) -> Unpacked:
        """The content, with a fault where it is not what the header claims."""
        if unpacked.fault is not None:
            return unpacked
        if start + record.stored > self._job.source.size:
            said = f"the archive ends within the member: {unpacked.size:,} of {record.size:,} bytes are there"
            return unpacked._replace(fault=Fault(NoticeKind.TRUNCATED, said))
        if unpacked.size != record.size:
            said = f"unpacks to {unpacked.size:,} bytes where {record.size:,} are claimed"
            return unpacked._replace(fault=Fault(NoticeKind.DAMAGED, said))
        if crc and unpacked.crc != record.crc:
            return unpacked._replace(fault=Fault(NoticeKind.DAMAGED, "its CRC-32 does not match"))
        return unpacked

    def _decrypted(self, record: ZipRecord, start: int) -> Unpacked | Fault:
        if record.flags & (_STRONG | _MASKED):
            return Fault(NoticeKind.ENCRYPTED, "encrypted with PKWARE's strong encryption, which is not read")
        facts = aes_facts(extra_fields(record.extra)) if record.method == AES_METHOD else None
        kind = "an unknown AES scheme" if record.method == AES_METHOD else "ZipCrypto"
        if facts is not None:
            kind = f"AES-{facts.key * 8}"
        elif record.method == AES_METHOD:
            return Fault(NoticeKind.ENCRYPTED, f"encrypted with {kind}")
        if not self._job.passwords:
            return Fault(NoticeKind.ENCRYPTED, f"encrypted with {kind}; no password was given")
        if facts is None and record.stored > _OLD_CIPHER_BYTES:
            said = f"encrypted with {kind} and larger than {_OLD_CIPHER_BYTES:,} bytes, the bound of its slow cipher"
            return Fault(NoticeKind.LIMIT, said)
        for password in self._job.passwords:
            raw = password.encode("utf-8", "surrogateescape")
            found = self._old(record, start, raw) if facts is None else self._aes(record, start, facts, raw)
            if found is not None:
                return found
        return Fault(NoticeKind.ENCRYPTED, f"encrypted with {kind}; none of the passwords given fits")

    def _aes(self, record: ZipRecord, start: int, facts: AesFacts, password: bytes) -> Unpacked | Fault | None:
        window = self._job.window
        lead = facts.salt + 2
        member = AesMember(facts, window.read_at(start, lead), password)
        if not member.fits:
            return None
        maker = self._maker(record, facts.method)
        if isinstance(maker, Fault):
            return maker
        mac = window.read_at(start + record.stored - MAC, MAC)
        pieces = member.decrypt(stored_pieces(window, start + lead, record.stored - lead - MAC), mac)
        unpacked = self._drained(maker(), pieces)
        return self._checked(unpacked, record, start, crc=facts.version == 1)

    def _drained(self, decoder: Decoder, pieces: Iterator[bytes]) -> Unpacked:
        """Unpack, and go on to the last piece, behind which the authentication code is compared."""
        unpacked = self._job.unpack(decoder, pieces)
        if unpacked.fault is None:
            try:
                for _ in pieces:
                    pass
            except Undecodable as problem:
                return unpacked._replace(fault=Fault(NoticeKind.DAMAGED, str(problem)))
        return unpacked

    def _old(self, record: ZipRecord, start: int, password: bytes) -> Unpacked | Fault | None:
        cipher = OldCipher(password)
        head = cipher.decrypt(self._job.window.read_at(start, HEADER))
        # One byte tells most wrong passwords; the time stands for the CRC where that is not known beforehand.
        expected = record.dos >> 8 & 0xFF if record.flags & DESCRIBED else record.crc >> 24
        if len(head) < HEADER or head[-1] != expected:
            return None
        maker = self._maker(record, record.method)
        if isinstance(maker, Fault):
            return maker
        stored = stored_pieces(self._job.window, start + HEADER, record.stored - HEADER)
        unpacked = self._checked(self._job.unpack(maker(), map(cipher.decrypt, stored)), record, start)
        if unpacked.fault is not None and unpacked.fault.kind is NoticeKind.DAMAGED:
            # One wrong password in 256 comes this far.
            self._job.budget.charge(-unpacked.size)
            return None
        return unpacked


class _Counted:
    """Pieces, and how many bytes they had."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self.count += len(piece)
        return piece


def descriptor(window: Window, at: int) -> tuple[int, int] | None:
    """CRC and stored size of the description of a member's data that stands at ``at`` with a signature."""
    try:
        found = window.read_at(at, 16)
    except EvidenceError:
        return None
    if len(found) < 16 or found[:4] != _DESCRIPTOR:
        return None
    crc, stored = struct.unpack_from("<II", found, 4)
    return crc, stored


def described_end(window: Window, record: ZipRecord, end: int) -> int:
    """Where to look for what follows a member whose data ends at ``end``."""
    return end + 16 if record.flags & DESCRIBED and descriptor(window, end) is not None else end
