"""Work for worker processes, and what comes back. Everything here is small and travels between processes."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from triage.case.codec import row_size
from triage.case.rows import EntryRow, FileResult, Members
from triage.evidence.integrity import MediaDigest
from triage.notices import NoticeKind

ARCHIVE: Final = "archive"
"""Name of the step in which a member is unpacked; also the origin of notices."""
CARVE: Final = "carving"
"""Name of the step in which files are looked for in unallocated space; also the origin of notices and records."""


class Barred(NamedTuple):
    """A plugin (or ``read``) that is not run on one entry any more, and why."""

    entry_id: int
    plugin: str
    kind: NoticeKind
    reason: str


class WorkItem(NamedTuple):
    """One entry to examine, with the entries beside it that a plugin has asked for, by name."""

    row: EntryRow
    companions: tuple[tuple[str, EntryRow], ...] = ()
    without: tuple[Barred, ...] = ()

    @property
    def id(self) -> int:
        """The entry's id."""
        return int(self.row[0])


class Batch(NamedTuple):
    """Neighbouring entries for one worker; ``tries`` counts the workers that died over it."""

    items: tuple[WorkItem, ...]
    tries: int = 0


class WalkTask(NamedTuple):
    """Walk one file system; its entries go into the file ``spool`` (`triage.engine.spool`) as they are found."""

    evidence: int
    volume: str
    spool: Path


class ExpandTask(NamedTuple):
    """Examine the members of the archive ``row``, of MIME type ``type``; what is found goes into ``spool``.

    With the type `CARVE` the row is a part of unallocated space, and the members are files carved from it.
    """

    row: EntryRow
    type: str
    spool: Path
    without: tuple[Barred, ...] = ()


class DigestTask(NamedTuple):
    """Digest the media of evidence ``evidence`` with ``algorithms``."""

    evidence: int
    algorithms: tuple[str, ...]


class SumTask(NamedTuple):
    """Digest one table of the case in ``folder``, see `triage.case.digest.table_digest`."""

    folder: Path
    table: str


Long: TypeAlias = WalkTask | ExpandTask | DigestTask | SumTask
"""What is more than a batch of files."""
Task: TypeAlias = Batch | Long


class Examined(NamedTuple):
    """A batch is done; ``archives`` are those among it whose members were examined too."""

    results: list[FileResult]
    archives: list[Members]


class Walked(NamedTuple):
    """A walk has ended; all it found is in its spool."""

    task: WalkTask


class Expanded(NamedTuple):
    """An archive has been gone through; all that was found is in its spool."""

    task: ExpandTask


class Digested(NamedTuple):
    """A media digest is made."""

    task: DigestTask
    digest: MediaDigest


class Summed(NamedTuple):
    """The digest of a table is made."""

    task: SumTask
    digest: str


class Lost(NamedTuple):
    """A task that is more than a batch was not done: the worker died or was killed, or what it did failed.

    ``entry_id`` and ``plugin`` were on at that moment; ``reason`` says in words what failed.
    """

    task: Long
    kind: NoticeKind
    entry_id: int
    plugin: str
    reason: str


Answer: TypeAlias = Examined | Walked | Expanded | Digested | Summed | Lost

BATCH_BYTES: Final = 8 << 20
BATCH_FILES: Final = 256
FIRST_BATCH_FILES: Final = 16
"""The first batches are small, so that the first hits do not wait for a full one."""


def batches(items: Iterable[WorkItem]) -> Iterator[Batch]:
    """Cut the reading order into batches of a few MiB."""
    taken: list[WorkItem] = []
    size, most = 0, FIRST_BATCH_FILES
    for item in items:
        taken.append(item)
        size += row_size(item.row)
        if size >= BATCH_BYTES or len(taken) >= most:
            yield Batch(tuple(taken))
            taken, size, most = [], 0, min(most * 2, BATCH_FILES)
    if taken:
        yield Batch(tuple(taken))
