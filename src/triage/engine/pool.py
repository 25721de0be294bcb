"""Worker processes: how they are started, and what the coordinator has them call.

What they do is in `triage.engine.workers`, which only they import: it takes a good part of a second.
"""

import gc
import os
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import parent_process
from threading import Thread
from typing import TYPE_CHECKING, Final

from triage.engine.memory import limit_memory
from triage.engine.server import worker_context
from triage.engine.setup import Setup
from triage.engine.tasks import Answer, Task

if TYPE_CHECKING:
    from triage.engine.workers import Worker

_GARBAGE: Final = 100_000
_worker: "Worker | None" = None


def start_worker(setup: Setup) -> None:
    """Initializer of a worker process."""
    global _worker  # the standard executor has no other place for a state of the process
    from triage.engine.workers import Worker

    os.environ["TZ"] = "UTC"
    # Thousands of results wait to be sent, and none of them is garbage: looking through them costs three percent.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    Thread(target=_end_with_coordinator, daemon=True).start()
    limit_memory(setup.memory)
    _worker = Worker(setup)


def _end_with_coordinator() -> None:
    """End this process when the one that gives it work is gone, however it went."""
    coordinator = parent_process()
    if coordinator is not None:
        coordinator.join()
        os._exit(1)


def perform(task: Task) -> Answer:
    """Do a task in this worker process."""
    if _worker is None:
        raise RuntimeError("this process was not started as a worker")
    return _worker.perform(task)


def ready() -> int:
    """The process id of this worker, once it has started."""
    return os.getpid()


def local_worker(setup: Setup) -> Executor:
    """A process on this machine."""
    return ProcessPoolExecutor(1, worker_context(), start_worker, (setup,))
