"""What was examined and what was not, counted out of the store."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from triage.case.reader import CaseReader
from triage.case.rows import Coverage, EntryCount, PluginCoverage, Unread
from triage.evidence.entry import EntryFlag, EntryType
from triage.notices import INCOMPLETE_KINDS, NoticeKind, Outcome

NOT_RECOVERABLE: Final = "deleted, and the file system no longer says where the content is"
REALLOCATED: Final = "deleted name whose content now belongs to another file"
VIRTUAL: Final = "made up by the reader, not a file of the volume"
SEARCHED: Final = "space that belongs to no file, searched for files"
EMPTY: Final = "empty"
HOLLOW: Final = "sparse from end to end: nothing is stored"
NOT_WANTED: Final = "left out by profile or request"
LOCKED_MEMBER: Final = "encrypted member of an archive"
NOT_UNPACKED: Final = "member of an archive that was not unpacked, see notices"
PENDING: Final = "not reached: the scan has not finished"
FAILED: Final = "content could not be read whole, see notices"

EXAMINED_STATES: Final = ("open", "unlocked")
LEFT_OUT_STATES: Final = ("listed", "unallocated")
"""States of a volume that do not make coverage incomplete: by request, or because nothing is there to walk."""
SHORTFALLS: Final = (PENDING, FAILED, LOCKED_MEMBER, NOT_UNPACKED)
UNEXAMINED_OUTCOMES: Final = (Outcome.SKIPPED, Outcome.FAILED, Outcome.NOT_RUN)

_FILES: Final = (EntryType.FILE, EntryType.VIRTUAL_FILE)

_ENTRIES: Final = f"""
    SELECT v.label, e.type, (e.flags & {EntryFlag.DELETED:d}) != 0 AS deleted, count(*), coalesce(sum(e.size), 0)
    FROM entry e JOIN evidence v ON v.id = e.evidence GROUP BY e.evidence, e.type, deleted
    ORDER BY e.evidence, e.type, deleted"""  # noqa: S608 - constants

_READ: Final = """
    SELECT count(*), coalesce(sum(e.size), 0) FROM content c JOIN entry e ON e.id = c.entry
    WHERE c.status = 'done' AND e.type = 'r'"""

# The first reason that applies is the reason.
_UNREAD: Final = f"""
    SELECT v.label, CASE
        WHEN c.status IS NOT NULL THEN '{FAILED}'
        WHEN e.wanted THEN '{PENDING}'
        WHEN e.container != '' AND e.flags & {EntryFlag.ENCRYPTED:d} THEN '{LOCKED_MEMBER}'
        WHEN e.container != '' THEN '{NOT_UNPACKED}'
        WHEN x.entry IS NOT NULL AND e.type = '{EntryType.VIRTUAL_FILE}' THEN '{SEARCHED}'
        WHEN e.flags & {EntryFlag.REALLOCATED:d} THEN '{REALLOCATED}'
        WHEN e.flags & {EntryFlag.NO_CONTENT:d} THEN '{NOT_RECOVERABLE}'
        WHEN e.flags & {EntryFlag.VIRTUAL:d} OR e.type = '{EntryType.VIRTUAL_FILE}' THEN '{VIRTUAL}'
        WHEN e.size = 0 THEN '{EMPTY}'
        WHEN e.extents IS NOT NULL AND e.physical < 0 THEN '{HOLLOW}'
        ELSE '{NOT_WANTED}' END AS reason, count(*), coalesce(sum(e.size), 0)
    FROM entry e JOIN evidence v ON v.id = e.evidence LEFT JOIN content c ON c.entry = e.id
      LEFT JOIN expansion x ON x.entry = e.id
    WHERE (e.wanted OR e.type IN {_FILES}) AND (c.status IS NULL OR c.status != 'done')
    GROUP BY e.evidence, reason ORDER BY e.evidence, reason"""  # noqa: S608


def coverage(store: CaseReader) -> Coverage:
    """Count entries, files read and not read with the reason, outcomes per plugin and notices per kind."""
    files, size = next(iter(store.rows(_READ)))
    return Coverage(
        entries=tuple(EntryCount(row[0], row[1], bool(row[2]), row[3], int(row[4])) for row in store.rows(_ENTRIES)),
        files_read=files,
        bytes_read=int(size),
        unread=tuple(Unread(row[0], row[1], row[2], int(row[3])) for row in store.rows(_UNREAD)),
        plugins=_plugins(store),
        notices=dict(store.rows("SELECT kind, count(*) FROM notice GROUP BY kind ORDER BY kind")),
    )


def is_complete(store: CaseReader, found: Coverage) -> bool:
    """Whether nothing that could be examined was left unexamined: what the exit code of a scan and the report say.

    ``found`` is the `coverage` of the store.
    """
    return not (
        any(not row.walked for row in store.evidence())
        or any(volume.state not in EXAMINED_STATES + LEFT_OUT_STATES for volume in store.volumes())
        or any(unread.reason in SHORTFALLS for unread in found.unread)
        or any(plugin.counts[outcome] for plugin in found.plugins for outcome in UNEXAMINED_OUTCOMES)
        or any(NoticeKind(kind) in INCOMPLETE_KINDS for kind in found.notices)
        or store.manifest().get("broken plugins")
    )


def _plugins(store: CaseReader) -> tuple[PluginCoverage, ...]:
    ids = [str(plugin["id"]) for plugin in store.manifest().get("plugins", [])]
    counts: list[Counter[Outcome]] = [Counter() for _ in ids]
    for outcomes, files in store.rows("SELECT outcomes, count(*) FROM content GROUP BY outcomes ORDER BY outcomes"):
        for counter, letter in zip(counts, outcomes, strict=False):
            counter[Outcome(letter)] += files
    return tuple(
        PluginCoverage(plugin, {outcome: counter[outcome] for outcome in Outcome})
        for plugin, counter in zip(ids, counts, strict=True)
    )


def type_counts(store: CaseReader) -> Iterator[tuple[str, str, int]]:
    """How many files of each MIME type were read, by evidence label and type."""
    sql = """SELECT evidence.label, content.type, count(*) FROM content
             JOIN entry ON entry.id = content.entry JOIN evidence ON evidence.id = entry.evidence
             GROUP BY evidence.id, content.type ORDER BY evidence.id, content.type"""
    yield from store.rows(sql)
