"""What ``fls -r -m /`` prints, as rows that our entries can be compared with."""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from triage.evidence.entry import Entry, EntryFlag, EntryTimes

FLS_TYPES = {"hfs+": "hfs"}
# fls 4.11.1 gives the FILETIME 0, which is no time at all, as this second of the year 2076; TSK 4.15 gives 0.
WRAPPED_ZERO = 3373865674
CONTROL = bytes(ord("^") if byte < 32 or byte == 127 else byte for byte in range(256))


class Row(NamedTuple):
    """One line: name with its remarks, address, type of the name, size, times (a, m, c, b), owner, group."""

    name: bytes
    address: str
    type: str
    size: int
    times: tuple[int, int, int, int]
    uid: int
    gid: int


def fls(program: str, path: Path, offset: int, kind: str) -> Counter[Row]:
    command = [program, "-r", "-m", "/", "-i", "raw", "-f", FLS_TYPES.get(kind, kind), "-o", str(offset // 512), path]
    # fls reads the wall clock of FAT and ISO 9660 in its own zone.
    run = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "TZ": "UTC0"}, timeout=300)
    return Counter(parse(line, kind) for line in run.stdout.split(b"\n") if line)


def parse(line: bytes, kind: str) -> Row:
    head, address, mode, uid, gid, size, *times = line.rsplit(b"|", 9)
    name = head.split(b"|", 1)[1].removesuffix(b" -> ")
    numbers = [0 if int(text) == WRAPPED_ZERO else int(text) for text in times]
    if b" ($FILE_NAME)" in name:
        address, size = b"", b"0"  # the attribute's own number and size; entries have no place for them
    return _row(name, address.decode(), mode[:1].decode(), int(size), numbers, int(uid), int(gid), kind)


def _row(name: bytes, address: str, type_: str, size: int, times: list[int], uid: int, gid: int, kind: str) -> Row:
    accessed, modified, changed, created = times
    if "fat" in kind:
        # fls 4.11.1 drops the odd second that FAT keeps with the hundredths; TSK 4.15 does not.
        modified, created = modified & ~1, created & ~1
    return Row(name, address, type_, size, (accessed, modified, changed, created), uid, gid)


def rows(entry: Entry, kind: str) -> Iterator[Row]:
    """The lines that fls prints for ``entry``."""
    raw = (entry.raw_path or entry.path.encode("utf-8", "surrogatepass")).translate(CONTROL)
    stream = f":{entry.stream}".encode("utf-8", "surrogatepass") if entry.stream else b""
    tail = f" -> {entry.link_target}".encode("utf-8", "surrogatepass") if entry.link_target else b""
    if entry.flags & EntryFlag.DELETED:
        has_metadata = entry.type != "-" or any(entry.times)
        tail += b" (deleted-realloc)" if entry.flags & EntryFlag.REALLOCATED and has_metadata else b" (deleted)"
    owner = entry.uid, entry.gid
    yield _row(raw + stream + tail, entry.address, entry.name_type, entry.size, _seconds(entry.times), *owner, kind)
    if entry.name_times is not None:
        times = _seconds(entry.name_times)
        yield _row(raw + b" ($FILE_NAME)" + tail, "", entry.name_type, 0, times, *owner, kind)


def _seconds(times: EntryTimes) -> list[int]:
    whole = [0 if ns is None else ns // 10**9 for ns in (times.accessed, times.modified, times.changed, times.created)]
    return [second if 0 <= second < 1 << 32 else 0 for second in whole]
