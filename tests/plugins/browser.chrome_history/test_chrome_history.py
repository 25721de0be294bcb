"""Visits are read from the database and its log, each with its address and the state it belongs to."""

import sqlite3
from pathlib import Path

import pytest
from triage_plugins.browser_chrome_history import ChromeHistory

from triage.absent import Absent
from triage.api import UnsupportedSchema, Visit
from triage.records import Record
from triage.testing import accepts, check_golden, plugin_file, run_plugin

PROFILE = "/Users/a/AppData/Local/Google/Chrome/User Data/Default/History"
T0 = 13_350_000_000_000_000  # microseconds since 1601: 2024-01-17


def history(folder: Path) -> tuple[bytes, bytes]:
    """A History file with four visits, and a log that deletes one, changes a title and adds a visit."""
    path = folder / "History"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "CREATE TABLE urls(id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR, visit_count INTEGER);"
        "CREATE TABLE visits(id INTEGER PRIMARY KEY, url INTEGER, visit_time INTEGER, transition INTEGER);"
    )
    connection.executemany(
        "INSERT INTO urls VALUES (?, ?, ?, ?)",
        [
            (1, "https://example.org/", "Example", 2),
            (2, "https://example.org/mji", "Mji – town", 1),
            (3, "https://example.org/gone", None, None),
        ],
    )
    connection.executemany(
        "INSERT INTO visits VALUES (?, ?, ?, ?)",
        [(1, 1, T0, 0x30000001), (2, 2, T0 + 1, 0), (3, 3, 0, 77), (4, 99, "noon", None)],
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("DELETE FROM visits WHERE id = 2")
    connection.execute("UPDATE urls SET title = 'Example, changed' WHERE id = 1")
    connection.execute("INSERT INTO visits VALUES (5, 1, ?, 8)", [T0 + 5_000_000])
    content, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    connection.close()
    return content, log


def read(content: bytes, log: bytes, path: str = PROFILE) -> list[Record]:
    return run_plugin(ChromeHistory(), plugin_file(path, content, {"History-wal": log} if log else None))


def test_visits_of_file_and_log_are_as_expected(tmp_path: Path) -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", read(*history(tmp_path)))


def test_a_visit_whose_address_is_gone_is_not_dropped(tmp_path: Path) -> None:
    visits = [visit for visit in read(history(tmp_path)[0], b"") if isinstance(visit, Visit)]

    assert [visit.source.row for visit in visits] == [1, 2, 3, 4]
    assert visits[3].url is Absent.NOT_RECORDED
    assert visits[3].visited is Absent.UNPARSABLE
    assert visits[2].visited is Absent.NOT_RECORDED


def test_a_database_of_something_else_is_told_by_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE letters(id)")
    connection.close()

    with pytest.raises(UnsupportedSchema, match="tables here: letters"):
        read(path.read_bytes(), b"")


@pytest.mark.parametrize(
    ("path", "browser"),
    [
        (PROFILE, "Chrome"),
        ("/Users/a/AppData/Local/Microsoft/Edge/User Data/Profile 1/History", "Edge"),
        ("/Users/a/AppData/Local/BraveSoftware/Brave-Browser/User Data/Default/History", "Brave"),
        ("/Users/a/AppData/Roaming/Opera Software/Opera Stable/History", "Opera"),
        ("/Users/a/Library/Application Support/Google/Chrome/Default/History", "Chrome"),
        ("/Users/a/Library/Application Support/Microsoft Edge/Default/History", "Edge"),
        ("/home/a/.config/chromium/Default/History", "Chromium"),
        ("/home/a/.config/vivaldi/Default/History", "Vivaldi"),
        ("/home/a/snap/chromium/common/chromium/Default/History", "Chromium"),
        ("/data/data/com.android.chrome/app_chrome/Default/History", "Chrome"),
        ("/data/data/com.microsoft.emmx/app_chrome/Default/History", "Edge"),
        ("/data/data/com.brave.browser/app_chrome/Default/History", "Brave"),
        ("/Users/a/Documents/History", ""),
        ("/Users/a/AppData/Local/Google/Chrome/User Data/Default/History-journal", ""),
    ],
)
def test_profiles_of_all_systems_are_found_and_named(tmp_path: Path, path: str, browser: str) -> None:
    file = plugin_file(path, b"SQLite format 3\0")

    assert accepts(ChromeHistory(), file) is bool(browser)
    if browser:
        assert {visit.browser for visit in read(*history(tmp_path), path) if isinstance(visit, Visit)} == {browser}
