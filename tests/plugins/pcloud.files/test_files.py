"""Files that pCloud knows are named by SHA-1: here, in the cloud, in earlier contents, and those no longer listed."""

import hashlib
import sqlite3
from pathlib import Path

import pytest
from triage_plugins.pcloud_files import PcloudFiles

from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, plugin_file, run_plugin

PATH = "/Users/a/AppData/Local/pCloud/data.db"
SCHEMA = """
    CREATE TABLE folder(id INTEGER PRIMARY KEY, parentfolderid INTEGER, name VARCHAR(1024));
    CREATE TABLE file(id INTEGER PRIMARY KEY, parentfolderid INTEGER, size INTEGER, hash INTEGER, name VARCHAR(1024),
                      ctime INTEGER, mtime INTEGER);
    CREATE TABLE filerevision(fileid INTEGER, hash INTEGER, ctime INTEGER, size INTEGER, PRIMARY KEY (fileid, hash));
    CREATE TABLE localfolder(id INTEGER PRIMARY KEY AUTOINCREMENT, localparentfolderid INTEGER, name VARCHAR(1024));
    CREATE TABLE localfile(id INTEGER PRIMARY KEY AUTOINCREMENT, localparentfolderid INTEGER, fileid INTEGER,
                           hash INTEGER, size INTEGER, mtime INTEGER, name VARCHAR(1024), checksum TEXT);
    CREATE TABLE hashchecksum(hash INTEGER, size INTEGER, checksum TEXT, PRIMARY KEY (hash, size)) WITHOUT ROWID;
    INSERT INTO folder VALUES (0, 0, NULL), (5, 0, 'Picha');
    INSERT INTO localfolder VALUES (2, NULL, 'Picha');
    INSERT INTO file VALUES (70, 5, 100, 9001, 'mji.jpg', 1714558830, 1714558831),
                            (71, 0, 200, 9002, 'film.mp4', 1714558830, 1714558830),
                            (72, 0, 300, -9003, 'unasked.bin', 1714558830, 1714558830);
    INSERT INTO filerevision VALUES (70, 9001, 1714558830, 100), (70, 8001, 1714558770, 90);
    INSERT INTO localfile VALUES (1, 2, 70, 9001, 100, 1714558831, 'mji.jpg', 'SHA(mji)'),
                                 (2, NULL, NULL, NULL, 4, 1714558830, 'new.txt', NULL);
    INSERT INTO hashchecksum VALUES (9001, 100, 'SHA(mji)'), (9002, 200, 'SHA(film)'), (8001, 90, 'SHA(earlier)'),
                                    (7001, 70, 'SHA(gone)');
"""


def digest(word: str) -> str:
    return hashlib.sha1(word.encode()).hexdigest()


def files(folder: Path) -> bytes:
    path = folder / "data.db"
    script = SCHEMA
    for word in ("mji", "film", "earlier", "gone"):
        script = script.replace(f"SHA({word})", digest(word))
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    return path.read_bytes()


def read(content: bytes) -> list[ReferencedFile]:
    records = run_plugin(PcloudFiles(), plugin_file(PATH, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_files_are_as_expected(tmp_path: Path) -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", read(files(tmp_path)))


def test_every_digest_is_given_with_what_is_known_of_it(tmp_path: Path) -> None:
    assert [(r.source.part, r.source.row, r.digest) for r in read(files(tmp_path))] == [
        ("file", 70, digest("mji")), ("file", 71, digest("film")), ("filerevision", 70, digest("earlier")),
        ("hashchecksum", -1, digest("gone")), ("localfile", 1, digest("mji")),
    ]  # fmt: skip


def test_another_database_is_told_by_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE letters(id)")
    connection.close()

    with pytest.raises(UnsupportedSchema, match="tables here: letters"):
        read(path.read_bytes())


@pytest.mark.parametrize(("path", "taken"), [(PATH, True), ("/home/a/.pcloud/data.db", True), ("/x/data.db", False)])
def test_the_database_is_found_by_its_folder(path: str, taken: bool) -> None:
    assert accepts(PcloudFiles(), plugin_file(path, b"x")) is taken
