"""Containers that nobody here wrote: the media is what libewf, the Sleuth Kit and qemu-img find in them."""

import bz2
import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyewf
import pytest

from triage.errors import EvidenceError
from triage.evidence import files
from triage.evidence.container import Container
from triage.evidence.containers import open_container
from triage.evidence.entry import Keys
from triage.evidence.integrity import read_through, verify_media
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

Tool = Callable[[str], str]

EWF = [
    "dfvfs/test_data/ext2.E01",
    "dfvfs/test_data/ext2.split.E01",
    "plaso/test_data/image.E01",
    "plaso/test_data/image-split.E01",
    "sleuthkit/test/data/image.E01",
    "sleuthkit/test/data/imageformat_mmls_1.E01",
    "bulk_extractor/src/tests/nps-2010-emails.E01",
]
# Path, container type, and what qemu-img calls it: it has no name for fixed VHD, and knows no sparse image.
DISKS = [
    ("dfvfs/test_data/ext2.qcow2", "qcow2", "qcow2"),
    ("dfvfs/test_data/windows_volume.qcow2", "qcow2", "qcow2"),
    ("plaso/test_data/vsstest.qcow2", "qcow2", "qcow2"),
    ("sleuthkit/test/data/image.qcow", "qcow", "qcow"),
    ("dfvfs/test_data/ext2.vmdk", "vmdk", "vmdk"),
    ("sleuthkit/test/data/image.vmdk", "vmdk", "vmdk"),
    ("dfvfs/test_data/ext2.vhd", "vhd", "vpc"),
    ("dfvfs/test_data/ntfs-dynamic.vhd", "vhd", "vpc"),
    ("dfvfs/test_data/ntfs-fixed.vhd", "vhd", "vpc"),
    ("sleuthkit/test/data/image.vhd", "vhd", "vpc"),
    ("dfvfs/test_data/ext2.vhdx", "vhdx", "vhdx"),
    ("dfvfs/test_data/ntfs-dynamic.vhdx", "vhdx", "vhdx"),
    ("dfvfs/test_data/hfsplus_zlib.dmg", "dmg", "dmg"),
]


def opened(path: Path) -> Container:
    return open_container(path, Keys())


def digest(source: ByteSource) -> str:
    state = hashlib.sha256()
    for _, piece in read_through(source):
        assert isinstance(piece, bytes)
        state.update(piece)
    return state.hexdigest()


def assert_same(ours: ByteSource, theirs: ByteSource) -> None:
    assert ours.size == theirs.size
    for at in range(0, ours.size, 4 << 20):
        assert ours.read_at(at, 4 << 20) == theirs.read_at(at, 4 << 20), f"differs behind {at}"


def piped(*command: str) -> str:
    state = hashlib.sha256()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        while data := process.stdout.read(1 << 20):
            state.update(data)
    assert process.returncode == 0
    return state.hexdigest()


def by_libewf(path: Path) -> str:
    handle = pyewf.handle()
    handle.open(pyewf.glob(str(path)))
    state = hashlib.sha256()
    while data := handle.read_buffer(1 << 20):
        state.update(data)
    handle.close()
    return state.hexdigest()


@pytest.mark.parametrize("name", EWF)
def test_media_of_an_e01_is_what_libewf_and_the_sleuth_kit_find(real: Path, tool: Tool, name: str) -> None:
    container = opened(real / name)
    ours = digest(container.source)

    assert container.type == "ewf"
    assert container.notices == ()
    assert ours == by_libewf(real / name)
    assert ours == piped(tool("img_cat"), str(real / name))


@pytest.mark.parametrize("name", EWF)
def test_stored_digests_are_those_of_the_media(real: Path, name: str) -> None:
    assert verify_media(opened(real / name)).verified


def test_bytes_behind_the_last_sector_explain_what_libewf_calls_a_mismatch(tmp_path: Path, tool: Tool) -> None:
    """ewfacquire digests all 100,001 bytes but counts 195 sectors; libewf then digests 99,840 bytes."""
    media = bytes(range(251)) * 398 + bytes(103)
    (tmp_path / "disk.raw").write_bytes(media)
    command = [tool("ewfacquire"), "-u", "-q", "-c", "fast", "-t", str(tmp_path / "disk"), str(tmp_path / "disk.raw")]
    subprocess.run(command, check=True, capture_output=True)
    container = opened(tmp_path / "disk.E01")

    assert len(media) == 100_001
    assert by_libewf(tmp_path / "disk.E01") == hashlib.sha256(media[:99_840]).hexdigest()
    assert container.source.read_at(0, 200_000) == media
    assert verify_media(container).verified


@pytest.mark.parametrize("form", ["ewf", "smart", "ftk", "encase1", "encase3", "encase5", "encase6", "linen6", "ewfx"])
def test_every_layout_that_ewfacquire_writes_is_read(tmp_path: Path, tool: Tool, form: str) -> None:
    media = b"".join(hashlib.sha512(number.to_bytes(4, "big")).digest() for number in range(40_000)) + bytes(1 << 20)
    (tmp_path / "disk.raw").write_bytes(media)
    options = ["-f", form, "-c", "fast", "-S", "1M", "-b", "128", "-d", "sha1"]
    command = [tool("ewfacquire"), "-u", "-q", *options, "-t", str(tmp_path / "disk"), str(tmp_path / "disk.raw")]
    subprocess.run(command, check=True, capture_output=True)
    (first,) = tmp_path.glob("disk.[eEs]01")
    container = opened(first)

    assert container.notices == ()
    assert container.source.read_at(0, len(media) + 1) == media
    assert container.stored_digests["md5"] == hashlib.md5(media).hexdigest()


def test_a_truncated_image_is_read_up_to_where_it_ends(real: Path) -> None:
    whole = opened(real / "sleuthkit/test/data/imageformat_mmls_1.E01").source
    container = opened(real / "derived/dev-truncated.E01")
    end = 866 * 32768

    assert NoticeKind.TRUNCATED in {kind for kind, _ in container.notices}
    assert "866 of 1921 chunks are present; reading the others fails" in [message for _, message in container.notices]
    assert container.source.size == whole.size
    assert container.source.read_at(0, end) == whole.read_at(0, end)
    with pytest.raises(UnreadableBytes) as caught:
        container.source.read_at(end - 5, 10)
    assert (caught.value.offset, caught.value.length) == (end, whole.size - end)


def test_a_flipped_bit_is_found_in_its_chunk(real: Path) -> None:
    whole = opened(real / "sleuthkit/test/data/imageformat_mmls_1.E01").source
    container = opened(real / "derived/dev-bitflip.E01")
    start = 866 * 32768

    result = verify_media(container)

    assert not result.verified
    assert result.media.unreadable == ((start, 32768),)
    assert result.mismatched == ("md5", "sha1")
    with pytest.raises(UnreadableBytes, match="chunk 866 of 1921 is damaged"):
        container.source.read_at(start + 100, 1)
    assert container.source.read_at(start + 32768, 1 << 20) == whole.read_at(start + 32768, 1 << 20)


def test_a_fuzzed_segment_is_refused(real: Path) -> None:
    with pytest.raises(EvidenceError, match="states the size of its media"):
        opened(real / "ewf-forensic/core/tests/data/fuzz-crash-parse_segment-add-overflow.E01")


@pytest.mark.parametrize(("name", "kind", "theirs"), DISKS)
def test_media_of_a_virtual_disk_is_what_qemu_finds(
    real: Path, tool: Tool, tmp_path: Path, name: str, kind: str, theirs: str
) -> None:
    container = opened(real / name)
    raw = tmp_path / "out.raw"
    subprocess.run(
        [tool("qemu-img"), "convert", "-f", theirs, "-O", "raw", str(real / name), str(raw)],
        check=True,
        capture_output=True,
    )

    assert container.type == kind
    assert container.notices == ()
    assert_same(container.source, opened(raw).source)


def test_a_sparse_image_holds_an_hfs_plus_volume(real: Path) -> None:
    container = opened(real / "dfvfs/test_data/hfsplus.sparseimage")

    assert container.type == "sparseimage"
    assert b"H+\0\4" in container.source.read_at(0, 1 << 20)


@pytest.mark.parametrize("name", ["dfvfs/test_data/ímynd.dd", "dfvfs/test_data/bogus.001", "dfvfs/test_data/apfs.raw"])
def test_what_has_no_container_is_raw(real: Path, name: str) -> None:
    container = opened(real / name)

    assert (container.type, container.notices) == ("raw", ())
    assert container.source.size == (real / name).stat().st_size


def test_a_split_image_is_the_image_it_was_split_from(real: Path) -> None:
    joined = opened(real / "dfvfs/test_data/ext2.splitraw.000")

    assert len(joined.files) == 2
    assert digest(joined.source) == digest(opened(real / "dfvfs/test_data/ext2.raw").source)


def test_a_malformed_vmdk_is_refused(real: Path, tmp_path: Path) -> None:
    path = tmp_path / "afl9.vmdk"
    path.write_bytes(bz2.decompress((real / "deb/qemu/sample_images/afl9.vmdk.bz2").read_bytes()))

    with pytest.raises(EvidenceError, match="impossible numbers"):
        opened(path)


def test_opening_reads_next_to_nothing(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    pread = os.pread

    def counting(descriptor: int, length: int, offset: int) -> bytes:
        nonlocal read
        data = pread(descriptor, length, offset)
        read += len(data)
        return data

    monkeypatch.setattr(files.os, "pread", counting)
    for name in [*EWF, *(name for name, _, kind in DISKS if kind != "dmg")]:
        read = 0
        opened(real / name)
        assert read < 160_000, name
