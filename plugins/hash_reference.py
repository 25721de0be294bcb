"""Known files that an application's data names by digest, whether or not they are still there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from triage.api import Grade, HashMatch, Hit, Record, RecordScanner, ReferencedFile, Timestamp, open_set

_WHAT: Final = {
    "btih": "a torrent with this info-hash, which is that of a torrent and not of a file",
    "ed2k": "a file with this eD2k digest",
}
_DETAILS: Final = ("name", "path", "state", "conversation", "sender", "account")


@dataclass(frozen=True, slots=True)
class Options:
    """Sets of known files, as for ``hash.known``."""

    lists: tuple[Path, ...] = ()


class ReferencedKnownFiles(RecordScanner):
    """Digests in the data of applications that are in a loaded set of known files.

    A hit says what the application's data records, and nothing about the file itself, which may never have been here or
    be long gone. Does not cover sets of the role ``exclude``: that an application names a harmless file is no lead.

    References: `triage.records.ReferencedFile` and the plugins that yield it.
    """

    id = "hash.reference"
    yields = (Hit,)
    reads = (ReferencedFile,)
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: object = None) -> None:
        super().__init__(options)
        loaded = [open_set(path) for path in self.options.lists]
        self.sets = [known for known in loaded if known.role == "alert"]

    def inputs(self) -> Mapping[str, str]:
        """The sets (or lists) with their digests."""
        return {str(known.path): known.sha256 for known in self.sets}

    def scan(self, record: Record) -> Iterator[Hit]:
        """One hit for each set that holds the digest."""
        if not isinstance(record, ReferencedFile):
            return
        for known in self.sets:
            match = known.find_value(record.algorithm, bytes.fromhex(record.digest))
            if match is not None:
                yield Hit(
                    source=record.source,
                    grade=Grade.REFERENCE,
                    name=match.name,
                    detail=_detail(record, match),
                    algorithm=match.algorithm,
                    scheme=match.scheme,
                    category=match.category,
                    disposition=match.disposition,
                )


def _detail(record: ReferencedFile, match: HashMatch) -> str:
    what = _WHAT.get(record.algorithm, f"a file with this {record.algorithm.upper()}")
    words = [f"{record.algorithm} {record.digest}", f"the data of {record.application} records {what}"]
    for field in _DETAILS:
        value = getattr(record, field)
        if isinstance(value, str) and value:
            words.append(f"{field} {value}")
    if isinstance(record.recorded, Timestamp):
        words.append(f"at {record.recorded.iso()}")
    if isinstance(record.size, int):
        words.append(f"{record.size:,} bytes")
        if match.listed_size not in (None, record.size):
            words.append(f"the list states {match.listed_size:,} bytes")
    return "; ".join(words)
