"""What each worker is doing right now, kept where it survives the worker's death.

Every worker owns a small mapped file in the case's scratch folder and notes (entry, plugin, deadline) in it before each
step. After a crash or when a deadline passes, the coordinator reads there whom to blame. Costs well under a
microsecond a step and no system call.
"""

import mmap
import os
import struct
import time
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

_LAYOUT: Final = struct.Struct("<qd64s")
_write: Final = _LAYOUT.pack_into
_now: Final = time.monotonic
_IDLE: Final = -1
BASE_SECONDS: Final = 120.0
SLOWEST_BYTES_A_SECOND: Final = 1 << 20


class Step(NamedTuple):
    """A step in progress: entry, plugin (or ``read``, ``type``, ``walk`` …), and deadline in monotonic seconds."""

    entry_id: int
    plugin: str
    deadline: float


class StepNote:
    """The worker's end: notes what it is about to do."""

    def __init__(self, folder: Path, seconds: float = BASE_SECONDS) -> None:
        self._path = _place(folder, os.getpid())
        with self._path.open("wb+") as f:
            f.write(bytes(_LAYOUT.size))
            f.flush()
            self._map = mmap.mmap(f.fileno(), _LAYOUT.size)
        self._seconds = seconds
        self.entry_id = _IDLE
        self.idle()

    def begin(self, size: int, plugin: str) -> None:
        """A step on ``size`` bytes begins; its time limit grows with them."""
        deadline = _now() + self._seconds + size / SLOWEST_BYTES_A_SECOND
        _write(self._map, 0, self.entry_id, deadline, _name(plugin))

    def idle(self) -> None:
        """Nothing is being done."""
        _write(self._map, 0, _IDLE, 0.0, b"")


@cache
def _name(plugin: str) -> bytes:
    return plugin.encode()[:64]


def step_of(folder: Path, pid: int) -> Step | None:
    """The step in progress, or cut off, of the worker with this process id."""
    path = _place(folder, pid)
    data = path.read_bytes() if path.exists() else b""
    if len(data) != _LAYOUT.size:
        return None
    entry_id, deadline, plugin = _LAYOUT.unpack(data)
    name = plugin.rstrip(b"\0").decode(errors="replace")
    return Step(entry_id, name, deadline) if name and entry_id != _IDLE else None


def forget(folder: Path, pid: int) -> None:
    """Remove the note of a worker that has ended."""
    _place(folder, pid).unlink(missing_ok=True)


def _place(folder: Path, pid: int) -> Path:
    return folder / f"worker-{pid}.step"
