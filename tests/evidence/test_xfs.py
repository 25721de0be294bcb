"""XFS on images made byte by byte (sound, damaged, hostile) and on images that mkfs.xfs fills."""

import hashlib
import os
import random
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from triage.errors import EvidenceError
from triage.evidence.entry import HOLE, Entry, EntryFlag, EntryTimes, EntryType, Extent, content
from triage.evidence.files import FileSource
from triage.evidence.limits import WalkLimits
from triage.evidence.source import ByteSource, MemorySource
from triage.evidence.xfs import XfsFileSystem, open_xfs
from triage.locator import Locator
from triage.notices import Notice, NoticeKind

BLOCK, INODE, BLOCKS, ROOT = 512, 256, 256, 64
FILE, DIRECTORY, LINK = 0o100644, 0o040755, 0o120777
LOCAL, EXTENTS, BTREE = 1, 2, 3
NONE = 0xFFFFFFFF


class Image:
    """A tiny XFS of version 4 with blocks of 512 bytes, to put things into."""

    def __init__(self) -> None:
        self.data = bytearray(BLOCKS * BLOCK)
        struct.pack_into(">4sIQ", self.data, 0, b"XFSB", BLOCK, BLOCKS)
        struct.pack_into(">Q", self.data, 56, ROOT)
        struct.pack_into(">II", self.data, 84, BLOCKS, 1)
        struct.pack_into(">HHHH12s", self.data, 100, 0x2004, 512, INODE, 2, b"tiny")
        self.data[120:125] = bytes([9, 9, 8, 1, 8])
        self.unlinked({})

    def unlinked(self, heads: Mapping[int, int]) -> None:
        struct.pack_into(">64I", self.data, 2 * 512 + 40, *(heads.get(n, NONE) for n in range(64)))

    def inode(
        self, number: int, mode: int, form: int, fork: bytes, size: int, count: int = 0, after: int = NONE
    ) -> None:
        at = number * INODE
        struct.pack_into(">2sHBBHIII", self.data, at, b"IN", mode, 2, form, 0, 1000, 1001, 1)
        struct.pack_into(">6IQ", self.data, at + 32, 1_600_000_001, 7, 1_600_000_002, 8, 1_600_000_003, 9, size)
        struct.pack_into(">I", self.data, at + 76, count)
        struct.pack_into(">I", self.data, at + 96, after)
        assert len(fork) <= INODE - 100
        self.data[at + 100 : at + 100 + len(fork)] = fork

    def directory(self, number: int, names: Mapping[bytes, int]) -> None:
        fork = bytes([len(names), 0]) + struct.pack(">I", ROOT)
        for name, inode in names.items():
            fork += bytes([len(name)]) + b"\0\0" + name + struct.pack(">I", inode)
        self.inode(number, DIRECTORY, LOCAL, fork, len(fork))

    def file(self, number: int, extents: Sequence[bytes], size: int) -> None:
        self.inode(number, FILE, EXTENTS, b"".join(extents), size, len(extents))

    def block(self, number: int, data: bytes) -> None:
        assert len(data) <= BLOCK
        self.data[number * BLOCK : number * BLOCK + len(data)] = data

    def tree_block(self, number: int, level: int, records: Sequence[bytes]) -> None:
        head = struct.pack(">4sHHQQ", b"BMAP", level, len(records), 0, 0)
        room = (BLOCK - 24) // 16
        self.block(number, head + (bytes(room * 8) if level else b"") + b"".join(records))

    def open(self, limits: WalkLimits | None = None, size: int | None = None) -> XfsFileSystem:
        system = open_xfs(MemorySource(bytes(self.data[:size])), Locator("x", "p1"), limits)
        assert system is not None
        return system


def extent(file: int, disk: int, count: int, unwritten: bool = False) -> bytes:
    return struct.pack(">QQ", unwritten << 63 | file << 9 | disk >> 43, (disk & (1 << 43) - 1) << 21 | count)


def pointer(block: int) -> bytes:
    return struct.pack(">Q", block)


def tree_root(level: int, blocks: Sequence[int]) -> bytes:
    return struct.pack(">HH", level, len(blocks)) + bytes((INODE - 104) // 16 * 8) + b"".join(map(pointer, blocks))


def walk(system: XfsFileSystem) -> tuple[list[Entry], list[Notice]]:
    items = list(system.walk())
    notices = [i for i in items if isinstance(i, Notice) and i.kind != NoticeKind.REMARK]
    return [i for i in items if isinstance(i, Entry)], notices


def read(source: ByteSource) -> bytes:
    data = source.read_at(0, source.size)
    assert len(data) == source.size
    return data


def test_an_entry_carries_all_that_its_inode_says() -> None:
    image = Image()
    image.directory(ROOT, {b"f": 65})
    image.block(200, b"hello")
    image.file(65, [extent(0, 200, 1)], 5)
    system = image.open()
    (entry,), notices = walk(system)

    assert notices == []
    assert system.label == "tiny"
    assert entry == Entry(
        "/f",
        "r",
        "65",
        5,
        times=EntryTimes(1_600_000_002_000_000_008, 1_600_000_001_000_000_007, 1_600_000_003_000_000_009, None),
        extents=(Extent(200 * BLOCK, 5),),
        mode=0o644,
        uid=1000,
        gid=1001,
    )
    assert read(content(system, entry)) == read(system.open(entry)) == b"hello"


def test_it_is_said_once_that_deleted_entries_are_not_listed() -> None:
    image = Image()
    image.directory(ROOT, {})
    (remark,) = image.open().walk()

    assert isinstance(remark, Notice)
    assert (remark.kind, remark.source) == (NoticeKind.REMARK, Locator("x", "p1"))
    assert "deleted entries are not listed on XFS" in remark.message


def test_holes_and_unwritten_blocks_read_as_zeros_and_neighbouring_runs_are_joined() -> None:
    image = Image()
    image.directory(ROOT, {b"f": 65})
    for block in (200, 201, 205, 210):
        image.block(block, bytes([block]) * BLOCK)
    runs = [extent(1, 200, 1), extent(2, 201, 1), extent(4, 205, 1, unwritten=True), extent(6, 210, 1)]
    image.file(65, runs, 8 * BLOCK - 1)
    system = image.open()
    (entry,), _ = walk(system)

    assert entry.flags == EntryFlag.SPARSE
    assert entry.extents == (
        Extent(HOLE, BLOCK),
        Extent(200 * BLOCK, 2 * BLOCK),
        Extent(HOLE, 3 * BLOCK),
        Extent(210 * BLOCK, BLOCK),
        Extent(HOLE, BLOCK - 1),
    )
    assert read(content(system, entry)) == b"".join(bytes([b]) * BLOCK for b in (0, 200, 201, 0, 0, 0, 210)) + bytes(
        BLOCK - 1
    )


def fragmented(image: Image) -> bytes:
    """A file of 60 pieces in reverse order, below two levels of an extent tree."""
    disk = [199 - n for n in range(60)]
    for n, block in enumerate(disk):
        image.block(block, bytes([n]) * BLOCK)
    records = [extent(n, block, 1) for n, block in enumerate(disk)]
    for n in range(3):
        image.tree_block(210 + n, 0, records[n * 20 : n * 20 + 20])
    image.tree_block(220, 1, [pointer(210), pointer(211)])
    image.tree_block(221, 1, [pointer(212)])
    image.inode(65, FILE, BTREE, tree_root(2, [220, 221]), 60 * BLOCK, 60)
    image.directory(ROOT, {b"f": 65})
    return b"".join(bytes([n]) * BLOCK for n in range(60))


def test_a_file_in_many_pieces_is_read_through_its_extent_tree() -> None:
    image = Image()
    expected = fragmented(image)
    system = image.open()
    (entry,), notices = walk(system)

    assert notices == []
    assert entry.extents is not None
    assert len(entry.extents) == 60
    assert read(content(system, entry)) == expected


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda i: i.tree_block(220, 1, [pointer(220)]), "back to itself"),
        (lambda i: i.tree_block(220, 1, [pointer(210), pointer(210)]), "back to itself"),
        (lambda i: i.tree_block(220, 1, [pointer(9999)]), "outside the file system"),
        (lambda i: i.block(211, b"nothing"), "extent tree block is damaged"),
        (lambda i: i.tree_block(211, 0, [extent(5, 100, 1)]), "overlap"),
        (lambda i: i.tree_block(212, 0, [extent(40, 250, 9)]), "outside the file system"),
        (lambda i: i.inode(65, FILE, BTREE, tree_root(0, [220]), 1), "root is damaged"),
        (lambda i: i.inode(65, FILE, LOCAL, b"inline", 6), "cannot have data format 1"),
        (lambda i: i.inode(65, FILE, EXTENTS, b"", (1 << 63) + 5), "negative size"),
        (lambda i: i.data.__setitem__(slice(65 * INODE, 65 * INODE + 2), b"XX"), "no inode signature"),
        (lambda i: i.inode(65, 0, EXTENTS, b"", 0), "which is free"),
    ],
)
def test_damage_to_one_file_is_one_notice_and_its_name_stays(spoil: Callable[[Image], None], message: str) -> None:
    image = Image()
    fragmented(image)
    image.directory(ROOT, {b"f": 65, b"other": 66})
    image.file(66, [], 0)
    spoil(image)
    system = image.open()
    entries, notices = walk(system)

    assert [e.path for e in entries] == ["/f", "/other"]
    assert [(n.kind, n.source.path) for n in notices] == [(NoticeKind.DAMAGED, "/f")]
    assert message in notices[0].message
    if entries[0].type == EntryType.FILE:
        assert entries[0].extents is None
        with pytest.raises(EvidenceError):
            system.open(entries[0])


def test_directories_that_lead_to_each_other_are_entered_once() -> None:
    image = Image()
    image.directory(ROOT, {b"a": 65})
    image.directory(65, {b"b": 66, b"self": 65})
    image.directory(66, {b"up": 65, b"top": ROOT})
    entries, notices = walk(image.open())

    assert [e.path for e in entries] == ["/a", "/a/b", "/a/self", "/a/b/up", "/a/b/top"]
    assert [(n.kind, n.source.path) for n in notices] == [
        (NoticeKind.LOOP, "/a/self"),
        (NoticeKind.LOOP, "/a/b/up"),
        (NoticeKind.LOOP, "/a/b/top"),
    ]


def test_a_walk_keeps_its_limits() -> None:
    image = Image()
    image.directory(ROOT, {b"a": 65, b"z": 67})
    image.directory(65, {b"b": 66})
    image.directory(66, {b"c": 67})
    image.file(67, [], 0)
    few, stopped = walk(image.open(WalkLimits(entries=2)))
    flat, refused = walk(image.open(WalkLimits(depth=1)))

    assert ([e.path for e in few], [n.kind for n in stopped]) == (["/a", "/z"], [NoticeKind.LIMIT])
    assert [e.path for e in flat] == ["/a", "/z", "/a/b"]
    assert [(n.kind, n.source.path) for n in refused] == [(NoticeKind.LIMIT, "/a/b")]


def test_names_that_are_no_text_keep_their_bytes() -> None:
    image = Image()
    image.directory(ROOT, {b"d\xff": 65, "ü\n".encode(): 66})
    image.directory(65, {b"x/../y\0": 66})
    image.file(66, [], 0)
    entries, _ = walk(image.open())

    assert [(e.path, e.raw_path) for e in entries] == [
        ("/d\\xff", b"/d\xff"),
        ("/ü\n", b""),
        ("/d\\xff/x\\x2f..\\x2fy\\x00", b"/d\xff/x/../y\0"),
    ]


def test_files_deleted_while_open_are_orphans_with_content() -> None:
    image = Image()
    image.directory(ROOT, {})
    image.block(200, b"still here")
    image.inode(70, FILE, EXTENTS, extent(0, 200, 1), 10, 1, after=71)
    image.inode(71, FILE, EXTENTS, b"", 0, 0)
    image.unlinked({70 % 64: 70})
    system = image.open()
    entries, notices = walk(system)

    assert notices == []
    assert [e.path for e in entries] == ["/$OrphanFiles/OrphanFile-70", "/$OrphanFiles/OrphanFile-71"]
    assert all(e.flags == EntryFlag.DELETED | EntryFlag.ORPHAN for e in entries)
    assert read(content(system, entries[0])) == b"still here"


def test_a_list_of_deleted_files_that_leads_back_ends() -> None:
    image = Image()
    image.directory(ROOT, {})
    image.inode(70, FILE, EXTENTS, b"", 0, 0, after=70)
    image.unlinked({6: 70})
    entries, notices = walk(image.open())

    assert len(entries) == 1
    assert "leads back to itself" in notices[0].message


def test_a_volume_that_ends_early_lists_what_is_there() -> None:
    image = Image()
    image.directory(ROOT, {b"near": 65, b"far": 400})
    image.file(65, [extent(0, 250, 1)], 5)
    system = image.open(size=100 * BLOCK)
    entries, notices = walk(system)

    assert [e.path for e in entries] == ["/near", "/far"]
    assert [(n.kind, n.source.path) for n in notices] == [(NoticeKind.TRUNCATED, ""), (NoticeKind.UNREADABLE, "/far")]
    assert content(system, entries[0]).read_at(0, 5) == b""


@pytest.mark.parametrize(
    ("offset", "value"),
    [(4, b"\0\0\2\1"), (8, bytes(8)), (88, bytes(4)), (100, b"\0\3"), (104, b"\1\1"), (120, b"\x40"), (124, b"\3")],
)
def test_a_superblock_that_makes_no_sense_is_no_xfs(offset: int, value: bytes) -> None:
    image = Image()
    image.data[offset : offset + len(value)] = value

    assert open_xfs(MemorySource(bytes(image.data)), Locator("x")) is None


@pytest.mark.parametrize("seed", range(5))
def test_any_damage_ends_in_entries_and_notices(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(60):
        image = Image()
        fragmented(image)
        image.directory(ROOT, {b"f": 65, b"d": 66, b"l": 67})
        image.directory(66, {b"g": 65})
        image.inode(67, LINK, LOCAL, b"target", 6)
        for _ in range(dice.randrange(1, 12)):
            place = dice.choice([512, 1064, 64 * 256, 65 * 256, 66 * 256, 67 * 256, 210 * 512, 220 * 512])
            image.data[place + dice.randrange(200)] = dice.randrange(256)
        system = image.open()
        for item in system.walk():
            if isinstance(item, Entry):
                try:
                    assert len(content(system, item).read_at(0, 1 << 16)) <= 1 << 16
                except EvidenceError as error:
                    assert str(error)


PROTOTYPE = """/dev/null
0 0
d--755 0 0
many d--755 3 4
{many}
$
text ---644 1000 1001 {folder}/text
large ---600 0 0 {folder}/large
link l--777 0 0 many/file-00001
long l--777 0 0 {target}
pipe p--644 0 0
disk b--640 0 6 8 1
$
"""


@pytest.mark.parametrize(
    "options", ["", "-b size=1024", "-n size=16384", "-i size=1024 -s size=4096", "-m crc=0 -n ftype=0"]
)
def test_what_mkfs_puts_in_is_what_comes_out(
    tmp_path: Path,
    tool: Callable[[str], str],
    lacking: Callable[[str], NoReturn],
    request: pytest.FixtureRequest,
    options: str,
) -> None:
    (tmp_path / "text").write_bytes(b"a few words")
    (tmp_path / "large").write_bytes(random.Random(1).randbytes(700_001))
    many = "\n".join(f" file-{n:05} ---644 0 0 {tmp_path}/text" for n in range(900))
    (tmp_path / "proto").write_text(PROTOTYPE.format(many=many, folder=tmp_path, target="t" * 100))
    image = tmp_path / "image"
    with image.open("wb") as stream:
        os.truncate(stream.fileno(), 320 << 20)
    command = [tool("mkfs.xfs"), "-q", "-L", "label", *options.split(), "-p", str(tmp_path / "proto"), str(image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "crc=0" in options:
        lacking(f"this mkfs.xfs makes no version 4: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    source = FileSource(image)
    request.addfinalizer(source.close)
    system = open_xfs(source, Locator("x"))
    assert system is not None
    entries, notices = walk(system)
    found = {e.path: e for e in entries}

    assert notices == []
    assert system.label == "label"
    names = ["/many", "/text", "/large", "/link", "/long", "/pipe", "/disk"]
    assert sorted(found) == sorted([*names, *(f"/many/file-{n:05}" for n in range(900))])
    assert len(entries) == len(found)
    assert [found[name].type for name in names] == ["d", "r", "r", "l", "l", "p", "b"]
    assert all(e.name_type == ("" if "ftype=0" in options else e.type) for e in entries)
    text, large = found["/text"], found["/large"]
    assert (text.mode, text.uid, text.gid, text.size, text.links) == (0o644, 1000, 1001, 11, 1)
    assert found["/link"].link_target == "many/file-00001"
    assert found["/long"].link_target == "t" * 100
    assert read(system.open(found["/long"])) == b"t" * 100
    digest = hashlib.md5((tmp_path / "large").read_bytes()).hexdigest()
    assert hashlib.md5(read(content(system, large))).hexdigest() == digest
    assert hashlib.md5(read(system.open(large))).hexdigest() == digest
    assert {read(content(system, e)) for path, e in found.items() if path.startswith("/many/")} == {b"a few words"}


def test_a_walk_that_asks_for_more_than_a_sound_volume_ends_with_one_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image()
    image.directory(ROOT, {b"%02d" % n: 70 + n for n in range(15)})
    for number in range(70, 85):
        image.file(number, [], 0)
    monkeypatch.setattr("triage.evidence.xfs._BUDGET_FLOOR", 10 * INODE)
    monkeypatch.setattr("triage.evidence.xfs._BUDGET_SHARE", 0)
    entries, notices = walk(image.open())

    assert len(entries) == 9
    assert [n.kind for n in notices] == [NoticeKind.LIMIT]
