"""What each worker is doing right now, kept where it survives the worker's death.

Every worker owns a small mapped file in the case's scratch folder and notes (entry, plugin, deadline) in it before each
step. After a crash or when a deadline passes, the coordinator reads there whom to blame. Costs well under a
microsecond a step and no system call.
"""

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final, NamedTuple

_LAYOUT: Final = struct.Struct("<qd64s")
_IDLE: Final = -1
BASE_SECONDS: Final = 120.0
SLOWEST_BYTES_A_SECOND: Final = 1 << 20


class Step(NamedTuple):
    """A step in progress: the entry, the plugin (or ``read``, ``type``), and its deadline in monotonic seconds."""

    pid: int
    entry_id: int
    plugin: str
    deadline: float


class StepNote:
    """The worker's end: notes what it is about to do."""

    def __init__(self, folder: Path, seconds: float = BASE_SECONDS) -> None:
        self.path = folder / f"worker-{os.getpid()}.step"
        with self.path.open("wb+") as f:
            f.write(bytes(_LAYOUT.size))
            f.flush()
            self._map = mmap.mmap(f.fileno(), _LAYOUT.size)
        self._seconds = seconds
        self.entry_id = _IDLE
        self.idle()

    def begin(self, size: int, plugin: str) -> None:
        """A step on ``size`` bytes begins; its time limit grows with them."""
        deadline = time.monotonic() + self._seconds + size / SLOWEST_BYTES_A_SECOND
        _LAYOUT.pack_into(self._map, 0, self.entry_id, deadline, plugin.encode()[:64])

    def idle(self) -> None:
        """Nothing is being done."""
        _LAYOUT.pack_into(self._map, 0, _IDLE, 0.0, b"")


def steps(folder: Path) -> list[Step]:
    """The steps in progress, or cut off, of all workers that have noted one in ``folder``."""
    found = []
    for path in sorted(folder.glob("worker-*.step")):
        data = path.read_bytes()
        if len(data) == _LAYOUT.size:
            entry_id, deadline, plugin = _LAYOUT.unpack(data)
            if entry_id != _IDLE and plugin.strip(b"\0"):
                pid = int(path.stem.partition("-")[2])
                found.append(Step(pid, entry_id, plugin.rstrip(b"\0").decode(errors="replace"), deadline))
    return found


def forget(folder: Path) -> None:
    """Remove all notes, before workers start anew."""
    for path in folder.glob("worker-*.step"):
        path.unlink()
