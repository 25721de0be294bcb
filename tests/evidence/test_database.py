"""A database on evidence is read from a copy, with its log, and every row says which state it is from."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.errors import SkipFile, UnsupportedSchema
from triage.evidence import database as module
from triage.evidence.database import DatabaseDamaged, DatabaseEncrypted, DatabaseRow, open_database
from triage.evidence.source import ByteSource, MemorySource, UnreadableBytes
from triage.locator import Locator

WHERE = Locator("e", "p1", "/app/chat.db")
QUERY = "SELECT id AS rowid, body FROM message ORDER BY id"
MAGIC = b"SQLite format 3\0"


def build(folder: Path, *statements: str, pragma: str = "") -> Path:
    path = folder / "chat.db"
    connection = sqlite3.connect(path, isolation_level=None)
    if pragma:
        connection.execute(pragma)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return path


def with_log(folder: Path) -> tuple[bytes, bytes]:
    """A database with rows 1–3 in the file, and a log that changes 2, deletes 3 and adds 4."""
    path = build(
        folder,
        "CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT)",
        "INSERT INTO message VALUES (1, 'one'), (2, 'two'), (3, 'three')",
    )
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    for statement in (
        "UPDATE message SET body = 'zwei' WHERE id = 2",
        "DELETE FROM message WHERE id = 3",
        "INSERT INTO message VALUES (4, 'four')",
    ):
        connection.execute(statement)
    data, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    connection.close()
    return data, wal


def read(
    data: bytes, wal: bytes | None = None, journal: bytes | None = None, query: str | tuple[str, ...] = QUERY
) -> list[DatabaseRow]:
    sources = [None if content is None else MemorySource(content) for content in (wal, journal)]
    with open_database(MemorySource(data), sources[0], sources[1], WHERE) as database:
        return list(database.rows(query, "message", "rowid"))


def states(rows: list[DatabaseRow]) -> list[tuple[object, str, int]]:
    return [(row["body"], row.locator.part, row.locator.row) for row in rows]


def test_rows_of_the_log_are_live_and_marked_and_replaced_rows_are_kept(tmp_path: Path) -> None:
    data, wal = with_log(tmp_path)

    assert states(read(data, wal)) == [
        ("one", "message", 1),
        ("zwei", "message wal", 2),
        ("four", "message wal", 4),
        ("two", "message superseded", 2),
        ("three", "message superseded", 3),
    ]


def test_without_the_log_only_the_file_speaks(tmp_path: Path) -> None:
    data, _ = with_log(tmp_path)
    expected = [("one", "message", 1), ("two", "message", 2), ("three", "message", 3)]

    assert states(read(data)) == expected
    assert states(read(data, b"", b"")) == expected


def test_a_log_of_garbage_changes_nothing(tmp_path: Path) -> None:
    data, wal = with_log(tmp_path)

    assert states(read(data, os.urandom(len(wal)))) == states(read(data))


def test_a_table_that_exists_only_in_the_log_is_read(tmp_path: Path) -> None:
    path = build(tmp_path, "CREATE TABLE other(x)", pragma="PRAGMA journal_mode = WAL")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT)")
    connection.execute("INSERT INTO message VALUES (7, 'late')")
    data, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    connection.close()

    assert states(read(data, wal)) == [("late", "message wal", 7)]


def test_a_hot_journal_is_rolled_back_on_the_copy_and_the_interrupted_state_kept(tmp_path: Path) -> None:
    path = build(tmp_path, "CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT)")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executemany("INSERT INTO message(body) VALUES (?)", [("committed".ljust(900),)] * 60)
    before = path.read_bytes()
    connection.execute("PRAGMA cache_size = 1")  # so that changed pages spill into the file before any commit
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE message SET body = ?", ["interrupted".ljust(900)])
    data, journal = path.read_bytes(), Path(f"{path}-journal").read_bytes()
    connection.close()
    rows = states(read(data, None, journal))

    assert data != before
    assert ("committed".ljust(900), "message journal", 1) in rows
    assert ("interrupted".ljust(900), "message superseded", 1) in rows
    assert {body for body, part, _ in rows if part != "message superseded"} == {"committed".ljust(900)}
    assert next(body for body, _, _ in states(read(data))) == "interrupted".ljust(900)


def test_evidence_is_only_read_and_the_copy_is_private_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, wal = with_log(tmp_path)
    shelf = tmp_path / "temporary"
    shelf.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shelf))
    with open_database(MemorySource(data), MemorySource(wal), None, WHERE) as database:
        (folder,) = shelf.iterdir()
        mode = folder.stat().st_mode & 0o777
        list(database.rows(QUERY, "message", "rowid"))

    assert mode == 0o700
    assert list(shelf.iterdir()) == []


def test_text_that_is_not_utf8_is_shown_byte_by_byte(tmp_path: Path) -> None:
    path = build(
        tmp_path,
        "CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT)",
        "INSERT INTO message VALUES (1, CAST(x'61ff62' AS TEXT))",
    )

    assert read(path.read_bytes())[0]["body"] == "a\\xffb"


def test_a_missing_table_or_column_names_what_is_there(tmp_path: Path) -> None:
    data = build(tmp_path, "CREATE TABLE letters(id)", "CREATE TABLE message(id, words)").read_bytes()

    with pytest.raises(UnsupportedSchema, match=r"no such column: body; tables here: letters, message"):
        read(data)
    with pytest.raises(UnsupportedSchema, match=r"no such table: calls"):
        read(data, query="SELECT rowid FROM calls")
    with pytest.raises(UnsupportedSchema, match=r"tables here: none"):
        read(b"")


def test_of_several_queries_the_first_is_asked_whose_tables_and_columns_are_there(tmp_path: Path) -> None:
    data = build(
        tmp_path,
        "CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT)",
        "INSERT INTO message VALUES (1, 'one')",
        "CREATE TABLE old(words TEXT)",
    ).read_bytes()
    newer = ("SELECT rowid AS rowid, body FROM messages", "SELECT rowid AS rowid, text AS body FROM message")

    assert [
        row["body"] for row in read(data, query=(*newer, QUERY, "SELECT rowid AS rowid, 'no' AS body FROM old"))
    ] == ["one"]
    with pytest.raises(UnsupportedSchema, match="no such table: messages; tables here: message, old"):
        read(data, query=newer)


def test_the_query_is_chosen_by_the_live_tables_and_answers_for_the_file_alone_too(tmp_path: Path) -> None:
    path = build(tmp_path, "CREATE TABLE old(body TEXT)", "INSERT INTO old VALUES ('kept')")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT)")
    connection.execute("INSERT INTO message VALUES (7, 'new')")
    data, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    connection.close()
    queries = (
        "SELECT rowid AS rowid, body FROM message ORDER BY rowid",
        "SELECT rowid AS rowid, body FROM old ORDER BY rowid",
    )

    assert states(read(data, wal, query=queries)) == [("new", "message wal", 7)]
    assert [row["body"] for row in read(data, query=queries)] == ["kept"]


def test_rows_of_several_tables_name_theirs(tmp_path: Path) -> None:
    data, wal = with_log(tmp_path)
    query = (
        "SELECT 'message' AS row_table, rowid AS rowid, body FROM message UNION ALL "
        "SELECT 'other', 1, 'fixed' ORDER BY row_table, rowid"
    )

    assert states(read(data, wal, query=query)) == [
        ("one", "message", 1), ("zwei", "message wal", 2), ("four", "message wal", 4), ("fixed", "other", 1),
        ("two", "message superseded", 2), ("three", "message superseded", 3),
    ]  # fmt: skip


def test_rows_before_the_damage_are_given_and_the_damage_is_told(tmp_path: Path) -> None:
    path = build(tmp_path, "CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT)")
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO message(body) VALUES (?)", [("words " * 100,)] * 200)
    connection.commit()
    connection.close()
    data = bytearray(path.read_bytes())
    data[-20 * 4096 :] = b"\xee" * (20 * 4096)
    found = []
    with (
        pytest.raises(DatabaseDamaged, match=r"malformed"),
        open_database(MemorySource(bytes(data)), None, None, WHERE) as database,
    ):
        found.extend(database.rows(QUERY, "message", "rowid"))

    assert 0 < len(found) < 200


class BadSector(ByteSource):
    """Memory with one sector that cannot be read."""

    def __init__(self, data: bytes, bad: int) -> None:
        self.data, self.size, self.bad = data, len(data), bad

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < self.bad + 512 and offset + length > self.bad:
            raise UnreadableBytes("bad sector", self.bad, 512)
        return self.data[offset : offset + length]


def test_a_bad_sector_costs_what_lies_there_and_is_told(tmp_path: Path) -> None:
    path = build(
        tmp_path,
        "CREATE TABLE message(id INTEGER PRIMARY KEY, body TEXT)",
        "INSERT INTO message VALUES (1, 'a')",
        "CREATE TABLE other(x)",
        "INSERT INTO other VALUES (1)",
    )
    source = BadSector(path.read_bytes(), 8192)
    found = []
    with (
        pytest.raises(DatabaseDamaged, match=r"512 bytes from offset 8,192"),
        open_database(source, None, None, WHERE) as database,
    ):
        for row in database.rows(QUERY, "message", "rowid"):
            found.append(row["body"])

    assert found == ["a"]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: b"just some words", DatabaseDamaged),
        (lambda: bytes(range(256)) * 32, DatabaseEncrypted),
        (lambda: MAGIC, DatabaseDamaged),
        (lambda: MAGIC + os.urandom(8192), DatabaseDamaged),
        (lambda: MAGIC + bytes(8176), DatabaseDamaged),
    ],
)
def test_what_is_no_database_is_a_clear_error(make: Callable[[], bytes], error: type[Exception]) -> None:
    with pytest.raises(error):
        read(make())


def test_a_database_beyond_the_bound_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 5_000)
    data, wal = with_log(tmp_path)

    with pytest.raises(SkipFile, match=r"not copied"):
        read(data, wal)


def test_an_endless_view_in_place_of_the_table_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 3_000_000)
    data = build(
        tmp_path,
        "CREATE VIEW message AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
        "SELECT max(id) AS id, 'x' AS body FROM n",
    ).read_bytes()

    with pytest.raises(SkipFile, match=r"steps"):
        read(data)


@pytest.mark.parametrize(
    "body",
    ["load_extension('/nowhere')", "fts3_tokenizer('simple')", "(SELECT name FROM pragma_database_list)"],
)
def test_a_view_cannot_reach_beyond_the_copy(tmp_path: Path, body: str) -> None:
    data = build(tmp_path, f"CREATE VIEW message AS SELECT 1 AS id, {body} AS body").read_bytes()

    with pytest.raises((DatabaseDamaged, UnsupportedSchema)):
        read(data)


def test_the_query_itself_cannot_write_or_attach(tmp_path: Path) -> None:
    data, _ = with_log(tmp_path)

    for query in ("DELETE FROM message", "ATTACH 'x' AS y", "PRAGMA query_only = OFF", "CREATE TABLE z(a)"):
        with pytest.raises(DatabaseDamaged):
            read(data, query=query)


def test_a_query_without_its_row_number_is_the_authors_error(tmp_path: Path) -> None:
    data, _ = with_log(tmp_path)

    with pytest.raises(ValueError, match="rowid"):
        read(data, query="SELECT body FROM message")


def test_what_the_copy_costs_is_given_back_even_if_reading_stops_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, wal = with_log(tmp_path)
    shelf = tmp_path / "temporary"
    shelf.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shelf))
    with open_database(MemorySource(data), MemorySource(wal), None, WHERE) as database:
        next(iter(database.rows(QUERY, "message", "rowid")))

    assert list(shelf.iterdir()) == []
    shutil.rmtree(shelf)
