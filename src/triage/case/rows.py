"""What the engine hands to the case store, and what listings get out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from triage.evidence.entry import Entry
from triage.notices import Notice
from triage.records import Record


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


@dataclass(frozen=True, slots=True)
class FileResult:
    """All that is known about one entry's content after it was examined.

    ``outcomes`` has one letter per plugin in the order of the manifest's plugin list (`triage.notices.Outcome`).
    ``status`` is ``done`` or ``failed`` (content could not be read whole; digests are then empty).
    """

    entry_id: int
    status: str
    type: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    outcomes: str = ""
    found: tuple[Found, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One evidence of the case. ``before`` and ``after`` are what `stat` said: {path: [size, mtime_ns]}, around the run."""

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
