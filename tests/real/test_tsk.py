"""The walk against ``fls``, extents against the library, deleted files against the tables of those who deleted them."""

import hashlib
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from triage.errors import EvidenceError
from triage.evidence import tsk
from triage.evidence.entry import Entry, EntryFlag, EntryType, FileSystem, OpenOptions, content
from triage.locator import Locator
from triage.notices import Notice, NoticeKind

from . import fls_lines, tsk_images
from .tsk_images import Place

WINDOW = 1 << 20

# Where we list more than fls 4.11.1 does, by test image of e2fsprogs, and why.
NOT_SEEN_BY_FLS = {
    "revision 0 has no inode size in its superblock; fls takes 0": (
        "f_badbblocks",
        "f_baddir",
        "f_badinode",
        "f_dup",
        "f_dup2",
        "f_lpf",
        "f_misstable",
        "f_zero_group",
    ),
    "one unreadable orphan directory ends the search for orphans of fls": ("f_bad_disconnected_inode",),
    "the root directory is unreadable; we list what the inode tables hold": ("f_illbbitmap", "f_journal"),
}
MORE_THAN_FLS = {f"deb/e2fsprogs/tests/{name}/image.gz" for names in NOT_SEEN_BY_FLS.values() for name in names}


@pytest.fixture(scope="module")
def places(real: Path, tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> list[Place]:
    return tsk_images.places(real, tmp_path_factory.mktemp("images"), tool("mmls"))


@dataclass(frozen=True)
class Walked:
    """A file system and what its walk gave, so that each is walked once for all tests."""

    place: Place
    file_system: FileSystem
    entries: list[Entry]


@pytest.fixture(scope="module")
def walked(places: list[Place]) -> list[Walked]:
    return [Walked(place, found, entries(found)) for place in places for found in detect(place)]


def detect(place: Place) -> tuple[FileSystem, ...]:
    return tsk.detect(place.source(), Locator(place.label), OpenOptions())


def only(places: list[Place], label: str) -> FileSystem:
    found = detect(next(place for place in places if place.label == label))
    assert len(found) == 1
    return found[0]


def digest(source, algorithm: str = "sha256") -> str:
    state = hashlib.new(algorithm)
    for offset in range(0, source.size, WINDOW):
        state.update(source.read_at(offset, WINDOW))
    return state.hexdigest()


def entries(file_system: FileSystem) -> list[Entry]:
    return [item for item in file_system.walk() if isinstance(item, Entry)]


def test_walk_lists_what_fls_lists(walked: list[Walked], tool: Callable[[str], str]) -> None:
    program = tool("fls")
    compared = Counter()
    for one in walked:
        kind = one.file_system.type
        ours = Counter(row for entry in one.entries for row in fls_lines.rows(entry, kind))
        theirs = fls_lines.fls(program, one.place.path, one.place.offset, kind)
        sys.stdout.write(f"{one.place.label} {kind}: fls {theirs.total()} lines, walk {ours.total()}\n")
        if one.place.label in MORE_THAN_FLS:
            # All that fls lists is there; names that a damaged root has made orphans may be made up otherwise.
            assert {row.address for row in theirs} <= {row.address for row in ours}, one.place.label
            assert ours.total() >= theirs.total(), one.place.label
        else:
            assert theirs == ours, one.place.label
        compared[kind] += (theirs & ours).total()
        compared["file systems"] += 1
    sys.stdout.write(f"{dict(compared)}\n")

    assert {"ntfs", "fat12", "fat16", "fat32", "exfat", "ext2", "ext3", "ext4", "hfs+", "iso9660"} <= compared.keys()
    assert compared["file systems"] > 60


def test_extents_and_library_give_the_same_content(walked: list[Walked]) -> None:
    compared = Counter()
    for one in walked:
        for entry in one.entries:
            if entry.flags & EntryFlag.NO_CONTENT or entry.type in (EntryType.DIRECTORY, EntryType.SYMLINK):
                continue
            if entry.extents is not None:
                assert entry.size == sum(extent.length for extent in entry.extents), entry
            if not entry.size or entry.stream == "$Bad":  # TSK has no runs for the list of bad clusters
                continue
            try:
                through_library = digest(one.file_system.open(entry), "sha1")
            except EvidenceError as problem:
                sys.stdout.write(f"{one.place.label} {entry.path} {entry.address} flags {entry.flags}: {problem}\n")
                compared["not readable"] += 1
                continue
            if entry.extents is None:
                compared["library only"] += 1
                continue
            assert through_library == digest(content(one.file_system, entry), "sha1"), (one.place.label, entry)
            compared["deleted" if entry.flags & EntryFlag.DELETED else "live"] += 1
    sys.stdout.write(f"{dict(compared)}\n")

    assert compared["live"] > 250
    assert compared["deleted"] > 100
    assert compared["not readable"] < 20


def test_all_files_of_a_vfat_volume_are_found_or_recovered(places: list[Place], real: Path) -> None:
    lines = (real / "derived/forensics-samples-original-files.sha256").read_text().splitlines()
    expected = {sum_ for sum_, _ in (line.split(maxsplit=1) for line in lines if not line.startswith("#"))}
    file_system = only(places, "forensics-samples/fs.vfat.xz@1048576")
    found = {False: set(), True: set()}
    for entry in entries(file_system):
        if entry.type == EntryType.FILE and not entry.flags & EntryFlag.NO_CONTENT:
            found[bool(entry.flags & EntryFlag.DELETED)].add(digest(content(file_system, entry)))
    live, deleted = found[False] & expected, found[True] & expected

    assert (len(live), len(deleted)) == (18, 18)


def truth(real: Path, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """MD5 by file name from a DFTT index.html: of the files, and of what is got of fragmented ones without a FAT."""
    with zipfile.ZipFile(real / f"sleuthkit_test_data/from_brian/{name}.zip") as archive:
        page = re.sub(r"<[^>]*>", " ", archive.read(f"{name}/index.html").decode("latin-1"))
    row = r"\\([\w.]+(?::\w+)?)\s+%s([0-9a-f]{32})\b"
    return dict(re.findall(row % r"\d+\s+", page)), dict(re.findall(row % "", page))


def undeleted(file_system: FileSystem) -> dict[str, str]:
    """MD5 of the deleted files by name and stream."""
    return {
        entry.path.rpartition("/")[2] + (f":{entry.stream}" if entry.stream else ""): digest(
            content(file_system, entry), "md5"
        )
        for entry in entries(file_system)
        if entry.type == EntryType.FILE and entry.flags & EntryFlag.DELETED
    }


def test_deleted_files_on_ntfs_have_the_digests_of_dftt(places: list[Place], real: Path) -> None:
    expected, _ = truth(real, "7-undel-ntfs")
    label = next(place.label for place in places if "7-undel-ntfs" in place.label)
    found = undeleted(only(places, label))

    assert len(expected) >= 9
    assert expected.items() <= found.items()


def test_deleted_files_on_fat_have_the_digests_of_dftt(places: list[Place], real: Path) -> None:
    whole, contiguous = truth(real, "6-undel-fat")
    label = next(place.label for place in places if "6-undel-fat" in place.label)
    # The first letter of a deleted short name is gone.
    found = {name[1:]: md5 for name, md5 in undeleted(only(places, label)).items()}
    expected = {name[1:]: md5 for name, md5 in (whole | contiguous).items()}

    assert (len(whole), len(contiguous)) == (6, 3)
    assert expected == found


def test_walk_is_the_same_every_time(places: list[Place]) -> None:
    for place in places[:20]:
        first = [list(file_system.walk()) for file_system in detect(place)]

        assert first == [list(file_system.walk()) for file_system in detect(place)]


def test_deleted_on_ext_is_counted_once(places: list[Place]) -> None:
    file_system = only(places, "sleuthkit/test/data/image.dd")
    items = list(file_system.walk())
    lost = [item for item in items if isinstance(item, Entry) and item.flags & EntryFlag.NO_CONTENT]
    told = [item for item in items if isinstance(item, Notice) and item.kind is NoticeKind.NOT_RECOVERABLE]

    assert lost
    assert [f"{len(lost)} deleted entries whose content the file system no longer tells where to find"] == [
        item.message for item in told
    ]
