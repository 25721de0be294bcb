"""APFS and XFS on volumes that Apple and Linux made, against readers that share no code with ours (-s prints figures).

APFS against The Sleuth Kit (``fls``, ``istat``, ``icat``), XFS against ``xfs_db`` and libfsxfs. Two differences are
allowed: TSK decodes no LZFSE (`LZFSE`), and calls a symbolic link empty where we give the length of its target.
TSK 4.11 does not open the encrypted volume; its files are those of the plain one, made by the same recipe.
"""

import calendar
import gzip
import hashlib
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyfsxfs
import pytest

from triage.errors import CredentialError, EvidenceError
from triage.evidence.apfs import ApfsVolume, apfs_volumes
from triage.evidence.entry import Entry, EntryFlag, EntryType, FileSystem, OpenOptions, content
from triage.evidence.files import FileSource
from triage.evidence.source import ByteSource, Slice
from triage.evidence.vfs import detect
from triage.locator import Locator
from triage.notices import NoticeKind

Tool = Callable[[str], str]
SYSTEM = {"com.apple.fs.symlink", "purgeable-drecs-fixed"}  # attributes that are not listed as streams
LZFSE = {"/dir/compressed-lzfse-xattr", "/dir/compressed-lzfse-fork"}
"""TSK gives no content for these; libfsapfs decodes the first and refuses the second."""


@dataclass(frozen=True)
class Image:
    """A bare volume to compare."""

    path: Path
    source: ByteSource

    def volume(self) -> ApfsVolume:
        (volume,) = apfs_volumes(self.source)
        return volume


def unpacked(real: Path, name: str, folder: Path) -> Path:
    path = real / name
    if path.suffix != ".gz":
        return path
    plain = folder / path.stem
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    return plain


@pytest.fixture(params=["dfvfs/test_data/apfs.raw", "pypi/dissect_apfs-1.1/tests/_data/case_insensitive.bin.gz"])
def apfs(real: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Image]:
    path = unpacked(real, request.param, tmp_path)
    source = FileSource(path)
    yield Image(path, source)
    source.close()


@pytest.fixture(params=["dfvfs/test_data/xfs.raw", "pypi/dissect_xfs-3.13/tests/_data/xfs.bin.gz"])
def xfs(real: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Image]:
    path = unpacked(real, request.param, tmp_path)
    source = FileSource(path)
    yield Image(path, source)
    source.close()


def walk(system: FileSystem) -> list[Entry]:
    items = list(system.walk())
    assert {i.kind for i in items if not isinstance(i, Entry)} == {NoticeKind.REMARK}
    return [i for i in items if isinstance(i, Entry)]


def digest(source: ByteSource) -> str:
    data = source.read_at(0, source.size)
    assert len(data) == source.size
    return hashlib.md5(data).hexdigest()


class SleuthKit:
    """The command-line tools on one APFS volume."""

    def __init__(self, image: Image, tool: Tool) -> None:
        self._tool = tool
        pool = subprocess.run([tool("pstat"), str(image.path)], capture_output=True, text=True, check=True).stdout
        (block,) = re.findall(r"APSB Block Number: (\d+)", pool)
        self._where = ["-f", "apfs", "-P", "apfs", "-B", block, str(image.path)]

    def run(self, name: str, *options: str, address: str = "") -> bytes:
        command = [self._tool(name), *options, *self._where, *([address] if address else [])]
        done = subprocess.run(command, capture_output=True, check=False, env={"TZ": "UTC"})
        return done.stdout

    def names(self) -> list[tuple[str, str, str]]:
        """Path, inode and type letters."""
        lines = self.run("fls", "-r", "-p", "-m", "/").decode().splitlines()
        fields = [line.split("|") for line in lines]
        return [(f[1].split(" -> ")[0].replace("//", "/"), f[2], f[3][:3]) for f in fields]

    def streams(self, inode: str) -> dict[str, tuple[str, int]]:
        found = re.findall(
            r"^Type: (\w+) \((\d+-\d+)\) +Name: (.*?) +(?:Non-)?Resident.*? size: (\d+)", self.text(inode), re.M
        )
        return {name: (f"{kind} {address}", int(size)) for kind, address, name, size in found}

    def text(self, inode: str) -> str:
        return self.run("istat", address=inode).decode()


def nanoseconds(text: str) -> int:
    """``2022-01-14 07:19:41.213333494 (UTC)`` in ns."""
    seconds, fraction = text.removesuffix(" (UTC)").split(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%d %H:%M:%S")) * 10**9 + int(fraction)


def test_apfs_entries_are_those_of_the_sleuth_kit(apfs: Image, tool: Tool) -> None:
    tsk = SleuthKit(apfs, tool)
    entries = walk(apfs.volume().file_system(Locator("a")))
    named = [e for e in entries if not e.stream]
    counts = Counter(e.type for e in named)
    print(apfs.path.name, dict(counts), len(entries) - len(named), "streams")  # noqa: T201

    assert len(named) >= 7
    assert sorted((e.path, e.address, f"{e.type}/{e.type}") for e in named) == sorted(tsk.names())
    assert not any(e.flags & (EntryFlag.DELETED | EntryFlag.ORPHAN) for e in entries)  # fls marks none either
    for entry in named:
        text = tsk.text(entry.address)
        facts = dict(re.findall(r"^([A-Z][A-Za-z /]+):[ \t]+(.+)$", text, re.M))
        streams = tsk.streams(entry.address)
        owner = f"{entry.uid} / {entry.gid}"
        times = [facts[name] for name in ("Content Modified", "Accessed", "Attributes Modified", "Created")]
        listed = {e.stream: e.size for e in entries if e.path == entry.path and e.stream}
        theirs = {
            name: size
            for name, (kind, size) in streams.items()
            if name not in SYSTEM
            and kind.split()[0] not in ("DATA", "CMPF")
            and not (kind.startswith("RSRC") and entry.flags & EntryFlag.COMPRESSED)
        }
        size = next((size for kind, size in streams.values() if kind.startswith("DATA")), 0)

        assert list(entry.times) == [nanoseconds(t) for t in times], entry.path
        assert re.search(r"^owner / group: (.+)$", text, re.M).group(1) == owner  # type: ignore[union-attr]
        if entry.path not in LZFSE:
            target = entry.link_target.encode()
            assert entry.size == (len(target) if entry.type == EntryType.SYMLINK else size), entry.path
        assert listed == theirs, entry.path
        if entry.type != EntryType.DIRECTORY:
            assert facts["Number of Links"] == str(entry.links)


def test_apfs_content_is_that_of_the_sleuth_kit_both_ways(apfs: Image, tool: Tool) -> None:
    tsk = SleuthKit(apfs, tool)
    system = apfs.volume().file_system(Locator("a"))
    compared: Counter[str] = Counter()
    for entry in walk(system):
        if entry.type != EntryType.FILE or entry.path in LZFSE:
            continue
        kind, _ = tsk.streams(entry.address).get(entry.stream, ("", 0))
        address = f"{entry.address}-{kind.split()[1]}" if entry.stream else entry.address
        theirs = hashlib.md5(tsk.run("icat", address=address)).hexdigest()

        assert digest(system.open(entry)) == digest(content(system, entry)) == theirs, entry.path
        compared["by extents" if entry.extents is not None else "by library"] += 1
        if not entry.stream and not entry.flags & EntryFlag.COMPRESSED and entry.size:
            assert entry.extents is not None
    print(apfs.path.name, dict(compared), "contents compared")  # noqa: T201
    assert compared.total() >= 6


def test_apfs_compressed_with_lzfse_is_read_or_refused_and_never_wrong(
    real: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = unpacked(real, "pypi/dissect_apfs-1.1/tests/_data/case_insensitive.bin.gz", tmp_path)
    source = FileSource(path)
    request.addfinalizer(source.close)
    (volume,) = apfs_volumes(source)
    system = volume.file_system(Locator("a"))
    found = {e.path: e for e in walk(system) if not e.stream}

    same = {digest(system.open(found[f"/dir/compressed-{kind}-xattr"])) for kind in ("zlib", "lzvn", "lzfse")}
    assert len(same) == 1
    with pytest.raises(EvidenceError, match="unable to read data"):
        digest(system.open(found["/dir/compressed-lzfse-fork"]))


def test_an_encrypted_apfs_volume_stays_locked_without_its_password(real: Path) -> None:
    file = FileSource(real / "dfvfs/test_data/apfs_encrypted.dmg")
    (volume,) = apfs_volumes(Slice(file, 40 * 512, file.size - 40 * 512))

    assert (volume.name, volume.is_locked, volume.is_encrypted) == ("SingleVolume", True, True)
    with pytest.raises(CredentialError, match="locked"):
        volume.file_system(Locator("a"))
    assert not volume.unlock("wrong")
    assert not volume.unlock_with_recovery_key("AAAA-BBBB-CCCC-DDDD-EEEE-FFFF")
    assert volume.unlock("apfs-TEST")
    assert volume.unlock("apfs-TEST")
    assert (volume.is_locked, volume.is_encrypted) == (False, True)
    file.close()


def test_an_unlocked_apfs_volume_gives_the_files_of_the_plain_one(real: Path) -> None:
    plain, file = FileSource(real / "dfvfs/test_data/apfs.raw"), FileSource(real / "dfvfs/test_data/apfs_encrypted.dmg")
    (volume,), (other,) = apfs_volumes(Slice(file, 40 * 512, file.size - 40 * 512)), apfs_volumes(plain)
    assert volume.unlock("apfs-TEST")
    system, reference = volume.file_system(Locator("a")), other.file_system(Locator("b"))
    ours = {e.path: e for e in walk(system) if e.type == EntryType.FILE}
    theirs = {e.path: e for e in walk(reference) if e.type == EntryType.FILE and not e.stream}
    shared = {"/passwords.txt", "/a_directory/a_file", "/a_directory/another_file"}

    assert shared <= ours.keys() & theirs.keys()
    assert {p: digest(system.open(ours[p])) for p in shared} == {p: digest(reference.open(theirs[p])) for p in shared}
    assert all(e.extents is None for e in ours.values())  # they would lead to ciphertext
    plain.close()
    file.close()


def xfs_db(image: Image, tool: Tool, *commands: str) -> str:
    options = [part for command in commands for part in ("-c", command)]
    command = [tool("xfs_db"), "-r", *options, str(image.path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"TZ": "UTC"}).stdout


def test_xfs_entries_are_those_of_xfs_db(xfs: Image, tool: Tool) -> None:
    (system,) = detect(xfs.source, Locator("x"), OpenOptions())
    named = [e for e in walk(system) if not e.stream]
    known = re.findall(r"^\s*(\d+) (.+)$", xfs_db(xfs, tool, "blockget -n", "ncheck"), re.M)
    print(xfs.path.name, dict(Counter(e.type for e in named)))  # noqa: T201

    assert sorted((e.address, e.path) for e in named) == sorted((i, "/" + p.removesuffix("/.")) for i, p in known)
    for entry in named:
        fields = "mode size uid gid nlinkv2 atime mtime ctime".split()
        printed = xfs_db(
            xfs, tool, f"inode {entry.address}", "print " + " ".join(f"core.{f}" for f in fields) + " v3.crtime"
        )
        facts = dict(re.findall(r"^\w+\.([\w.]+) = (.+)$", printed, re.M))
        times = [
            calendar.timegm(time.strptime(facts[f"{name}.sec"], "%a %b %d %H:%M:%S %Y")) * 10**9
            + int(facts[f"{name}.nsec"])
            for name in ("mtime", "atime", "ctime", "crtime")
        ]

        assert list(entry.times) == times
        assert int(facts["mode"], 8) & 0o7777 == entry.mode
        assert [int(facts[f]) for f in fields[1:5]] == [entry.size, entry.uid, entry.gid, entry.links]


def test_xfs_content_is_that_of_libfsxfs(xfs: Image) -> None:
    (system,) = detect(xfs.source, Locator("x"), OpenOptions())
    volume = pyfsxfs.volume()
    volume.open(str(xfs.path))
    compared = 0
    for entry in walk(system):
        other = volume.get_file_entry_by_path(entry.path)
        if entry.stream:
            value = other.get_extended_attribute_by_name(entry.stream.removeprefix("user."))
            value = value or other.get_extended_attribute_by_name(entry.stream)
            theirs = value.read_buffer_at_offset(value.get_size(), 0)
        elif entry.type == EntryType.SYMLINK:
            theirs = other.symbolic_link_target.encode()
            assert entry.link_target.encode() == theirs
        elif entry.type == EntryType.FILE:
            theirs = other.read_buffer_at_offset(other.get_size(), 0)
        else:
            continue

        assert digest(system.open(entry)) == digest(content(system, entry)) == hashlib.md5(theirs).hexdigest()
        compared += 1
    volume.close()
    print(xfs.path.name, compared, "contents compared")  # noqa: T201
    assert compared >= 3
