"""Disks of virtual machines: the same bytes as qemu-img finds in them, and parents from beside the image only."""

import hashlib
import random
import struct
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.errors import EvidenceError, UnsupportedEvidence
from triage.evidence.container import Container
from triage.evidence.containers import open_container
from triage.evidence.entry import Keys
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

MIB = 1 << 20
SIZE = 6 * MIB
Run = Callable[..., None]


def drawn_media() -> bytes:
    """Noise, holes and text, in runs of 64 KiB."""
    generator = random.Random(1)
    runs = [bytes(1 << 16), generator.randbytes(1 << 16), (b"a line of text\n" * 5000)[: 1 << 16]]
    return b"".join(runs[generator.randrange(3)] for _ in range(SIZE >> 16))


MEDIA = drawn_media()


@pytest.fixture
def qemu(tmp_path: Path, tool: Callable[[str], str]) -> Run:
    """Run qemu-img or qemu-io in the test's folder, where ``base.raw`` lies."""
    tool("qemu-img")
    (tmp_path / "base.raw").write_bytes(MEDIA)

    def run(*words: str, check: bool = True) -> None:
        subprocess.run([tool(words[0]), *words[1:]], cwd=tmp_path, check=check, capture_output=True)

    return run


def opened(path: Path) -> Container:
    return open_container(path, Keys())


def assert_reads_as(source: ByteSource, media: bytes) -> None:
    generator = random.Random(2)
    assert source.size == len(media)
    assert source.read_at(0, len(media) + 10) == media
    for _ in range(60):
        offset, length = generator.randrange(len(media)), generator.choice([1, 511, 4096, 70_000, MIB])
        assert source.read_at(offset, length) == media[offset : offset + length]


def as_qemu_reads(qemu: Run, path: Path, kind: str) -> bytes:
    qemu("qemu-img", "convert", "-f", kind, "-O", "raw", path.name, "out.raw")
    return (path.parent / "out.raw").read_bytes()


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("vmdk", "subformat=monolithicSparse", "vmdk"),
        ("vmdk", "subformat=monolithicFlat", "vmdk"),
        ("vmdk", "subformat=twoGbMaxExtentSparse", "vmdk"),
        ("vmdk", "subformat=twoGbMaxExtentFlat", "vmdk"),
        ("vmdk", "subformat=streamOptimized", "vmdk"),
        ("vpc", "subformat=dynamic", "vhd"),
        ("vpc", "subformat=fixed,force_size=on", "vhd"),
        ("vhdx", "subformat=dynamic,block_size=1M", "vhdx"),
        ("vhdx", "subformat=fixed", "vhdx"),
        ("qcow2", "compat=0.10", "qcow2"),
        ("qcow2", "cluster_size=4k", "qcow2"),
        ("qcow2", "extended_l2=on,cluster_size=128k", "qcow2"),
        ("qcow2", "data_file=outside.data", "qcow2"),
        ("qcow", "", "qcow"),
    ],
)
def test_media_is_what_qemu_finds(tmp_path: Path, qemu: Run, kind: str, options: str, expected: str) -> None:
    qemu("qemu-img", "convert", "-O", kind, *(["-o", options] if options else []), "base.raw", "disk.image")
    container = opened(tmp_path / "disk.image")

    assert container.type == expected
    assert container.notices == ()
    assert_reads_as(container.source, as_qemu_reads(qemu, tmp_path / "disk.image", kind))


@pytest.mark.parametrize("kind", ["qcow", "qcow2"])
def test_compressed_clusters_are_inflated(tmp_path: Path, qemu: Run, kind: str) -> None:
    # For version 1, qemu-img writes the whole disk and then ends with 1.
    qemu("qemu-img", "convert", "-c", "-O", kind, "base.raw", "disk.image", check=kind != "qcow")

    assert_reads_as(opened(tmp_path / "disk.image").source, MEDIA)


def test_a_qcow2_chain_is_read_through_to_a_raw_base(tmp_path: Path, qemu: Run) -> None:
    qemu("qemu-img", "create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "child.qcow2")
    qemu("qemu-io", "-c", "write -P 0x5a 100k 300k", "-c", "write -z 2M 1M", "child.qcow2")
    qemu("qemu-img", "create", "-f", "qcow2", "-b", "child.qcow2", "-F", "qcow2", "grand.qcow2", "9M")
    qemu("qemu-io", "-c", "write -P 0x5c 4M 300k", "-c", "write -P 0x5d 8M 3k", "grand.qcow2")
    qemu("qemu-img", "snapshot", "-c", "before", "grand.qcow2")
    container = opened(tmp_path / "grand.qcow2")

    assert [path.name for path in container.files] == ["grand.qcow2", "child.qcow2", "base.raw"]
    assert_reads_as(container.source, as_qemu_reads(qemu, tmp_path / "grand.qcow2", "qcow2"))
    assert [kind for kind, _ in container.notices] == [NoticeKind.NOT_EXAMINED]


def test_a_vmdk_child_with_zeroed_grains_hides_its_parent(tmp_path: Path, qemu: Run) -> None:
    qemu("qemu-img", "convert", "-O", "vmdk", "base.raw", "base.vmdk")
    qemu("qemu-img", "create", "-f", "vmdk", "-o", "zeroed_grain=on,backing_file=base.vmdk,backing_fmt=vmdk", "c.vmdk")
    qemu("qemu-io", "-c", "write -z 0 1M", "-c", "write -P 0x33 2M 64k", "c.vmdk")
    container = opened(tmp_path / "c.vmdk")

    assert [path.name for path in container.files] == ["c.vmdk", "base.vmdk"]
    assert_reads_as(container.source, as_qemu_reads(qemu, tmp_path / "c.vmdk", "vmdk"))


def test_a_vmdk_whose_parent_was_changed_says_so(tmp_path: Path, qemu: Run) -> None:
    qemu("qemu-img", "convert", "-O", "vmdk", "base.raw", "base.vmdk")
    qemu("qemu-img", "create", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", "c.vmdk")
    qemu("qemu-img", "convert", "-O", "vmdk", "base.raw", "base.vmdk")

    assert "the parent was changed later" in opened(tmp_path / "c.vmdk").notices[0][1]


def test_a_missing_extent_is_told_and_the_others_are_read(tmp_path: Path, qemu: Run) -> None:
    qemu("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentFlat", "base.raw", "disk.vmdk")
    descriptor = (tmp_path / "disk.vmdk").read_text()
    sectors = SIZE // 512
    line = f'RW {sectors} FLAT "disk-f001.vmdk" 0'
    assert line in descriptor
    (tmp_path / "disk.vmdk").write_text(descriptor.replace(line, f'{line}\nRW 8 ZERO\nRW 16 FLAT "gone.vmdk" 0'))
    container = opened(tmp_path / "disk.vmdk")

    assert container.source.size == SIZE + 24 * 512
    assert container.source.read_at(SIZE - 10, 20) == MEDIA[-10:] + bytes(10)
    with pytest.raises(UnreadableBytes) as caught:
        container.source.read_at(SIZE, 9 * 512)
    assert (caught.value.offset, caught.value.length) == (SIZE + 8 * 512, 16 * 512)
    assert [kind for kind, _ in container.notices] == [NoticeKind.TRUNCATED]


def test_one_extent_of_a_split_vmdk_is_refused(tmp_path: Path, qemu: Run) -> None:
    qemu("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", "base.raw", "disk.vmdk")

    with pytest.raises(EvidenceError, match="one extent of a VMDK disk"):
        opened(tmp_path / "disk-s001.vmdk")


def checksum(data: bytearray, start: int, length: int, at: int) -> None:
    """The one's complement of the sum of bytes that VHD structures carry."""
    data[start + at : start + at + 4] = bytes(4)
    struct.pack_into(">I", data, start + at, ~sum(data[start : start + length]) & 0xFFFF_FFFF)


def make_vhd_child(folder: Path, qemu: Run, parent_name: str) -> bytes:
    """``child.vhd`` above ``base.vhd``: eight sectors of the second block are its own. Returns the media."""
    (folder / "own.raw").write_bytes(bytes(2 * MIB) + b"C" * 4096 + bytes(SIZE - 2 * MIB - 4096))
    for name in ("base", "own"):
        options = "subformat=dynamic,force_size=on"
        qemu("qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", options, f"{name}.raw", f"{name}.vhd")
    parent = (folder / "base.vhd").read_bytes()
    child = bytearray((folder / "own.vhd").read_bytes())
    for footer in (0, len(child) - 512):
        struct.pack_into(">I", child, footer + 60, 4)
        child[footer + 68 : footer + 84] = b"another disk id."
        checksum(child, footer, 512, 64)
    child[512 + 40 : 512 + 56] = parent[68:84]
    name = parent_name.encode("utf-16-be")
    child[512 + 64 : 512 + 64 + len(name)] = name
    checksum(child, 512, 1024, 36)
    table = struct.unpack_from(">Q", child, 512 + 16)[0]
    block = struct.unpack_from(">I", child, table + 4)[0] * 512
    child[block : block + 512] = b"\xff" + bytes(511)
    (folder / "child.vhd").write_bytes(child)
    return MEDIA[: 2 * MIB] + b"C" * 4096 + MEDIA[2 * MIB + 4096 :]


def test_a_differencing_vhd_is_read_over_its_parent(tmp_path: Path, qemu: Run) -> None:
    expected = make_vhd_child(tmp_path, qemu, "D:\\machines\\base.vhd")
    container = opened(tmp_path / "child.vhd")

    assert [path.name for path in container.files] == ["child.vhd", "base.vhd"]
    assert_reads_as(container.source, expected)


def make_vhdx_child(folder: Path, qemu: Run) -> bytes:
    """``child.vhdx`` above ``base.vhdx`` with a block in every state that the format has. Returns the media."""
    own = bytearray(SIZE)
    own[2 * MIB : 3 * MIB], own[4 * MIB : 6 * MIB] = b"C" * MIB, b"D" * 2 * MIB
    (folder / "own.raw").write_bytes(own)
    for name in ("base", "own"):
        options = "subformat=dynamic,block_size=1M"
        qemu("qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", options, f"{name}.raw", f"{name}.vhdx")
    parent = (folder / "base.vhdx").read_bytes()
    header = max((at << 10 for at in (64, 128)), key=lambda at: int(struct.unpack_from("<Q", parent, at + 8)[0]))
    linkage = uuid.UUID(bytes_le=parent[header + 32 : header + 48])
    child = bytearray((folder / "own.vhdx").read_bytes())
    metadata, table = 3 * MIB, 2 * MIB
    (count,) = struct.unpack_from("<H", child, metadata + 10)
    at = metadata + struct.unpack_from("<I", child, metadata + 32 + 16)[0]
    struct.pack_into("<I", child, at + 4, 2)  # file parameters are the first item: has a parent
    values = {"parent_linkage": f"{{{linkage}}}", "relative_path": ".\\base.vhdx"}
    place, entries, text = 20 + 12 * len(values), b"", b""
    for key, value in values.items():
        stored_key, stored = key.encode("utf-16-le"), value.encode("utf-16-le")
        start = place + len(text)
        entries += struct.pack("<IIHH", start, start + len(stored_key), len(stored_key), len(stored))
        text += stored_key + stored
    locator = (
        uuid.UUID("b04aefb7-d19e-4a81-b789-25b8e9445913").bytes_le + struct.pack("<HH", 0, len(values)) + entries + text
    )
    child[metadata + 70_000 : metadata + 70_000 + len(locator)] = locator
    item = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le + struct.pack("<III", 70_000, len(locator), 4)
    child[metadata + 32 + 32 * count : metadata + 32 + 32 * count + len(item)] = item
    struct.pack_into("<H", child, metadata + 10, count + 1)
    blocks = list(struct.unpack_from("<6Q", child, table))
    not_present, zero, unmapped, partial = 0, 2, 3, 7
    states = [not_present, zero, blocks[2], unmapped, blocks[4] & ~7 | partial, blocks[5] & ~7 | zero]
    struct.pack_into("<6Q", child, table, *states)
    child += bytes(-len(child) % MIB)
    struct.pack_into("<Q", child, table + 8 * 4096, len(child) | 6)
    bitmap = bytearray(MIB)
    bitmap[4 * 2048 // 8] = 0xFF
    (folder / "child.vhdx").write_bytes(child + bitmap)
    mixed = b"D" * 4096 + MEDIA[4 * MIB + 4096 : 5 * MIB]
    return MEDIA[:MIB] + bytes(MIB) + b"C" * MIB + bytes(MIB) + mixed + bytes(MIB)


def test_a_differencing_vhdx_is_read_over_its_parent(tmp_path: Path, qemu: Run) -> None:
    expected = make_vhdx_child(tmp_path, qemu)
    container = opened(tmp_path / "child.vhdx")

    assert [path.name for path in container.files] == ["child.vhdx", "base.vhdx"]
    assert container.notices == ()
    assert_reads_as(container.source, expected)


def test_a_vhdx_with_an_unfinished_log_says_so(tmp_path: Path, qemu: Run) -> None:
    qemu("qemu-img", "convert", "-O", "vhdx", "base.raw", "disk.vhdx")
    disk = bytearray((tmp_path / "disk.vhdx").read_bytes())
    for at in (64 << 10, 128 << 10):
        disk[at + 48 : at + 64] = b"a log identifier"
    (tmp_path / "disk.vhdx").write_bytes(disk)

    assert opened(tmp_path / "disk.vhdx").notices[0][0] is NoticeKind.DAMAGED


def fixed_vhd(media: bytes, stated: int, kind: int = 2) -> bytes:
    footer = bytearray(512)
    struct.pack_into(
        ">8sIIQI4sI4sQQ",
        footer,
        0,
        b"conectix",
        2,
        0x10000,
        0xFFFF_FFFF_FFFF_FFFF,
        0,
        b"test",
        0,
        b"Wi2k",
        stated,
        stated,
    )
    struct.pack_into(">I", footer, 60, kind)
    checksum(footer, 0, 512, 64)
    return media + bytes(footer)


def test_a_fixed_vhd_is_media_without_its_footer(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(fixed_vhd(MEDIA[:8192], 8192))
    container = opened(path)

    assert container.type == "vhd"
    assert container.source.size == 8192
    assert container.notices == ()


def test_a_fixed_vhd_that_lost_bytes_says_so(tmp_path: Path) -> None:
    path = tmp_path / "disk.vhd"
    path.write_bytes(fixed_vhd(MEDIA[:4096], 8192))

    assert opened(path).notices[0][0] is NoticeKind.TRUNCATED


@pytest.mark.parametrize("stated", ["/etc/passwd", "../outside.raw", "linked.raw", "sub/../../outside.raw", "", "\0"])
def test_a_backing_file_outside_of_the_folder_is_never_opened(tmp_path: Path, stated: str) -> None:
    folder = tmp_path / "case"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "outside.raw").write_bytes(b"not evidence" * 1000)
    (folder / "linked.raw").symlink_to(tmp_path / "outside.raw")
    path = folder / "disk.qcow2"
    path.write_bytes(qcow2(stated.encode() or b"/"))

    with pytest.raises(EvidenceError, match="beside the image only"):
        opened(path)


def test_a_path_of_the_suspects_machine_leads_to_the_file_beside_the_image(tmp_path: Path) -> None:
    (tmp_path / "base.raw").write_bytes(b"evidence" * 8192)
    (tmp_path / "disk.qcow2").write_bytes(qcow2(b"/home/x/machines/base.raw"))
    container = opened(tmp_path / "disk.qcow2")

    assert container.source.read_at(0, 8) == b"evidence"
    assert container.notices[0][0] is NoticeKind.REMARK


@pytest.mark.parametrize("stated", [b"disk.qcow2", b"./disk.qcow2", b"other.qcow2"])
def test_a_disk_that_stands_on_itself_is_refused(tmp_path: Path, stated: bytes) -> None:
    (tmp_path / "disk.qcow2").write_bytes(qcow2(stated))
    (tmp_path / "other.qcow2").write_bytes(qcow2(b"disk.qcow2"))

    with pytest.raises(EvidenceError, match="leads back"):
        opened(tmp_path / "disk.qcow2")


def qcow2(
    backing: bytes, *, size: int = 65536, cluster_bits: int = 16, l1_size: int = 1, encryption: int = 0, more: int = 0
) -> bytes:
    """A disk of version 3 without a single cluster of its own."""
    at = 512 if backing else 0
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, at, len(backing), cluster_bits, size, encryption, l1_size, 65536, 0, 0, 0, 0
    )
    head += struct.pack(">QQQII", more, 0, 0, 4, 112)
    return (head.ljust(512, b"\0") + backing).ljust(65536, b"\0") + bytes(65536)


@pytest.mark.parametrize(
    "disk",
    [
        qcow2(b"", cluster_bits=40),
        qcow2(b"", cluster_bits=0),
        qcow2(b"", size=1 << 60),
        qcow2(b"", l1_size=0xFFFF_FFFF),
        qcow2(b"", encryption=1),
        qcow2(b"", more=8)[:104] + b"\1" + qcow2(b"", more=8)[105:],
        qcow2(b"", more=1 << 40),
        b"QFI\xfb" + bytes(20),
        b"QFI\xfb\0\0\0\1" + b"\xff" * 100,
        b"KDMV" + bytes(600),
        b"KDMV" + b"\xff" * 600,
        b"vhdxfile" + bytes(600_000),
        b"conectix" + bytes(4096),
        b"# Disk DescriptorFile\nparentCID=ffffffff\n",
        b"# Disk DescriptorFile\nRW 99999999999999999999999 FLAT \"x\" 0\n",
        b"# Disk DescriptorFile\nRW 16 SESPARSE \"x\"\n",
        b"sprs" + bytes(5000),
        bytes(5000) + b"koly" + bytes(508),
        b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe" + bytes(500),
        b"COWD" + bytes(600),
        b"encrcdsa" + bytes(600),
    ],
)  # fmt: skip
def test_impossible_disks_are_refused_in_a_sentence(tmp_path: Path, disk: bytes) -> None:
    path = tmp_path / "disk.image"
    path.write_bytes(disk)

    with pytest.raises(EvidenceError, match=r"disk\.image"):
        opened(path)


def test_formats_that_are_not_read_are_called_so(tmp_path: Path) -> None:
    (tmp_path / "disk.vdi").write_bytes(b"<<< x >>>".ljust(64, b"\0") + b"\x7f\x10\xda\xbe" + bytes(500))

    with pytest.raises(UnsupportedEvidence, match="VirtualBox"):
        opened(tmp_path / "disk.vdi")


@pytest.mark.parametrize("kind", ["vmdk", "vhdx", "vpc", "qcow2"])
def test_random_damage_ends_in_a_known_error(tmp_path: Path, qemu: Run, kind: str) -> None:
    options = {
        "vmdk": "subformat=streamOptimized",
        "vpc": "subformat=dynamic",
        "vhdx": "block_size=1M",
        "qcow2": "cluster_size=64k",
    }
    qemu(
        "qemu-img",
        "convert",
        *(["-c"] if kind == "qcow2" else []),
        "-O",
        kind,
        "-o",
        options[kind],
        "base.raw",
        "disk.image",
    )
    sound = (tmp_path / "disk.image").read_bytes()
    generator = random.Random(30)
    # Structures are the bytes of the first MiB, or of the first MiB behind each start of a region, that are not zero.
    structures = [at for at in range(min(len(sound), 4 * MIB)) if sound[at] and at % MIB < 300_000][:40_000]
    for turn in range(60):
        broken = bytearray(sound)
        for _ in range(generator.randrange(1, 12)):
            at = generator.choice(structures) if turn % 3 else generator.randrange(2048)
            broken[at] = generator.randrange(256)
        (tmp_path / "disk.image").write_bytes(broken)
        try:
            source = opened(tmp_path / "disk.image").source
        except EvidenceError:
            continue
        for at in range(0, min(source.size, SIZE), 256 << 10):
            try:
                source.read_at(at, 128 << 10)
            except UnreadableBytes:
                continue
        source.close()


def test_a_sparse_giant_opens_without_reading_it(tmp_path: Path, qemu: Run) -> None:
    for kind in ("vhdx", "qcow2", "vmdk"):
        qemu("qemu-img", "create", "-f", kind, f"giant.{kind}", "2T")
        source = opened(tmp_path / f"giant.{kind}").source

        assert source.size == 2 << 40
        assert source.read_at((2 << 40) - 5, 10) == bytes(5)


def test_digests_are_those_of_the_media(tmp_path: Path, qemu: Run) -> None:
    qemu("qemu-img", "convert", "-O", "qcow2", "base.raw", "disk.qcow2")
    source = opened(tmp_path / "disk.qcow2").source

    assert hashlib.sha256(source.read_at(0, SIZE)).digest() == hashlib.sha256(MEDIA).digest()
