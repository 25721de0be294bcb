"""What is found inside of one entry (an archive, unallocated space), numbered and handed on in frames."""

from collections.abc import Callable
from typing import Final

from triage.case.codec import entry_values
from triage.case.ids import MOST_MEMBERS
from triage.case.rows import FileResult, Members, PlannedEntry, StoredEntry
from triage.engine.plan import priority
from triage.evidence.entry import Entry
from triage.notices import Notice

_FRAME: Final = 200


class Full(Exception):
    """There are more members than ids."""


class MemberFrames:
    """Collects members of ``stored`` with their results, and gives them to ``write`` some hundred at a time."""

    def __init__(self, stored: StoredEntry, write: Callable[[Members], None]) -> None:
        self._stored = stored
        self._write = write
        self._number = 0
        self._frame = Members(stored.id, [], [], [])

    def add(self, entry: Entry, wanted: bool) -> int:
        """Another member; its id. ``wanted`` says that a `result` follows.

        Raises:
            Full: there is no number left.
        """
        if self._number >= MOST_MEMBERS:
            raise Full(f"{MOST_MEMBERS:,} members, those of archives within included")
        self._number += 1
        number = self._stored.id + self._number
        planned = PlannedEntry(self._stored.volume, entry, priority(entry.path), -1, wanted)
        self._frame.rows.append((number, self._stored.evidence, *entry_values(planned)))
        return number

    def result(self, result: FileResult) -> None:
        """What was found out about the member that was added last."""
        self._frame.results.append(result)
        if len(self._frame.rows) >= _FRAME:
            self.flush()

    def doubt(self, doubt: Notice) -> None:
        """A doubt about the whole, or about a member."""
        self._frame.doubts.append(doubt)
        if len(self._frame.doubts) >= _FRAME:
            self.flush()

    def flush(self) -> None:
        """Hand on what there is."""
        self._write(self._frame)
        self._frame = Members(self._stored.id, [], [], [])
