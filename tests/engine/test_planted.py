"""Known pictures planted in nine ways on an NTFS volume are found as the table says, and nothing else is.

The evaluation with 200 pictures and an image by the real driver is `benchmarks/planted.py`; this is a small one, on a
volume written by `recipes.ntfs`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.planting import (
    BURSTS,
    FOLDER,
    Truth,
    Way,
    bundles,
    originals,
    planted_bytes,
    planted_path,
    tarred,
    truth,
    way_of,
    write_held,
    write_known,
    zipped,
)
from bench.scenes import saved, scene
from bench.scoring import SAME_SCENE, Score, score
from recipes import archives
from recipes.ntfs import ROOT, Volume
from recipes.ntfs_files import Node, Stream
from recipes.ntfs_records import CLUSTER

from triage.case.store import CaseStore
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
from triage.evidence.source import MemorySource
from triage.hashsets.block_index import BlockIndexBuilder
from triage.report.listings import hit_rows

EXPECTED = {
    Way.WHOLE: {"exact"},
    Way.RENAMED: {"exact"},
    Way.DELETED: {"exact"},
    Way.ARCHIVED: {"exact"},
    Way.RESIZED: {"near"},
    Way.RECOMPRESSED: {"near"},
    Way.ROTATED: {"near"},
    Way.UNALLOCATED: {"partial"},
    Way.CUT: {"partial"},
}
"""The grades in which each of a way is found; ``missed`` where it need not be."""
EACH = 3
SIZE = (480, 360)
OTHERS = 24
BURST = 9
TIME = 133_700_000_000_000_000
KNOWN, HELD = "known.csv", "held.hblk"


class Disk:
    """A volume being filled, by paths."""

    def __init__(self, sectors: int) -> None:
        clock = (TIME,) * 4
        owner = bytes.fromhex("010500000000000515000000010203040506070809101112e9030000")
        self.volume = Volume(sectors, hidden=0, serial=0x5EED5EED, label="PLANTED", clock=clock, owners=[owner, owner])
        self.folders = {"": self.volume.nodes[ROOT]}

    def folder(self, path: str) -> Node:
        """The directory of this path, made if need be."""
        if path not in self.folders:
            parent, _, name = path.rpartition("/")
            self.folders[path] = self.volume.add(self.folder(parent), name, (TIME,) * 4)
        return self.folders[path]

    def file(self, path: str, content: bytes) -> Node:
        """Write a file."""
        parent, _, name = path.rpartition("/")
        return self.volume.add(self.folder(parent), name, (TIME,) * 4, Stream(content=content))

    def lost(self, content: bytes) -> int:
        """Put content into clusters that nothing names; its offset."""
        runs = self.volume.store(content)
        self.volume.release(runs)
        return (runs[0][0] or 0) * CLUSTER


def others() -> Iterator[tuple[str, bytes]]:
    """Pictures that are no copies: some with light and hills of a known one, some of the same scene, some of others."""
    for number in range(OTHERS):
        layout = number if number % 2 else 1000 + number
        yield f"{FOLDER}/2026/P{number:04d}.jpg", saved(scene(layout, 1 + number, SIZE))
    for number in range(BURST):
        yield f"{BURSTS}/P{number:04d}.jpg", saved(scene(number, 0, SIZE, later=0.05))


def pack(path: str, members: list[tuple[str, bytes]]) -> bytes:
    """An archive of the kind that its name says."""
    if path.endswith(".7z"):
        return archives.seven([(name, len(content), content) for name, content in members])
    return (zipped if path.endswith(".zip") else tarred)(members)


def plant(image: Path, known: Path) -> tuple[list[Truth], frozenset[str]]:
    """Make the image and the list; what was planted, and the paths of all that is no copy."""
    disk = Disk(24 << 11)
    pictures = list(originals(EACH * len(Way), SIZE))
    write_known(known, pictures)
    write_held(known.with_name("held"), pictures)
    bystanders = dict(others())
    for path, content in bystanders.items():
        disk.file(path, content)
    for path, members in bundles(pictures).items():
        disk.file(path, pack(path, members))
    planted, deleted = [], []
    for one in pictures:
        data, path, way = planted_bytes(one), planted_path(one.number), way_of(one.number)
        if way is Way.UNALLOCATED:
            planted.append(truth(one, data, offset=disk.lost(data)))
            continue
        planted.append(truth(one, data, path=path))
        if way is not Way.ARCHIVED:
            node = disk.file(path, data)
            deleted += [node] if way is Way.DELETED else []
    for node in deleted:
        disk.volume.delete(node)
    image.write_bytes(disk.volume.build())
    return planted, frozenset(f"/{path}" for path in bystanders)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Score:
    folder = tmp_path_factory.mktemp("planted")
    image, known, case = folder / "planted.raw", folder / KNOWN, folder / "case"
    planted, bystanders = plant(image, known)
    builder = BlockIndexBuilder()
    for path in sorted((folder / "held").iterdir()):
        builder.add_file(path.name, MemorySource(path.read_bytes()))
    builder.write(folder / HELD)
    scan(ScanRequest((image,), case, profile("full"), hashsets=(known,), fragments=(folder / HELD,), workers=2))
    with CaseStore.open(case) as store:
        return score(planted, bystanders, list(hit_rows(store)), {KNOWN, HELD})


def test_no_file_is_said_to_match_that_does_not(result: Score) -> None:
    assert result.wrong_exact == []


def test_nothing_else_is_taken_for_a_known_picture_but_shots_of_the_same_scene(result: Score) -> None:
    assert [one for one in result.wrong if (one.row, one.grade) != (SAME_SCENE, "near")] == []


@pytest.mark.parametrize("way", Way)
def test_planted_pictures_are_found_as_the_table_says(result: Score, way: Way) -> None:
    counts = result.counts(way)

    assert counts.total() == EACH
    assert set(counts) <= EXPECTED[way], counts


def test_near_pictures_lie_well_within_the_threshold(result: Score) -> None:
    altered = [one.original for one in result.planted if EXPECTED[Way(one.way)] == {"near"}]

    assert max(result.distances[number] for number in altered) < 25
