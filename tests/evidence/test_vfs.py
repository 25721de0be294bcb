"""What is not read is at least named; what is read is found."""

import gzip
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.errors import EvidenceError
from triage.evidence.apfs import apfs_volumes, is_apfs
from triage.evidence.entry import OpenOptions
from triage.evidence.files import FileSource
from triage.evidence.source import ByteSource, MemorySource
from triage.evidence.vfs import detect, unsupported
from triage.locator import Locator


def at(*pieces: tuple[int, bytes], size: int = 3 << 20) -> ByteSource:
    data = bytearray(size)
    for offset, piece in pieces:
        data[offset : offset + len(piece)] = piece
    return MemorySource(bytes(data))


NILFS = struct.pack("<IHHH", 2, 0, 0x3434, 1024)
MINIX_1 = struct.pack("<HHHHHHIHH", 32, 64, 1, 1, 6, 0, 0, 0x138F, 1)
MINIX_3 = struct.pack("<IHHHHHHIIHHH", 32, 0, 1, 1, 6, 0, 0, 0, 64, 0x4D5A, 0, 4096)


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("btrfs", [(0x10040, b"_BHRfS_M")]),
        ("F2FS", [(0x400, b"\x10\x20\xf5\xf2")]),
        ("ReFS", [(3, b"ReFS\0\0\0\0")]),
        ("SquashFS", [(0, b"hsqs")]),
        ("JFS", [(0x8000, b"JFS1")]),
        ("ReiserFS", [(0x10034, b"ReIsEr2Fs")]),
        ("Reiser4", [(0x10000, b"ReIsEr4")]),
        ("EROFS", [(0x400, b"\xe2\xe1\xf5\xe0")]),
        ("bcachefs", [(0x1018, bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef"))]),
        ("VMFS", [(0x200000, b"\x5e\xf1\xab\x2f")]),
        ("NILFS2", [(0x400, NILFS)]),
        ("Minix", [(0x400, MINIX_1)]),
        ("Minix", [(0x400, MINIX_3)]),
        ("HFS (classic)", [(0x400, b"BD")]),
        ("ZFS", [((128 << 10) + 5 * 1024, b"\x0c\xb1\xba\0\0\0\0\0")]),
        ("ZFS", [((128 << 10) + 16384, b"\0\0\0\0\0\xba\xb1\x0c")]),
        ("UDF", [(0x8001, b"BEA01"), (0x8801, b"NSR03"), (0x9001, b"TEA01")]),
        ("Linux swap", [(4086, b"SWAPSPACE2")]),
        ("Linux swap", [(65526, b"SWAPSPACE2")]),
    ],
)
def test_file_systems_that_nothing_reads_are_named(name: str, pieces: list[tuple[int, bytes]]) -> None:
    assert unsupported(at(*pieces)) == name


@pytest.mark.parametrize(
    "source",
    [
        at(),
        at(size=0),
        at(size=1030),
        at((0x406, b"\x34\x34")),
        at((0x410, b"\x8f\x13")),
        at((0x400, b"BD"), (0x400 + 124, b"H+")),
        at((0x8001, b"CD001"), (0x8801, b"NSR02")),
        at((3, b"NTFS    ")),
        at((0x438, b"\x53\xef")),
    ],
)
def test_two_bytes_alone_or_what_others_read_are_not_taken_for_a_name(source: ByteSource) -> None:
    assert unsupported(source) is None


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("mkfs.btrfs -q", "btrfs"),
        ("mkfs.f2fs -q", "F2FS"),
        ("mkfs.nilfs2 -q", "NILFS2"),
        ("mkfs.jfs -q", "JFS"),
        ("mkreiserfs -q -f -f", "ReiserFS"),
        ("mkfs.minix", "Minix"),
        ("mkfs.minix -3", "Minix"),
        ("mkswap", "Linux swap"),
        ("mkudffs", "UDF"),
        ("hformat -f", "HFS (classic)"),
    ],
)
def test_the_names_fit_what_the_makers_of_these_file_systems_make(
    tmp_path: Path, tool: Callable[[str], str], command: str, name: str
) -> None:
    program, *options = command.split()
    image = tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate((2 if name.startswith("HFS") else 160) << 20)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    subprocess.run([tool(program), *options, str(image)], capture_output=True, check=True, env=environment)
    source = FileSource(image)

    assert unsupported(source) == name
    assert detect(source, Locator("x"), OpenOptions()) == ()
    source.close()


def test_xfs_is_found_and_named_nowhere_as_unsupported(tmp_path: Path, tool: Callable[[str], str]) -> None:
    image = tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate(320 << 20)
    subprocess.run([tool("mkfs.xfs"), "-q", "-L", "disk", str(image)], check=True)
    source = FileSource(image)
    (found,) = detect(source, Locator("x", "p2"), OpenOptions())

    assert (found.type, found.label, found.locator, found.source) == ("xfs", "disk", Locator("x", "p2"), source)
    assert unsupported(source) is None
    source.close()


@pytest.mark.parametrize("size", [0, 1, 511, 512, 4096])
def test_short_sources_hold_nothing(size: int) -> None:
    source = MemorySource(b"XFSB" + bytes(size) if size else b"")

    assert detect(source, Locator("x"), OpenOptions()) == ()
    assert unsupported(source) is None
    assert not is_apfs(source)


@pytest.mark.parametrize("data", [b"", bytes(8192), bytes(32) + b"NXSB" + bytes(4096), gzip.compress(b"x", mtime=0)])
def test_what_is_no_apfs_container_is_an_evidence_error(data: bytes) -> None:
    with pytest.raises(EvidenceError, match="APFS"):
        apfs_volumes(MemorySource(data))
