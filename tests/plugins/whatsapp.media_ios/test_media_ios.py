"""Media of WhatsApp on iOS are named by the digest of their plain content, with chat, sender and time."""

import base64
import hashlib
import sqlite3
from pathlib import Path

from triage_plugins.whatsapp_media_ios import WhatsAppMediaApple

from triage.absent import Absent
from triage.api import ReferencedFile
from triage.testing import accepts, check_golden, plugin_file, run_plugin

PATH = "/private/var/mobile/Containers/Shared/AppGroup/1-2-3/ChatStorage.sqlite"
SCHEMA = """
    CREATE TABLE ZWAMEDIAITEM(Z_PK INTEGER PRIMARY KEY, ZMESSAGE, ZFILESIZE, ZMEDIALOCALPATH, ZMEDIAURL, ZTITLE,
                              ZVCARDNAME, ZVCARDSTRING, ZMEDIAKEY BLOB);
    CREATE TABLE ZWAMESSAGE(Z_PK INTEGER PRIMARY KEY, ZCHATSESSION, ZGROUPMEMBER, ZISFROMME, ZMESSAGEDATE TIMESTAMP,
                            ZFROMJID, ZTOJID);
    CREATE TABLE ZWACHATSESSION(Z_PK INTEGER PRIMARY KEY, ZCONTACTJID, ZPARTNERNAME);
    CREATE TABLE ZWAGROUPMEMBER(Z_PK INTEGER PRIMARY KEY, ZMEMBERJID);
    INSERT INTO ZWACHATSESSION VALUES (1, '254700000001@s.whatsapp.net', 'Amina'), (2, '120363@g.us', 'Kikundi');
    INSERT INTO ZWAGROUPMEMBER VALUES (9, '254700000002@s.whatsapp.net');
    INSERT INTO ZWAMESSAGE VALUES (21, 1, NULL, 1, 704736383.25, NULL, '254700000001@s.whatsapp.net'),
                                  (22, 1, NULL, 0, 704736554, '254700000001@s.whatsapp.net', NULL),
                                  (23, 2, 9, 0, 704736600.5, '120363@g.us', NULL);
"""


def plain(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def chats(folder: Path) -> bytes:
    path = folder / "ChatStorage.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
        connection.executemany(
            "INSERT INTO ZWAMEDIAITEM VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (1, 21, 42073, "Media/254700000001@s.whatsapp.net/d/0/one.jpg", "https://mmg.example/1", None,
                 plain("one"), "image/jpeg", b"key"),
                (2, 22, 55290, "Media/254700000001@s.whatsapp.net/0/7/two.mp4", None, "Ufuo", plain("two"), "video/mp4",
                 b"key"),
                (3, 23, 7, None, None, None, plain("three"), "image/webp", None),
                (4, 22, 0, None, None, None, "A contact with a name of forty-four letters.", "BEGIN:VCARD", None),
                (5, 22, 0, None, None, None, "Amina", "BEGIN:VCARD", None),
                (6, 77, 8, "Media/x/gone.jpg", None, None, plain("gone"), "image/jpeg", None),
                (7, 22, 0, None, None, None, None, None, None),
            ],
        )  # fmt: skip
    connection.close()
    return path.read_bytes()


def read(content: bytes) -> list[ReferencedFile]:
    records = run_plugin(WhatsAppMediaApple(), plugin_file(PATH, content))
    return [record for record in records if isinstance(record, ReferencedFile)]


def test_media_are_as_expected(tmp_path: Path) -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", read(chats(tmp_path)))


def test_digests_are_those_of_the_plain_content_and_names_of_contacts_are_no_digests(tmp_path: Path) -> None:
    found = {record.source.row: record for record in read(chats(tmp_path))}

    assert set(found) == {1, 2, 3, 6}
    assert found[1].digest == hashlib.sha256(b"one").hexdigest()
    assert (found[1].sender, found[2].sender) == ("me", "254700000001@s.whatsapp.net")
    assert found[3].sender == "254700000002@s.whatsapp.net"


def test_a_medium_whose_message_is_gone_is_not_dropped(tmp_path: Path) -> None:
    (gone,) = [record for record in read(chats(tmp_path)) if record.source.row == 6]

    assert gone.recorded is Absent.NOT_RECORDED
    assert gone.state is Absent.NOT_RECORDED


def test_the_database_is_found_by_its_name() -> None:
    assert accepts(WhatsAppMediaApple(), plugin_file(PATH, b"x"))
    assert accepts(
        WhatsAppMediaApple(),
        plugin_file("/Users/a/Library/Group Containers/group.net.whatsapp.WhatsApp.shared/ChatStorage.sqlite", b"x"),
    )
    assert not accepts(WhatsAppMediaApple(), plugin_file("/x/ChatStorage.sqlite-wal", b"x"))
