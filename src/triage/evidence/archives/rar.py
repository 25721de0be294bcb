"""RAR archives: names, times and links by their own headers; stored content from where it lies, packed by libarchive.

Encrypted members are named and not read, whatever passwords there are; nor are members that go on in another volume.
"""

from collections.abc import Iterator
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.archives.decoders import Stored
from triage.evidence.archives.job import Fault, Job, Unpacked
from triage.evidence.archives.libarchive import Paired
from triage.evidence.archives.member import Member, member_path, raw_name, with_target
from triage.evidence.archives.rar_header import MAGIC4, MAGIC5, RarFault, RarFile, headers4, headers5
from triage.evidence.archives.window import stored_pieces
from triage.evidence.entry import Entry, EntryFlag, EntryType
from triage.evidence.modes import entry_type
from triage.notices import Notice, NoticeKind

_KINDS: Final = {
    "encrypted": NoticeKind.ENCRYPTED,
    "truncated": NoticeKind.TRUNCATED,
    "damaged": NoticeKind.DAMAGED,
    "volume": NoticeKind.UNSUPPORTED,
}
_HARD: Final = 4
_COPY: Final = 5


def read_rar(job: Job) -> Iterator[Member | Notice]:
    """Members and doubts of one RAR archive."""
    packed = Paired(job, "rar", "rar5")
    try:
        head = job.window.read_at(0, len(MAGIC5))
        if head == MAGIC5:
            found = headers5(job.window)
        elif head.startswith(MAGIC4):
            found = headers4(job.window)
        else:
            yield job.notice(NoticeKind.UNSUPPORTED, "a version of RAR that is not read")
            return
        for number, header in enumerate(found, 1):
            if isinstance(header, RarFault):
                yield job.notice(_KINDS[header.kind], header.message)
            elif number > job.limits.members:
                yield job.too_many()
                return
            else:
                yield _member(job, packed, header, number)
    except EvidenceError as problem:
        yield job.notice(NoticeKind.UNREADABLE, f"the listing ends: {problem}")
    finally:
        packed.close()


def _member(job: Job, packed: Paired, header: RarFile, number: int) -> Member:
    entry = rar_entry(header, number, job.limits.path)
    if entry.type == EntryType.DIRECTORY or header.link_kind == _HARD or (header.link and not header.packed):
        if header.link_kind == _COPY:
            said = f"has the content of {entry.link_target}, which is a member"
            return job.failed(entry, Fault(NoticeKind.NOT_EXAMINED, said))
        return Member(entry)
    if header.encrypted:
        return job.failed(entry, Fault(NoticeKind.ENCRYPTED, "encrypted; RAR's encryption is not read"))
    if header.split:
        return job.failed(entry, Fault(NoticeKind.UNSUPPORTED, "lies partly in another volume"))
    if job.budget.spent:
        return Member(entry, None, job.stop(1, header.size))
    found = _stored(job, header) if header.method == 0 else packed.content(number - 1, header.size, header.crc)
    if isinstance(found, Fault):
        return job.failed(entry, found)
    entry = with_target(entry._replace(size=found.size), found.source)
    return Member(entry, found.source, job.reason(found.fault, entry))


def _stored(job: Job, header: RarFile) -> Unpacked:
    unpacked = job.unpack(Stored(), stored_pieces(job.window, header.start, header.packed))
    if unpacked.fault is not None:
        return unpacked
    if header.start + header.packed > job.source.size:
        return unpacked._replace(fault=Fault(NoticeKind.TRUNCATED, "the archive ends within the member"))
    if unpacked.size != header.size or (header.crc is not None and unpacked.crc != header.crc):
        return unpacked._replace(fault=Fault(NoticeKind.DAMAGED, "its size or CRC-32 does not match"))
    return unpacked


def rar_entry(header: RarFile, number: int, longest: int) -> Entry:
    """The entry that a header describes; its size as claimed."""
    path = member_path(header.text, number, longest)
    kind = entry_type(header.mode) if header.mode & 0o170000 else EntryType.FILE
    if header.directory:
        kind = EntryType.DIRECTORY
    elif header.link_kind in (1, 2, 3):
        kind = EntryType.SYMLINK
    elif kind in (EntryType.UNKNOWN, EntryType.DIRECTORY):
        kind = EntryType.FILE
    return Entry(
        path,
        kind,
        str(number),
        header.size,
        EntryFlag.ENCRYPTED if header.encrypted else 0,
        header.times,
        name_type=kind,
        mode=header.mode & 0o7777,
        links=2 if header.link_kind == _HARD else 1,
        link_target=header.link[:longest].decode("utf-8", "backslashreplace"),
        raw_path=raw_name(header.name, path),
        container=header.container,
    )
