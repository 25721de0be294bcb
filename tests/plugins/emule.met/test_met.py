"""Files that eMule and aMule know are named by their eD2k digest; damage costs only what comes after it."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_plugins.emule_met import EmuleFiles

from triage.absent import Absent
from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, examine_file, plugin_file, run_plugin

KNOWN = "/Users/a/AppData/Local/eMule/config/known.met"
PART = "/Users/a/Downloads/eMule/Temp/001.part.met"
CANCELLED = "/home/a/.aMule/canceled.met"
T = 1714558830


def number(tag: int, value: int, kind: int = 3) -> bytes:
    return bytes([kind | 0x80, tag]) + struct.pack({3: "<I", 8: "<H", 9: "<B", 11: "<Q"}[kind], value)


def words(tag: int, value: str, mark: bool = True) -> bytes:
    raw = (b"\xef\xbb\xbf" if mark else b"") + value.encode()
    return bytes([0x82, tag]) + struct.pack("<H", len(raw)) + raw


def short(tag: int, value: str) -> bytes:
    return bytes([0x80 | 0x10 + len(value), tag]) + value.encode()


def entry(digest: bytes, *tags: bytes, parts: int = 0, date: int = T) -> bytes:
    return (
        struct.pack("<I", date) + digest + struct.pack("<H", parts) + bytes(16 * parts)
        + struct.pack("<I", len(tags)) + b"".join(tags)
    )  # fmt: skip


def known(*entries: bytes, version: int = 0x0E, count: int | None = None) -> bytes:
    return bytes([version]) + struct.pack("<I", len(entries) if count is None else count) + b"".join(entries)


ONE = entry(
    b"\x01" * 16, words(1, "mji – picha.jpg"), number(2, 123_456), number(0x34, T + 60), number(0x50, 5_000),
    number(0x54, 1), number(0x51, 7), number(0x52, 3), words(0x27, "AICHAICH"), words(0x12, "001.part"),
)  # fmt: skip
LARGE = entry(
    b"\x02" * 16, words(1, "film.mkv"), words(1, "film_universal.mkv", mark=False), number(2, 5 << 30, 11),
    number(0x28, T + 90), parts=553,
)  # fmt: skip
SPLIT = entry(b"\x03" * 16, short(1, "old.avi"), number(2, 7), number(0x3A, 1))
OLD_STYLE = entry(
    b"\x04" * 16,
    b"\x02" + struct.pack("<H", 1) + b"\x01" + struct.pack("<H", 5) + b"a.jpg",
    b"\x03" + struct.pack("<H", 2) + b"\x09" + b"0" + struct.pack("<I", 17),
    b"\x81\x40" + bytes(16), b"\x84\x41" + bytes(4), b"\x85\x42\x01", b"\x86\x43\x10\x00" + bytes(3),
    b"\x87\x44" + struct.pack("<I", 3) + b"xyz", b"\x8a\x45\x02xy", number(0x46, 5, 8), number(0x47, 5, 9),
    date=0,
)  # fmt: skip


def read(path: str, content: bytes) -> list[ReferencedFile]:
    records = run_plugin(EmuleFiles(), plugin_file(path, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_files_of_all_lists_are_as_expected() -> None:
    unfinished = entry(b"\x05" * 16, words(1, "nyumba.zip"), number(2, 900), number(8, 450), number(5, T + 5), parts=1)
    records = [
        *read(KNOWN, known(ONE, LARGE, SPLIT, OLD_STYLE, version=0x0F)),
        *read(PART, b"\xe0" + unfinished),
        *read(PART, b"\xe1\x01" + struct.pack("<I", T) + b"\x06" * 16 + struct.pack("<I", 1) + words(1, "edonkey.avi")),
        *read(CANCELLED, b"\x21" + struct.pack("<I", 2) + b"\x07" * 16 + b"\x08" * 16),
        *read("/x/eMule/config/cancelled.met", known(b"\x09" * 16 + b"\x01" + words(1, "gone.jpg"))),
    ]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


def test_sizes_over_4_gib_and_the_amounts_sent_are_whole() -> None:
    one, large, split = read(KNOWN, known(ONE, LARGE, SPLIT))

    assert "sent to others 4,294,972,296 bytes" in str(one.context)
    assert large.size == 5 << 30
    assert split.size == 7 + (1 << 32)


def test_every_entry_says_where_it_stands() -> None:
    one, large = read(KNOWN, known(ONE, LARGE))

    assert (one.source.offset, large.source.offset) == (5, 5 + len(ONE))


@pytest.mark.parametrize("cut", [1, 20, len(LARGE) - 1])
def test_entries_before_damage_are_kept_and_the_damage_told(cut: int) -> None:
    result = examine_file(EmuleFiles(), plugin_file(KNOWN, known(ONE, LARGE)[:-cut]))

    assert [found.record.name for found in result.found if isinstance(found.record, ReferencedFile)] == [
        "mji – picha.jpg"
    ]
    assert ["the data ends" in notice.message for notice in result.notices] == [True]


def test_a_tag_that_cannot_be_measured_ends_the_reading() -> None:
    with pytest.raises(UnsupportedSchema, match="unknown type 0x7f at offset"):
        read(KNOWN, known(entry(b"\x01" * 16, b"\xff\x01")))


def test_salted_digests_are_not_taken_for_digests_of_files() -> None:
    with pytest.raises(UnsupportedSchema, match="2 cancelled downloads, by salted digests"):
        read("/x/cancelled.met", b"\x0f\x01" + bytes(4) + struct.pack("<I", 2) + (bytes(16) + b"\0") * 2)


def test_an_absurd_count_costs_nothing() -> None:
    result = examine_file(EmuleFiles(), plugin_file(KNOWN, known(SPLIT, count=0xFFFFFFFF)))

    assert len(result.found) == 1
    assert result.notices


def test_a_file_without_tags_has_no_name() -> None:
    (found,) = read(KNOWN, known(entry(b"\x01" * 16, date=0)))

    assert (found.name, found.size, found.recorded, found.context) == (Absent.NOT_RECORDED,) * 4


@given(
    st.binary(max_size=300),
    st.sampled_from([(KNOWN, known(ONE, count=9)), (PART, b"\xe0"), (PART, b"\xe1"), (CANCELLED, known())]),
)
def test_any_content_ends_in_records_or_in_words(content: bytes, start: tuple[str, bytes]) -> None:
    try:
        read(start[0], start[1] + content)
    except UnsupportedSchema as reason:
        assert str(reason)


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        (KNOWN, True),
        (PART, True),
        (PART + ".bak", True),
        (CANCELLED, True),
        ("/x/cancelled.met", True),
        ("/x/known2_64.met", False),
        ("/x/server.met", False),
        ("/x/001.part", False),
    ],
)
def test_lists_are_found_by_name(path: str, taken: bool) -> None:
    assert accepts(EmuleFiles(), plugin_file(path, b"x")) is taken
