"""A messenger's database names a known picture by digest: the scan says so, with chat, sender and time."""

import base64
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
from triage.errors import COMPLETE
from triage.report.listings import FIELDS

PICTURE = "fan-missing.jpg"
"""In `fixtures/known.txt`, and on none of the disks."""
DATABASE = "data/data/com.whatsapp/databases/msgstore.db"
MEDIA = "sdcard/Android/media/com.whatsapp/WhatsApp/Media/WhatsApp Images"
NAME = "IMG-20250804-WA0002.jpg"
TABLES = """
    CREATE TABLE message_media(message_row_id INTEGER PRIMARY KEY, chat_row_id INTEGER, file_path TEXT,
                               file_size INTEGER, message_url TEXT, mime_type TEXT, file_length INTEGER,
                               media_name TEXT, file_hash TEXT, enc_file_hash TEXT);
    CREATE TABLE message(_id INTEGER PRIMARY KEY, chat_row_id INTEGER, from_me INTEGER, key_id TEXT,
                         sender_jid_row_id INTEGER, timestamp INTEGER, message_type INTEGER, text_data TEXT);
    CREATE TABLE chat(_id INTEGER PRIMARY KEY, jid_row_id INTEGER, subject TEXT, hidden INTEGER);
    CREATE TABLE jid(_id INTEGER PRIMARY KEY, user TEXT, server TEXT, type INTEGER, raw_string TEXT);
    INSERT INTO jid VALUES (3, '254000000103', 's.whatsapp.net', 0, '254000000103@s.whatsapp.net'),
                           (4, '254000000100-1754000000', 'g.us', 1, '254000000100-1754000000@g.us');
    INSERT INTO chat VALUES (4, 4, 'Timu ya Jumamosi', 0);
    INSERT INTO message VALUES (15, 4, 1, 'A', 0, 1754296000000, 0, 'Picha za mechi?'),
                               (16, 4, 1, 'B', 0, 1754296676655, 1, NULL), (17, 4, 0, 'C', 3, 1754297068432, 1, NULL);
"""


@pytest.fixture
def phone(fixtures: Path, tmp_path: Path) -> Path:
    """An extraction of a phone: two pictures were sent in a group, the known one is not there any more."""
    folder = tmp_path / "phone"
    media = folder / MEDIA
    media.mkdir(parents=True)
    shutil.copy(fixtures / "pictures" / "kite.jpg", media / "IMG-20250804-WA0001.jpg")
    (folder / DATABASE).parent.mkdir(parents=True)
    with sqlite3.connect(folder / DATABASE) as database:
        database.executescript(TABLES)
        for row, name, source in ((16, "IMG-20250804-WA0001.jpg", "kite.jpg"), (17, NAME, PICTURE)):
            content = (fixtures / "pictures" / source).read_bytes()
            plain = base64.b64encode(hashlib.sha256(content).digest()).decode()
            values = (row, 4, f"Media/WhatsApp Images/{name}", len(content), None, "image/jpeg", len(content), plain)
            database.execute("INSERT INTO message_media VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, NULL)", values)
    database.close()
    return folder


def digest(fixtures: Path) -> str:
    return hashlib.sha256((fixtures / "pictures" / PICTURE).read_bytes()).hexdigest()


def hits(phone: Path, known: Path, case: Path) -> list[dict[str, Any]]:
    """What `triage hits --format jsonl` says of the list after a scan."""
    summary = scan(ScanRequest((phone,), case, profile("triage"), hashsets=(known,), workers=1))
    assert summary.exit_code == COMPLETE
    listed = subprocess.run(
        [sys.executable, "-m", "triage", "hits", case, "--format", "jsonl"], check=True, capture_output=True, text=True
    )
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    # Rules tell that this is a messenger's database, whatever the list says.
    return [hit for hit in found if hit["name"] == known.name]


def test_a_known_picture_that_only_a_message_names_is_one_reference_hit(
    phone: Path, fixtures: Path, tmp_path: Path
) -> None:
    (hit,) = hits(phone, fixtures / "known.txt", tmp_path / "case")

    assert tuple(hit) == FIELDS["hits"]
    assert (hit["grade"], hit["plugin"], hit["algorithm"], hit["disposition"]) == (
        "reference",
        "hash.reference",
        "sha256",
        "alert",
    )
    assert (hit["path"], hit["part"], hit["row"]) == (f"/{DATABASE}", "message_media", 17)
    assert hit["detail"].split("; ") == [
        f"sha256 {digest(fixtures)}",
        "the data of WhatsApp records a file with this SHA256",
        f"name {NAME}",
        f"path Media/WhatsApp Images/{NAME}",
        "state received",
        "conversation Timu ya Jumamosi (254000000100-1754000000@g.us)",
        "sender 254000000103@s.whatsapp.net",
        "at 2025-08-04T08:44:28.432Z",
        f"{(fixtures / 'pictures' / PICTURE).stat().st_size:,} bytes",
    ]


def test_the_picture_itself_is_another_hit_of_another_grade(phone: Path, fixtures: Path, tmp_path: Path) -> None:
    shutil.copy(fixtures / "pictures" / PICTURE, phone / MEDIA / NAME)

    found = hits(phone, fixtures / "known.txt", tmp_path / "case")

    assert [(hit["grade"], hit["path"].rpartition("/")[2]) for hit in found] == [
        ("exact", NAME),
        ("reference", "msgstore.db"),
    ]
    assert found[0]["sha256"] == digest(fixtures)


def test_a_list_that_lacks_the_digest_makes_no_hit(phone: Path, fixtures: Path, tmp_path: Path) -> None:
    assert hits(phone, fixtures / "known.md5", tmp_path / "case") == []
