"""Mirrored files are named by their MD5 on this computer and in the cloud."""

import sqlite3
from pathlib import Path

from triage_plugins.google_drive_mirror import GoogleDriveMirror

from triage.api import ReferencedFile
from triage.testing import accepts, check_golden, examine_file, plugin_file, run_plugin

PATH = "/Users/a/Library/Application Support/Google/DriveFS/112233/mirror_sqlite.db"
T = 1714558830123
ROWS = [
    (1, 10, "mji.jpg", "mji.jpg", T, T, "a" * 32, "a" * 32, 5, 5, 0),
    (2, 11, "old.jpg", "new.jpg", T, T + 1000, "B" * 32, "c" * 32, 6, 7, 1),
    (3, 12, "not yet sent.jpg", None, T, None, "d" * 32, None, 8, None, None),
    (4, 13, "folder", "folder", T, T, None, "", None, None, 0),
]


def mirror(folder: Path, *more: tuple[object, ...]) -> bytes:
    path = folder / "mirror_sqlite.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE mirror_item(local_stable_id INTEGER PRIMARY KEY, stable_id INTEGER, local_filename TEXT, "
            "cloud_filename TEXT, local_mtime_ms INTEGER, cloud_mtime_ms INTEGER, local_md5_checksum TEXT, "
            "cloud_md5_checksum TEXT, local_size INTEGER, cloud_size INTEGER, shared BOOLEAN)"
        )
        connection.executemany("INSERT INTO mirror_item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [*ROWS, *more])
    connection.close()
    return path.read_bytes()


def test_both_sides_are_as_expected(tmp_path: Path) -> None:
    check_golden(
        Path(__file__).parent / "expected.jsonl", run_plugin(GoogleDriveMirror(), plugin_file(PATH, mirror(tmp_path)))
    )


def test_a_side_without_a_digest_makes_no_record(tmp_path: Path) -> None:
    records = run_plugin(GoogleDriveMirror(), plugin_file(PATH, mirror(tmp_path)))

    assert [(r.source.row, r.digest[0], r.state) for r in records if isinstance(r, ReferencedFile)] == [
        (1, "a", "on this computer"), (1, "a", "in the cloud"), (2, "b", "on this computer"),
        (2, "c", "in the cloud"), (3, "d", "on this computer"),
    ]  # fmt: skip


def test_what_is_no_digest_is_told(tmp_path: Path) -> None:
    bad = (9, 19, "x", None, T, None, "12", None, 1, None, 0)
    result = examine_file(GoogleDriveMirror(), plugin_file(PATH, mirror(tmp_path, bad)))

    assert len(result.found) == 5
    assert ["is no md5 digest" in notice.message for notice in result.notices] == [True]


def test_the_database_is_found_by_name() -> None:
    assert accepts(GoogleDriveMirror(), plugin_file(PATH, b"x"))
