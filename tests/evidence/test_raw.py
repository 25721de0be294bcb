"""Raw media: one file or a split image, joined only where the numbers and sizes say that it is one."""

import errno
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import EvidenceError
from triage.evidence import files
from triage.evidence.container import Container
from triage.evidence.containers import open_container
from triage.evidence.entry import Keys
from triage.evidence.integrity import digest_media
from triage.evidence.source import UnreadableBytes
from triage.notices import NoticeKind

MEDIA = random.Random(3).randbytes(10_000)


def opened(path: Path) -> Container:
    return open_container(path, Keys())


def split(folder: Path, size: int, names: list[str]) -> Path:
    for index, name in enumerate(names):
        (folder / name).write_bytes(MEDIA[index * size : (index + 1) * size])
    return folder / names[0]


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_read_of_a_split_image_equals_that_slice(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    size = data.draw(st.integers(1200, 10_000))
    count = -(-len(MEDIA) // size)
    path = split(tmp_path_factory.mktemp("set"), size, [f"disk.{number:03d}" for number in range(1, count + 1)])
    source = opened(path).source

    for _ in range(10):
        offset, length = data.draw(st.integers(0, 10_100)), data.draw(st.integers(0, 10_100))
        assert source.read_at(offset, length) == MEDIA[offset : offset + length]


@pytest.mark.parametrize(
    "names",
    [
        ["d.001", "d.002", "d.003", "d.004"],
        ["d.000", "d.001", "d.002", "d.003"],
        ["d.dd.001", "d.dd.002", "d.dd.003", "d.dd.004"],
        ["d.01", "d.02", "d.03", "d.04"],
        ["d.aa", "d.ab", "d.ac", "d.ad"],
        ["d.img.aaa", "d.img.aab", "d.img.aac", "d.img.aad"],
    ],
)
def test_every_naming_of_parts_is_joined(tmp_path: Path, names: list[str]) -> None:
    container = opened(split(tmp_path, 3000, names))

    assert container.type == "raw"
    assert container.source.read_at(0, 10_000) == MEDIA
    assert [path.name for path in container.files] == names
    assert container.notices == ()


def test_numbers_grow_a_digit_after_999(tmp_path: Path) -> None:
    names = [f"d.{number:03d}" for number in range(1, 1003)]
    for name in names:
        (tmp_path / name).write_bytes(name[-2:].encode())

    container = opened(tmp_path / "d.001")

    assert container.source.size == 2004
    assert container.source.read_at(1996, 8) == b"99000102"


def test_a_later_part_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    split(tmp_path, 3000, ["d.001", "d.002", "d.003", "d.004"])

    with pytest.raises(EvidenceError, match=r"open its first part, d\.001"):
        opened(tmp_path / "d.003")


def test_a_missing_part_leaves_a_hole_of_known_place(tmp_path: Path) -> None:
    path = split(tmp_path, 3000, ["d.001", "d.002", "d.003", "d.004"])
    (tmp_path / "d.002").unlink()
    container = opened(path)

    assert [kind for kind, _ in container.notices] == [NoticeKind.TRUNCATED]
    assert "part d.002 is missing" in container.notices[0][1]
    assert container.source.read_at(6000, 4000) == MEDIA[6000:]
    with pytest.raises(UnreadableBytes) as caught:
        container.source.read_at(2990, 20)
    assert (caught.value.offset, caught.value.length) == (3000, 3000)
    assert digest_media(container.source, ["md5"]).unreadable == ((3000, 3000),)


def test_a_short_part_in_the_middle_keeps_the_others_in_place(tmp_path: Path) -> None:
    path = split(tmp_path, 3000, ["d.001", "d.002", "d.003", "d.004"])
    (tmp_path / "d.002").write_bytes(MEDIA[3000:5000])
    container = opened(path)

    assert container.notices[0][0] is NoticeKind.DAMAGED
    assert container.source.read_at(6000, 100) == MEDIA[6000:6100]
    with pytest.raises(UnreadableBytes) as caught:
        container.source.read_at(4000, 3000)
    assert (caught.value.offset, caught.value.length) == (5000, 1000)


def test_files_that_only_look_like_parts_are_not_joined(tmp_path: Path) -> None:
    for name in ("mac-10.14", "mac-10.15", "alone.001", "disk.dd", "disk.img", "case.2023", "case.2024"):
        (tmp_path / name).write_bytes(name.encode())

    for path in sorted(tmp_path.iterdir()):
        container = opened(path)
        assert container.source.read_at(0, 100) == path.name.encode()
        assert container.notices == ()


def test_a_larger_neighbour_is_no_part_and_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "d.001").write_bytes(b"a" * 100)
    (tmp_path / "d.002").write_bytes(b"b" * 300)
    container = opened(tmp_path / "d.001")

    assert container.source.size == 100
    assert container.notices[0][0] is NoticeKind.TRUNCATED
    assert "d.002 is larger" in container.notices[0][1]


def test_a_part_without_its_first_is_read_alone_and_that_is_told(tmp_path: Path) -> None:
    split(tmp_path, 3000, ["d.003", "d.004"])
    container = opened(tmp_path / "d.004")

    assert container.source.size == 3000
    assert container.notices[0][0] is NoticeKind.TRUNCATED


@pytest.mark.parametrize(
    ("name", "kind"), [("x.E01", NoticeKind.DAMAGED), ("x.qcow2", NoticeKind.DAMAGED), ("x.vmdk", NoticeKind.REMARK)]
)
def test_a_name_that_promises_more_than_the_content_is_told(tmp_path: Path, name: str, kind: NoticeKind) -> None:
    (tmp_path / name).write_bytes(MEDIA)
    container = opened(tmp_path / name)

    assert container.type == "raw"
    assert container.source.read_at(0, 10_000) == MEDIA
    assert [doubt for doubt, _ in container.notices] == [kind]


def test_offsets_beyond_four_gib_of_a_sparse_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.raw"
    with path.open("wb") as file:
        file.seek((5 << 30) + 3)
        file.write(b"here")
    source = opened(path).source

    assert source.size == (5 << 30) + 7
    assert source.read_at(5 << 30, 100) == b"\0\0\0here"
    assert source.read_at(source.size, 1) == b""


def test_what_is_no_file_with_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.raw").touch()
    os.mkfifo(tmp_path / "pipe")

    for name in ("empty.raw", "absent.raw", "pipe", ".", "bad\0name"):
        with pytest.raises(EvidenceError):
            opened(tmp_path / name)


def test_a_read_error_names_exactly_the_bad_sectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media = random.Random(5).randbytes(200 * 512)
    path = tmp_path / "disk.raw"
    path.write_bytes(media)
    bad = {50, 51, 52, 90}
    real_pread = os.pread

    def failing(descriptor: int, length: int, offset: int) -> bytes:
        if bad & set(range(offset // 512, -(-(offset + length) // 512))):
            raise OSError(errno.EIO, "Input/output error")
        return real_pread(descriptor, length, offset)

    source = opened(path).source
    monkeypatch.setattr(files.os, "pread", failing)

    with pytest.raises(UnreadableBytes, match="bytes 25600 to 27135") as caught:
        source.read_at(10, 100_000)
    assert (caught.value.offset, caught.value.length) == (50 * 512, 3 * 512)
    assert digest_media(source, ["md5"]).unreadable == ((50 * 512, 3 * 512), (90 * 512, 512))


def test_a_file_that_shrinks_meanwhile_is_unreadable_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(MEDIA)
    source = opened(path).source
    with path.open("r+b") as file:
        file.truncate(4000)

    with pytest.raises(UnreadableBytes) as caught:
        source.read_at(3000, 3000)
    assert (caught.value.offset, caught.value.length) == (4000, 2000)
