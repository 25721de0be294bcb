"""Volumes of other people's images, compared with mmls, dfvfs, libvslvm and libvshadow."""

import gzip
import hashlib
import itertools
import lzma
import re
import subprocess
import tarfile
import zipfile
from bz2 import BZ2File
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
import pyvshadow
import pyvslvm
from dfvfs.lib import definitions
from dfvfs.path import factory
from dfvfs.resolver import resolver

from triage.errors import EvidenceError
from triage.evidence.entry import Entry, EntryType, Evidence, OpenOptions, content
from triage.evidence.open import open_evidence
from triage.evidence.shadow_files import ShadowFileSystem
from triage.notices import Notice, NoticeKind

DISSECT = "pypi/dissect_volume-3.18/tests/_data"


def opened(path: Path, *, shadow_copies: bool = False) -> Evidence:
    return open_evidence(path, path.name, OpenOptions(shadow_copies=shadow_copies))


def sparsely(stream: IO[bytes], target: Path) -> Path:
    """Write a stream to a file and leave its zeros as holes."""
    with target.open("wb") as file:
        while block := stream.read(1 << 16):
            if block.strip(b"\0"):
                file.write(block)
            else:
                file.seek(len(block), 1)
        file.truncate()
    return target


def fs_multiple(real: Path, folder: Path) -> Path:
    with lzma.open(real / "forensics-samples/fs.multiple.xz") as stream:
        return sparsely(stream, folder / "fs.multiple")


def extended_partitions(real: Path, folder: Path) -> Path:
    with zipfile.ZipFile(real / "sleuthkit_test_data/from_brian/1-extend-part.zip") as archive:
        name = next(n for n in archive.namelist() if n.endswith("ext-part-test-2.dd"))
        with archive.open(name) as stream:
            return sparsely(stream, folder / "ext-part-test-2.dd")


def plain(name: str) -> Callable[[Path, Path], Path]:
    return lambda real, _folder: real / name


DISKS = {
    "gpt": plain("dfvfs/test_data/gpt.raw"),
    "mbr": plain("dfvfs/test_data/mbr.raw"),
    "apfs_encrypted": plain("dfvfs/test_data/apfs_encrypted.dmg"),
    "imageformat_mmls_1": plain("sleuthkit/test/data/imageformat_mmls_1.E01"),
    "fs.multiple": fs_multiple,
    "ext-part-test-2": extended_partitions,
}


@pytest.mark.parametrize("name", DISKS)
def test_partitions_and_gaps_are_those_of_mmls(
    name: str, real: Path, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    image = DISKS[name](real, tmp_path)
    text = subprocess.run([tool("mmls"), "-aA", "-M", str(image)], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^\d+:\s+(\S+)\s+(\d+)\s+\d+\s+(\d+)\s+", text, re.MULTILINE)
    expected = {("-" not in slot, int(start) * 512, int(count) * 512) for slot, start, count in rows}

    volumes = [v for v in opened(image).volumes if "/" not in v.id]

    assert len(expected) > 1
    assert {(v.state != "unallocated", v.offset, v.size) for v in volumes} == expected


@pytest.mark.parametrize("name", ["gpt", "mbr", "fs.multiple", "ext-part-test-2"])
def test_partition_ids_are_those_of_dfvfs(name: str, real: Path, tmp_path: Path) -> None:
    image = DISKS[name](real, tmp_path)
    kind = definitions.TYPE_INDICATOR_GPT if name == "gpt" else definitions.TYPE_INDICATOR_TSK_PARTITION
    parent = factory.Factory.NewPathSpec(definitions.TYPE_INDICATOR_OS, location=str(image))
    root = factory.Factory.NewPathSpec(kind, location="/", parent=parent)
    entries = list(resolver.Resolver.OpenFileEntry(root).sub_file_entries)
    expected = {entry.name: entry.size for entry in entries if entry.name.startswith("p")}

    found = {v.id: v.size for v in opened(image).volumes if v.id.startswith("p")}

    assert expected
    assert found == expected


def test_cut_off_tables_name_their_partitions_as_truncated(real: Path) -> None:
    for name, table in (("gpt.bin", "gpt"), ("mbr.bin", "mbr")):
        evidence = opened(real / DISSECT / "disk" / name)
        parts = [v for v in evidence.volumes if v.id.startswith("p")]

        assert [v.type for v in parts] == [table, table]
        assert {n.source.volume for n in evidence.notices if n.kind is NoticeKind.TRUNCATED} == {"p1", "p2"}


def test_logical_volumes_are_those_of_libvslvm(real: Path) -> None:
    image = real / "dfvfs/test_data/lvm.raw"
    handle = pyvslvm.handle()
    with image.open("rb") as file:
        handle.open_file_object(file)
        handle.open_physical_volume_files_as_file_objects([file])
        expected = {}
        for index in range(handle.get_volume_group().number_of_logical_volumes):
            volume = handle.get_volume_group().get_logical_volume(index)
            data = volume.read_buffer_at_offset(volume.size, 0)
            expected[f"lv-{volume.name}"] = hashlib.sha256(data).hexdigest()

    found = {
        v.id: hashlib.sha256(v.source.read_at(0, v.size)).hexdigest()
        for v in opened(image).volumes
        if v.type == "lvm" and v.source is not None
    }

    assert len(expected) == 2
    assert found == expected
    assert list(opened(image).file_systems()) == ["lv-test_logical_volume1"]


def test_a_physical_volume_of_an_older_lvm_is_named(real: Path, tmp_path: Path) -> None:
    with gzip.open(real / DISSECT / "lvm/lvm.bin.gz") as stream:
        evidence = opened(sparsely(stream, tmp_path / "lvm.bin"))

    assert [v.id for v in evidence.volumes] == ["", "lv-lv_test"]
    assert 'group "vg_test"' in evidence.volumes[0].description


def test_all_six_partitions_of_a_chain_hold_their_file_system(real: Path, tmp_path: Path) -> None:
    """DFTT 1: six FAT16 partitions, each with a file whose name corresponds to it."""
    systems = opened(extended_partitions(real, tmp_path)).file_systems()
    names = [
        [e.path for e in fs.walk() if isinstance(e, Entry) and e.type == EntryType.FILE] for fs in systems.values()
    ]

    assert list(systems) == ["p1", "p2", "p3", "p5", "p6", "p9"]
    assert {fs.type for fs in systems.values()} == {"fat16"}
    assert len({tuple(found) for found in names}) == 6


def test_files_of_several_file_systems_on_one_disk(real: Path, tmp_path: Path) -> None:
    """Two file systems are larger than their partitions: a reader that stops there finds no files."""
    expected = {
        name: hashlib.sha256((real / "forensics-samples/original-multiple" / name).read_bytes()).hexdigest()
        for name in ("debian_logo.jpg", "test.txt")
    }

    evidence = opened(fs_multiple(real, tmp_path))
    systems = evidence.file_systems()
    states = {v.id: v.state for v in evidence.volumes}

    assert {name: fs.type for name, fs in systems.items()} == {"p2": "ext4", "p3": "exfat", "p4": "ntfs"}
    assert states["p1"] == "unrecognised"
    assert any("btrfs" in n.message and n.kind is NoticeKind.UNSUPPORTED for n in evidence.notices)
    for system in systems.values():
        found = {}
        for entry in system.walk():
            if isinstance(entry, Entry) and entry.path.rpartition("/")[2] in expected and not entry.stream:
                data = content(system, entry).read_at(0, entry.size)
                found[entry.path.rpartition("/")[2]] = hashlib.sha256(data).hexdigest()

        assert found == expected


SHADOWED = ["dfvfs/test_data/vss.raw", "plaso/test_data/vsstest.qcow2"]


@pytest.mark.parametrize("name", SHADOWED)
def test_shadow_copies_are_listed_and_not_walked_unless_asked_for(name: str, real: Path) -> None:
    evidence = opened(real / name)
    copies = [v for v in evidence.volumes if v.type == "vss"]

    assert [(v.id, v.state) for v in copies] == [("vss1", "listed"), ("vss2", "listed")]
    assert [n.kind for n in evidence.notices] == [NoticeKind.NOT_EXAMINED] * 2
    assert list(evidence.file_systems()) == [""]


def test_shadow_copies_carry_the_times_that_libvshadow_reads(real: Path) -> None:
    volume = pyvshadow.volume()
    volume.open(str(real / SHADOWED[0]))
    expected = [f"{store.get_creation_time().isoformat()}" for store in volume.stores]

    descriptions = [v.description for v in opened(real / SHADOWED[0]).volumes if v.type == "vss"]

    assert len(expected) == 2
    assert all(time in text for time, text in zip(expected, descriptions, strict=True))


@pytest.mark.parametrize("name", SHADOWED)
def test_what_a_shadow_copy_leaves_out_is_the_same_on_the_live_volume(name: str, real: Path) -> None:
    systems = opened(real / name, shadow_copies=True).file_systems()
    live = {(e.path, e.address): e for e in systems[""].walk() if isinstance(e, Entry)}

    assert list(systems) == ["", "vss1", "vss2"]
    for label in ("vss1", "vss2"):
        shadow = systems[label]
        assert isinstance(shadow, ShadowFileSystem)
        walked = list(shadow.walk())
        kept = {(e.path, e.address) for e in walked if isinstance(e, Entry)}
        whole = [e for e in shadow._copy.walk() if isinstance(e, Entry)]
        left_out = [e for e in whole if (e.path, e.address) not in kept]

        assert 0 < len(kept) < len(whole)
        assert [n.message for n in walked if isinstance(n, Notice)][-1].startswith(f"{len(left_out)} entries")
        for entry in left_out:
            same = live[entry.path, entry.address]
            assert same.times == entry.times
            if entry.type == EntryType.FILE:
                both = [content(fs, e).read_at(0, e.size) for fs, e in ((systems[""], same), (shadow, entry))]
                assert both[0] == both[1]


def test_a_file_deleted_since_is_in_the_shadow_copies(real: Path) -> None:
    """The volume of dfVFS's vss.raw: each copy holds files that the live volume has no more or has otherwise."""
    systems = opened(real / SHADOWED[0], shadow_copies=True).file_systems()
    kept = [e.path for e in systems["vss2"].walk() if isinstance(e, Entry) and e.type == EntryType.FILE]

    assert any(not path.rpartition("/")[2].startswith("$") for path in kept)


def damaged(real: Path, folder: Path) -> Iterator[Path]:
    """All damaged images of the set, unpacked one at a time."""
    for packed in sorted(real.glob("deb/e2fsprogs/tests/*/image.gz")):
        with gzip.open(packed) as stream:
            yield sparsely(stream, folder / f"{packed.parent.name}.img")
    for packed in sorted(real.glob("deb/exfatprogs/tests/*/*.tar.xz")):
        with tarfile.open(packed) as archive:
            for member in archive.getmembers():
                stream = archive.extractfile(member)
                if stream is not None:
                    yield sparsely(stream, folder / f"{packed.parent.name}.img")
    for dump in sorted(real.glob("deb/dosfstools/tests/*.xxd")):
        target = folder / f"{dump.stem}.img"
        with target.open("wb") as file:
            for line in dump.read_text().splitlines():
                at, _, rest = line.partition(":")
                if not rest:  # "*" stands for repeated lines of zeros, and the last address for the end
                    continue
                file.seek(int(at, 16))
                file.write(bytes.fromhex(rest.strip().partition("  ")[0]))
        yield target
    with BZ2File(real / "deb/qemu/sample_images/afl9.vmdk.bz2") as stream:
        yield sparsely(stream, folder / "afl9.vmdk")
    yield real / "ewf-forensic/core/tests/data/fuzz-crash-parse_segment-add-overflow.E01"
    yield real / "dfvfs/test_data/corrupt1.gz"
    yield real / "dfvfs/test_data/bogus.001"


def test_damaged_images_open_with_their_doubts_or_fail_with_a_sentence(real: Path, tmp_path: Path) -> None:
    opened_ones, refused = 0, 0
    for image in damaged(real, tmp_path):
        try:
            evidence = opened(image)
        except EvidenceError as error:
            assert str(error)
            refused += 1
            continue
        opened_ones += 1
        assert evidence.volumes
        assert evidence.file_systems() or evidence.notices
        for system in evidence.file_systems().values():
            assert all(isinstance(item, Entry | Notice) for item in itertools.islice(system.walk(), 2000))

    assert opened_ones >= 28
    assert refused >= 1
