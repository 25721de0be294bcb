"""Runs one command and measures it: wall time, processor time, and peak memory of its whole process tree.

Memory is the sum over the tree of what ``/proc/PID/smaps_rollup`` calls Pss (proc(5)): a page that several processes
map counts once, shared out among them, so that neither mapped evidence nor a library is counted once per worker.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INTERVAL: Final = 0.1
"""Seconds between two samples, at least."""
LARGEST_SHARE: Final = 0.02
"""Share of one core that sampling may take; where a sample costs more, samples are rarer."""

ENDING: Final = 10.0
"""Seconds that killed processes get to be gone."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run took. Seconds and bytes.

    ``cpu`` is user and system time of the command and all it waited for, or that of the tree as it was last sampled if
    that is more: not every process waits for its descendants.
    """

    wall: float
    cpu: float
    peak: int | None
    """Highest sampled memory of the tree; absent where the system has no ``smaps_rollup`` or nothing was sampled."""
    code: int
    cut: bool = False
    """Ended by us at its time limit: ``wall`` is that limit."""
    sampling: float = 0.0
    """Processor time that sampling took in the runner."""


def measure(
    command: Sequence[str],
    scratch: Path,
    *,
    timeout: float | None = None,
    watch: Callable[[float], None] = lambda _: None,
) -> Measurement:
    """Run ``command`` in the folder ``scratch``, with its output in ``stdout`` and ``stderr`` there.

    ``watch`` is called with the seconds since the start about ten times a second. After ``timeout`` seconds the command
    and all its descendants are killed.

    Raises:
        OSError: the command cannot be started.
    """
    with (scratch / "stdout").open("wb") as out, (scratch / "stderr").open("wb") as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=scratch, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, start_new_session=True
        )
        sampler = _Sampler(process.pid, began, timeout, watch)
        sampler.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
        except BaseException:
            kill_tree(process.pid)
            raise
        finally:
            sampler.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = max(usage.ru_utime + usage.ru_stime, sum(sampler.cpu.values()))
    return Measurement(wall, cpu, sampler.peak, process.returncode, sampler.cut, sampler.cost)


class _Sampler(threading.Thread):
    """Samples the memory of a tree until it is stopped, and ends the tree at the time limit."""

    def __init__(self, pid: int, began: float, timeout: float | None, watch: Callable[[float], None]) -> None:
        super().__init__(name="sampler", daemon=True)
        self.peak: int | None = None
        self.cut = False
        self.cost = 0.0
        self.cpu: dict[int, float] = {}
        """Processor time of every process of the tree when it was last sampled."""
        self._pid = pid
        self._began = began
        self._limit = float("inf") if timeout is None else timeout
        self._watch = watch
        self._done = threading.Event()

    def run(self) -> None:
        pause = 0.0
        while not self._done.wait(pause):
            elapsed = time.monotonic() - self._began
            if elapsed >= self._limit:
                self.cut = True
                kill_tree(self._pid)
                return
            before = time.thread_time()
            self._watch(elapsed)
            pids = tree(self._pid)
            self.cpu.update({pid: spent for pid in pids if (spent := processor_time(pid)) is not None})
            now = memory_of(pids)
            if now is not None:
                self.peak = max(self.peak or 0, now)
            cost = time.thread_time() - before
            self.cost += cost
            pause = min(max(INTERVAL, cost / LARGEST_SHARE), max(0.0, self._limit - elapsed))

    def stop(self) -> None:
        """End sampling; returns when no sample is under way any more."""
        self._done.set()
        self.join()


def tree(root: int) -> list[int]:
    """Ids of a process and all its descendants, as the kernel lists them (``/proc/PID/task/TID/children``)."""
    found = [root]
    for pid in found:
        try:
            lists = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
            found += [int(child) for part in lists for child in part.read_text().split()]
        except OSError:
            continue  # it has ended meanwhile
    return found


def memory_of(pids: Iterable[int]) -> int | None:
    """Bytes that processes hold now (Pss) together; None where none of them can be asked."""
    sizes = [size for size in map(memory, pids) if size is not None]
    return sum(sizes) if sizes else None


def processor_time(pid: int) -> float | None:
    """Seconds of user and system time of one process; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int | None:
    """Bytes that one process holds (Pss: its share of shared pages); None if it has ended or cannot be asked."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open("rb") as lines:
            for line in lines:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) << 10
    except OSError:
        return None
    return None


def kill_tree(root: int) -> None:
    """Kill a process that leads a session, its descendants, and whatever else is left of its process group.

    Returns when they are gone, so that their folder can be removed.
    """
    pids = tree(root)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(root, signal.SIGKILL)
    limit = time.monotonic() + ENDING
    while time.monotonic() < limit and any(memory(pid) for pid in pids):
        time.sleep(0.01)
