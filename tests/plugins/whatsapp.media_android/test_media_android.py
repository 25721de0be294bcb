"""Media of WhatsApp on Android are named by the digest of their plain content, in old, new and mixed databases."""

import base64
import hashlib
import sqlite3
from pathlib import Path

import pytest
from triage_plugins.whatsapp_media_android import WhatsAppMedia

from triage.absent import Absent
from triage.api import ReferencedFile, UnsupportedSchema
from triage.testing import accepts, check_golden, examine_file, plugin_file, run_plugin

PATH = "/data/data/com.whatsapp/databases/msgstore.db"
MODERN = """
    CREATE TABLE message_media(message_row_id INTEGER PRIMARY KEY, chat_row_id INTEGER, file_path TEXT,
                               file_size INTEGER, message_url TEXT, mime_type TEXT, file_length INTEGER,
                               media_name TEXT, file_hash TEXT, enc_file_hash TEXT);
    CREATE TABLE message(_id INTEGER PRIMARY KEY, chat_row_id INTEGER, from_me INTEGER, key_id TEXT,
                         sender_jid_row_id INTEGER, timestamp INTEGER, message_type INTEGER);
    CREATE TABLE chat(_id INTEGER PRIMARY KEY, jid_row_id INTEGER, subject TEXT, hidden INTEGER);
    CREATE TABLE jid(_id INTEGER PRIMARY KEY, user TEXT, server TEXT, type INTEGER, raw_string TEXT);
    INSERT INTO jid VALUES (1, '254700000001', 's.whatsapp.net', 0, '254700000001@s.whatsapp.net'),
                           (2, '120363', 'g.us', 1, '120363@g.us'), (3, '999', 'lid', 18, '999@lid'),
                           (4, '254700000004', 's.whatsapp.net', 0, '254700000004@s.whatsapp.net');
    INSERT INTO chat VALUES (1, 1, NULL, 0), (2, 2, 'Kikundi – group', 0);
    INSERT INTO message VALUES (10, 1, 1, 'A', 0, 1714558830123, 1), (11, 1, 0, 'B', 0, 1714558831000, 1),
                               (12, 2, 0, 'C', 3, 1714558832000, 3), (13, 2, 0, 'D', 3, 1714558833000, 0);
"""
MAP = (
    "CREATE TABLE jid_map(lid_row_id INTEGER PRIMARY KEY, jid_row_id INTEGER, sort_id INTEGER);"
    "INSERT INTO jid_map VALUES (3, 4, 1);"
)
LEGACY = """
    CREATE TABLE messages(_id INTEGER PRIMARY KEY, key_remote_jid TEXT, key_from_me INTEGER, key_id TEXT, data TEXT,
                          timestamp INTEGER, media_url TEXT, media_mime_type TEXT, media_size INTEGER, media_name TEXT,
                          media_caption TEXT, media_hash TEXT, remote_resource TEXT);
"""


def plain(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


MEDIA = [
    (10, 1, "Media/WhatsApp Images/Sent/IMG-20240501-WA0001.jpg", 1000, "https://mmg.example/1.enc", "image/jpeg",
     1000, None, plain("one"), plain("cipher")),
    (11, 1, None, None, "https://mmg.example/2.enc", "application/pdf", 2000, "barua.pdf", plain("two"), None),
    (12, 2, "Media/WhatsApp Video/VID-20240501-WA0002.mp4", 3000, None, "video/mp4", 3000, None, plain("three"), None),
    (13, 2, None, None, None, None, None, None, None, None),
    (99, 2, "Media/gone.jpg", 4, None, "image/jpeg", 4, None, plain("message is gone"), None),
]  # fmt: skip
OLD = [
    (5, "254700000001@s.whatsapp.net", 0, "E", None, 1400000000000, "https://mms.example/5", "image/jpeg", 500,
     "IMG-20140513-WA0001.jpg", "Mji", plain("five"), None),
    (6, "254700000001-1400@g.us", 0, "F", None, 1400000001000, None, "image/jpeg", 600, None, None, plain("six"),
     "254700000007@s.whatsapp.net"),
    (7, "254700000001@s.whatsapp.net", 1, "G", "habari", 1400000002000, None, None, 0, None, None, None, None),
    (10, "254700000001@s.whatsapp.net", 1, "A", None, 1714558830123, None, "image/jpeg", 1000, None, None,
     plain("one"), None),
]  # fmt: skip


def database(folder: Path, *scripts: str, media: bool = False, old: bool = False) -> bytes:
    path = folder / "msgstore.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        for script in scripts:
            connection.executescript(script)
        if media:
            connection.executemany("INSERT INTO message_media VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", MEDIA)
        if old:
            connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", OLD)
    connection.close()
    return path.read_bytes()


def read(content: bytes, path: str = PATH) -> list[ReferencedFile]:
    records = run_plugin(WhatsAppMedia(), plugin_file(path, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_media_are_as_expected(tmp_path: Path) -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", read(database(tmp_path, MODERN, MAP, media=True)))


def test_media_of_the_older_tables_are_as_expected(tmp_path: Path) -> None:
    check_golden(Path(__file__).parent / "expected_legacy.jsonl", read(database(tmp_path, LEGACY, old=True)))


def test_the_digest_is_that_of_the_plain_content(tmp_path: Path) -> None:
    found = {record.source.row: record for record in read(database(tmp_path, MODERN, MAP, media=True))}

    assert found[10].digest == hashlib.sha256(b"one").hexdigest()
    assert (found[10].sender, found[10].state) == ("me", "sent")
    assert found[12].sender == "254700000004@s.whatsapp.net"
    assert found[12].conversation == "Kikundi – group (120363@g.us)"


def test_without_a_map_the_privacy_identifier_is_shown(tmp_path: Path) -> None:
    found = {record.source.row: record for record in read(database(tmp_path, MODERN, media=True))}

    assert found[12].sender == "999@lid"


def test_a_database_in_the_middle_of_its_change_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    found = read(database(tmp_path, MODERN, LEGACY, media=True, old=True))

    assert [(record.source.part, record.source.row) for record in found] == [
        ("message_media", 10), ("message_media", 11), ("message_media", 12), ("message_media", 99),
        ("messages", 5), ("messages", 6),
    ]  # fmt: skip


def test_a_medium_whose_message_is_gone_keeps_its_chat(tmp_path: Path) -> None:
    gone = read(database(tmp_path, MODERN, media=True))[-1]

    assert gone.conversation == "Kikundi – group (120363@g.us)"
    assert (gone.recorded, gone.state, gone.sender) == (Absent.NOT_RECORDED,) * 3


@pytest.mark.parametrize("stored", ["not base64!", "AAAA", plain("x")[:-2]])
def test_a_digest_that_is_none_costs_its_row_and_is_told(tmp_path: Path, stored: str) -> None:
    path = tmp_path / "msgstore.db"
    database(tmp_path, MODERN, media=True)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE message_media SET file_hash = ? WHERE message_row_id = 11", [stored])
    connection.close()
    result = examine_file(WhatsAppMedia(), plugin_file(PATH, path.read_bytes()))

    assert len(result.found) == 3
    assert ["the media digest" in notice.message for notice in result.notices] == [True]


def test_another_database_is_told_by_its_tables(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedSchema, match="tables here: letters"):
        read(database(tmp_path, "CREATE TABLE letters(id)"))


@pytest.mark.parametrize(
    ("path", "application"),
    [
        (PATH, "WhatsApp"),
        ("/data/data/com.whatsapp.w4b/databases/msgstore.db", "WhatsApp Business"),
        ("/sdcard/WhatsApp/Databases/msgstore-2014-05-13.1.db", "WhatsApp"),
        ("/sdcard/WhatsApp/Databases/msgstore.db.crypt14", ""),
    ],
)
def test_databases_are_found_and_the_application_named(tmp_path: Path, path: str, application: str) -> None:
    assert accepts(WhatsAppMedia(), plugin_file(path, b"x")) is bool(application)
    if application:
        assert {r.application for r in read(database(tmp_path, MODERN, media=True), path)} == {application}
