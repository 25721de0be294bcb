"""Hands work to worker processes and gets every piece of it back, whatever happens to a worker.

A worker that dies, or is killed because a step is overdue, is replaced. The entries that workers were busy with are
tried again alone; what then still brings the worker down is laid at the door of the one plugin (or of reading) that
was running, which is left out on this entry, with a notice. Everything else of a lost batch is simply done again.
"""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path
from typing import Final, NamedTuple

from triage.case.rows import FileResult
from triage.engine import workers
from triage.engine.plan import Batch, WorkItem
from triage.engine.steps import Step, forget, steps
from triage.errors import TriageError
from triage.evidence.integrity import MediaDigest
from triage.notices import NoticeKind

WATCH_SECONDS: Final = 1.0
_FRUITLESS_STARTS: Final = 5


class DigestTask(NamedTuple):
    """Digest the media of evidence ``evidence`` with ``algorithms``."""

    evidence: int
    algorithms: tuple[str, ...]


class Examined(NamedTuple):
    """Results of a batch."""

    results: list[FileResult]


class Digested(NamedTuple):
    """The media digest of one evidence; `None` if two workers died over it."""

    evidence: int
    digest: MediaDigest | None


Task = Batch | DigestTask
Answer = Examined | Digested


class Dispatcher:
    """Drives an executor. ``make_pool`` starts one; ``ahead`` is how many tasks are handed out at a time."""

    def __init__(self, make_pool: Callable[[], Executor], scratch: Path, ahead: int) -> None:
        self._make_pool = make_pool
        self._scratch = scratch
        self._ahead = ahead
        self._pool: Executor | None = None
        self._flying: dict[Future[object], Task] = {}
        self._again: deque[Task] = deque()
        self._alone: deque[Task] = deque()
        self._overdue: set[int] = set()
        self._fruitless = 0
        self._digest_tries: dict[int, int] = {}

    def start(self, processes: int, early: Iterable[Task] = ()) -> None:
        """Start the workers, so that they are ready by the time there is work; ``early`` tasks begin at once."""
        pool = self._started()
        for _ in range(processes):
            pool.submit(workers.ready)
        for task in early:
            self._submit(task)

    def run(self, tasks: Iterator[Task]) -> Iterator[Answer]:
        """Answers to all ``tasks``, in the order in which they are done."""
        more = True
        while more or self._flying or self._again or self._alone:
            more = self._hand_out(tasks, more)
            if not self._flying:
                continue
            done, _ = wait(self._flying, timeout=WATCH_SECONDS, return_when=FIRST_COMPLETED)
            self._kill_overdue()
            lost: list[Task] = []
            for future in done:
                task = self._flying.pop(future)
                try:
                    answer = future.result()
                except BrokenExecutor:
                    lost.append(task)
                else:
                    self._fruitless = 0
                    yield _answer(task, answer)
            if lost:
                yield from self._recover(lost + list(self._flying.values()))

    def stop(self) -> None:
        """End all workers at once."""
        if self._pool is not None:
            _kill(self._pool)
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
        self._flying.clear()
        forget(self._scratch)

    def close(self) -> None:
        """End the workers after they have finished what they were given."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        forget(self._scratch)

    def _started(self) -> Executor:
        if self._pool is None:
            self._pool = self._make_pool()
        return self._pool

    def _hand_out(self, tasks: Iterator[Task], more: bool) -> bool:
        if self._alone:
            if not self._flying:
                self._submit(self._alone.popleft())
            return more
        while len(self._flying) < self._ahead:
            task = self._again.popleft() if self._again else next(tasks, None)
            if task is None:
                return False
            self._submit(task)
        return more

    def _submit(self, task: Task) -> None:
        try:
            if isinstance(task, Batch):
                future: Future[object] = self._started().submit(workers.examine, task)
            else:
                future = self._started().submit(workers.digest, task.evidence, task.algorithms)
        except BrokenExecutor:
            # The pool broke between two tasks; a future that fails at once takes the common way of recovery.
            future = Future()
            future.set_exception(BrokenExecutor())
        self._flying[future] = task

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for step in steps(self._scratch):
            if step.deadline < now and step.pid not in self._overdue:
                self._overdue.add(step.pid)
                _end_process(step.pid)

    def _recover(self, lost: list[Task]) -> Iterator[Answer]:
        """Start new workers and sort out what the old ones were doing."""
        blamed = {step.entry_id: step for step in steps(self._scratch)}
        self._fruitless += 1
        if self._fruitless > _FRUITLESS_STARTS and not blamed:
            raise TriageError("worker processes end as soon as they start; see what they printed")
        overdue = self._overdue
        self.stop()
        self._overdue = set()
        for task in lost:
            if isinstance(task, DigestTask):
                tries = self._digest_tries.get(task.evidence, 0) + 1
                self._digest_tries[task.evidence] = tries
                if tries > 1:
                    yield Digested(task.evidence, None)
                else:
                    self._alone.append(task)
            elif task.alone:
                self._alone.append(_without_culprit(task, blamed, overdue))
            else:
                self._split(task, blamed)

    def _split(self, task: Batch, blamed: dict[int, Step]) -> None:
        suspects = [item for item in task.items if item.stored.id in blamed]
        others = tuple(item for item in task.items if item.stored.id not in blamed)
        self._alone.extend(Batch((item,), item.stored.entry.size, True) for item in suspects)
        if others:
            self._again.append(Batch(others, sum(item.stored.entry.size for item in others)))


def _without_culprit(task: Batch, blamed: dict[int, Step], overdue: set[int]) -> Batch:
    """The same entry once more, without what brought its worker down."""
    item = task.items[0]
    step = blamed.get(item.stored.id)
    plugin = "read" if step is None or step.plugin == "type" else step.plugin
    barred = {name for name, _, _ in item.without}
    if plugin in barred:
        plugin = "read"
    if step is not None and step.pid in overdue:
        kind, reason = NoticeKind.TIMED_OUT, f"{plugin} did not end in time on this file, twice"
    else:
        kind, reason = NoticeKind.CRASHED, f"the worker process died in {plugin} on this file, twice"
    again = WorkItem(item.stored, item.companions, (*item.without, (plugin, kind.value, reason)))
    return Batch((again,), task.bytes, True)


def _answer(task: Task, answer: object) -> Answer:
    if isinstance(task, Batch):
        assert isinstance(answer, list)  # noqa: S101 - what `workers.examine` returns
        return Examined(answer)
    assert isinstance(answer, MediaDigest)  # noqa: S101 - what `workers.digest` returns
    return Digested(task.evidence, answer)


def _kill(pool: Executor) -> None:
    for pid in list(getattr(pool, "_processes", None) or ()):
        _end_process(pid)


def _end_process(pid: int) -> None:
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except ProcessLookupError:
        return
