"""What the engine hands to the case store, and what listings get out of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from triage.evidence.entry import Entry
from triage.notices import Notice, Outcome
from triage.records import Hit, Record

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
"""JSON data."""

EntryRow: TypeAlias = tuple[Any, ...]
"""An entry as the store keeps it: `triage.case.codec.ENTRY_COLUMNS`, priority, physical offset, wanted.

Between processes entries travel like this, because objects cost ten times more to pack and unpack."""


def canonical(value: object) -> str:
    """JSON data as one text for one value: ASCII only, keys sorted, no spaces. Lists may be tuples.

    >>> canonical({"b": [1, None], "a": "ü"})
    '{"a":"\\\\u00fc","b":[1,null]}'
    """
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


class PlannedEntry(NamedTuple):
    """An entry with its place in the reading order: priority class (0 first) and physical byte offset (-1: none).

    ``wanted`` says that its content is to be read.
    """

    volume: str
    entry: Entry
    priority: int
    physical: int
    wanted: bool


class StoredEntry(NamedTuple):
    """An entry out of the store."""

    id: int
    evidence: int
    volume: str
    entry: Entry


class Found(NamedTuple):
    """A record and the plugin that yielded it."""

    plugin: str
    record: Record


class FileResult(NamedTuple):
    """All that is known about one entry's content after it was examined. A tuple, because it travels between processes.

    ``outcomes`` has one letter per plugin in the order of the manifest's plugin list (`triage.notices.Outcome`).
    ``size`` is the entry's size in bytes. ``status`` is ``done`` or ``failed`` (content could not be read whole;
    digests are then empty).
    """

    entry_id: int
    status: str
    size: int = 0
    type: str = ""
    digests: Mapping[str, str] = {}
    outcomes: str = ""
    found: tuple[Found, ...] = ()
    notices: tuple[Notice, ...] = ()


class Members(NamedTuple):
    """Members of the archive with id ``archive``, what was found in them, and doubts about the archive."""

    archive: int
    rows: list[EntryRow]
    results: list[FileResult]
    doubts: list[Notice]


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One evidence of the case.

    ``stored_digests`` are those that the container holds over its media, ``computed_digests`` those that were made here
    over the same bytes, ``digest_note`` what must be said about them (unreadable parts read as zeros). ``walked`` says
    that all its entries are in the store.
    """

    id: int
    label: str
    path: str
    type: str
    size: int
    files: tuple[str, ...]
    stored_digests: Mapping[str, str]
    facts: Mapping[str, str]
    computed_digests: Mapping[str, str]
    walked: bool
    digest_note: str = ""


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """One volume as listed, see `triage.evidence.entry.Volume`."""

    evidence: int
    id: str
    type: str
    offset: int
    size: int
    state: str
    description: str
    file_system: str


class ContentRow(NamedTuple):
    """What is known about one entry's content out of the store, see `FileResult`."""

    entry: int
    status: str
    type: str
    digests: Mapping[str, str]
    outcomes: str


class StoredRecord(NamedTuple):
    """A record out of the store: whose it is, and its place among those that this plugin yielded for this entry."""

    entry: int
    plugin: str
    sequence: int
    record: Record


class StoredHit(NamedTuple):
    """A hit out of the store with the entry that it was found in; ``content`` is `None` if that was not read whole."""

    plugin: str
    sequence: int
    hit: Hit
    entry: StoredEntry
    content: ContentRow | None


class HitCount(NamedTuple):
    """Hits of one grade and disposition: how many, in how many files, with how many different contents."""

    grade: str
    disposition: str
    hits: int
    files: int
    distinct: int


class EntryCount(NamedTuple):
    """How many entries of one type (`EntryType`) an evidence has, live or deleted."""

    evidence: str
    type: str
    deleted: bool
    entries: int
    bytes: int


class Unread(NamedTuple):
    """Files whose content was not read, and the reason."""

    evidence: str
    reason: str
    files: int
    bytes: int


class PluginCoverage(NamedTuple):
    """How often one plugin ended how."""

    plugin: str
    counts: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was examined, and what was not. ``unread`` is complete: read + unread files are all files of the case."""

    entries: tuple[EntryCount, ...]
    files_read: int
    bytes_read: int
    unread: tuple[Unread, ...]
    plugins: tuple[PluginCoverage, ...]
    notices: Mapping[str, int]
