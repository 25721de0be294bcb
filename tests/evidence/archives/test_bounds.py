"""Archives that expand without end: bounded in bytes, names, memory and time, and one notice says so."""

import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
from recipes.archives import seven, tar_header, zip_of_one_kernel, zip_of_quoted_headers
from recipes.damage import gzip_bomb, zip_bomb, zip_with_leaving_names

from triage.evidence.archives.limits import MIB, ArchiveLimits, Budget
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

ZIP, GZIP, TAR = "application/zip", "application/gzip", "application/x-tar"
SMALL = ArchiveLimits(total=4 * MIB, floor=4 * MIB, memory=1 * MIB)


def test_a_gzip_bomb_is_unpacked_up_to_the_bound(unpack) -> None:
    found = unpack(gzip_bomb(64 * MIB), GZIP, "b.gz", limits=SMALL)

    assert found["/b"].entry.size == 4 * MIB
    assert [notice.kind for notice in found.reasons] == [NoticeKind.LIMIT]
    assert "4,194,304 bytes" in found.reasons[0].message


def test_an_honest_archive_of_zeros_passes(unpack) -> None:
    found = unpack(gzip.compress(bytes(64 * MIB)), GZIP, "disk.img.gz")

    assert found["/disk.img"].entry.size == 64 * MIB
    assert not found.reasons


def test_what_lies_behind_the_bound_is_named_with_one_notice(unpack) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            archive.writestr(f"{number}", bytes(MIB))
    found = unpack(out.getvalue(), ZIP, limits=SMALL)
    beyond = [member.reason for member in found.members if member.source is None]

    assert len(found.members) == 10
    assert [member.entry.size for member in found.members[:4]] == [MIB] * 4
    assert len(beyond) == 5 and len(set(beyond)) == 1
    assert "5 more members were not unpacked (5,242,880 bytes" in beyond[0].message
    assert beyond[0].source.path == "/a.bin"


@pytest.mark.parametrize("bomb", [zip_of_one_kernel(500, 4 * MIB), zip_of_quoted_headers(200, MIB)])
def test_members_that_share_stored_bytes_are_not_unpacked_again_and_again(unpack, bomb) -> None:
    claimed = sum(info.file_size for info in zipfile.ZipFile(io.BytesIO(bomb)).infolist())
    found = unpack(bomb, ZIP)

    assert len(bomb) < 50_000 and claimed > 200 * MIB
    assert sum(map(len, found.contents.values())) <= 5 * MIB
    assert len(found.members) in (200, 500)
    assert len({reason for reason in found.reasons if reason.kind is NoticeKind.LIMIT}) == 1
    assert "overlap" in found.reasons[-1].message


def test_archives_in_archives_share_one_budget(unpack) -> None:
    bomb = zip_bomb(depth=3, width=8, innermost=2 * MIB)
    outer = Budget(SMALL, len(bomb))

    def total(data: bytes, budget: Budget, depth: int) -> int:
        found = unpack(data, ZIP, limits=SMALL, budget=budget)
        inner = [
            total(content, Budget(SMALL, len(content), budget), depth - 1)
            for content in found.contents.values()
            if depth and content.startswith(b"PK")
        ]
        return sum(map(len, found.contents.values())) + sum(inner)

    assert total(bomb, outer, 5) <= 4 * MIB
    assert outer.spent


def test_the_number_of_members_is_bounded(unpack) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(30):
            archive.writestr(f"{number}", b"x")
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for number in range(30):
            archive.addfile(tarfile.TarInfo(f"{number}"))
    for data, mime in ((out.getvalue(), ZIP), (tar.getvalue(), TAR)):
        found = unpack(data, mime, limits=ArchiveLimits(members=10))

        assert len(found.members) == 10
        assert [notice.kind for notice in found.notices] == [NoticeKind.LIMIT]
        assert "more than 10 members" in found.notices[0].message


def test_absurd_sizes_cost_nothing(unpack) -> None:
    tar = unpack(tar_header(b"a", b"\x80" + b"\x3f" + b"\xff" * 10) + b"x" * 512, TAR)
    packed = unpack(seven([("a", 1 << 62, b"hello"), ("b", 5, b"world")]), "application/x-7z-compressed")

    assert tar.members == [] or tar["/a"].entry.size == 512
    assert tar.kinds & {NoticeKind.TRUNCATED, NoticeKind.REMARK}
    assert packed["/a"].entry.size == 10
    assert packed["/b"].source is None
    assert packed.kinds == {NoticeKind.TRUNCATED}


def test_a_sparse_file_of_exabytes_is_named_and_not_read(unpack) -> None:
    words = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n43 GNU.sparse.realsize=4000000000000000000\n"
    data = tar_header(b"x", b"%011o\0" % len(words), b"x") + words.ljust(512, b"\0")
    data += tar_header(b"a", b"%011o\0" % 512) + b"1\n3999999999999999999\n1\n".ljust(512, b"\0") + bytes(1024)
    found = unpack(data, TAR)

    assert found["/a"].source is None
    assert found.kinds == {NoticeKind.LIMIT}


def test_a_dictionary_that_is_too_large_is_refused(unpack) -> None:
    packed = lzma.compress(b"x" * 1000, lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 64 * MIB}])
    found = unpack(packed, "application/x-xz", "a.xz", limits=ArchiveLimits(dictionary=8 * MIB))

    assert found.kinds == {NoticeKind.LIMIT}
    assert "memory" in found.reasons[0].message


def test_large_members_go_to_scratch_and_leave_nothing(unpack) -> None:
    content = bytes(range(256)) * 20_000
    found = unpack(gzip.compress(content), GZIP, "a.gz", limits=ArchiveLimits(memory=1000))

    assert found.contents == {"/a": content}


def test_a_scratch_folder_that_is_full_costs_one_notice(unpack, monkeypatch) -> None:
    def full(**_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("triage.evidence.archives.spool.tempfile.TemporaryFile", full)
    found = unpack(gzip.compress(bytes(100_000)), GZIP, "a.gz", limits=ArchiveLimits(memory=1000))

    assert found.kinds == {NoticeKind.FAILED}
    assert "No space left" in found.reasons[0].message


def test_names_never_lead_out(unpack) -> None:
    found = unpack(zip_with_leaving_names(), ZIP)

    assert "/\\x2e\\x2e/\\x2e\\x2e/outside.txt" in found.paths
    assert found["/absolute.txt"].entry.raw_path == b"/absolute.txt"
    assert len(found.members) == 7


def test_zeros_of_a_stored_member_count_for_nothing(unpack) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("video", bytes(8 * MIB))
    found = unpack(out.getvalue(), ZIP, limits=SMALL)

    assert found["/video"].entry.size == 8 * MIB
    assert not found.reasons


class Lost(ByteSource):
    """A source of which part cannot be read."""

    def __init__(self, data: bytes, first: int, last: int) -> None:
        self._data, self._first, self._last = data, first, last
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < self._last and offset + length > self._first:
            raise UnreadableBytes("bad sector", self._first, self._last - self._first)
        return self._data[offset : offset + length]


def test_members_beside_a_bad_sector_are_read(unpack) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(10):
            archive.writestr(f"{number}", bytes([number]) * 2048)
    found = unpack(Lost(out.getvalue(), 5000, 5512), ZIP)

    assert len(found.members) == 10
    assert len(found.contents) == 9
    assert len(found.reasons) == 1
    assert found.kinds == {NoticeKind.UNREADABLE}


@pytest.mark.parametrize("first", range(0, 1800, 90))
def test_a_bad_sector_anywhere_ends_in_members_and_notices(unpack, first) -> None:
    for data, mime in ((zip_with_leaving_names(), ZIP), (tar_header(b"a", b"%011o\0" % 700) + bytes(2048), TAR)):
        if first + 64 <= len(data):
            found = unpack(Lost(data, first, first + 64), mime)

            assert found.members or found.notices
