"""The reading order: what matters most first, nothing left out, batches of a few MiB."""

import pytest

from triage.case.codec import entry_values, row_size
from triage.case.rows import EntryRow, PlannedEntry
from triage.engine.plan import (
    APPLICATION_DATA,
    OTHER,
    SYSTEM,
    USER_FILES,
    USER_MEDIA,
    priority,
    wanted,
)
from triage.engine.tasks import BATCH_BYTES, BATCH_FILES, WorkItem, batches
from triage.evidence.entry import Entry, EntryFlag, EntryType


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/Users/Amani/AppData/Local/Google/Chrome/User Data/Default/History", APPLICATION_DATA),
        ("/Users/Amani/AppData/Roaming/Telegram Desktop/cache.db-wal", APPLICATION_DATA),
        ("/data/data/com.whatsapp/databases/msgstore.db", APPLICATION_DATA),
        ("/$Recycle.Bin/S-1-5-21-1-2-3-1001/$IABCDEF.jpg", APPLICATION_DATA),
        ("/$Recycle.Bin/S-1-5-21-1-2-3-1001/$RABCDEF.JPG", USER_MEDIA),
        ("/Users/Amani/Pictures/a.JPG", USER_MEDIA),
        ("/DCIM/100/IMG_1.heic", USER_MEDIA),
        ("/home/amani/notes.txt", USER_FILES),
        ("/projects/notes.txt", OTHER),
        ("/Windows/Web/Wallpaper/a.jpg", SYSTEM),
        ("/$MFT", SYSTEM),
        ("/usr/share/pixmaps/a.png", SYSTEM),
        ("/Windowsill/a.jpg", USER_MEDIA),
        ("/evil\nname/a.jpg", USER_MEDIA),
    ],
)
def test_paths_fall_into_their_class(path: str, expected: int) -> None:
    assert expected == priority(path)


def entry(size: int = 1, flags: int = 0, type_: str = EntryType.FILE) -> Entry:
    return Entry("/a", type_, "5-128-1", size, flags)


def test_only_content_that_belongs_to_the_name_is_wanted() -> None:
    assert wanted(entry())
    assert wanted(entry(flags=EntryFlag.DELETED))
    assert not wanted(entry(flags=EntryFlag.DELETED | EntryFlag.REALLOCATED))
    assert not wanted(entry(flags=EntryFlag.NO_CONTENT))
    assert not wanted(entry(type_=EntryType.DIRECTORY))


def row(number: int, given: Entry) -> EntryRow:
    return (number, 1, *entry_values(PlannedEntry("p1", given, 0, -1, True)))


def test_batches_lose_nothing_and_stay_small() -> None:
    items = [WorkItem(row(n, entry(n % 7 * 1_000_000))) for n in range(2_000)]
    cut = list(batches(items))

    assert items == [item for batch in cut for item in batch.items]
    assert all(len(batch.items) <= BATCH_FILES for batch in cut)
    assert all(sum(row_size(item.row) for item in batch.items) < BATCH_BYTES + 7_000_000 for batch in cut)
    assert len(cut[0].items) <= 16
