"""All points in time of a case in one order: those of entries, and every time field of every record.

A time that is not recorded is no event. Times of sources without a zone (FAT, EXIF) stand at their wall-clock reading
and say so in their basis.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, Final

from triage.case.codec import narrow, storable
from triage.case.reader import CaseReader
from triage.case.rows import ContentRow, StoredEntry, StoredRecord, VolumeRow
from triage.evidence.entry import EntryFlag
from triage.times import CLOCKS, SECOND, Clock, Timestamp

ENTRY_EVENTS: Final = (
    "Content Modification Time",
    "Last Access Time",
    "Metadata Modification Time",
    "Creation Time",
    "Content Modification Time ($FILE_NAME)",
    "Last Access Time ($FILE_NAME)",
    "Metadata Modification Time ($FILE_NAME)",
    "Creation Time ($FILE_NAME)",
)
"""``timestamp_desc`` of an entry's times, as plaso words them; those in the name attribute of NTFS are told apart."""

_COLUMNS: Final = (
    "modified", "accessed", "changed", "created", "name_modified", "name_accessed", "name_changed", "name_created",
)  # fmt: skip
_RECORD_SLOT: Final = len(_COLUMNS)
_PAGE: Final = 2000
_FIRST_NS: Final = -62_135_596_800 * SECOND
_LAST_NS: Final = 253_402_300_800 * SECOND
_UNKNOWN: Final = Clock("unknown", 1, 1, 1, 1)

# Numbers beyond 64 bits are text whose order is their order, see triage.case.codec: early ones start with "-".
_GROUP: Final = "CASE WHEN typeof({0}) = 'text' THEN CASE WHEN {0} < '-' THEN 1 ELSE -1 END ELSE 0 END"

_RELEVANT: Final = f"((flags & {EntryFlag.DELETED:d}) OR id IN (SELECT entry FROM record WHERE kind = 'hit'))"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Event:
    """One point in time of one entry, or of a record found in it.

    ``time`` has the basis (``utc``, ``local``: wall clock of an unknown zone, ``unknown``) and the step of its clock.
    ``record`` is `None` for times of the entry itself; ``plugin`` is then empty.
    """

    time: Timestamp
    description: str
    entry: StoredEntry
    content: ContentRow | None
    plugin: str = ""
    record: StoredRecord | None = None


def events(store: CaseReader, relevant: bool = False) -> Iterator[Event]:
    """All events, by time, then evidence, walk order, and kind of time; the order is total and the same every time.

    ``relevant`` leaves the times of entries without hits that are not deleted out; records all stay. The sorting is
    SQLite's, in a temporary file where it must; memory does not grow with the case. Times outside the years 1 to 9999
    cannot be written as dates: `undatable` counts them.
    """
    clocks = _Clocks(store)
    _collect_record_times(store)
    cursor = store.rows(_order(relevant))
    while page := list(islice(cursor, _PAGE)):
        yield from _page(store, clocks, page)


def undatable(store: CaseReader) -> int:
    """How many stored times of entries lie outside the years 1 to 9999."""
    count = 0
    for column in _COLUMNS:
        for (value,) in store.rows(f"SELECT {column} FROM entry WHERE typeof({column}) = 'text'"):  # noqa: S608
            count += not _FIRST_NS <= narrow(value) < _LAST_NS
    return count


def count(store: CaseReader, relevant: bool = False) -> int:
    """How many events `events` would give, at most: those that cannot be dated are counted in."""
    _collect_record_times(store)
    times = " + ".join(f"count({column})" for column in _COLUMNS)
    where = f"WHERE {_RELEVANT}" if relevant else ""
    sql = f"SELECT {times} + (SELECT count(*) FROM temp.record_time) FROM entry {where}"  # noqa: S608 - constants
    return int(next(iter(store.rows(sql)))[0])


def _union(relevant: bool) -> str:
    only = f" AND {_RELEVANT}" if relevant else ""
    parts = [
        f"SELECT {_GROUP.format(column)} AS era, {column} AS ns, id AS entry, {slot} AS slot, "  # noqa: S608
        f"0 AS record, '' AS plugin, 0 AS sequence, 0 AS position FROM entry WHERE {column} IS NOT NULL{only}"
        for slot, column in enumerate(_COLUMNS)
    ]
    parts.append(
        f"SELECT {_GROUP.format('ns')}, ns, entry, {_RECORD_SLOT}, record, plugin, sequence, position "  # noqa: S608
        "FROM temp.record_time"
    )
    return " UNION ALL ".join(parts)


def _order(relevant: bool) -> str:
    return f"{_union(relevant)} ORDER BY era, ns, entry, slot, plugin, sequence, position"


def _collect_record_times(store: CaseReader) -> None:
    """Every time field of every record into a temporary table."""
    rows = (
        (number, position, stored.entry, stored.plugin, stored.sequence, storable(value.ns))
        for number, stored in store.numbered_records()
        for position, field in enumerate(fields(stored.record))
        if isinstance(value := getattr(stored.record, field.name), Timestamp)
    )
    store.sort_aside("record_time", "record INTEGER, position INTEGER, entry INTEGER, plugin, sequence, ns", rows)


def _page(store: CaseReader, clocks: "_Clocks", page: list[Any]) -> Iterator[Event]:
    ids = list({row[2] for row in page})
    entries, contents = store.entries_by_id(ids), store.contents_by_id(ids)
    records = store.records_by_number([row[4] for row in page if row[3] == _RECORD_SLOT])
    for _, ns, entry_id, slot, number, _, _, position in page:
        entry, content = entries[entry_id], contents.get(entry_id)
        if slot == _RECORD_SLOT:
            stored = records[number]
            field = fields(stored.record)[position]
            time = getattr(stored.record, field.name)
            description = field.name.replace("_", " ").capitalize()
            if _FIRST_NS <= time.ns < _LAST_NS:
                yield Event(time, description, entry, content, stored.plugin, stored)
        elif _FIRST_NS <= narrow(ns) < _LAST_NS:
            yield Event(clocks.stamp(entry, slot, narrow(ns)), ENTRY_EVENTS[slot], entry, content)


class _Clocks:
    """The clock of each file system of a case."""

    def __init__(self, store: CaseReader) -> None:
        self._known: dict[tuple[int, str], Clock] = {}
        self._types = {(row.evidence, row.id): _first_type(row) for row in store.volumes()}

    def stamp(self, stored: StoredEntry, slot: int, ns: int) -> Timestamp:
        """A time of an entry with basis and step."""
        container = stored.entry.container
        place = (stored.evidence, stored.volume)
        if container:
            clock = CLOCKS.get(container, _UNKNOWN)
        else:
            clock = self._known.get(place) or self._known.setdefault(place, self.clock(*place))
        step = clock.steps()[slot % 4] or SECOND
        return Timestamp(ns, basis=clock.basis, resolution_ns=step)

    def clock(self, evidence: int, volume: str) -> Clock:
        """The clock; a second file system in a volume has its type after ``~`` in the volume's id."""
        _, _, named = volume.partition("~")
        return CLOCKS.get(named or self._types.get((evidence, volume), ""), _UNKNOWN)


def _first_type(row: VolumeRow) -> str:
    return row.file_system.partition(", ")[0]
