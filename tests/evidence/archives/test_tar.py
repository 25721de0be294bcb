"""Tar in its dialects, against Python's tarfile and GNU tar."""

import io
import subprocess
import tarfile

import pytest
from recipes.archives import tar_header

from triage.evidence.entry import EntryFlag, EntryType
from triage.notices import NoticeKind

TAR = "application/x-tar"
LONG = "folder/" * 30 + "grün-" + "x" * 150 + ".txt"


def packed(style: int, names: dict[str, bytes], **options) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=style, **options) as archive:
        for name, content in names.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode, info.uid, info.gid = len(content), 1_714_558_830, 0o640, 1000, 100
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_every_dialect_come_out_whole(unpack, style) -> None:
    names = {"a.txt": b"hello", "b/c.bin": bytes(70_000), "empty": b""}
    if style != tarfile.USTAR_FORMAT:
        names[LONG] = b"long"
    found = unpack(packed(style, names), TAR)
    entry = found["/b/c.bin"].entry

    assert found.contents == {"/" + name: content for name, content in names.items()}
    assert (entry.mode, entry.uid, entry.gid, entry.times.modified) == (0o640, 1000, 100, 1_714_558_830 * 10**9)
    assert [member.entry.address for member in found.members] == [str(n + 1) for n in range(len(names))]
    assert not found.notices and not found.reasons


def test_times_of_pax_have_their_fractions(unpack) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"mtime": "1714558830.123456789", "atime": "1714558831.5", "ctime": "-1.5"}
        archive.addfile(info)
    entry = unpack(out.getvalue(), TAR)["/a"].entry

    assert entry.container == "tar-pax"
    assert entry.times.modified == 1_714_558_830_123_456_789
    assert entry.times.accessed == 1_714_558_831_500_000_000
    assert entry.times.changed == -1_500_000_000


def test_a_time_of_zero_is_absent(unpack) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("a"))

    assert unpack(out.getvalue(), TAR)["/a"].entry.times.modified is None


def test_links_folders_and_devices_are_entries_without_content(unpack) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, link in (
            ("folder", tarfile.DIRTYPE, ""),
            ("soft", tarfile.SYMTYPE, "../../etc/passwd"),
            ("hard", tarfile.LNKTYPE, "folder/file"),
            ("device", tarfile.CHRTYPE, ""),
            ("pipe", tarfile.FIFOTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            archive.addfile(info)
    found = unpack(out.getvalue(), TAR)

    assert [member.entry.type for member in found.members] == [
        EntryType.DIRECTORY,
        EntryType.SYMLINK,
        EntryType.FILE,
        EntryType.CHARACTER_DEVICE,
        EntryType.FIFO,
    ]
    assert found["/soft"].entry.link_target == "../../etc/passwd"
    assert (found["/hard"].entry.link_target, found["/hard"].entry.links) == ("folder/file", 2)
    assert not found.contents and not found.reasons


@pytest.mark.parametrize("style", ["gnu", "posix", "0.0", "0.1"])
def test_sparse_files_have_their_holes(unpack, tool, tmp_path_factory, style) -> None:
    folder = tmp_path_factory.mktemp("tar")
    with (folder / "sparse").open("wb") as file:
        for number in range(30):
            file.seek(number * 100_000)
            file.write(b"part %d" % number)
        file.truncate(4_000_000)
    how = ["--format=gnu"] if style == "gnu" else ["--format=posix"]
    how += [f"--sparse-version={style}"] if style[0] == "0" else []
    subprocess.run([tool("tar"), "-S", *how, "-cf", "a.tar", "sparse"], cwd=folder, check=True)
    data = (folder / "a.tar").read_bytes()
    found = unpack(data + b"", TAR)

    assert len(data) < 1_000_000
    assert found["/sparse"].entry.flags & EntryFlag.SPARSE
    assert found.contents["/sparse"] == (folder / "sparse").read_bytes()


def test_what_gnu_tar_writes_without_the_magic_is_read(unpack, tool, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("tar")
    (folder / "a").write_bytes(b"hello")
    subprocess.run([tool("tar"), "--format=v7", "-cf", "a.tar", "a"], cwd=folder, check=True)

    assert unpack((folder / "a.tar").read_bytes(), TAR).contents == {"/a": b"hello"}


def test_archives_behind_the_end_are_listed_too(unpack) -> None:
    one, two = packed(tarfile.GNU_FORMAT, {"one": b"1"}), packed(tarfile.GNU_FORMAT, {"two": b"2"})

    assert unpack(one + two, TAR).contents == {"/one": b"1", "/two": b"2"}


def test_a_broken_header_costs_its_member_only(unpack) -> None:
    data = bytearray(packed(tarfile.USTAR_FORMAT, {"a": b"1", "b": b"2", "c": b"3"}))
    data[1024 + 150] ^= 1
    found = unpack(bytes(data), TAR)

    assert found.contents == {"/a": b"1", "/c": b"3"}
    assert [notice.kind for notice in found.notices] == [NoticeKind.DAMAGED]
    assert "1,024 bytes from 1,024 on" in found.notices[0].message


def test_an_archive_that_is_cut_off_gives_what_is_there(unpack) -> None:
    data = packed(tarfile.USTAR_FORMAT, {"a": b"1", "b": bytes(5000)})[:3000]
    found = unpack(data, TAR)

    assert found["/a"].reason is None
    assert found["/b"].entry.size == 3000 - 1536
    assert found.kinds == {NoticeKind.TRUNCATED}


def test_hostile_names_are_shown_and_kept(unpack) -> None:
    names = [b"../../up", b"/abs", b"bad\xff", b""]
    data = b"".join(tar_header(name, b"00000000000\0") for name in names) + bytes(1024)
    found = unpack(data, TAR)

    assert found.paths == ["/\\x2e\\x2e/\\x2e\\x2e/up", "/abs", "/bad\\xff", "/(no name 4)"]
    assert [member.entry.raw_path for member in found.members] == [b"../../up", b"/abs", b"bad\xff", b""]


def test_an_extended_header_of_gigabytes_is_not_taken(unpack) -> None:
    found = unpack(tar_header(b"x", b"77777777777\0", b"x") + b"9 path=b\n".ljust(2 << 20, b"x"), TAR)

    assert NoticeKind.LIMIT in found.kinds
    assert not found.members
