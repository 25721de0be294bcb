"""Files in Shareaza's library are named by all their digests, in old and new versions, shared and deleted ones."""

import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_plugins.shareaza_library import ShareazaLibrary

from triage.absent import Absent
from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, examine_file, plugin_file, run_plugin

PATH = "/Users/a/AppData/Roaming/Shareaza/Data/Library1.dat"
SAVED = 133_500_000_000_000_000


def text(value: str) -> bytes:
    if value.isascii() and len(value) < 255:
        return bytes([len(value)]) + value.encode()
    wide = value.encode("utf-16-le")
    count = len(wide) // 2
    length = bytes([count]) if count < 255 else b"\xff" + struct.pack("<H", count)
    return b"\xff\xfe\xff" + length + wide


def count(value: int) -> bytes:
    return struct.pack("<H", value) if value < 0xFFFF else b"\xff\xff" + struct.pack("<I", value)


def digest(value: bytes | None) -> bytes:
    return struct.pack("<I", 0) if value is None else struct.pack("<I", 1) + value


class Writer:
    """A library of a version, in the order in which the program writes it."""

    def __init__(self, version: int) -> None:
        self.v = version

    def since(self, version: int, data: bytes) -> bytes:
        return data if self.v >= version else b""

    def file(
        self, name: str, size: int, *, sharing: int = 0, uploads: int = 0, xml: bool = False,
        urls: tuple[str, ...] = (), none: bool = False, rating: int = 0, virtual: int = 0,
    ) -> bytes:  # fmt: skip
        raw = name.encode()
        sha1, tiger = hashlib.sha1(raw).digest(), bytes(24)
        md5, ed2k = hashlib.md5(raw).digest(), hashlib.md5(raw + b"ed2k").digest()
        out = text(name) + struct.pack("<I", 7)
        out += struct.pack("<Q", size) if self.v >= 17 else struct.pack("<I", size)
        out += struct.pack("<Q", SAVED - 10_000_000)
        out += struct.pack("<I", sharing) if self.v >= 5 else bytes([sharing])
        if self.v >= 21:
            out += struct.pack("<Q", virtual) + (struct.pack("<Q", 5) if virtual else b"")
        out += digest(None if none else sha1) + self.since(8, digest(tiger))
        out += self.since(11, digest(None if none else md5) + digest(None if none else ed2k))
        out += self.since(26, digest(None)) + self.since(4, struct.pack("<I", 0))
        out += text("http://example/schema" if xml else "")
        if xml:
            out += b"" if self.v >= 27 else struct.pack("<I", 1)
            child = text("image") + text("") + count(1) + text("width") + text("640") + count(0)
            out += text("images") + text("") + count(0) + count(1) + child
        out += self.since(13, struct.pack("<i", rating) + text("maelezo" if rating else ""))
        out += self.since(16, text(""))
        if self.v >= 27:
            out += struct.pack("<IQ", 1, 0)
        elif xml and rating and self.v >= 13:
            out += bytes(8)
        out += struct.pack("<II", 3, uploads) + self.since(14, bytes(4)) + self.since(20, bytes(4))
        stamp = bytes(8) if self.v >= 10 else bytes(4)
        return out + self.since(2, count(len(urls)) + b"".join(text(url) + stamp for url in urls))

    def folder(self, path: str, sharing: int, folders: list[bytes], files: list[bytes]) -> bytes:
        out = text(path) + (struct.pack("<I", sharing) if self.v >= 5 else bytes([sharing])) + self.since(3, bytes(4))
        return out + count(len(folders)) + b"".join(folders) + count(len(files)) + b"".join(files)

    def album(self, *below: bytes) -> bytes:
        out = text("") + count(1) + text("folder") + text("x") + count(0) + count(0)
        out += self.since(19, digest(bytes(20))) + self.since(24, digest(bytes(16)))
        out += text("Albums") + bytes(8) + self.since(9, text("view"))
        return out + count(len(below)) + b"".join(below) + count(2) + bytes(8)

    def library(self, folders: list[bytes], deleted: list[bytes], seeded: str = "") -> bytes:
        out = struct.pack("<Qi", SAVED, self.v) + self.since(29, bytes(4)) + bytes(4) + self.since(28, bytes(12))
        out += count(len(folders)) + b"".join(folders) + self.since(6, self.album(self.album()))
        last = text(seeded) + ((text("name") + bytes(24)) if seeded else b"")
        out += self.since(7, count(2) + bytes(24)) + self.since(23, last)
        return out + self.since(18, count(len(deleted)) + b"".join(deleted))


def sample(version: int) -> bytes:
    w = Writer(version)
    own = w.folder("C:\\Shared\\own", 1, [], [w.file("kept.txt", 5), w.file("given.txt", 6, sharing=2)])
    files = [
        w.file("mji – picha.jpg", 123_456, uploads=4, xml=True, rating=5, urls=("http://192.0.2.1/a", "http://x/b")),
        w.file("film.avi", 700, virtual=9), w.file("not yet digested.bin", 8, none=True),
    ]  # fmt: skip
    folders = [w.folder("C:\\Shared", 2, [own], files), w.folder("D:\\" + "long" * 80, 0, [], [w.file("x.txt", 1)])]
    return w.library(folders, [w.file("gone.jpg", 55, rating=1)], "C:\\t.torrent")


def read(content: bytes) -> list[ReferencedFile]:
    records = run_plugin(ShareazaLibrary(), plugin_file(PATH, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_files_are_as_expected() -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", read(sample(29)))


@pytest.mark.parametrize("version", range(1, 30))
def test_every_version_is_read_to_its_end(version: int) -> None:
    found = read(sample(version))
    names = [record.name for record in found if record.algorithm == "sha1"]
    shown = ["kept.txt", "given.txt", "mji – picha.jpg", "film.avi", "x.txt"]

    assert names == (shown if version < 18 else [*shown, "gone.jpg"])
    assert {record.algorithm for record in found} == ({"sha1"} if version < 11 else {"sha1", "md5", "ed2k"})


def test_sharing_is_the_files_own_word_or_that_of_its_folder() -> None:
    assert {record.name: record.state for record in read(sample(29))} == {
        "kept.txt": "not shared", "given.txt": "shared", "mji – picha.jpg": "shared", "film.avi": "shared",
        "x.txt": Absent.NOT_RECORDED, "gone.jpg": "deleted, and remembered",
    }  # fmt: skip


@pytest.mark.parametrize("cut", [1, 30])
def test_files_before_damage_are_kept_and_the_damage_told(cut: int) -> None:
    result = examine_file(ShareazaLibrary(), plugin_file(PATH, sample(29)[:-cut]))

    assert len(result.found) == 15
    assert ["not a whole library: the data ends" in notice.message for notice in result.notices] == [True]


def test_folders_in_folders_are_bounded() -> None:
    w = Writer(29)
    deep = w.folder("x", 0, [], [])
    for _ in range(100):
        deep = w.folder("x", 0, [deep], [])

    with pytest.raises(UnsupportedSchema, match="more than 64 levels"):
        read(w.library([deep], []))


@pytest.mark.parametrize("version", [0, -1, 30, 1000])
def test_versions_of_relatives_are_told(version: int) -> None:
    with pytest.raises(UnsupportedSchema, match=f"version {version} of the library"):
        read(struct.pack("<Qi", SAVED, version) + bytes(100))


@given(st.binary(max_size=300), st.integers(1, 29))
def test_any_content_ends_in_records_or_in_words(content: bytes, version: int) -> None:
    for start in (struct.pack("<Qi", SAVED, version), sample(version)[:-40]):
        try:
            read(start + content)
        except UnsupportedSchema as reason:
            assert str(reason)


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        (PATH, True),
        (PATH.replace("1.dat", "2.dat"), True),
        ("/Program Files/Shareaza/Data/Library.dat", True),
        ("/x/Library1.dat", False),
    ],
)
def test_libraries_are_found_by_name(path: str, taken: bool) -> None:
    assert accepts(ShareazaLibrary(), plugin_file(path, b"x")) is taken
