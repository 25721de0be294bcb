"""The sweep over NTFS against the walk of The Sleuth Kit, on every NTFS volume of the real set with its snapshots."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from triage.evidence import tsk, tsk_native
from triage.evidence.entry import FileSystem, OpenOptions
from triage.evidence.open import open_evidence
from triage.evidence.source import ByteSource
from triage.evidence.tsk import TskFileSystem
from triage.locator import Locator

from . import tsk_images

CONTAINERS = (
    "dfvfs/test_data/ntfs-dynamic.vhd",
    "dfvfs/test_data/ntfs-fixed.vhd",
    "dfvfs/test_data/ntfs-dynamic.vhdx",
    "dfvfs/test_data/windows_volume.qcow2",
    "plaso/test_data/image.E01",
    "plaso/test_data/vsstest.qcow2",
    "sleuthkit/test/data/image.E01",
)


def sources(system: FileSystem) -> Iterator[tuple[str, ByteSource]]:
    if system.type == "ntfs" and system.source is not None:
        yield f"{system.locator.evidence} {system.locator.volume}", system.source


def volumes(real: Path, scratch: Path, mmls: str) -> Iterator[tuple[str, ByteSource]]:
    for place in tsk_images.places(real, scratch, mmls):
        for system in tsk.detect(place.source(), Locator(place.label), OpenOptions()):
            yield from sources(system)
    for name in CONTAINERS:
        found = open_evidence(real / name, name, OpenOptions(shadow_copies=True))
        for system in found.file_systems().values():
            yield from sources(system)


def walk(source: ByteSource, sweep: bool) -> tuple[list[object], str]:
    native = next(found for found in tsk_native.open_all(source) if found.type == "ntfs")
    system = TskFileSystem(native, source, Locator("x"), None, sweep)
    return list(system.walk()), system.left_to_tsk


def test_sweep_gives_what_tsk_gives(
    real: Path, tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]
) -> None:
    seen, left, total = 0, [], 0
    for label, source in volumes(real, tmp_path_factory.mktemp("images"), tool("mmls")):
        theirs, _ = walk(source, False)
        ours, why = walk(source, True)
        sys.stdout.write(f"{label}: {len(ours)} entries {why}\n")

        assert theirs == ours, f"{label}: {why}"
        seen, total = seen + 1, total + len(ours)
        if why:
            left.append(f"{label}: {why}")
    sys.stdout.write(f"{seen} volumes, {total} entries, left to TSK: {left}\n")

    assert seen > 10
    assert total > 2_500
    assert left == []
