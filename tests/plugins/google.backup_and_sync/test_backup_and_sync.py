"""Files of Backup and Sync are named by MD5, on both sides, in all versions of its databases."""

import sqlite3
from pathlib import Path

import pytest
from triage_plugins.google_backup_and_sync import GoogleBackupAndSync

from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, plugin_file, run_plugin

SNAPSHOT = "/Users/a/AppData/Local/Google/Drive/user_default/snapshot.db"
GRAPH = "/Users/a/AppData/Local/Google/Drive/user_default/cloud_graph/cloud_graph.db"
T = 1714558830
CLOUD = (
    "CREATE TABLE cloud_entry(doc_id TEXT, filename TEXT, modified INTEGER, created INTEGER, removed INTEGER, "
    "size INTEGER, checksum TEXT, shared INTEGER{more}, PRIMARY KEY (doc_id));"
    "CREATE TABLE local_entry(inode INTEGER, filename TEXT, modified INTEGER, checksum TEXT, size INTEGER, "
    "is_folder INTEGER, PRIMARY KEY (inode));"
)
ENTRIES = [
    ("root", "My Drive", None, None, 0, None, None, 0),
    ("f1", "mji.jpg", T, T, 0, 100, "a" * 32, 1),
    ("f2", "gone.jpg", T + 1, T, 1, 200, "b" * 32, 0),
]
GRAPH_TABLE = (
    "CREATE TABLE cloud_graph_entry(doc_id TEXT, filename TEXT, modified INTEGER, acl_role INTEGER, doc_type INTEGER, "
    "size INTEGER, checksum TEXT, shared INTEGER, version INTEGER);"
)


def database(folder: Path, kind: str) -> bytes:
    path = folder / kind
    with sqlite3.connect(path) as connection:
        if kind == "graph":
            connection.executescript(GRAPH_TABLE)
            connection.execute(
                "INSERT INTO cloud_graph_entry VALUES ('g1', 'ufuo.png', ?, 0, 1, 9, ?, 0, 3)", [T, "e" * 32]
            )
        else:
            connection.executescript(
                CLOUD.format(more=", original_size INTEGER, original_checksum TEXT" if kind == "new" else "")
            )
            connection.executemany("INSERT INTO local_entry VALUES (?, ?, ?, ?, ?, ?)", [
                (7, "mji.jpg", T, "A" * 32, 100, 0), (8, "Google Drive", T, None, None, 1),
            ])  # fmt: skip
            if kind == "new":
                photo = ("f3", "photo.jpg", T + 2, T, 0, 50, "c" * 32, 0, 500, "d" * 32)
                connection.executemany(
                    "INSERT INTO cloud_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [*[(*entry, None, None) for entry in ENTRIES], photo],
                )
            else:
                connection.executemany("INSERT INTO cloud_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", ENTRIES)
    connection.close()
    return path.read_bytes()


def read(path: str, content: bytes) -> list[ReferencedFile]:
    records = run_plugin(GoogleBackupAndSync(), plugin_file(path, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_files_are_as_expected(tmp_path: Path) -> None:
    records = [*read(SNAPSHOT, database(tmp_path, "new")), *read(GRAPH, database(tmp_path, "graph"))]

    check_golden(Path(__file__).parent / "expected.jsonl", records)


def test_older_databases_are_read(tmp_path: Path) -> None:
    assert [(r.source.part, r.digest[0], r.state) for r in read(SNAPSHOT, database(tmp_path, "old"))] == [
        ("cloud_entry", "a", "in the cloud"), ("cloud_entry", "b", "in the cloud, removed"),
        ("local_entry", "a", "on this computer"),
    ]  # fmt: skip


def test_a_photo_that_was_reduced_is_named_as_it_was_and_as_it_is(tmp_path: Path) -> None:
    photo = [(r.digest[0], r.size) for r in read(SNAPSHOT, database(tmp_path, "new")) if r.name == "photo.jpg"]

    assert photo == [("c", 50), ("d", 500)]


def test_another_database_is_told_by_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE letters(id)")
    connection.close()

    with pytest.raises(UnsupportedSchema, match="tables here: letters"):
        read(SNAPSHOT, path.read_bytes())


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        (SNAPSHOT, True),
        (GRAPH, True),
        ("/Users/a/AppData/Local/Google/Drive/snapshot.db", True),
        ("/Users/a/Library/Application Support/Google/Drive/user_default/snapshot.db", True),
        ("/x/snapshot.db", False),
    ],
)
def test_databases_are_found_by_their_folder(path: str, taken: bool) -> None:
    assert accepts(GoogleBackupAndSync(), plugin_file(path, b"x")) is taken
