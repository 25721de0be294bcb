"""Files in Google Drive are named by the MD5 that stands beside them, also those that were deleted for good."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triage_plugins import google_drive
from triage_plugins.google_drive import GoogleDrive

from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, examine_file, plugin_file, run_plugin

PATH = "/Users/a/AppData/Local/Google/DriveFS/112233445566778899001/metadata_sqlite_db"
T = 1714558830123
ITEMS = """
    CREATE TABLE items(stable_id INTEGER PRIMARY KEY, id TEXT, trashed INTEGER, is_owner INTEGER, is_folder INTEGER,
                       local_title TEXT, file_size INTEGER, modified_date INTEGER, viewed_by_me_date INTEGER,
                       shared_with_me_date INTEGER, mime_type TEXT, proto BLOB);
"""
DELETED = "CREATE TABLE deleted_items(stable_id INTEGER PRIMARY KEY, proto BLOB);"


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def proto(**fields: object) -> bytes:
    """A protocol buffer; fields are called ``f<number>``."""
    out = b""
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out


def file_item(title: str, md5: str, **more: object) -> bytes:
    return proto(f1="1AbC", f3=title, f4="image/jpeg", f11=T, f14=900, f48=md5, f55=proto(f1="pinned"), **more)


FOLDER = "application/vnd.google-apps.folder"
ROWS = [
    (101, "root", 0, 1, 1, "My Drive", 0, T, 0, 0, FOLDER, proto(f1="root", f3="My Drive")),
    (206, "1AbC", 0, 1, 0, "mji – picha.jpg", 1200, T, 0, 0, "image/jpeg", file_item("mji", "0123456789abcdef" * 2)),
    (207, "1AbD", 1, 0, 0, "film.mp4", 3400, T + 1, 0, T, "video/mp4", file_item("film", "ABCDEF0123456789" * 2)),
    (208, "1AbE", 0, 1, 0, "barua", 0, T, 0, 0, "application/vnd.google-apps.document", proto(f3="barua")),
    (209, "1AbF", 0, 1, 0, "none", 0, T, 0, 0, "text/plain", None),
]  # fmt: skip


def drive(folder: Path, *more: tuple[object, ...], deleted: bool = True) -> bytes:
    path = folder / "metadata_sqlite_db"
    with sqlite3.connect(path) as connection:
        connection.executescript(ITEMS + (DELETED if deleted else ""))
        connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [*ROWS, *more])
        if deleted:
            gone = [(300, file_item("gone.jpg", "f" * 32)), (301, proto(f3="folder", f4="x/folder"))]
            connection.executemany("INSERT INTO deleted_items VALUES (?, ?)", gone)
    connection.close()
    return path.read_bytes()


def read(content: bytes, path: str = PATH) -> list[ReferencedFile]:
    records = run_plugin(GoogleDrive(), plugin_file(path, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_files_are_as_expected(tmp_path: Path) -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", read(drive(tmp_path)))


def test_what_is_trashed_or_deleted_for_good_says_so(tmp_path: Path) -> None:
    assert {record.source.row: record.state for record in read(drive(tmp_path))} == {
        206: "listed", 207: "trashed", 300: "deleted",
    }  # fmt: skip


def test_older_databases_without_the_list_of_deleted_items_are_read(tmp_path: Path) -> None:
    assert [record.source.row for record in read(drive(tmp_path, deleted=False))] == [206, 207]


def test_a_malformed_item_costs_itself_and_is_told(tmp_path: Path) -> None:
    bad = [(n, "x", 0, 1, 0, "bad", 0, T, 0, 0, "image/jpeg", blob) for n, blob in enumerate(
        (b"\xff" * 20, b"\x0b", proto(f48="zz" * 16), proto(f48="ab"), proto(f3="x" * 9)[:-1], proto(f48=5)), start=400
    )]  # fmt: skip
    result = examine_file(GoogleDrive(), plugin_file(PATH, drive(tmp_path, *bad)))

    assert len(result.found) == 3
    assert [notice.source.row for notice in result.notices] == [400, 401, 402, 403, 404, 405]


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_an_error(data: bytes) -> None:
    try:
        fields = google_drive._protobuf(data)
    except ValueError as error:
        assert "protocol buffer" in str(error)
    else:
        assert all(number >= 0 for number in fields)


def test_another_database_is_told_by_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE letters(id)")
    connection.close()

    with pytest.raises(UnsupportedSchema, match="tables here: letters"):
        read(path.read_bytes())


def test_databases_are_found_by_name() -> None:
    assert accepts(GoogleDrive(), plugin_file(PATH, b"x"))
    assert accepts(GoogleDrive(), plugin_file(PATH.replace("metadata_sqlite_db", "mirror_metadata_sqlite.db"), b"x"))
    assert not accepts(GoogleDrive(), plugin_file(PATH + "-wal", b"x"))
