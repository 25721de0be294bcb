"""Every image of the real set that holds a file system of TSK as raw bytes, unpacked where it is packed."""

import binascii
import gzip
import io
import lzma
import mmap
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from triage.evidence.source import ByteSource, Slice

SECTOR = 512

PACKED = (
    "deb/e2fsprogs/tests/*/image.gz",
    "deb/exfatprogs/tests/*/exfat.img.tar.xz",
    "deb/dosfstools/tests/*.xxd",
    "deb/libarchive/test/*.iso.Z.uu",
    "derived/bitlk/bitlk-togo-aes-xts-128.img.xz",
    "dfir_ntfs/test_data/*.raw.gz",
    "forensics-samples/fs.*.xz",
    "pypi/dissect_extfs-3.15/tests/data/ext4.bin.gz",
    "pypi/dissect_ntfs-3.16/tests/_data/ntfs.bin.gz",
    "sleuthkit_test_data/from_brian/*.zip",
)
PLAIN = (
    "dfvfs/test_data/*.raw",
    "dfvfs/test_data/ímynd.dd",
    "plaso/test_data/ext4_with_binaries.dd",
    "pypi/dissect_fat-3.13/tests/data/*.bin",
    "sleuthkit/test/data/image.dd",
    "sleuthkit/test/data/image.iso",
    "velociraptor/artifacts/testdata/files/fat_very_small.dd",
)


class MappedSource(ByteSource):
    """A raw image in memory-mapped pages."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.size = len(self._map)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._map[offset : offset + length] if length > 0 else b""

    def close(self) -> None:
        self._map.close()


@dataclass(frozen=True)
class Place:
    """Where a file system may begin: an image and a byte offset."""

    label: str
    path: Path
    offset: int

    def source(self) -> ByteSource:
        whole = MappedSource(self.path)
        return Slice(whole, self.offset, whole.size) if self.offset else whole


def places(real: Path, scratch: Path, mmls: str) -> list[Place]:
    """All of them: offset 0 of each image and the start of each partition."""
    images = [(str(path.relative_to(real)), path) for pattern in PLAIN for path in sorted(real.glob(pattern))]
    for pattern in PACKED:
        for packed in sorted(real.glob(pattern)):
            images += list(unpack(packed, str(packed.relative_to(real)), scratch))
    return [
        Place(f"{label}@{offset}" if offset else label, path, offset)
        for label, path in images
        for offset in (0, *partitions(path, mmls))
    ]


def partitions(path: Path, mmls: str) -> list[int]:
    listing = subprocess.run([mmls, "-i", "raw", "-a", "-M", path], capture_output=True, text=True, check=False).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [
        int(row[2]) * SECTOR
        for row in rows
        if len(row) > 4 and row[0].endswith(":") and row[1].replace(":", "").isdigit() and int(row[2])
    ]


def unpack(packed: Path, label: str, scratch: Path) -> Iterator[tuple[str, Path]]:
    target = scratch / label.replace("/", "__")
    if packed.name.endswith(".tar.xz"):
        with tarfile.open(packed) as archive:
            member = next(m for m in archive if m.isfile())
            stream = archive.extractfile(member)
            assert stream is not None
            write_sparse(stream, target)
        yield label, target
    elif packed.suffix == ".zip":
        with zipfile.ZipFile(packed) as archive:
            for name in archive.namelist():
                if name.endswith(".dd"):
                    image = target.with_name(f"{target.name}__{Path(name).name}")
                    with archive.open(name) as stream:
                        write_sparse(stream, image)
                    yield f"{label}:{name}", image
    elif packed.suffix == ".xxd":
        write_dump(packed.read_text(), target)
        yield label, target
    else:
        with open_packed(packed) as stream:
            write_sparse(stream, target)
        yield label, target


def open_packed(packed: Path) -> BinaryIO:
    if packed.suffix == ".gz":
        return gzip.open(packed)
    if packed.suffix == ".xz":
        return lzma.open(packed)
    lines = [line for line in packed.read_bytes().split(b"\n")[1:] if line and not line.startswith(b"end")]
    compressed = b"".join(binascii.a2b_uu(line) for line in lines)
    return io.BytesIO(subprocess.run(["zcat"], input=compressed, capture_output=True, check=True).stdout)


def write_dump(text: str, target: Path) -> None:
    """The bytes of a hex dump by ``xxd``, with holes where it has gaps."""
    with target.open("wb") as out:
        for line in text.splitlines():
            offset, colon, rest = line.partition(": ")
            if colon:
                out.seek(int(offset, 16))
                out.write(bytes.fromhex(rest.split("  ")[0]))


def write_sparse(stream: BinaryIO, target: Path) -> None:
    with target.open("wb") as out:
        while block := stream.read(1 << 20):
            if block.count(0) == len(block):
                out.seek(len(block), 1)
            else:
                out.write(block)
        out.truncate()
