"""Pictures in space that belongs to no file are found, examined, and never called more than partial."""

import hashlib
import io
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from triage.case.coverage import coverage
from triage.case.store import CaseStore
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
from triage.engine.unallocated import Unallocated, own_bytes
from triage.evidence.entry import Entry, EntryFlag, Extent, FileSystem
from triage.evidence.source import ByteSource, MemorySource
from triage.hashsets.block_index import BlockIndexBuilder
from triage.locator import Locator
from triage.notices import Notice, NoticeKind
from triage.records import CarvedFile, Grade

CARVING = replace(profile("triage"), carve=True)


def picture(seed: int, form: str = "JPEG") -> bytes:
    pixels = random.Random(seed).randbytes(48 * 32 * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (48, 32), pixels).resize((480, 320)).save(out, form)
    return out.getvalue()


class Disk(FileSystem):
    """A file system of which only the source is real."""

    type = "ntfs"
    locator = Locator("disk", "p1")

    def __init__(self, source: ByteSource | None) -> None:
        self.source = source

    def walk(self) -> Iterator[Entry | Notice]:
        return iter(())

    def open(self, entry: Entry) -> ByteSource:
        raise AssertionError


def space(size: int, *entries: Entry) -> list[Entry | Notice]:
    rest = Unallocated(Disk(MemorySource(bytes(size))))
    for entry in entries:
        rest.see(entry)
    return list(rest.entries())


def live(*spans: tuple[int, int], flags: int = 0) -> Entry:
    return Entry("/a", "r", "5", sum(n for _, n in spans), flags, extents=tuple(Extent(at, n) for at, n in spans))


def test_what_no_live_file_holds_is_left_over_from_sector_to_sector() -> None:
    (part,) = space(16_384, live((4096, 1000)), live((0, 512), (8192, 4096)), live((512, 3584), flags=1 | 2))

    assert isinstance(part, Entry)
    assert part.extents == (Extent(512, 3584), Extent(5120, 3072), Extent(12_288, 4096))
    assert own_bytes(part) == part.size == 3584 + 3072 + 4096


def test_content_that_overlaps_or_reaches_beyond_the_volume_is_no_free_space() -> None:
    assert space(8192, live((0, 8192)), live((1024, 512)), live((4096, 1 << 40))) == []


def test_a_file_system_that_does_not_say_where_files_lie_is_not_searched_and_that_is_said() -> None:
    (said,) = space(8192, Entry("/a", "r", "5", 100))

    assert isinstance(said, Notice)
    assert said.kind is NoticeKind.NOT_EXAMINED


def test_large_space_is_parted_and_parts_reach_into_one_another() -> None:
    class Huge(MemorySource):
        def __init__(self) -> None:
            super().__init__(b"")
            self.size = 5 << 29

    rest = Unallocated(Disk(Huge()))
    rest.see(live((1 << 29, 4096)))
    parts = [part for part in rest.entries() if isinstance(part, Entry)]

    assert [own_bytes(part) for part in parts] == [1 << 30, 1 << 30, (1 << 29) - 4096]
    assert parts[0].size > own_bytes(parts[0])
    assert sum(own_bytes(part) for part in parts) == (5 << 29) - 4096


@pytest.fixture
def image(tmp_path: Path, tool: Callable[[str], str]) -> tuple[Path, dict[str, bytes]]:
    """A FAT volume with one live picture and three in clusters of no file: whole, cut off, and one only once known."""
    path = tmp_path / "stick.dd"
    subprocess.run([tool("mkfs.fat"), "-C", path, "8192"], check=True, capture_output=True)
    pictures = {"live": picture(1), "whole": picture(2), "cut": picture(3), "png": picture(4, "PNG")}
    (tmp_path / "live.jpg").write_bytes(pictures["live"])
    subprocess.run([tool("mcopy"), "-i", path, tmp_path / "live.jpg", "::live.jpg"], check=True)
    with path.open("r+b") as disk:
        for at, content in (
            (4 << 20, pictures["whole"]),
            (5 << 20, pictures["cut"][:6000]),
            (6 << 20, pictures["png"]),
        ):
            disk.seek(at)
            disk.write(content)
    return path, pictures


def listed(tmp_path: Path, pictures: dict[str, bytes]) -> Path:
    path = tmp_path / "known.csv"
    path.write_text("sha1\n" + "".join(hashlib.sha1(data).hexdigest() + "\n" for data in pictures.values()))
    return path


def test_a_scan_finds_them_with_their_grade_and_place(tmp_path: Path, image: tuple[Path, dict[str, bytes]]) -> None:
    path, pictures = image
    request = ScanRequest((path,), tmp_path / "case", CARVING, workers=1, hashsets=(listed(tmp_path, pictures),))

    scan(request)
    with CaseStore.open(tmp_path / "case") as store:
        carved = {r.record.offset: r.record for r in store.records("carved_file") if isinstance(r.record, CarvedFile)}
        hits = {(h.hit.grade, h.entry.entry.path.lower()) for h in store.hits() if h.plugin == "hash.known"}
        entries = {e.entry.path: e.entry for e in store.entries() if e.entry.flags & EntryFlag.CARVED}

    assert {at: (c.type, c.complete) for at, c in carved.items()} == {
        4 << 20: ("image/jpeg", True), 5 << 20: ("image/jpeg", False), 6 << 20: ("image/png", True),
    }  # fmt: skip
    assert hits == {
        (Grade.EXACT, "/live.jpg"),
        (Grade.PARTIAL, f"/$unallocated/{4 << 20}.jpg"),
        (Grade.PARTIAL, f"/$unallocated/{6 << 20}.png"),
    }
    assert entries[f"/$Unallocated/{4 << 20}.jpg"].size == len(pictures["whole"])


def test_without_carving_the_case_says_that_this_space_was_not_searched(
    tmp_path: Path, image: tuple[Path, dict[str, bytes]]
) -> None:
    scan(ScanRequest((image[0],), tmp_path / "case", profile("triage"), workers=1))

    with CaseStore.open(tmp_path / "case") as store:
        said = [one.message for one in store.notices()]
        assert not [e for e in store.entries() if e.entry.flags & EntryFlag.CARVED]
    assert any("unallocated space" in message for message in said)


def test_carving_again_or_with_more_workers_gives_the_same_case(
    tmp_path: Path, image: tuple[Path, dict[str, bytes]]
) -> None:
    digests = set()
    for workers in (1, 2):
        request = ScanRequest((image[0],), tmp_path / f"case-{workers}", CARVING, workers=workers)
        for _ in range(2):
            scan(request)
            with CaseStore.open(request.case) as store:
                digests.add(store.content_digest())

    assert len(digests) == 1


def test_blocks_of_a_known_file_are_found_in_the_space_itself(
    tmp_path: Path, image: tuple[Path, dict[str, bytes]]
) -> None:
    path, _ = image
    held = random.Random(9).randbytes(64 << 10)
    with path.open("r+b") as disk:
        disk.seek((7 << 20) + 512)
        disk.write(held[8192:40_000])
    builder = BlockIndexBuilder()
    builder.add_file("held.bin", MemorySource(held))
    builder.write(tmp_path / "unit.hblk")

    scan(ScanRequest((path,), tmp_path / "case", CARVING, workers=1, fragments=(tmp_path / "unit.hblk",)))
    with CaseStore.open(tmp_path / "case") as store:
        (hit,) = (h for h in store.hits() if h.plugin == "hash.fragments")
        read = coverage(store).files_read
        wanted = sum(1 for entry in store.entries() if entry.entry.type == "r")

    assert hit.hit.grade is Grade.PARTIAL
    assert hit.hit.detail.startswith("7 of 16 distinct blocks of 4,096 bytes of held.bin: 7 from block 2 on")
    assert hit.entry.entry.path.startswith("/$Unallocated/part-")
    assert read == wanted, "a part of unallocated space is no file"
