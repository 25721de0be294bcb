"""Files in an Ares library are named by SHA-1, with path, size, date and whether they are shared."""

import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_plugins import ares_library
from triage_plugins.ares_library import AresLibrary

from triage.api import ReferencedFile, Timestamp, UnsupportedSchema
from triage.testing import accepts, check_golden, examine_file, plugin_file, run_plugin

FOLDER = "/Users/a/AppData/Local/Ares/Data"
H, L = f"{FOLDER}/ShareH.dat", f"{FOLDER}/ShareL.dat"
T = 1714558830


def scramble(data: bytes, key: int) -> bytes:
    out = bytearray()
    for byte in data:
        out.append(byte ^ key >> 8)
        key = (out[-1] + key) * 23219 + 36126 & 0xFFFF
    return bytes(out)


def digest(word: str) -> bytes:
    return hashlib.sha1(word.encode()).digest()


def field(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + struct.pack("<H", len(value)) + value


def shared(word: str, *fields: bytes, share: int = 1) -> bytes:
    body = b"".join(fields)
    return scramble(digest(word) + struct.pack("<BH", share, len(body)), 13871) + scramble(body, 13872)


def local(word: str, size: int, *fields: bytes) -> bytes:
    body = b"".join(fields)
    head = digest(word) + b"\x05" + struct.pack("<IQIIIH", 0, size, 1, 2, 3, len(body))
    return scramble(head, 13871) + scramble(body, 13872)


SHARED = b"__ARESDB1.02H_" + b"".join([
    shared("one", field(2, "mji – picha".encode()), field(10, b"Nairobi"), field(11, struct.pack("<I", T))),
    shared("two", field(2, b"two"), field(17, digest("two")), share=0),
    shared("three"),
])  # fmt: skip
LOCAL = b"__ARESDB1.04L_" + b"".join([
    local("one", 123_456, field(1, "C:\\Users\\a\\Shared\\mji – picha.jpg".encode()), field(2, b"mji")),
    local("film", 5 << 30, field(1, b"C:\\film.avi")),
])  # fmt: skip


def read(path: str, content: bytes) -> list[ReferencedFile]:
    records = run_plugin(AresLibrary(), plugin_file(path, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_both_lists_are_as_expected() -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", [*read(H, SHARED), *read(L, LOCAL)])


def test_digests_and_sharing_are_what_was_written() -> None:
    assert [(r.digest, r.state) for r in read(H, SHARED)] == [
        (digest("one").hex(), "shared"), (digest("two").hex(), "not shared"), (digest("three").hex(), "shared"),
    ]  # fmt: skip
    assert [(r.digest, r.size) for r in read(L, LOCAL)] == [
        (digest("one").hex(), 123_456), (digest("film").hex(), 5 << 30),
    ]  # fmt: skip


def test_a_date_is_a_wall_clock() -> None:
    date = read(H, SHARED)[0].recorded

    assert isinstance(date, Timestamp)
    assert (date.iso(), date.basis) == ("2024-05-01T10:20:30", "local")


@given(st.binary(max_size=400), st.integers(0, 65_535))
def test_what_was_scrambled_comes_back(data: bytes, key: int) -> None:
    assert ares_library._clear(scramble(data, key), key) == data


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_entries_before_damage_are_kept_and_the_damage_told(cut: int) -> None:
    result = examine_file(AresLibrary(), plugin_file(L, LOCAL[:-cut]))

    assert len(result.found) == 1
    assert ["damaged or cut off at offset" in notice.message for notice in result.notices] == [True]


@given(st.binary(max_size=300), st.sampled_from([b"", SHARED, LOCAL]))
def test_any_content_ends_in_records_or_in_words(content: bytes, start: bytes) -> None:
    try:
        read(H, start + content)
    except UnsupportedSchema as reason:
        assert str(reason)


@pytest.mark.parametrize("content", [b"", b"__ARESDB1.03H_", bytes(100)])
def test_other_versions_are_told(content: bytes) -> None:
    with pytest.raises(UnsupportedSchema, match="no known version"):
        read(H, content)


@pytest.mark.parametrize(("path", "taken"), [(H, True), (L.lower(), True), (f"{FOLDER}/PHash.dat", False)])
def test_libraries_are_found_by_name(path: str, taken: bool) -> None:
    assert accepts(AresLibrary(), plugin_file(path, b"x")) is taken
