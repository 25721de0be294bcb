"""Zip: names, contents, times, encryption, against Python's zipfile and 7-Zip."""

import io
import struct
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recipes.archives import central_record, deflated, local_header, streamed_zip, zip_end

from triage.evidence.archives.open import open_archive
from triage.evidence.entry import EntryFlag, EntryType
from triage.evidence.source import MemorySource
from triage.locator import Locator
from triage.notices import NoticeKind

ZIP = "application/zip"
TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 40


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, **options) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_every_method_of_zipfile_come_out_whole(unpack, method) -> None:
    files = {"a.txt": TEXT, "folder/b.bin": bytes(range(256)) * 300, "empty": b""}
    found = unpack(zipped(files, method), ZIP)

    assert {"/" + name: content for name, content in files.items()} == found.contents
    assert [member.entry.address for member in found.members] == ["1", "2", "3"]
    assert not found.notices and not found.reasons


@pytest.mark.parametrize("method", ["Deflate64", "LZMA", "XZ", "BZip2", "Deflate"])
def test_members_packed_by_7zip_come_out_whole(unpack, tool, tmp_path_factory, method) -> None:
    folder = tmp_path_factory.mktemp("zip")
    (folder / "text").write_bytes(TEXT * 50)
    (folder / "large").write_bytes(bytes(1_500_000) + TEXT)
    run = [tool("7zz"), "a", "-bd", "-bso0", "-tzip", f"-mm={method}", "a.zip", "text", "large"]
    subprocess.run(run, cwd=folder, check=True)
    found = unpack((folder / "a.zip").read_bytes(), ZIP)

    assert {"/text": TEXT * 50, "/large": bytes(1_500_000) + TEXT} == found.contents
    assert not found.reasons


@pytest.mark.parametrize("cipher", ["ZipCrypto", "AES128", "AES192", "AES256"])
def test_encrypted_members_are_named_and_read_with_the_right_password_only(
    unpack, tool, tmp_path_factory, cipher
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    (folder / "text").write_bytes(TEXT)
    subprocess.run(
        [tool("7zz"), "a", "-bd", "-bso0", "-tzip", f"-mem={cipher}", "-pcorrect horse", "a.zip", "text"],
        cwd=folder,
        check=True,
    )
    data = (folder / "a.zip").read_bytes()
    without, wrong = unpack(data, ZIP), unpack(data, ZIP, passwords=("wrong", ""))
    right = unpack(data, ZIP, passwords=("wrong", "correct horse"))

    for found in (without, wrong):
        assert found["/text"].source is None
        assert found["/text"].entry.flags & EntryFlag.ENCRYPTED
        assert found["/text"].entry.size == len(TEXT)
        assert found.kinds == {NoticeKind.ENCRYPTED}
    assert "no password was given" in without.reasons[0].message
    assert "none of the passwords" in wrong.reasons[0].message
    assert right.contents == {"/text": TEXT} and not right.reasons
    assert right["/text"].entry.flags & EntryFlag.ENCRYPTED


def test_a_changed_byte_of_an_aes_member_shows(unpack, tool, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("zip")
    (folder / "text").write_bytes(TEXT)
    subprocess.run(
        [tool("7zz"), "a", "-bd", "-bso0", "-tzip", "-mm=Copy", "-mem=AES256", "-px", "a.zip", "text"],
        cwd=folder,
        check=True,
    )
    data = bytearray((folder / "a.zip").read_bytes())
    data[data.index(b"text") + 600] ^= 1
    found = unpack(bytes(data), ZIP, passwords=("x",))

    assert found.kinds == {NoticeKind.DAMAGED}


def test_times_are_wall_clock_unless_an_extra_field_says_more(unpack) -> None:
    def with_extra(extra: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            info = zipfile.ZipInfo("a", (2024, 5, 1, 10, 20, 30))
            info.extra = extra
            archive.writestr(info, b"x")
        return out.getvalue()

    moment = int(datetime(2024, 5, 1, 10, 20, 30, tzinfo=UTC).timestamp())
    plain = unpack(with_extra(b""), ZIP)["/a"].entry
    unix = unpack(with_extra(struct.pack("<HHBi", 0x5455, 5, 1, moment - 7200)), ZIP)["/a"].entry
    stamps = [(moment + 11_644_473_600) * 10_000_000 + step for step in (1, 2, 3)]
    ntfs = unpack(with_extra(struct.pack("<HHIHHQQQ", 10, 32, 0, 1, 24, *stamps)), ZIP)["/a"].entry

    assert (plain.container, plain.times.modified) == ("zip", moment * 10**9)
    assert (unix.container, unix.times.modified) == ("zip-unix", (moment - 7200) * 10**9)
    assert ntfs.container == "zip-ntfs"
    assert [ntfs.times.modified, ntfs.times.accessed, ntfs.times.created] == [
        moment * 10**9 + step * 100 for step in (1, 2, 3)
    ]


def test_a_date_that_is_none_is_absent(unpack) -> None:
    data = bytearray(zipped({"a": b"x"}))
    for signature, offset in ((b"PK\3\4", 10), (b"PK\1\2", 12)):
        at = data.index(signature) + offset
        data[at : at + 4] = bytes(4)

    assert unpack(bytes(data), ZIP)["/a"].entry.times.modified is None


def test_names_are_decoded_by_flag_extra_field_and_what_they_are(unpack) -> None:
    content = b"x"

    def one(name: bytes, flags: int = 0) -> str:
        local = local_header(name, content, content, 0, flags)
        data = local + zip_end([central_record(name, 0, 1, content, 0, flags)], len(local))
        entry = unpack(data, ZIP).members[0].entry
        assert not name or (entry.raw_path or entry.path[1:].encode()) == name
        return entry.path

    assert one(b"gr\x81n.txt") == "/grün.txt"
    assert one("grün.txt".encode()) == "/grün.txt"
    assert one(b"gr\xffn", 0x800) == "/gr\\xffn"
    assert one(b"a\0b") == "/a\\x00b"
    assert one(b"../../up") == "/\\x2e\\x2e/\\x2e\\x2e/up"
    assert one(b"/abs//./x") == "/abs/x"
    assert one(b"folder\\file") == "/folder/file"
    assert one(b"") == "/(no name 1)"
    assert one(b"n" * 65_000) == "/" + "n" * 32_767 + "…"


def test_members_of_the_same_name_are_all_there(unpack) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("same", b"first")
            archive.writestr("same", b"second")
    found = unpack(out.getvalue(), ZIP)

    assert found.paths == ["/same", "/same"]
    assert [member.entry.address for member in found.members] == ["1", "2"]


def test_links_have_a_target_and_are_not_followed(unpack) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        pipe = zipfile.ZipInfo("pipe")
        pipe.create_system, pipe.external_attr = 3, 0o010644 << 16
        archive.writestr(pipe, TEXT)
        archive.writestr("folder/", b"")
    found = unpack(out.getvalue(), ZIP)

    assert (found["/link"].entry.type, found["/link"].entry.link_target) == (EntryType.SYMLINK, "/etc/passwd")
    assert found["/folder"].entry.type == EntryType.DIRECTORY
    assert found["/pipe"].entry.type == EntryType.FILE  # what has bytes is looked at, whatever it is called
    assert found.contents["/pipe"] == TEXT


def test_members_come_in_the_order_in_which_they_are_stored(unpack) -> None:
    bodies = [local_header(name, TEXT, TEXT, 0) for name in (b"a", b"b", b"c")]
    offsets = [0, len(bodies[0]), len(bodies[0]) + len(bodies[1])]
    directory = [central_record(n, at, len(TEXT), TEXT, 0) for n, at in zip((b"a", b"b", b"c"), offsets, strict=True)]
    data = b"".join(bodies) + zip_end(directory[::-1], sum(map(len, bodies)))
    found = unpack(data, ZIP)

    assert found.paths == ["/a", "/b", "/c"]
    assert [member.entry.address for member in found.members] == ["3", "2", "1"]


def test_data_before_and_behind_the_archive_does_no_harm(unpack) -> None:
    data = zipped({"a": TEXT, "b": TEXT})

    assert unpack(b"MZ" + bytes(5000) + data + b"behind" * 100, ZIP).contents == {"/a": TEXT, "/b": TEXT}


def test_a_member_that_is_not_in_the_directory_is_found_and_marked(unpack) -> None:
    first, hidden, last = (local_header(n, deflated(TEXT + n), TEXT + n) for n in (b"first", b"hidden", b"last"))
    directory = [
        central_record(b"first", 0, len(deflated(TEXT + b"first")), TEXT + b"first"),
        central_record(b"last", len(first + hidden), len(deflated(TEXT + b"last")), TEXT + b"last"),
    ]
    data = first + hidden + last + zip_end(directory, len(first + hidden + last))
    found = unpack(data, ZIP)

    assert found.paths == ["/first", "/hidden", "/last"]
    assert found["/hidden"].entry.flags == EntryFlag.DELETED
    assert found["/hidden"].entry.address == f"@{len(first)}"
    assert found.contents["/hidden"] == TEXT + b"hidden"
    assert not found["/first"].entry.flags


def test_one_archive_behind_another_hides_nothing(unpack) -> None:
    found = unpack(zipped({"one": TEXT}) + zipped({"two": TEXT}), ZIP)

    assert found.paths == ["/one", "/two"]
    assert found["/one"].entry.flags == EntryFlag.DELETED


def test_another_name_in_the_own_header_is_remarked(unpack) -> None:
    local = local_header(b"harmless.txt", TEXT, TEXT, 0)
    data = local + zip_end([central_record(b"shown.txt", 0, len(TEXT), TEXT, 0)], len(local))
    found = unpack(data, ZIP)

    assert [notice.kind for notice in found.notices] == [NoticeKind.REMARK]
    assert "harmless.txt" in found.notices[0].message


def test_descriptions_behind_the_data_are_understood(unpack) -> None:
    data = streamed_zip([("a", TEXT, zipfile.ZIP_DEFLATED), ("b", b"", zipfile.ZIP_DEFLATED)])
    found = unpack(data, ZIP)

    assert found.contents == {"/a": TEXT, "/b": b""}
    assert not found.notices


def test_zip64_is_read(unpack) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(TEXT)

    assert unpack(out.getvalue(), ZIP).contents == {"/a": TEXT}


def test_more_than_65535_members_are_listed(unpack) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(65_600):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"")
    found = unpack(out.getvalue(), ZIP)

    assert len(found.members) == 65_600
    assert not found.notices


def test_notices_name_archive_and_member(tmp_path: Path) -> None:
    data = bytearray(zipped({"a/b": TEXT}, zipfile.ZIP_STORED))
    data[60] ^= 1
    where = Locator("disk", "p2", "/x.zip", "36-128-1")
    (member,) = open_archive(MemorySource(bytes(data)), ZIP, "x.zip", where, tmp_path) or ()

    assert member.reason.source == Locator("disk", "p2", "/x.zip/a/b", "36-128-1/1")
    assert member.reason.kind is NoticeKind.DAMAGED
    assert "CRC-32" in member.reason.message


def test_other_types_are_no_archives(tmp_path: Path) -> None:
    for mime in ("image/png", "", "application/octet-stream"):
        assert open_archive(MemorySource(b"PK\3\4"), mime, "a", Locator("e"), tmp_path) is None


@pytest.mark.parametrize(
    "mime",
    [
        "application/java-archive",
        "application/vnd.android.package-archive",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.oasis.opendocument.text",
        "application/epub+zip",
    ],
)
def test_what_is_built_on_zip_is_read_as_zip(unpack: Callable, mime: str) -> None:
    assert unpack(zipped({"a": TEXT}), mime).contents == {"/a": TEXT}
