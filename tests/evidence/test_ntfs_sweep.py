"""The sweep over NTFS against the walk of The Sleuth Kit, entry by entry and in the same order."""

import os
import random
import subprocess
import uuid
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from recipes import laptop, ntfs_system
from recipes.ntfs import ROOT, Volume
from recipes.ntfs_files import Node, Stream
from recipes.ntfs_records import CLUSTER, POSIX

from triage.evidence import tsk_native
from triage.evidence.entry import Entry, EntryFlag
from triage.evidence.limits import WalkLimits
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes
from triage.evidence.tsk import TskFileSystem
from triage.locator import Locator
from triage.notices import Notice

WHERE = Locator("disk", "p1")
SECTOR, RECORD = 512, 1024
IN_2015 = 130_700_000_000_000_000
FAULTS = 100


class Holed(ByteSource):
    """A source with sectors that cannot be read."""

    def __init__(self, data: bytes, bad: set[int]) -> None:
        self._data = data
        self._bad = bad
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        for at in self._bad:
            if offset < at + SECTOR and at < offset + length:
                raise UnreadableBytes("bad sector", at, SECTOR)
        return self._data[offset : offset + length]


def system(data: bytes | ByteSource, sweep: bool, limits: WalkLimits | None = None) -> TskFileSystem:
    """The NTFS file system in ``data``, opened anew: TSK remembers what it found."""
    source = MemorySource(data) if isinstance(data, bytes) else data
    native = next(found for found in tsk_native.open_all(source) if found.type == "ntfs")
    return TskFileSystem(native, source, WHERE, limits, sweep)


def walks(
    data: bytes | ByteSource, limits: WalkLimits | None = None
) -> tuple[list[Entry | Notice], list[Entry | Notice], str]:
    """What TSK gives, what the sweep gives, and why it was left to TSK."""
    swept = system(data, True, limits)
    return list(system(data, False, limits).walk()), list(swept.walk()), swept.left_to_tsk


def entries(items: list[Entry | Notice]) -> list[Entry]:
    return [item for item in items if isinstance(item, Entry)]


class Disk:
    """A volume that was used for a while."""

    def __init__(self) -> None:
        moments = count(IN_2015, 36_000_000_001)
        self.clock = lambda: (next(moments),) * 4
        self.volume = Volume(24_000, hidden=0, serial=7, label="used", clock=self.clock(), owners=[ntfs_system.sid(18)])
        self.root = self.volume.nodes[ROOT]

    def folder(self, parent: Node, name: str, **how: object) -> Node:
        return self.volume.add(parent, name, self.clock(), **how)

    def file(self, parent: Node, name: str, content: bytes | Stream = b"text", **how: object) -> Node:
        stream = content if isinstance(content, Stream) else Stream(content=content)
        return self.volume.add(parent, name, self.clock(), stream, **how)


def used() -> bytes:
    disk = Disk()
    volume, root = disk.volume, disk.root
    many = disk.folder(root, "many")
    names = [disk.file(many, f"entry number {number:03d}.txt", bytes(number * 9)) for number in range(90)]
    for node in names[::3]:
        volume.delete(node)
    for node in names[1::9]:
        volume.delete(node, trace=False)
    for node in names[::6]:
        disk.file(many, f"in the place of {node.record}", b"new", record=node.record)
    tree = disk.folder(root, "tree")
    lost = disk.folder(tree, "lost")
    below = disk.folder(lost, "below")
    inner = [disk.file(folder, f"{number}.txt") for folder in (lost, below) for number in range(3)]
    for node in inner:
        volume.delete(node, trace=node.record % 2 == 0)
    volume.delete(below)
    volume.delete(lost, trace=False)
    disk.file(root, "in the place of a folder", record=lost.record)
    shapes = disk.folder(root, "Umbo na majina")
    linked = disk.file(shapes, "a long name with a short one.docx", b"w" * 5000, short="ALONGN~1.DOC")
    for number in range(3):
        volume.link(linked, tree, f"link {number}", disk.clock())
    alone = disk.file(shapes, "streams.jpg", b"\xff\xd8" * 2000)
    volume.add_stream(alone, Stream(content=b"[ZoneTransfer]\r\nZoneId=3", name="Zone.Identifier"))
    volume.add_stream(alone, Stream(content=bytes(9000), name="large", resident=False))
    disk.file(shapes, "sparse", Stream(content=b"a" * 4096 + bytes(300_000) + b"z", sparse=True))
    disk.file(shapes, "compressed", Stream(content=b"all the same " * 9000, compressed=True))
    disk.file(shapes, "never filled", Stream(content=b"f" * 30_000, valid=5000, resident=False))
    places = tuple(range(1500, 1500 + 2 * 260, 2))
    disk.file(shapes, "in pieces", Stream(content=b"p" * (CLUSTER * len(places)), runs=places))
    for name in ("写真" * 60, "\U0001f3d4" * 9, "^", "n" * 255, *laptop.HOSTILE_NAMES):
        disk.file(shapes, name, space=POSIX)
    volume.delete(disk.file(shapes, "é" * 200, space=POSIX), trace=False)
    return volume.build()


@pytest.fixture(scope="module")
def volume() -> bytes:
    return used()


def test_volume_that_was_used_is_swept_and_equal(volume: bytes) -> None:
    theirs, ours, why = walks(volume)
    flags = [entry.flags for entry in entries(ours)]

    assert theirs == ours
    assert why == ""
    # What the comparison is worth nothing without.
    assert sum(bool(flag & EntryFlag.DELETED) for flag in flags) > 30
    for flag in ("ORPHAN", "RESIDENT", "SPARSE", "COMPRESSED", "VIRTUAL", "META_UNALLOCATED"):
        assert any(value & EntryFlag[flag] for value in flags), flag
    assert {"", "large", "Zone.Identifier"} <= {entry.stream for entry in entries(ours)}
    assert any(entry.extents and len(entry.extents) > 200 for entry in entries(ours))


def test_laptop_of_the_fixtures_is_swept_and_equal() -> None:
    disk = laptop.Laptop().build()
    start = laptop.START * SECTOR
    theirs, ours, why = walks(disk[start : start + laptop.VOLUME_SECTORS * SECTOR])

    assert theirs == ours
    assert why == ""
    assert len(ours) > 100


def test_second_walk_gives_the_same(volume: bytes) -> None:
    found = system(volume, True)

    assert list(found.walk()) == list(found.walk())


@pytest.mark.parametrize("limits", [WalkLimits(entries=40), WalkLimits(depth=1), WalkLimits(path=12)])
def test_limits_are_kept_in_the_same_place(volume: bytes, limits: WalkLimits) -> None:
    theirs, ours, _ = walks(volume, limits)

    assert theirs == ours
    assert any(isinstance(item, Notice) for item in ours)


def test_records_that_were_used_again_give_what_tsk_gives(volume: bytes) -> None:
    records = [at for at in range(0, len(volume), SECTOR) if volume.startswith(b"FILE", at)]
    out = bytearray(volume)
    for at in records[30:90:4]:
        out[at + 16] += 1
    for at in records[31:90:4]:
        out[at + 22] ^= 1
    theirs, ours, why = walks(bytes(out))

    assert theirs == ours
    assert why == ""
    assert any(entry.flags & EntryFlag.REALLOCATED for entry in entries(ours))


def broken(data: bytes, rng: random.Random) -> bytes:
    """``data`` with a few faults in MFT records and INDX blocks."""
    records = [at for at in range(0, len(data), SECTOR) if data.startswith(b"FILE", at)]
    indexes = [at for at in range(0, len(data), SECTOR) if data.startswith(b"INDX", at)]
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        block, size = (rng.choice(records), 600) if rng.random() < 0.6 else (rng.choice(indexes), 4096)
        at = block + rng.randrange(4, size)
        kind = rng.randrange(8)
        if kind < 3:
            out[at] ^= 1 << rng.randrange(8)
        elif kind < 5:
            out[at] = rng.choice((0, 1, 2, 5, 24, 72, 127, 255))
        elif kind == 5:
            out[at : at + 8] = rng.choice((bytes(8), b"\xff" * 8, rng.randbytes(8)))
        elif kind == 6:
            out[block : block + SECTOR] = bytes(SECTOR)
        else:
            other = rng.choice(records if size < RECORD else indexes)
            size = RECORD if size < RECORD else size
            out[block : block + size] = out[other : other + size]
    return bytes(out)


@pytest.mark.parametrize("first", range(0, FAULTS, 10))
def test_faults_give_what_tsk_gives(volume: bytes, first: int) -> None:
    for seed in range(first, first + 10):
        data = broken(volume, random.Random(seed))
        if any(native.type == "ntfs" for native in tsk_native.open_all(MemorySource(data))):
            theirs, ours, why = walks(data)

            assert theirs == ours, f"seed {seed}: {why}"


def test_bad_sectors_give_what_tsk_gives(volume: bytes) -> None:
    places = [at for at in range(0, len(volume), SECTOR) if volume[at : at + 4] in (b"FILE", b"INDX")]
    rng = random.Random(5)
    left = 0
    for bad in rng.sample(places[40:], 12):
        theirs, ours, why = walks(Holed(volume, {bad}))
        left += bool(why)

        assert theirs == ours, f"sector at {bad}: {why}"
    assert left > 0


def test_walk_that_ends_early_goes_on_where_it_was(volume: bytes) -> None:
    # The last index block of the volume belongs to the directory that is walked last but for orphans.
    torn = bytearray(volume)
    at = max(at for at in range(0, len(volume), CLUSTER) if volume.startswith(b"INDX", at))
    torn[at + SECTOR - 1] ^= 1
    theirs, ours, why = walks(bytes(torn))

    assert why == "an index record is torn"
    assert theirs == ours
    assert any(isinstance(item, Notice) for item in ours)


def test_truncated_volume_gives_what_tsk_gives(volume: bytes) -> None:
    for size in (len(volume) // 2, len(volume) - 5 * CLUSTER - 100):
        data = volume[:size]
        if any(native.type == "ntfs" for native in tsk_native.open_all(MemorySource(data))):
            theirs, ours, _ = walks(data)

            assert theirs == ours


@pytest.fixture
def mounted(tmp_path: Path, tool: Callable[[str], str]) -> Callable[[int, Callable[[Path], None]], bytes]:
    """Makes a volume with mkntfs and lets a function use it through ntfs-3g."""

    def make(cluster: int, use: Callable[[Path], None]) -> bytes:
        image, folder = tmp_path / f"{uuid.uuid4()}.img", tmp_path / "mounted"
        folder.mkdir(exist_ok=True)
        image.write_bytes(bytes(12 << 20))
        mkntfs = [tool("mkntfs"), "-F", "-q", "-C", "-c", str(cluster), str(image)]
        subprocess.run(mkntfs, check=True, capture_output=True)
        mount = [tool("ntfs-3g"), "-o", "streams_interface=xattr,compression", str(image), str(folder)]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("this system does not let us mount a file system of our own")
        try:
            use(folder)
        finally:
            subprocess.run(["umount", str(folder)], check=True, capture_output=True)
        return image.read_bytes()

    return make


def work(folder: Path) -> None:
    """What people do with a disk in a year."""
    rng = random.Random(3)
    folders = [folder]
    for number in range(8):
        folders.append(rng.choice(folders) / f"folder {number} 写真")
        folders[-1].mkdir()
    files = []
    for number in range(80):
        files.append(rng.choice(folders) / f"{rng.choice(('f', 'a long name ' * 9, '字' * 60))}{number}")
        files[-1].write_bytes(rng.randbytes(rng.choice((0, 10, 700, 9000))))
        if number % 7 == 0:
            os.setxattr(files[-1], "user.Zone.Identifier", b"[ZoneTransfer]")
        if number % 20 == 0:
            for link in range(12):
                (rng.choice(folders) / f"link {number} {link}").hardlink_to(files[-1])
    grown = [(folder / f"grown {number}").open("ab", buffering=0) for number in range(3)]
    for _ in range(60):
        for file in grown:
            file.write(bytes(1500))
    for file in grown:
        file.close()
    os.truncate(files[5], 700_000)
    for file in files[::3]:
        file.unlink()
    for number, file in enumerate(files[1::9]):
        if file.exists():
            file.rename(folder / f"renamed {number}")


@pytest.mark.parametrize("cluster", [512, 4096])
def test_volume_of_another_writer_is_swept_and_equal(
    mounted: Callable[[int, Callable[[Path], None]], bytes], cluster: int
) -> None:
    theirs, ours, why = walks(mounted(cluster, work))

    assert theirs == ours
    assert why == ""
    assert len(entries(ours)) > 100
