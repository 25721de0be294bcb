"""The one door to archives: what kind a file is, and its members."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from triage.evidence.archives.job import Job
from triage.evidence.archives.kinds import is_zip
from triage.evidence.archives.limits import ArchiveLimits, Budget
from triage.evidence.archives.member import Member
from triage.evidence.archives.rar import read_rar
from triage.evidence.archives.sevenzip import read_seven
from triage.evidence.archives.single import read_bzip2, read_gzip, read_xz, read_zstandard
from triage.evidence.archives.tar import read_tar
from triage.evidence.archives.zip import read_zip
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice

Reader = Callable[[Job], Iterator[Member | Notice]]

_READERS: Final[dict[str, Reader]] = {
    "application/x-tar": read_tar,
    "application/gzip": read_gzip,
    "application/x-gzip": read_gzip,
    "application/x-bzip2": read_bzip2,
    "application/x-bzip": read_bzip2,
    "application/x-xz": read_xz,
    "application/x-lzma": read_xz,
    "application/zstd": read_zstandard,
    "application/x-7z-compressed": read_seven,
    "application/x-rar": read_rar,
    "application/vnd.rar": read_rar,
}


def reader_of(mime: str) -> Reader | None:
    """The reader of a type, or `None` if it is no archive that is read."""
    return read_zip if is_zip(mime) else _READERS.get(mime)


def open_archive(
    source: ByteSource,
    mime: str,
    name: str,
    locator: Locator,
    scratch: Path,
    limits: ArchiveLimits | None = None,
    passwords: Sequence[str] = (),
    budget: Budget | None = None,
) -> Iterator[Member | Notice] | None:
    """Members of an archive in the order in which they are stored, and doubts; `None` if ``mime`` is no archive read.

    ``name`` is the file name of the archive, ``locator`` its place. Members that do not fit into memory are unpacked
    into files without names in ``scratch``; nothing is ever written under a name that an archive gives. ``passwords``
    are tried on encrypted members. An archive inside of another is given a ``budget`` whose outer one is that of the
    other. Never raises for bad content, and ends on any input within ``limits``.
    """
    reader = reader_of(mime)
    if reader is None:
        return None
    limits = limits or ArchiveLimits()
    budget = budget or Budget(limits, source.size)
    return _members(Job(source, name, locator, scratch, limits, tuple(passwords), budget), reader)


def _members(job: Job, reader: Reader) -> Iterator[Member | Notice]:
    try:
        yield from reader(job)
    finally:
        job.close()
