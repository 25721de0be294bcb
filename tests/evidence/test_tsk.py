"""File systems of The Sleuth Kit, on volumes made for the purpose."""

import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triage.evidence import tsk, tsk_native
from triage.evidence.entry import HOLE, Entry, EntryFlag, EntryType, OpenOptions, content
from triage.evidence.limits import WalkLimits
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes
from triage.evidence.tsk import TskFileSystem
from triage.locator import Locator
from triage.notices import Notice, NoticeKind

Tool = Callable[[str], str]
WHERE = Locator("disk", "p1")
MIB = 1 << 20


class Holed(ByteSource):
    """A source with a range that cannot be read."""

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self._data = data
        self._bad = begin, end
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < self._bad[1] and offset + length > self._bad[0]:
            raise UnreadableBytes("bad sector", offset, length)
        return self._data[offset : offset + length]


@pytest.fixture
def in_zone() -> Iterator[Callable[[str], None]]:
    before = os.environ.get("TZ")

    def enter(name: str) -> None:
        os.environ["TZ"] = name
        time.tzset()

    yield enter
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def ext(tool: Tool, tmp_path: Path, folder: Path, size: str = "2M", *options: str) -> bytes:
    image = tmp_path / "ext.img"
    run(tool("mke2fs"), "-q", "-F", "-d", folder, *options, image, size)
    return image.read_bytes()


def fat(tool: Tool, tmp_path: Path, *options: str) -> bytes:
    image = tmp_path / "fat.img"
    image.write_bytes(bytes(4 * MIB))
    run(tool("mkfs.fat"), *options, image)
    return image.read_bytes()


def only(data: bytes | ByteSource, limits: WalkLimits | None = None) -> TskFileSystem:
    source = MemorySource(data) if isinstance(data, bytes) else data
    (native,) = tsk_native.open_all(source)
    return TskFileSystem(native, source, WHERE, limits)


def split(file_system: TskFileSystem) -> tuple[dict[str, Entry], list[Notice]]:
    items = list(file_system.walk())
    return (
        {item.path: item for item in items if isinstance(item, Entry)},
        [item for item in items if isinstance(item, Notice)],
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "content"
    made.mkdir()
    return made


def test_names_of_any_bytes_stay_exact(tool: Tool, tmp_path: Path, folder: Path) -> None:
    names = [b"caf\xe9", b"line\nbreak", b"tab\t", b"..hidden", "写真.jpg".encode(), b"\\x2f", b"\x01\x7f"]
    for name in names:
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_text("x")
    entries, notices = split(only(ext(tool, tmp_path, folder)))

    assert {b"/" + name for name in names} <= {entry.raw_path or entry.path.encode() for entry in entries.values()}
    assert "/caf\\xe9" in entries
    assert entries["/\\x2f"].raw_path == b""
    assert notices == []


def test_separator_in_a_name_makes_no_directory(tool: Tool, tmp_path: Path, folder: Path) -> None:
    (folder / "aXb").write_text("x")
    entries, _ = split(only(ext(tool, tmp_path, folder).replace(b"aXb", b"a/b")))

    assert entries["/a\\x2fb"].raw_path == b"/a/b"


def test_links_sparse_files_and_times(tool: Tool, tmp_path: Path, folder: Path) -> None:
    (folder / "one").write_text("text")
    (folder / "two").hardlink_to(folder / "one")
    (folder / "link").symlink_to("sub/one")
    with (folder / "sparse").open("wb") as file:
        file.seek(100_000)
        file.write(b"end")
    os.utime(folder / "one", ns=(1_700_000_000_123_456_789, 1_700_000_000_987_654_321))
    file_system = only(ext(tool, tmp_path, folder, "2M", "-t", "ext4", "-I", "256"))
    entries, _ = split(file_system)

    assert entries["/one"].address == entries["/two"].address
    assert entries["/one"].links == 2
    assert entries["/link"].link_target == "sub/one"
    assert entries["/sparse"].extents[0].offset == HOLE
    assert bytes(100_000) + b"end" == content(file_system, entries["/sparse"]).read_at(0, 200_000)
    assert entries["/one"].times.modified // 10**9 == 1_700_000_000
    assert file_system.open(entries["/one"]).read_at(0, 10) == b"text"


def test_loop_is_entered_once_and_told(tool: Tool, tmp_path: Path, folder: Path) -> None:
    (folder / "dir").mkdir()
    (folder / "dir" / "file").write_text("x")
    ext(tool, tmp_path, folder)
    run(tool("debugfs"), "-w", "-R", "ln /dir /dir/again", tmp_path / "ext.img")
    entries, notices = split(only((tmp_path / "ext.img").read_bytes()))

    assert "/dir/again" in entries
    assert "/dir/again/file" not in entries
    assert [told.kind for told in notices] == [NoticeKind.LOOP]


def test_limits_end_the_walk_with_a_notice(tool: Tool, tmp_path: Path, folder: Path) -> None:
    (folder / "a" / "b" / "c").mkdir(parents=True)
    data = ext(tool, tmp_path, folder)

    _, told = split(only(data, WalkLimits(entries=2)))
    assert [item.kind for item in told] == [NoticeKind.LIMIT]
    entries, told = split(only(data, WalkLimits(depth=2)))
    assert [item.kind for item in told] == [NoticeKind.LIMIT]
    assert "/a/b/c" in entries or "/a/b" in entries


def test_unreadable_directory_is_told_and_the_rest_listed(tool: Tool, tmp_path: Path, folder: Path) -> None:
    for name in ("bad", "good"):
        (folder / name).mkdir()
        (folder / name / "file").write_text(name * 500)
    data = ext(tool, tmp_path, folder)
    entries, _ = split(only(data))
    at, length = entries["/bad"].extents[0]
    entries, notices = split(only(Holed(data, at, at + length)))

    assert "/good/file" in entries
    assert "/bad/file" not in entries
    assert ("/bad", NoticeKind.UNREADABLE) in [(told.source.path, told.kind) for told in notices]


def test_unreadable_content_is_an_error_and_not_zeros(tool: Tool, tmp_path: Path, folder: Path) -> None:
    (folder / "file").write_bytes(b"x" * 100_001)
    data = ext(tool, tmp_path, folder)
    entries, _ = split(only(data))
    at, _ = entries["/file"].extents[0]
    file_system = only(Holed(data, at + 4096, at + 4608))
    opened = file_system.open(split(file_system)[0]["/file"])

    assert opened.read_at(0, 1000) == b"x" * 1000
    with pytest.raises(UnreadableBytes):
        opened.read_at(0, 100_001)


def test_file_with_three_levels_of_pointers_keeps_size_and_content(tool: Tool, tmp_path: Path, folder: Path) -> None:
    marks = {0: b"begin", 300_000: b"double", 66 * MIB: b"triple", 68 * MIB - 5: b"ending"}
    with (folder / "large").open("wb") as file:
        for offset, text in marks.items():
            file.seek(offset)
            file.write(text)
    file_system = only(ext(tool, tmp_path, folder, "4M", "-t", "ext3", "-b", "1024"))
    entry = split(file_system)[0]["/large"]

    assert 68 * MIB + 1 == entry.size == sum(extent.length for extent in entry.extents)
    for source in (content(file_system, entry), file_system.open(entry)):
        assert marks == {offset: source.read_at(offset, len(text)) for offset, text in marks.items()}


def test_block_pointers_that_lead_in_a_circle_end(tool: Tool, tmp_path: Path, folder: Path) -> None:
    with (folder / "large").open("wb") as file:
        file.truncate(80 * MIB)
        file.seek(66 * MIB)
        file.write(b"x")
    data = bytearray(ext(tool, tmp_path, folder, "4M", "-t", "ext3", "-b", "1024"))
    tables = tsk_native.ext_inodes.locate(MemorySource(bytes(data)))
    inode = next(n for n in range(11, 20) if struct.unpack_from("<I", tables.raw(n), 4)[0] == 80 * MIB)
    top = struct.unpack_from("<I", tables.raw(inode), 40 + 14 * 4)[0]
    data[top * 1024 : top * 1024 + 1024] = struct.pack("<I", top) * 256
    file_system = only(bytes(data))
    entry = split(file_system)[0]["/large"]

    assert entry.size == 80 * MIB
    assert entry.extents is None


def test_two_file_systems_in_one_volume_are_both_found(tool: Tool, tmp_path: Path, folder: Path) -> None:
    (folder / "in_ext").write_text("x")
    small = ext(tool, tmp_path, folder, "900K")
    both = bytearray(fat(tool, tmp_path, "-R", "2000"))
    both[1024 : len(small)] = small[1024:]
    found = tsk.detect(MemorySource(bytes(both)), WHERE, OpenOptions())

    assert [file_system.type for file_system in found] == ["fat12", "ext2"]
    assert [file_system.locator.volume for file_system in found] == ["p1", "p1~ext2"]


def test_nothing_is_found_in_noise() -> None:
    assert tsk.detect(MemorySource(os.urandom(MIB)), WHERE, OpenOptions()) == ()
    assert tsk.detect(MemorySource(b""), WHERE, OpenOptions()) == ()
    assert tsk.detect(MemorySource(bytes(MIB)), WHERE, OpenOptions()) == ()


@pytest.mark.parametrize("zone", ["UTC0", "Asia/Kathmandu", "America/New_York", "Pacific/Kiritimati"])
def test_fat_times_are_the_wall_clock_in_every_zone(
    tool: Tool, tmp_path: Path, in_zone: Callable[[str], None], zone: str
) -> None:
    fat(tool, tmp_path)
    (tmp_path / "file").write_text("x")
    run(tool("mcopy"), "-i", tmp_path / "fat.img", tmp_path / "file", "::FILE.TXT")
    data = bytearray((tmp_path / "fat.img").read_bytes())
    at = data.index(b"FILE    TXT")
    # 02:30:02 on 2024-03-10 does not exist in New York; made at 1.5 s past 23:59:58 of the last day that FAT can name.
    skipped, last = (44 << 9 | 3 << 5 | 10, 2 << 11 | 30 << 5 | 1), (127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29)
    struct.pack_into("<BHHH2xHH", data, at + 13, 150, last[1], last[0], skipped[0], skipped[1], skipped[0])
    in_zone(zone)
    entry = split(only(bytes(data)))[0]["/FILE.TXT"]

    assert entry.times.modified == 1_710_037_802 * 10**9
    assert entry.times.accessed == 1_710_028_800 * 10**9
    assert entry.times.changed is None
    assert entry.times.created == (4_354_819_198 + 1) * 10**9 + 500_000_000


def test_deleted_file_on_fat_is_recovered(tool: Tool, tmp_path: Path) -> None:
    fat(tool, tmp_path)
    (tmp_path / "file").write_bytes(b"recover me " * 1000)
    run(tool("mcopy"), "-i", tmp_path / "fat.img", tmp_path / "file", "::FILE.TXT")
    run(tool("mdel"), "-i", tmp_path / "fat.img", "::FILE.TXT")
    file_system = only((tmp_path / "fat.img").read_bytes())
    entry = next(e for e in split(file_system)[0].values() if e.flags & EntryFlag.DELETED)

    assert content(file_system, entry).read_at(0, 20_000) == b"recover me " * 1000
    assert entry.flags == EntryFlag.DELETED | EntryFlag.META_UNALLOCATED


def test_files_made_by_tsk_are_marked(tool: Tool, tmp_path: Path) -> None:
    entries, _ = split(only(fat(tool, tmp_path)))

    assert {"/$MBR", "/$FAT1", "/$FAT2", "/$OrphanFiles"} <= {
        path for path, entry in entries.items() if entry.flags & EntryFlag.VIRTUAL
    }
    assert entries["/$OrphanFiles"].type == EntryType.VIRTUAL_DIRECTORY


def test_truncated_volume_is_told(tool: Tool, tmp_path: Path) -> None:
    _, notices = split(only(fat(tool, tmp_path)[: 2 * MIB]))

    assert NoticeKind.TRUNCATED in [told.kind for told in notices]
