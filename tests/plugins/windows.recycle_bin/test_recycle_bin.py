"""Index entries of all versions of the Windows recycle bin are read, and odd ones told."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_plugins.windows_recycle_bin import RecycleBin

from triage.absent import Absent
from triage.api import RecycledFile, UnsupportedSchema
from triage.testing import accepts, check_golden, plugin_file, run_plugin

BIN = "/$Recycle.Bin/S-1-5-21-1-2-3-1001"
DELETED = 133_500_000_000_000_000


def entry(version: int, name: str, size: int = 1234) -> bytes:
    wide = (name + "\0").encode("utf-16-le", "surrogatepass")
    head = struct.pack("<qqQ", version, size, DELETED)
    return head + (wide.ljust(520, b"\0") if version == 1 else struct.pack("<I", len(wide) // 2) + wide)


def info2(*records: tuple[str, int, int], unicode: bool = True) -> bytes:
    length = 800 if unicode else 280
    out = struct.pack("<IIIII", 5, 0, 0, length, 0)
    for name, index, size in records:
        out += name.encode("ascii", "replace").ljust(260, b"\0") + struct.pack("<IIQI", index, 2, DELETED, size)
        out += name.encode("utf-16-le").ljust(520, b"\0") if unicode else b""
    return out


def read(path: str, content: bytes) -> list[RecycledFile]:
    records = run_plugin(RecycleBin(), plugin_file(path, content))
    return [record for record in records if isinstance(record, RecycledFile)]


def test_entries_of_all_versions_are_as_expected() -> None:
    records = [
        *read(f"{BIN}/$IABCDEF.jpg", entry(2, "C:\\Users\\a\\Pictures\\likizo – ufuo.jpg")),
        *read(f"{BIN}/$IXYZ", entry(1, "C:\\Users\\a\\old folder", 0)),
        *read("/RECYCLER/S-1-5-21-9/INFO2", info2(("C:\\a\\one.txt", 1, 5), ("D:\\two", 2, 6))),
        *read("/Recycled/INFO2", info2(("C:\\A\\ONE.TXT", 1, 5), unicode=False)),
    ]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


def test_what_no_text_can_hold_is_shown_and_not_lost() -> None:
    (record,) = read(f"{BIN}/$I1", entry(2, "C:\\\ud800.jpg"))

    assert record.original_path == "C:\\\\ud800.jpg"


def test_an_impossible_size_is_not_a_number() -> None:
    (record,) = read(f"{BIN}/$I1", entry(2, "C:\\a", -1))

    assert record.size is Absent.UNPARSABLE


@pytest.mark.parametrize("content", [b"", bytes(10), bytes(544), entry(3, "x"), entry(2, "x")[:26]])
def test_an_overwritten_or_unknown_entry_is_told(content: bytes) -> None:
    with pytest.raises(UnsupportedSchema):
        read(f"{BIN}/$I1", content)


@given(
    st.binary(max_size=900),
    st.sampled_from([f"{BIN}/$I1", "/RECYCLER/S-1-5-21-9/INFO2"]),
    st.sampled_from([b"", entry(2, ""), info2()]),
)
def test_any_content_ends_in_records_or_in_words(content: bytes, path: str, start: bytes) -> None:
    try:
        records = read(path, start + content)
    except UnsupportedSchema as reason:
        assert str(reason)
    else:
        assert all(record.source.path == path for record in records)


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        (f"{BIN}/$IABC.jpg", True),
        ("/$RECYCLE.BIN/S-1-5-18/$iabc", True),
        (f"{BIN}/$RABC.jpg", False),
        (f"{BIN}/desktop.ini", False),
        ("/RECYCLER/S-1-5-21-9/INFO2", True),
        ("/Users/INFO2", False),
    ],
)
def test_only_index_entries_are_asked_for(path: str, taken: bool) -> None:
    assert accepts(RecycleBin(), plugin_file(path, b"x")) is taken
