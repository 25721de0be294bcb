"""``triage ls --format bodyfile`` against ``fls -r -m /`` over every image of the real set, containers included."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triage.evidence.entry import OpenOptions
from triage.evidence.open import open_evidence
from triage.evidence.source import physical_offset

from . import fls_lines, tsk_images
from .fls_lines import Row
from .test_tsk import MORE_THAN_FLS

E01 = (
    "dfvfs/test_data/ext2.E01",
    "dfvfs/test_data/ext2.split.E01",
    "plaso/test_data/image.E01",
    "plaso/test_data/image-split.E01",
    "sleuthkit/test/data/image.E01",
    "sleuthkit/test/data/imageformat_mmls_1.E01",
    "bulk_extractor/src/tests/nps-2010-emails.E01",
)
VIRTUAL = (
    "dfvfs/test_data/ext2.qcow2",
    "dfvfs/test_data/windows_volume.qcow2",
    "dfvfs/test_data/ext2.vmdk",
    "dfvfs/test_data/ext2.vhd",
    "dfvfs/test_data/ext2.vhdx",
    "dfvfs/test_data/ntfs-dynamic.vhd",
    "dfvfs/test_data/ntfs-fixed.vhd",
    "dfvfs/test_data/ntfs-dynamic.vhdx",
    "plaso/test_data/vsstest.qcow2",
    "sleuthkit/test/data/image.qcow",
    "sleuthkit/test/data/image.vhd",
    "sleuthkit/test/data/image.vmdk",
)
# What TSK alone reads; APFS and XFS have their own comparison.
TSK_TYPES = {"ntfs", "fat12", "fat16", "fat32", "exfat", "ext2", "ext3", "ext4", "hfs+", "iso9660", "ufs"}


def listed(path: Path) -> Counter[tuple[str, Row]]:
    """The lines of our command, by volume."""
    done = subprocess.run(
        [sys.executable, "-m", "triage", "ls", str(path), "--format", "bodyfile"], capture_output=True
    )
    assert done.returncode in (0, 3), done.stderr.decode()
    assert b"Traceback" not in done.stderr
    systems = kinds(path)
    found: Counter[tuple[str, Row]] = Counter()
    for line in done.stdout.split(b"\n"):
        if line:
            name = line.split(b"|", 2)[1]
            volume = "" if name.startswith(b"/") else name.split(b"/", 1)[0].decode()
            kind = systems[volume][0] if volume in systems else next(iter(systems.values()))[0]
            if kind in TSK_TYPES:
                found[volume, fls_lines.parse(line.replace(volume.encode() + b"/", b"/", 1), kind)] += 1
    return found


def kinds(path: Path) -> dict[str, tuple[str, int]]:
    """Type and byte offset of each file system that can be walked, by the prefix that it has in a body file."""
    systems = open_evidence(path, "x", OpenOptions()).file_systems()
    found = {}
    for volume, system in systems.items():
        at = 0 if system.source is None else physical_offset(system.source, 0)
        found[volume if len(systems) > 1 else ""] = (system.type, at)
    return found


def expected(program: str, raw: Path, path: Path) -> Counter[tuple[str, Row]]:
    rows: Counter[tuple[str, Row]] = Counter()
    for volume, (kind, offset) in kinds(path).items():
        if kind in TSK_TYPES:
            for row, count in fls_lines.fls(program, raw, offset, kind).items():
                rows[volume, row] += count
    return rows


@pytest.fixture(scope="module")
def images(
    real: Path, tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]
) -> list[tuple[str, Path, Path]]:
    """Name, the image as it is, and its media as a raw file made by another program."""
    scratch = tmp_path_factory.mktemp("media")
    places = tsk_images.places(real, scratch, tool("mmls"))
    known = {place.path: place.label.partition("@")[0] for place in places}
    return [(label, path, path) for path, label in known.items()] + list(contained(real, scratch, tool))


def contained(real: Path, scratch: Path, tool: Callable[[str], str]) -> Iterator[tuple[str, Path, Path]]:
    for number, name in enumerate(E01 + VIRTUAL):
        raw = scratch / f"{number}.raw"
        if name in E01:
            segments = sorted((real / name).parent.glob(Path(name).stem + ".E*"))
            with raw.open("wb") as out:
                subprocess.run([tool("img_cat"), "-i", "ewf", *map(str, segments)], stdout=out, check=True)
        else:
            subprocess.run([tool("qemu-img"), "convert", "-O", "raw", str(real / name), str(raw)], check=True)
        yield name, real / name, raw


def test_the_command_lists_what_fls_lists(
    images: list[tuple[str, Path, Path]], tool: Callable[[str], str], record_property: Callable[[str, object], None]
) -> None:
    program, lines, compared = tool("fls"), 0, 0
    for label, path, raw in images:
        if label in MORE_THAN_FLS:
            continue
        theirs, ours = expected(program, raw, path), listed(path)
        sys.stdout.write(f"{label}: fls {theirs.total()}, triage ls {ours.total()}\n")
        assert theirs == ours, f"{label}: only fls {list(theirs - ours)[:3]}, only ours {list(ours - theirs)[:3]}"
        lines += ours.total()
        compared += bool(ours)
    sys.stdout.write(f"{compared} images with entries, {lines} equal lines\n")
    record_property("equal lines", lines)

    assert compared > 60
    assert lines > 40_000
