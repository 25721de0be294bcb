"""The walk of evidence by a worker, and what it finds into the store and to the workers that wait."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from triage.case.store import CaseStore
from triage.engine.dispatch import Dispatcher
from triage.engine.feed import WalkFeed
from triage.engine.spool import SpoolReader
from triage.engine.tasks import Answer, Lost, Walked, WalkTask
from triage.locator import Locator
from triage.notices import Notice, notice

POLL_SECONDS: Final = 0.02
_TRIES: Final = 2

Exchange = Callable[[float], list[Answer]]
"""Lets the workers go on for some seconds, and returns the answers about walks."""
Found = Callable[[int, list[Notice]], None]
"""Hears how many entries were found, and of doubts."""


class Walking:
    """Has workers walk file systems, one after the other."""

    def __init__(
        self, store: CaseStore, scratch: Path, dispatcher: Dispatcher, feed: WalkFeed, exchange: Exchange, found: Found
    ) -> None:
        self._store = store
        self._scratch = scratch
        self._dispatcher = dispatcher
        self._feed = feed
        self._exchange = exchange
        self._found = found

    def walk(self, evidence: int, place: Locator) -> None:
        """Walk the file system at ``place`` and store its entries.

        A walk that brings down its worker is tried a second time; what that had found stays, with a notice.
        """
        start = self._store.walked_so_far(evidence)
        for number in range(_TRIES):
            task = WalkTask(evidence, place.volume, self._scratch / f"walk-{evidence}-{start}-{number}.spool")
            self._settle()
            self._store.begin_walk(evidence, start)
            lost = self._run(task)
            if lost is None:
                return
        assert lost is not None  # noqa: S101 - narrows the type
        count = self._store.walked_so_far(evidence) - start
        text = f"the walk of this file system ended after {count:,} entries, what follows is missing: {lost.reason}"
        self._found(0, [notice(lost.kind, place, text, "walk")])

    def _settle(self) -> None:
        """Wait for what is being read: should this walk find other entries, no result may come for those before."""
        self._feed.clear()
        while self._feed.flying:
            self._exchange(POLL_SECONDS)

    def _run(self, task: WalkTask) -> Lost | None:
        """Store what the walk gives until it ends; `None` if that was its own end."""
        reader = SpoolReader(task.spool)
        self._dispatcher.add(task)
        while True:
            answers = self._exchange(POLL_SECONDS)
            for values, doubts in reader.frames():
                self._feed.offer(self._store.add_rows(task.evidence, values))
                self._found(len(values), doubts)
            for answer in answers:
                if isinstance(answer, Walked | Lost) and answer.task == task:
                    reader.remove()
                    return answer if isinstance(answer, Lost) else None
