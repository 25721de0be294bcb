"""RAR: names by their own headers, stored members, and what cannot be read; against bsdtar."""

import subprocess

import pytest
from recipes.archives import rar4, rar5

from triage.evidence.entry import EntryFlag, EntryType
from triage.notices import NoticeKind

RAR = "application/x-rar"
FILES = [(b"a.txt", b"hello"), ("grün/b.bin".encode(), bytes(range(256)) * 500), (b"empty", b"")]
MOMENT = 1_714_558_830


@pytest.mark.parametrize("make", [rar4, rar5])
def test_stored_members_come_out_whole(unpack, make) -> None:
    found = unpack(make(FILES), RAR)

    assert found.contents == {"/a.txt": b"hello", "/grün/b.bin": FILES[1][1], "/empty": b""}
    assert not found.notices and not found.reasons
    assert [member.entry.address for member in found.members] == ["1", "2", "3"]
    assert found["/a.txt"].entry.mode == 0o644


@pytest.mark.parametrize("make", [rar4, rar5])
def test_the_generated_archives_are_what_bsdtar_takes_for_rar(tool, tmp_path, make) -> None:
    (tmp_path / "a.rar").write_bytes(make(FILES[:2]))
    said = subprocess.run([tool("bsdtar"), "-xOf", tmp_path / "a.rar"], capture_output=True, check=True)

    assert said.stdout == b"hello" + FILES[1][1]


def test_the_old_format_has_wall_clock_times_and_the_new_one_utc(unpack) -> None:
    old, new = unpack(rar4(FILES), RAR).members[0].entry, unpack(rar5(FILES), RAR).members[0].entry

    assert (old.container, old.times.modified) == ("rar", MOMENT * 10**9)
    assert (new.container, new.times.modified) == ("rar-unix", 1_714_558_815 * 10**9)


def test_encrypted_members_are_named(unpack) -> None:
    old = unpack(rar4(FILES[:1], flags=4), RAR, passwords=("x",))
    new = unpack(rar5(FILES[:1], extra=b"\x03\x01\x00\x00"), RAR, passwords=("x",))

    for found in (old, new):
        assert found["/a.txt"].source is None
        assert found["/a.txt"].entry.flags & EntryFlag.ENCRYPTED
        assert found.kinds == {NoticeKind.ENCRYPTED}


def test_members_that_go_on_in_another_volume_are_named(unpack) -> None:
    found = unpack(rar4(FILES[:1], flags=2), RAR)

    assert found["/a.txt"].source is None
    assert found.kinds == {NoticeKind.UNSUPPORTED}
    assert "another volume" in found.reasons[0].message


def test_packed_members_are_named_where_libarchive_is_missing(unpack, monkeypatch) -> None:
    monkeypatch.setattr("triage.evidence.archives.libarchive.library", lambda: None)
    for data in (rar4(FILES[:1], method=0x33), rar5(FILES[:1], method=3)):
        found = unpack(data, RAR)

        assert found["/a.txt"].entry.size == 5
        assert found.kinds == {NoticeKind.UNSUPPORTED}
        assert "libarchive" in found.reasons[0].message


@pytest.mark.parametrize("make", [rar4, rar5])
def test_a_packed_stream_that_is_none_costs_one_notice(unpack, make) -> None:
    data = rar4(FILES[:1], method=0x33) if make is rar4 else rar5(FILES[:1], method=3)
    found = unpack(data, RAR)

    assert found.paths == ["/a.txt"]
    assert len(found.reasons) == 1


@pytest.mark.parametrize("make", [rar4, rar5])
def test_a_changed_byte_shows(unpack, make) -> None:
    data = bytearray(make(FILES[:1]))
    data[data.index(b"hello")] ^= 1
    found = unpack(bytes(data), RAR)

    assert found.kinds == {NoticeKind.DAMAGED}
    assert found.contents == {"/a.txt": b"iello"}


@pytest.mark.parametrize("make", [rar4, rar5])
def test_an_archive_without_its_last_block_is_cut_off(unpack, make) -> None:
    found = unpack(make(FILES, end=False), RAR)

    assert len(found.members) == 3
    assert found.kinds == {NoticeKind.TRUNCATED}


def test_links_of_the_new_format_have_a_target(unpack) -> None:
    record = b"\x05\x01\x00\x0b../../etc/x"
    found = unpack(rar5([(b"link", b"")], extra=bytes([len(record)]) + record), RAR)

    assert found["/link"].entry.type == EntryType.SYMLINK
    assert found["/link"].entry.link_target == "../../etc/x"


def test_an_unknown_version_is_said(unpack) -> None:
    assert unpack(b"Rar!\x1a\x07\x02\0" + bytes(100), RAR).kinds == {NoticeKind.UNSUPPORTED}
