"""7z, against the program whose format it is."""

import subprocess
from pathlib import Path

import pytest
from recipes.archives import seven, seven_start

from triage.evidence.archives.libarchive import library
from triage.evidence.entry import EntryFlag, EntryType
from triage.notices import NoticeKind

SEVEN = "application/x-7z-compressed"
TEXT = b"The quick brown fox jumps over the lazy dog.\n" * 400
MACHINE = b"".join(b"\xe8" + (number * 7).to_bytes(4, "little") + b"\x90" * 3 for number in range(9001)) + b"end"


@pytest.fixture
def pack(tool, tmp_path_factory):
    """An archive of a small folder, made by 7-Zip with ``options``."""

    def run(*options: str) -> bytes:
        folder = tmp_path_factory.mktemp("seven")
        source = folder / "in"
        (source / "grün").mkdir(parents=True)
        (source / "grün" / "text").write_bytes(TEXT)
        (source / "machine").write_bytes(MACHINE)
        (source / "empty").write_bytes(b"")
        command = [tool("7zz"), "a", "-bd", "-bso0", *options, "../a.7z", "grün", "machine", "empty"]
        subprocess.run(command, cwd=source, check=True)
        return (folder / "a.7z").read_bytes()

    return run


WHOLE = {"/grün/text": TEXT, "/machine": MACHINE, "/empty": b""}


@pytest.mark.parametrize(
    "options",
    [
        ["-m0=LZMA"],
        ["-m0=LZMA2"],
        ["-m0=BZip2"],
        ["-m0=Deflate"],
        ["-m0=Deflate64"],
        ["-m0=Copy"],
        ["-m0=BCJ", "-m1=LZMA"],
        ["-m0=BCJ", "-m1=LZMA2"],
        ["-m0=ARM", "-m1=LZMA"],
        ["-m0=PPC", "-m1=BZip2"],
        ["-m0=Delta:4", "-m1=LZMA"],
        ["-ms=off"],
        ["-mhc=off"],
    ],
    ids=" ".join,
)
def test_members_packed_in_any_way_come_out_whole(unpack, pack, options) -> None:
    found = unpack(pack(*options), SEVEN)

    assert found.contents == WHOLE
    assert not found.notices and not found.reasons
    assert found["/grün"].entry.type == EntryType.DIRECTORY
    assert (found["/grün/text"].entry.times.modified or 0) > 1_700_000_000 * 10**9


@pytest.mark.parametrize("method", ["PPMd", "BCJ2"])
def test_what_has_no_decoder_here_is_unpacked_by_libarchive(unpack, pack, lacking, method) -> None:
    if library() is None:
        lacking("libarchive is not on this machine")
    options = ["-m0=PPMd"] if method == "PPMd" else ["-m0=BCJ2", "-m1=LZMA"]

    assert unpack(pack(*options), SEVEN).contents == WHOLE


def test_without_libarchive_the_method_is_named(unpack, pack, monkeypatch) -> None:
    monkeypatch.setattr("triage.evidence.archives.libarchive.library", lambda: None)
    found = unpack(pack("-m0=PPMd"), SEVEN)

    assert found["/machine"].source is None
    assert found.kinds == {NoticeKind.UNSUPPORTED}
    assert "PPMd" in found.reasons[0].message and "libarchive" in found.reasons[0].message


def test_encrypted_members_are_named_and_read_with_the_right_password_only(unpack, pack) -> None:
    data = pack("-psecret")
    without, wrong = unpack(data, SEVEN), unpack(data, SEVEN, passwords=("wrong",))
    right = unpack(data, SEVEN, passwords=("wrong", "secret"))

    for found in (without, wrong):
        assert found["/machine"].source is None
        assert found["/machine"].entry.flags & EntryFlag.ENCRYPTED
        assert found.kinds == {NoticeKind.ENCRYPTED}
    assert right.contents == WHOLE and not right.reasons


def test_encrypted_names_are_told_and_read_with_the_right_password_only(unpack, pack) -> None:
    data = pack("-psecret", "-mhe=on")
    without = unpack(data, SEVEN)

    assert not without.members
    assert without.kinds == {NoticeKind.ENCRYPTED}
    assert "even the names" in without.notices[0].message
    assert unpack(data, SEVEN, passwords=("secret",)).contents == WHOLE


def test_links_have_a_target(unpack, tool, tmp_path: Path, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("seven")
    (folder / "link").symlink_to("../../etc/passwd")
    subprocess.run([tool("7zz"), "a", "-bd", "-bso0", "-snl", "a.7z", "link"], cwd=folder, check=True)
    entry = unpack((folder / "a.7z").read_bytes(), SEVEN)["/link"].entry

    assert (entry.type, entry.link_target) == (EntryType.SYMLINK, "../../etc/passwd")


def test_a_changed_byte_shows_in_its_member_only(unpack, pack) -> None:
    data = bytearray(pack("-m0=Copy"))
    data[data.index(b"quick")] ^= 1
    found = unpack(bytes(data), SEVEN)

    assert [member.entry.path for member in found.members if member.reason] == ["/grün/text"]
    assert found.kinds == {NoticeKind.DAMAGED}
    assert found.contents["/machine"] == MACHINE


def test_generated_archives_are_what_7zip_takes_for_7z(unpack, tool, tmp_path_factory) -> None:
    data = seven([("a", 5, b"hello"), ("b", 5, b"world")])
    archive = tmp_path_factory.mktemp("seven") / "a.7z"
    archive.write_bytes(data)
    said = subprocess.run([tool("7zz"), "x", "-so", archive], capture_output=True, check=True)

    assert said.stdout == b"helloworld"
    assert unpack(data, SEVEN).contents == {"/a": b"hello", "/b": b"world"}


def test_a_member_behind_a_damaged_one_says_why_it_is_not_there(unpack, pack) -> None:
    data = bytearray(pack("-m0=LZMA2"))
    data[32 + 20] ^= 0xFF
    found = unpack(bytes(data), SEVEN)

    assert len(found.members) == 4
    assert found.kinds == {NoticeKind.DAMAGED}


def test_an_archive_that_is_cut_off_has_no_list(unpack, pack) -> None:
    found = unpack(pack("-m0=LZMA2")[:-10], SEVEN)

    assert not found.members
    assert found.kinds == {NoticeKind.TRUNCATED}


@pytest.mark.parametrize(
    "header", [b"\x01\x05\xff" + b"\xff" * 8, b"\x17\x06", b"\x01\x04\x07\x0b\x7f\0", b"\x02", b"\x01"]
)
def test_headers_that_make_no_sense_end_in_a_notice(unpack, header) -> None:
    found = unpack(seven_start(b"x", header), SEVEN)

    assert not found.members
    assert found.kinds <= {NoticeKind.DAMAGED, NoticeKind.TRUNCATED}
