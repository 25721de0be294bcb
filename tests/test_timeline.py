"""The timeline: every time once, in one order; what is missing is not a date; what has no zone gets none."""

from pathlib import Path

import sample
from sample import LABEL, fill, planned, recycled

from triage import timeline
from triage.case.rows import FileResult, Found, PlannedEntry, VolumeRow
from triage.case.store import CaseStore
from triage.evidence.entry import Entry, EntryTimes
from triage.locator import Locator
from triage.report.listings import event_row
from triage.times import SECOND

YEAR = 31_556_952 * SECOND


def small(folder: Path, entries: list[PlannedEntry]) -> CaseStore:
    store = CaseStore.create(folder)
    number = store.begin_evidence(LABEL, "/e", "raw", 5, [], {}, {})
    store.add_volumes([VolumeRow(number, "p1", "fat32", 0, 5, "open", "", "fat32, ntfs")])
    store.add_entries(number, entries)
    store.finish_walk(number)
    return store


def entry_at(*times: int | None, volume: str = "p1") -> PlannedEntry:
    return PlannedEntry(volume, Entry("/a", "r", "1", 0, times=EntryTimes(*times)), 0, -1, False)


def test_every_time_is_one_event_and_all_are_in_order(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        events = list(timeline.events(store))
        expected = sum(
            time is not None
            for stored in store.entries()
            for time in (*stored.entry.times, *(stored.entry.name_times or ()))
        )

        assert expected + 2 == len(events) == timeline.count(store)
        assert sorted(event.time.ns for event in events) == [event.time.ns for event in events]
        assert {"Taken", "Visited", *timeline.ENTRY_EVENTS} == {event.description for event in events}


def test_the_order_is_the_same_every_time(tmp_path: Path) -> None:
    with fill(tmp_path / "a") as one, fill(tmp_path / "b") as two:
        assert list(timeline.events(one)) == list(timeline.events(two)) == list(timeline.events(one))


def test_missing_times_are_no_events(tmp_path: Path) -> None:
    with small(tmp_path / "case", [entry_at(None, None, None, None), entry_at(0, None, None, None)]) as store:
        assert [event.time.ns for event in timeline.events(store)] == [0]


def test_wall_clock_times_never_end_in_z(tmp_path: Path) -> None:
    with small(tmp_path / "case", [entry_at(1, 1, 1, 1), entry_at(1, 1, 1, 1, volume="p1~ntfs")]) as store:
        found = {(event.entry.volume, event.time.basis, event.time.iso()[-1]) for event in timeline.events(store)}

    assert {("p1", "local", "0"), ("p1~ntfs", "utc", "Z")} == found


def test_a_file_system_that_nobody_knows_has_an_unknown_basis(tmp_path: Path) -> None:
    with small(tmp_path / "case", [entry_at(1, volume="p9")]) as store:
        assert [event.time.basis for event in timeline.events(store)] == ["unknown"]


def test_times_beyond_64_bits_are_ordered_and_those_beyond_the_calendar_counted(tmp_path: Path) -> None:
    wanted = [-369 * YEAR, -YEAR, 0, 200 * YEAR, 400 * YEAR, 7000 * YEAR]
    given = [7000 * YEAR, 0, 40_000 * YEAR, -369 * YEAR, 400 * YEAR, -YEAR, 200 * YEAR]
    with small(tmp_path / "case", [entry_at(ns, volume="p1~ntfs") for ns in given]) as store:
        assert wanted == [event.time.ns for event in timeline.events(store)]
        assert timeline.undatable(store) == 1


def test_relevant_events_are_those_of_records_hits_and_deleted_entries(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        paths = {event.entry.entry.path for event in timeline.events(store, relevant=True) if event.record is None}
        listed = sum(1 for _ in timeline.events(store, relevant=True))

        assert {"/Users/a/holiday.jpg", "/Users/a/copy of holiday.jpg", "/Users/a/lost.bin"} <= paths
        assert not {"/", "/Users/a/broken.zip", "/DCIM/IMG_0001.JPG"} & paths
        assert listed == timeline.count(store, relevant=True)


def test_a_record_event_names_the_record_and_its_place(tmp_path: Path) -> None:
    place = Locator(LABEL, "p1", "/$I1", "5")
    with small(tmp_path / "case", [planned("/$I1", 5, volume="p1")]) as store:
        (number,) = (stored.id for stored in store.pending())
        store.add_results([FileResult(number, "done", found=(Found("recycle", recycled(place)),))])
        (row,) = (event_row(e, LABEL) for e in timeline.events(store) if e.record is not None)

    assert (
        row["datetime"], row["timestamp_desc"], row["source_type"],
    ) == ("2024-05-01T10:20:30.0000000Z", "Deleted", "recycled_file")  # fmt: skip
    assert "original path: C:\\a.jpg" in str(row["message"])


def test_reading_the_timeline_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    sample.fill(tmp_path / "case").close()
    before = (tmp_path / "case" / "case.sqlite").read_bytes()
    with CaseStore.open(tmp_path / "case") as store:
        list(timeline.events(store))

    assert before == (tmp_path / "case" / "case.sqlite").read_bytes()
