"""Every listing as rows with stable field names: what the command line prints and what exports hold.

A row is a dictionary whose keys are those of `FIELDS`, in order. Values are text, numbers, booleans, lists of text, or
`None` where there is nothing to say. The names are described in ``docs/output-fields.md``, and do not change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

from triage.absent import Absent
from triage.case.coverage import coverage
from triage.case.reader import CaseReader
from triage.case.rows import ContentRow, StoredHit, VolumeRow
from triage.evidence.entry import Entry, EntryFlag, EntryTimes
from triage.locator import Locator
from triage.notices import INCOMPLETE_KINDS, Outcome
from triage.records import Record
from triage.report.bodyfile import mode_text
from triage.timeline import Event, events
from triage.times import CLOCKS, SECOND, Clock, Timestamp, iso

Value: TypeAlias = "str | int | float | bool | list[str] | None"
Row: TypeAlias = dict[str, Value]

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "entries": (
        "evidence", "volume", "path", "stream", "type", "address", "size", "deleted", "flags", "basis",
        "modified", "accessed", "changed", "created", "name_modified", "name_accessed", "name_changed", "name_created",
        "mode", "uid", "gid", "link_target", "mime", "md5", "sha1", "sha256",
    ),
    "hits": (
        "grade", "name", "plugin", "algorithm", "scheme", "category", "disposition", "detail", "tags", "evidence",
        "volume", "path", "address", "stream", "part", "row", "offset", "size", "deleted", "type", "md5", "sha1",
        "sha256",
    ),
    "timeline": (
        "datetime", "timestamp_desc", "basis", "precision", "source_type", "message", "evidence", "volume", "path",
        "address", "stream", "part", "row", "size", "deleted", "type", "sha256", "plugin",
    ),
    "pictures": (
        "group", "group_size", "known", "evidence", "volume", "path", "address", "stream", "deleted", "size", "type",
        "width", "height", "quality", "pdq", "sha256",
    ),
    "notices": (
        "kind", "incomplete", "message", "origin", "evidence", "volume", "path", "address", "stream", "part", "row",
        "offset",
    ),
    "coverage": ("plugin", *(outcome.label.replace(" ", "_") for outcome in Outcome), "files"),
    "not_read": ("evidence", "reason", "files", "bytes"),
    "volumes": ("evidence", "volume", "type", "file_system", "state", "offset", "size", "description"),
    "evidence": (
        "evidence", "path", "type", "size", "files", "stored_digests", "computed_digests", "digest_note", "walked",
    ),
    "plugins": ("plugin", "state", "origin", "module", "sha256", "error"),
}  # fmt: skip
"""Field names of every listing, in order."""

_STEPS: Final = ((86_400 * SECOND, "d"), (SECOND, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))
_DELETED: Final = int(EntryFlag.DELETED)
_FIRST_NS: Final = -62_135_596_800 * SECOND
_LAST_NS: Final = 253_402_300_800 * SECOND


def entry_row(
    label: str, volume: str, entry: Entry, clock: Clock, digests: Mapping[str, str] | None = None, mime: str = ""
) -> Row:
    """One entry of a listing; no case is needed for it. ``clock`` is that of its file system."""
    digests = digests or {}
    names = entry.name_times or EntryTimes()
    stamps: list[Value] = [
        stamp(ns, step, clock.basis) for ns, step in zip((*entry.times, *names), clock.steps() * 2, strict=True)
    ]
    values = (
        label, volume, entry.path, entry.stream, entry.type, entry.address, entry.size,
        bool(entry.flags & _DELETED), flag_names(entry.flags), clock.basis, *stamps, mode_text(entry),
        entry.uid, entry.gid, entry.link_target, mime, *(digests.get(name, "") for name in ("md5", "sha1", "sha256")),
    )  # fmt: skip
    return _row("entries", values)


def clock_of(file_system: str) -> Clock:
    """The clock of a file-system type; times of one that is not known have the basis ``unknown``."""
    return CLOCKS.get(file_system, Clock("unknown", 1, 1, 1, 1))


def flag_names(flags: int) -> list[str]:
    """The names of set flags, in lower case.

    >>> flag_names(5)
    ['deleted', 'orphan']
    """
    return list(_flag_names(flags))


@lru_cache(maxsize=1024)
def _flag_names(flags: int) -> list[str]:
    return [str(flag.name).lower().replace("_", " ") for flag in EntryFlag if flags & flag]


def hit_rows(store: CaseReader, grade: str | None = None, excluded: bool = True) -> Iterator[Row]:
    """All hits (of one grade), strongest grade first; without ``excluded`` those that call for nobody's attention."""
    labels = _labels(store)
    for stored in store.hits(grade, excluded):
        yield hit_row(stored, labels[stored.entry.evidence])


def hit_row(stored: StoredHit, label: str) -> Row:
    """One hit."""
    hit, entry, content = stored.hit, stored.entry.entry, stored.content
    source = hit.source
    values = (
        hit.grade.value, hit.name, stored.plugin, hit.algorithm, hit.scheme, hit.category, hit.disposition, hit.detail,
        list(hit.tags), label, *_place(source), _number(source.offset), entry.size,
        bool(entry.flags & _DELETED), content.type if content else "",
        *(_digest(content, name) for name in ("md5", "sha1", "sha256")),
    )  # fmt: skip
    return _row("hits", values)


def timeline_rows(store: CaseReader, relevant: bool = False) -> Iterator[Row]:
    """The timeline, see `triage.timeline.events`."""
    labels = _labels(store)
    for event in events(store, relevant):
        yield event_row(event, labels[event.entry.evidence])


def event_row(event: Event, label: str) -> Row:
    """One event. Its ``datetime`` ends in ``Z`` only if the source stores UTC."""
    time = event.time
    head = (time.iso(), event.description, time.basis)
    return _row("timeline", (*head, *event_values(event, label)))


def event_values(event: Event, label: str) -> tuple[Value, ...]:
    """The values of an event's row from ``precision`` on, which are the same in every form of a timeline."""
    entry, content = event.entry.entry, event.content
    place: tuple[Value, ...]
    if event.record is None:
        place = (event.entry.volume, entry.path, entry.address, entry.stream, "", None)
        kind, message = "entry", _entry_message(entry)
    else:
        record = event.record.record
        kind, message = record.kind, summary(record)
        place = _place(record.source)
    return (
        step_text(event.time.resolution_ns), kind, message, label, *place, entry.size, bool(entry.flags & _DELETED),
        content.type if content else "", _digest(content, "sha256"), event.plugin,
    )  # fmt: skip


def notice_rows(store: CaseReader) -> Iterator[Row]:
    """All notices; ``incomplete`` says that this one takes something away from coverage."""
    for one in store.notices():
        source = one.source
        incomplete = one.kind_text in _INCOMPLETE
        values = (
            one.kind_text,
            incomplete,
            one.message,
            one.origin,
            source.evidence,
            *_place(source),
            _number(source.offset),
        )
        yield _row("notices", values)


def coverage_rows(store: CaseReader) -> Iterator[Row]:
    """How often each plugin ended how."""
    for one in coverage(store).plugins:
        yield _row("coverage", (one.plugin, *(one.counts[outcome] for outcome in Outcome), sum(one.counts.values())))


def not_read_rows(store: CaseReader) -> Iterator[Row]:
    """Files whose content was not read, counted by reason."""
    for one in coverage(store).unread:
        yield _row("not_read", tuple(one))


def volume_rows(store: CaseReader) -> Iterator[Row]:
    """All volumes."""
    labels = _labels(store)
    for volume in store.volumes():
        yield volume_row(volume, labels[volume.evidence])


def volume_row(volume: VolumeRow, label: str) -> Row:
    """One volume; no case is needed for it."""
    values = (
        label, volume.id, volume.type, volume.file_system, volume.state, volume.offset, volume.size, volume.description,
    )  # fmt: skip
    return _row("volumes", values)


def evidence_rows(store: CaseReader) -> Iterator[Row]:
    """All evidence with its digests."""
    for row in store.evidence():
        stored, computed = (
            [f"{k}:{v}" for k, v in sorted(d.items())] for d in (row.stored_digests, row.computed_digests)
        )
        values = (
            row.label,
            row.path,
            row.type,
            row.size,
            list(row.files),
            stored,
            computed,
            row.digest_note,
            row.walked,
        )
        yield _row("evidence", values)


def plugin_rows(manifest: Mapping[str, Any]) -> Iterator[Row]:
    """The plugins that a manifest names, broken ones too."""
    for one in manifest.get("plugins", []):
        yield _row(
            "plugins", (one["id"], "loaded", one.get("origin", ""), one.get("module", ""), one.get("sha256", ""), "")
        )
    for one in manifest.get("broken plugins", []):
        yield _row("plugins", ("", "broken", one.get("origin", ""), "", "", one.get("error", "")))


def summary(record: Record) -> str:
    """A record in one line: its kind, and every field that holds something and is no time."""
    words = []
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Locator | Timestamp | Absent) or value in ("", ()):
            continue
        if isinstance(value, tuple):
            value = ", ".join(map(str, value))
        words.append(f"{field.name.replace('_', ' ')}: {getattr(value, 'value', value)}")
    return f"{record.kind.replace('_', ' ')} – " + " · ".join(words)


@cache
def step_text(resolution_ns: int) -> str:
    """The step of a clock for a reader.

    >>> step_text(100), step_text(2 * SECOND)
    ('100 ns', '2 s')
    """
    for unit, name in _STEPS:
        if resolution_ns >= unit and resolution_ns % unit == 0:
            return f"{resolution_ns // unit} {name}"
    return f"{resolution_ns} ns"


_INCOMPLETE: Final = frozenset(kind.value for kind in INCOMPLETE_KINDS)


def _row(listing: str, values: tuple[Value, ...]) -> Row:
    return dict(zip(FIELDS[listing], values, strict=True))


def _labels(store: CaseReader) -> dict[int, str]:
    return {row.id: row.label for row in store.evidence()}


def _place(source: Locator) -> tuple[Value, ...]:
    return source.volume, source.path, source.address, source.stream, source.part, _number(source.row)


def _number(value: int) -> int | None:
    return None if value < 0 else value


def _digest(content: ContentRow | None, name: str) -> str:
    return content.digests.get(name, "") if content else ""


def stamp(ns: int | None, step: int, basis: str) -> str:
    """The text of a time of an entry: `triage.times.iso`, ``Z`` only for UTC, or what is wrong with it."""
    if ns is None:
        return ""
    if not _FIRST_NS <= ns < _LAST_NS:
        return f"{ns} ns since 1970 (outside the years 1 to 9999)"
    return iso(ns, step or SECOND) + ("Z" if basis == "utc" else "")


def _entry_message(entry: Entry) -> str:
    deleted = " (deleted)" if entry.flags & _DELETED else ""
    return entry.path + (f":{entry.stream}" if entry.stream else "") + deleted
