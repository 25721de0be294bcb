"""Hands work to worker processes and gets every piece of it back, whatever happens to a worker.

A worker that dies, or is killed because a step is overdue, is replaced; the others go on. Each worker notes what it is
about to do, so it is known over which entry it died, in which plugin. That entry is tried again; if a second worker
dies over it, the plugin (or reading) is left out on this entry, with a notice. All else that it had is done again.
"""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from pathlib import Path
from typing import Final

from triage.case.ids import archive_of
from triage.engine import pool
from triage.engine.steps import Step, forget, step_of
from triage.engine.tasks import Answer, Barred, Batch, Lost, Task, WorkItem
from triage.errors import TriageError
from triage.notices import NoticeKind

WATCH_SECONDS: Final = 1.0
_QUEUED: Final = 2
"""Batches that a worker has at a time: one that it works on and the next."""
_FRUITLESS_STARTS: Final = 5

_ENDED: Final = {
    NoticeKind.TIMED_OUT: "it did not go on in time, and the worker process was ended",
    NoticeKind.CRASHED: "the worker process died",
}

Take = Callable[[], Task | None]


class Dispatcher:
    """Drives ``count`` executors of one process each, which ``make_worker`` starts."""

    def __init__(self, make_worker: Callable[[], Executor], scratch: Path, count: int) -> None:
        self._scratch = scratch
        self._slots = [_Slot(make_worker, scratch) for _ in range(count)]
        self._urgent: deque[Task] = deque()
        self._fruitless = 0
        self._dry = True
        """Whether there was nothing more to take."""
        self._watched = time.monotonic()

    def add(self, task: Task) -> None:
        """Have this done before anything that `exchange` takes."""
        self._urgent.append(task)

    @property
    def idle(self) -> bool:
        """Whether nothing is being done or waits to be, as far as the last `exchange` knows."""
        return self._dry and not self._urgent and not any(slot.tasks for slot in self._slots)

    def only(self, kind: type[Task]) -> bool:
        """Whether all that is being done or waits to be, as far as the last `exchange` knows, is of this kind."""
        if not self._dry:
            return False
        flying = [task for slot in self._slots for task, _ in slot.tasks]
        return all(isinstance(task, kind) for task in [*self._urgent, *flying])

    def exchange(self, take: Take, seconds: float = WATCH_SECONDS) -> list[Answer]:
        """Give out work (``take`` gives the next task, or none) and return answers, waiting up to ``seconds`` for one.

        With nothing left to do or to take, it returns at once and `idle` is true.
        """
        self._hand_out(take)
        flying = [future for slot in self._slots for _, future in slot.tasks]
        if flying:
            wait(flying, timeout=min(seconds, WATCH_SECONDS), return_when=FIRST_COMPLETED)
        if time.monotonic() - self._watched > WATCH_SECONDS:
            self._watched = time.monotonic()
            for slot in self._slots:
                slot.kill_if_overdue()
        return [answer for slot in self._slots for answer in self._collect(slot)]

    def stop(self) -> None:
        """End all workers at once."""
        for slot in self._slots:
            slot.stop()

    def close(self) -> None:
        """End the workers after they have finished what they were given."""
        for slot in self._slots:
            slot.close()

    def _hand_out(self, take: Take) -> None:
        while True:
            slot = min(self._slots, key=lambda slot: slot.load)
            if slot.load >= _QUEUED:
                self._dry = False
                return
            task = self._urgent.popleft() if self._urgent else take()
            if task is None:
                self._dry = True
                return
            slot.submit(task)

    def _collect(self, slot: "_Slot") -> Iterable[Answer]:
        while slot.tasks and slot.tasks[0][1].done():
            _, future = slot.tasks[0]
            try:
                answer = future.result()
            except BrokenExecutor:
                yield from self._recover(slot)
                return
            slot.tasks.popleft()
            self._fruitless = 0
            yield answer

    def _recover(self, slot: "_Slot") -> Iterable[Answer]:
        """Replace a dead worker and sort out what it was doing."""
        lost = [task for task, _ in slot.tasks]
        step, kind = slot.restart()
        if step is None:
            self._fruitless += 1
            if self._fruitless > _FRUITLESS_STARTS:
                raise TriageError("worker processes end as soon as they start; see what they printed")
        first = lost[0]
        if isinstance(first, Batch):
            self._urgent.extend(_again(first, step, kind))
        else:
            entry_id, plugin = (step.entry_id, step.plugin) if step else (0, "")
            yield Lost(first, kind, entry_id, plugin, _ENDED[kind])
        self._urgent.extend(lost[1:])


class _Slot:
    """One worker process and what it was given: the first task is the one that it works on."""

    def __init__(self, make_worker: Callable[[], Executor], scratch: Path) -> None:
        self._make_worker = make_worker
        self._scratch = scratch
        self._overdue = False
        self.tasks: deque[tuple[Task, Future[Answer]]] = deque()
        self._start()

    def _start(self) -> None:
        self._executor = self._make_worker()
        self._ready: Future[int] = self._executor.submit(pool.ready)

    @property
    def load(self) -> int:
        """How many batches it has; a task that may take minutes fills it."""
        return sum(1 if isinstance(task, Batch) else _QUEUED for task, _ in self.tasks)

    def submit(self, task: Task) -> None:
        try:
            future = self._executor.submit(pool.perform, task)
        except BrokenExecutor as error:
            # It died between two tasks; a future that has failed takes the common way of recovery.
            future = Future()
            future.set_exception(error)
        self.tasks.append((task, future))

    def kill_if_overdue(self) -> None:
        step = self._step()
        if step is not None and step.deadline < time.monotonic() and not self._overdue:
            self._overdue = True
            self._kill()

    def restart(self) -> tuple[Step | None, NoticeKind]:
        """Start a new worker; what the old one was doing, and how it ended."""
        step, kind = self._step(), NoticeKind.TIMED_OUT if self._overdue else NoticeKind.CRASHED
        self.stop()
        self._overdue = False
        self._start()
        return step, kind

    def stop(self) -> None:
        self._kill()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._forget()

    def close(self) -> None:
        self._executor.shutdown()
        self._forget()

    def _forget(self) -> None:
        self.tasks.clear()
        if self._pid is not None:
            forget(self._scratch, self._pid)

    @property
    def _pid(self) -> int | None:
        return self._ready.result() if self._ready.done() and self._ready.exception() is None else None

    def _step(self) -> Step | None:
        return step_of(self._scratch, self._pid) if self._pid is not None else None

    def _kill(self) -> None:
        # A worker that has not said its number yet is only known to its executor.
        for pid in list(getattr(self._executor, "_processes", None) or ()):
            try:
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            except ProcessLookupError:
                continue


def _again(batch: Batch, step: Step | None, kind: NoticeKind) -> list[Batch]:
    """A batch over which a worker died, to be done again: what it died over apart from the rest."""
    suspects = [item for item in batch.items if step is None or item.id == archive_of(step.entry_id)]
    blamed = {item.id for item in suspects}
    others = tuple(item for item in batch.items if item.id not in blamed)
    made = [Batch((_without(item, step, kind) if batch.tries else item,), batch.tries + 1) for item in suspects]
    return [*made, *([Batch(others)] if others else [])]


def _without(item: WorkItem, step: Step | None, kind: NoticeKind) -> WorkItem:
    """The same entry once more, without what brought two workers down."""
    number = item.id if step is None else step.entry_id
    plugin = "read" if step is None or step.plugin == "type" else step.plugin
    if any((number, plugin) == known[:2] for known in item.without):
        plugin = "read"
    return item._replace(without=(*item.without, barred(number, plugin, kind)))


def barred(number: int, plugin: str, kind: NoticeKind) -> Barred:
    """A plugin, or reading, that is left out on the entry ``number``, because two workers ended over it."""
    name = "read" if plugin == "type" else plugin
    said = f"{name} did not end in time" if kind is NoticeKind.TIMED_OUT else f"the worker process died in {name}"
    return Barred(number, name, kind, f"{said} on this file, twice")
