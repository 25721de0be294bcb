"""XFS as the kernel of this machine writes it: fragmented, sparse, hard-linked, oddly named, with large attributes.

Needs the right to mount; skips without.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from triage.evidence.entry import Entry, EntryFlag, EntryType, content
from triage.evidence.files import FileSource
from triage.evidence.source import ByteSource
from triage.evidence.xfs import open_xfs
from triage.locator import Locator
from triage.notices import NoticeKind

pytestmark = pytest.mark.skipif(not hasattr(os, "mknod"), reason="needs POSIX")

Row = tuple[str, int, int, int, int, int, int, int, int, str, bytes]


@contextmanager
def mounted(image: Path, folder: Path, options: str, lacking: Callable[[str], NoReturn]) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-o", options, str(image), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lacking(f"cannot mount here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    root = os.fsencode(folder)
    for name in (b"/many", b"/many/deep", b"/bad\xff\xfe", b"/kept"):
        os.mkdir(root + name)
    for number in range(1500):
        (folder / "many" / f"file-{number:05}-{'n' * (number % 90)}").write_bytes(b"%d" % number)
    Path(os.fsdecode(root + b"/bad\xff\xfe/caf\xe9")).write_bytes(b"x" * 5000)
    with (folder / "fragmented").open("wb", buffering=0) as stream:
        for number in range(1200):
            stream.seek(number * 8192)
            stream.write(bytes([number % 256]) * 4096)
    with (folder / "sparse").open("wb") as stream:
        stream.seek(9_000_000)
        stream.write(b"tail")
        stream.truncate(12_000_001)
    with (folder / "reserved").open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, 1_000_000)
        stream.write(b"only the start is written")
    os.link(folder / "sparse", folder / "many" / "again")
    os.symlink("t" * 1000, folder / "long")
    os.symlink("many", folder / "short")
    os.mkfifo(folder / "pipe")
    os.mknod(folder / "device", 0o20644, os.makedev(13, 68))
    for number in range(200):
        os.setxattr(folder / "sparse", f"user.attribute-{number}", b"v" * number)
    os.setxattr(folder / "many", "user.large", bytes(range(250)) * 240)
    os.utime(folder / "pipe", ns=(10**18, -1_500_000_000))
    os.utime(folder / "device", ns=(5_000_000_000_123_456_789, 2_000_000_000_000_000_001))
    for number in range(1500):
        if number % 3:
            (folder / "many" / f"file-{number:05}-{'n' * (number % 90)}").unlink()


def by_kernel(folder: Path) -> tuple[dict[bytes, Row], dict[tuple[bytes, str], str]]:
    rows: dict[bytes, Row] = {}
    attributes: dict[tuple[bytes, str], str] = {}
    top = os.fsencode(folder)
    for parent, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(parent, name)
            s = os.lstat(path)
            letter = {0o4: "d", 0o10: "r", 0o12: "l", 0o1: "p", 0o2: "c"}[s.st_mode >> 12]
            data = Path(os.fsdecode(path)).read_bytes() if letter == "r" else b""
            data = os.readlink(path) if letter == "l" else data
            fixed = (letter, s.st_ino, s.st_size, s.st_mode & 0o7777, s.st_nlink, s.st_uid)
            times = (s.st_mtime_ns, s.st_atime_ns, s.st_ctime_ns)
            rows[path[len(top) :]] = (*fixed, *times, hashlib.md5(data).hexdigest(), data[:20])
            for key in os.listxattr(path, follow_symlinks=False):
                if key.startswith("user."):
                    value = os.getxattr(path, key, follow_symlinks=False)
                    attributes[path[len(top) :], key] = hashlib.md5(value).hexdigest()
    return rows, attributes


def read(source: ByteSource) -> bytes:
    return source.read_at(0, source.size)


@pytest.mark.parametrize("options", ["", "-i nrext64=1", "-b size=1024 -n size=8192", "-m bigtime=0,reflink=0"])
def test_all_that_the_kernel_shows_is_shown(
    tmp_path: Path,
    tool: Callable[[str], str],
    lacking: Callable[[str], NoReturn],
    request: pytest.FixtureRequest,
    options: str,
) -> None:
    image = tmp_path / "image"
    with image.open("wb") as stream:
        stream.truncate(320 << 20)
    subprocess.run([tool("mkfs.xfs"), "-q", *options.split(), str(image)], check=True)
    with mounted(image, tmp_path / "mnt", "loop,noatime", lacking) as folder:
        fill(folder)
    with mounted(image, tmp_path / "mnt", "loop,ro,norecovery,noatime", lacking) as folder:
        rows, attributes = by_kernel(folder)
    source = FileSource(image)
    request.addfinalizer(source.close)
    system = open_xfs(source, Locator("x"))
    assert system is not None
    found: dict[bytes, Row] = {}
    streams: dict[tuple[bytes, str], str] = {}
    for item in system.walk():
        if not isinstance(item, Entry):
            assert item.kind == NoticeKind.REMARK, item
            continue
        raw = item.raw_path or item.path.encode()
        data = read(content(system, item)) if item.type in (EntryType.FILE, EntryType.SYMLINK) else b""
        digest = hashlib.md5(data).hexdigest()
        if item.stream:
            streams[raw, item.stream] = digest
            continue
        assert item.name_type == item.type
        assert read(system.open(item)) == data if data else True
        m, a, c, born = item.times
        assert born is not None
        fixed = (item.type, int(item.address), item.size, item.mode, item.links, item.uid)
        found[raw] = (*fixed, m or 0, a or 0, c or 0, digest, data[:20])
    sizes = {path: row[2] for path, row in rows.items() if row[0] != "d"}

    assert len(found) == len(rows) >= 510
    assert {p: r for p, r in found.items() if r[0] != "d"} == {p: r for p, r in rows.items() if r[0] != "d"}
    assert {p: r[3:] for p, r in found.items()} == {p: r[3:] for p, r in rows.items()}  # sizes of directories differ
    assert streams == attributes
    assert len(streams) == 401
    assert max(sizes.values()) == 12_000_001


def test_a_file_deleted_while_open_is_found_in_an_image_taken_then(
    tmp_path: Path, tool: Callable[[str], str], lacking: Callable[[str], NoReturn], request: pytest.FixtureRequest
) -> None:
    live, image = tmp_path / "live", tmp_path / "image"
    with live.open("wb") as stream:
        stream.truncate(320 << 20)
    subprocess.run([tool("mkfs.xfs"), "-q", str(live)], check=True)
    with mounted(live, tmp_path / "mnt", "loop", lacking) as folder, (folder / "gone").open("wb") as stream:
        stream.write(b"deleted while open" * 1000)
        stream.flush()
        (folder / "gone").unlink()
        subprocess.run([tool("xfs_freeze"), "-f", str(folder)], check=True)  # brings all metadata to the disk
        subprocess.run(["cp", "--sparse=always", str(live), str(image)], check=True)
        subprocess.run([tool("xfs_freeze"), "-u", str(folder)], check=True)
    source = FileSource(image)
    request.addfinalizer(source.close)
    system = open_xfs(source, Locator("x"))
    assert system is not None
    (orphan,) = (item for item in system.walk() if isinstance(item, Entry))

    assert re.fullmatch(r"/\$OrphanFiles/OrphanFile-\d+", orphan.path)
    assert orphan.flags == EntryFlag.DELETED | EntryFlag.ORPHAN
    assert orphan.links == 0
    assert read(content(system, orphan)) == b"deleted while open" * 1000
