"""Bundled plugins on databases that other people's tests have counted."""

import zipfile
from collections import Counter
from pathlib import Path

import pytest
from triage_plugins.browser_chrome_history import ChromeHistory
from triage_plugins.yara_scan import YaraRules

from triage.evidence.database import open_database
from triage.evidence.source import MemorySource
from triage.locator import Locator
from triage.records import Hit
from triage.testing import plugin_file, run_plugin


@pytest.mark.parametrize(
    ("path", "visits"),
    [
        ("plaso-git/test_data/chrome/History", 69),  # plaso counts 71 events: these and two downloads
        ("plaso-git/test_data/chrome/History-57.0.2987.133", 1),
        ("plaso-git/test_data/chrome/History-58.0.3029.96", 1),
        ("plaso-git/test_data/chrome/History-59.0.3071.86", 1),
        ("hindsight/tests/fixtures/profiles/10/History", 84),
        ("hindsight/tests/fixtures/profiles/30/History", 46),
    ],
)
def test_chrome_visits_are_as_many_as_the_table_has(real: Path, path: str, visits: int) -> None:
    records = run_plugin(
        ChromeHistory(), plugin_file("/x/Google/Chrome/User Data/Default/History", (real / path).read_bytes())
    )

    assert len(records) == visits


def test_what_only_the_log_of_an_address_book_holds_is_read(real: Path) -> None:
    archive = real / "ileapp/admin/test/cases/data/addressBook/testdata.addressBook.addressBook.josh_ios15_ffs.zip"
    with zipfile.ZipFile(archive) as members:
        content = {name.rpartition("/")[2]: members.read(name) for name in members.namelist()}
    database, log = content["AddressBookImages.sqlitedb"], content["AddressBookImages.sqlitedb-wal"]
    with open_database(MemorySource(database), MemorySource(log), None, Locator("e")) as opened:
        parts = Counter(
            row.locator.part
            for row in opened.rows(
                "SELECT ROWID AS row, * FROM ABThumbnailImage ORDER BY ROWID", "ABThumbnailImage", "row"
            )
        )

    assert parts == {"ABThumbnailImage wal": 4}


def test_rules_find_what_is_there_and_nothing_else(real: Path) -> None:
    scanner = YaraRules()
    found: Counter[str] = Counter()
    for path in sorted(path for path in real.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            content = stream.read(4 << 20)
        found.update(hit.name for hit in scanner_hits(scanner, str(path.relative_to(real)), content))

    assert found == {
        "android_sms": 1,
        "ios_messages": 1,
        "kik_messages_ios": 1,
        "luks_volume": 1,
        "whatsapp_messages_ios": 1,
    }


def scanner_hits(scanner: YaraRules, path: str, content: bytes) -> list[Hit]:
    return [hit for hit in run_plugin(scanner, plugin_file("/" + path, content)) if isinstance(hit, Hit)]
