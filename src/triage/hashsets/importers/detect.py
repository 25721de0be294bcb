"""Recognises what a file is by its content, and opens it as a stream of entries."""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from triage.hashsets.entry import PlainEntries, SetEntry
from triage.hashsets.importers.binary import open_encase, open_tsk_index, refuse_folder, refuse_known
from triage.hashsets.importers.databases import open_database
from triage.hashsets.importers.hashdeep import open_hashdeep
from triage.hashsets.importers.lines import is_digest_line, open_lines
from triage.hashsets.importers.ncmec import open_ncmec
from triage.hashsets.importers.sample import Opened, OpenedInBulk, Sample, member_opener, sample_of
from triage.hashsets.importers.tables import find_table, open_table
from triage.hashsets.importers.threatexchange import open_threatexchange
from triage.hashsets.importers.vics import open_vics

_ZIP: Final = b"PK\x03\x04"
_NSRL_MEMBER: Final = "nsrlfile.txt"
_OFFICE_MEMBER: Final = "[Content_Types].xml"
_SQL: Final = re.compile(
    r"\A\s*(?:--[^\n]*\n\s*|BEGIN[^;]*;\s*|PRAGMA[^;]*;\s*)*(?:INSERT|UPDATE|DELETE)\s", re.IGNORECASE
)
_HEX64: Final = ("", "sha256", "pdq")


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What only the reader of a list can know: whether its values of 64 digits are ``sha256`` or ``pdq``."""

    hex64: str = ""

    def __post_init__(self) -> None:
        if self.hex64 not in _HEX64:
            raise ValueError(f"digests of 64 digits are sha256 or pdq, not {self.hex64!r}")


Detector = Callable[[Sample, ListOptions], Opened | OpenedInBulk | None]
"""Opens a file if it is of its family. Raises `ValueError` if it is, and cannot be read."""


def open_list(path: Path, options: ListOptions = ListOptions()) -> Opened:
    """Recognise a list by its content and open it.

    Args:
        path: the list; its name does not matter. It is opened for reading only.
        options: what the list does not say itself.

    Returns:
        What the list says of itself, and its entries in order. The iterator raises `ValueError` at the place where the
        list breaks off, after all entries before it.

    Raises:
        ValueError: it cannot be read, is in no known format, is malformed as a whole, or its digests may be of two
            algorithms and ``options`` do not say which; the message is for a person, and does not name the file.
    """
    facts, entries = open_in_bulk(path, options)
    return facts, _single(entries)


def open_in_bulk(path: Path, options: ListOptions = ListOptions()) -> OpenedInBulk:
    """The same, with many entries at once where they are digests and nothing else."""
    try:
        if path.is_dir():
            refuse_folder(path)
        sample = sample_of(path)
        if sample.head.startswith(_ZIP):
            sample = _member(path)
        facts, entries = _recognised(sample, options)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ValueError(f"cannot be read: {error}") from error
    return facts, _guarded(entries)


def _recognised(sample: Sample, options: ListOptions) -> Opened | OpenedInBulk:
    if not sample.text.replace("\0", " ").strip():
        raise ValueError("holds no usable digest: the file is empty")
    for detector in DETECTORS:
        opened = detector(sample, options)
        if opened is not None:
            return opened
    lines = [line.strip() for line in sample.head_lines() if line.strip()] or [sample.text.strip()]
    raise ValueError(
        "in no known format of lists: neither a header that names digests nor a line with one at its beginning "
        f"({len(lines)} rows refused; first: {lines[0][:80]!r})"
    )


def _member(path: Path) -> Sample:
    """The list in a zip archive: ``NSRLFile.txt``, or the only file in it."""
    with zipfile.ZipFile(path) as archive:
        members = [each for each in archive.infolist() if not each.is_dir()]
    names = [each.filename for each in members]
    if _OFFICE_MEMBER in names:
        raise ValueError("a binary file: an office document; save the table as CSV")
    chosen = [each for each in members if PurePosixPath(each.filename).name.lower() == _NSRL_MEMBER] or members
    if len(chosen) != 1:
        raise ValueError(f"a zip archive of {len(members)} files; unpack it and name the list")
    if chosen[0].flag_bits & 1:
        raise ValueError("an encrypted zip archive; unpack it first")
    return sample_of(path, member_opener(path, chosen[0].filename))


def _single(entries: Iterator[SetEntry | PlainEntries]) -> Iterator[SetEntry]:
    for entry in entries:
        if isinstance(entry, PlainEntries):
            for number, digest in enumerate(entry.digests(), entry.first):
                yield SetEntry(f"line {number}", ((entry.algorithm, digest),))
        else:
            yield entry


def _guarded(entries: Iterator[SetEntry] | Iterator[SetEntry | PlainEntries]) -> Iterator[SetEntry | PlainEntries]:
    try:
        yield from entries
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"the list breaks off: {error}") from error


def _json(sample: Sample, options: ListOptions) -> Opened | None:
    del options
    start = sample.text.lstrip()[:1]
    if start not in {"{", "["}:
        return None
    opened = open_vics(sample) or open_threatexchange(sample)
    if opened is None and '"block_hash"' in sample.text:
        raise ValueError("an export of NPS hashdb: digests of blocks, not of files")
    if opened is None:
        raise ValueError(
            "a JSON document whose context names no Project VIC data model, and without descriptors of ThreatExchange"
        )
    return opened


def _xml(sample: Sample, options: ListOptions) -> Opened | None:
    del options
    opened = open_ncmec(sample)
    if opened is None and sample.text.lstrip().startswith("<"):
        raise ValueError("an XML or HTML document that is no result of NCMEC's hash sharing")
    return opened


def _binary(sample: Sample, options: ListOptions) -> Opened | None:
    del options
    opened = open_encase(sample) or open_database(sample)
    if opened is None:
        refuse_known(sample)
    return opened


def _marked(sample: Sample, options: ListOptions) -> Opened | None:
    del options
    if _SQL.match(sample.text):
        raise ValueError(
            "SQL statements, such as NSRL's delta: apply them to the database they belong to, and name that"
        )
    return open_tsk_index(sample) or open_hashdeep(sample)


def _table(sample: Sample, options: ListOptions) -> Opened | None:
    table = find_table(sample)
    return None if table is None else open_table(sample, table, options.hex64)


def _lines(sample: Sample, options: ListOptions) -> OpenedInBulk | None:
    if not any(is_digest_line(line.strip()) for line in sample.head_lines()):
        return None
    return open_lines(sample, options.hex64)


# In this order: what a signature gives away, then what the frame of a document does, then tables, whose headers say
# more than the look of single lines.
DETECTORS: Final[tuple[Detector, ...]] = (_binary, _json, _xml, _marked, _table, _lines)
