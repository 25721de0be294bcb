"""Files of a Nextcloud journal are named by checksums that are digests, and by no others."""

import hashlib
import sqlite3
from pathlib import Path

import pytest
from triage_plugins.nextcloud_journal import NextcloudJournal

from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, plugin_file, run_plugin

PATH = "/home/a/Nextcloud/.sync_0123456789ab.db"
T = 1714558830
ROWS = [
    (11, "Picha/mji – one.jpg", T, 0, 100, hashlib.sha1(b"one").hexdigest(), 1),
    (12, "two.mp4", T + 1, 0, 200, hashlib.md5(b"two").hexdigest().upper(), 2),
    (13, "three.bin", T + 2, 0, 300, hashlib.sha256(b"three").hexdigest(), 3),
    (14, "four.txt", T, 0, 4, "0a0b0c0d", 4),
    (15, "Picha", T, 2, 0, None, None),
    (16, "six.txt", T, 0, 4, "aa", None),
]


def journal(folder: Path) -> bytes:
    path = folder / "journal"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE metadata(phash INTEGER(8), pathlen INTEGER, path VARCHAR(4096), inode INTEGER, "
            "modtime INTEGER(8), type INTEGER, md5 VARCHAR(32), fileid VARCHAR(128), filesize BIGINT, "
            "contentChecksum TEXT, contentChecksumTypeId INTEGER, PRIMARY KEY(phash));"
            "CREATE TABLE checksumtype(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
            "INSERT INTO checksumtype VALUES (1, 'SHA1'), (2, 'MD5'), (3, 'SHA256'), (4, 'ADLER32');"
        )
        connection.executemany(
            "INSERT INTO metadata(phash, path, modtime, type, filesize, contentChecksum, contentChecksumTypeId, md5) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 'not a digest but an etag')",
            ROWS,
        )
    connection.close()
    return path.read_bytes()


def read(content: bytes) -> list[ReferencedFile]:
    records = run_plugin(NextcloudJournal(), plugin_file(PATH, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_files_are_as_expected(tmp_path: Path) -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", read(journal(tmp_path)))


def test_checksums_that_are_no_digests_name_nothing(tmp_path: Path) -> None:
    assert [(r.algorithm, r.name) for r in read(journal(tmp_path))] == [
        ("sha1", "mji – one.jpg"), ("md5", "two.mp4"), ("sha256", "three.bin"),
    ]  # fmt: skip


def test_another_database_is_told_by_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE letters(id)")
    connection.close()

    with pytest.raises(UnsupportedSchema, match="tables here: letters"):
        read(path.read_bytes())


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        (PATH, True),
        ("/Users/a/ownCloud/._sync_0123456789ab.db", True),
        ("/Users/a/Nextcloud/_sync_1.db", True),
        ("/x/sync.db", False),
    ],
)
def test_journals_are_found_by_name(path: str, taken: bool) -> None:
    assert accepts(NextcloudJournal(), plugin_file(path, b"x")) is taken
