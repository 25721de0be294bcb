"""What to read while the walk is still going on."""

from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from triage.case.codec import row_size
from triage.case.rows import EntryRow
from triage.engine.plan import USER_MEDIA
from triage.engine.tasks import BATCH_BYTES, BATCH_FILES, Batch, WorkItem

_MOST_READY: Final = 8_192


class WalkFeed:
    """The best of the entries found so far, for workers that would wait for the end of the walk otherwise.

    It holds a bounded number; what it does not give out is read after the walk, in the order of the store. An entry for
    which ``needs_others(path)`` holds is left to then, because files beside it may not have been found yet.
    """

    def __init__(self, needs_others: Callable[[str], bool]) -> None:
        self._needs_others = needs_others
        self._ready: list[tuple[int, int, int, int, EntryRow]] = []
        self._bytes = 0
        self.flying: set[int] = set()
        """Ids that were given out and have no result yet."""

    def offer(self, rows: Iterable[EntryRow]) -> None:
        """Entries that have just been stored."""
        for row in rows:
            priority, physical, wanted = row[-3:]
            if wanted and not self._needs_others(row[3]):
                insort(self._ready, (priority, row[1], physical, row[0], row))
                self._bytes += row_size(row)
        self._cut(len(self._ready) - _MOST_READY)

    def _cut(self, surplus: int) -> None:
        if surplus > 0:
            self._bytes -= sum(row_size(ready[-1]) for ready in self._ready[-surplus:])
            del self._ready[-surplus:]

    def clear(self) -> None:
        """Forget what is ready; it is read after the walk."""
        self._ready.clear()
        self._bytes = 0

    def take(self) -> Batch | None:
        """A batch of the best: a full one, or whatever there is of a user's media and messages."""
        if not self._ready:
            return None
        urgent = self._ready[0][0] <= USER_MEDIA
        if not urgent and self._bytes < BATCH_BYTES and len(self._ready) < BATCH_FILES:
            return None
        size = count = 0
        for ready in self._ready[:BATCH_FILES]:
            if urgent and ready[0] > USER_MEDIA:
                break
            size += row_size(ready[-1])
            count += 1
            if size >= BATCH_BYTES:
                break
        rows = [ready[-1] for ready in self._ready[:count]]
        del self._ready[:count]
        self._bytes -= size
        self.flying.update(row[0] for row in rows)
        return Batch(tuple(WorkItem(row) for row in rows))

    def answered(self, ids: Sequence[int]) -> None:
        """Results of these have come."""
        self.flying.difference_update(ids)
