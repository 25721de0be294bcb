"""The case store keeps what it is given, in an order that does not depend on arrival, and one process writes it."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sample
from sample import LABEL, entries, fill, planned

from triage.case.rows import FileResult, Found, PlannedEntry
from triage.case.store import CaseStore
from triage.errors import CaseError, IntegrityError
from triage.evidence.entry import Entry, EntryTimes, Extent
from triage.locator import Locator
from triage.notices import NoticeKind, notice
from triage.records import Grade, Hit


def begin(store: CaseStore, label: str = LABEL) -> int:
    return store.begin_evidence(label, f"/e/{label}", "raw", 1 << 40, [f"/e/{label}"], {}, {})


def walked(folder: Path, planned_entries: list[PlannedEntry]) -> CaseStore:
    store = CaseStore.create(folder)
    number = begin(store)
    store.add_entries(number, planned_entries)
    store.finish_walk(number)
    return store


def test_entries_come_back_as_they_went_in(tmp_path: Path) -> None:
    with walked(tmp_path / "case", entries()) as store:
        found = list(store.entries())

    assert [p.entry for p in entries()] == [stored.entry for stored in found]
    assert sorted(stored.id for stored in found) == [stored.id for stored in found]


@pytest.mark.parametrize(
    "entry",
    [
        Entry("/far", "r", "1", 1 << 63, times=EntryTimes(1 << 70, -(1 << 70), None, 0), extents=None),
        Entry("/holes", "r", "1", 3, extents=(Extent(-1, 1), Extent(1 << 60, 2))),
        Entry("/empty", "r", "1", 0, extents=()),
        Entry("/many", "r", "1", 300, extents=tuple(Extent(n * 7, 1) for n in range(300))),
        Entry("/nul\0", "r", "1", 1, raw_path=b"/nul\0\xff", mode=1 << 64, link_target="\0"),
    ],
)
def test_absurd_entries_come_back_as_they_went_in(tmp_path: Path, entry: Entry) -> None:
    ordinary = planned("/a", 9)
    with walked(tmp_path / "case", [ordinary, PlannedEntry("p1", entry, 0, -1, True), ordinary]) as store:
        assert [ordinary.entry, entry, ordinary.entry] == [stored.entry for stored in store.entries()]


def test_an_unpaired_surrogate_in_a_name_is_stored_as_text(tmp_path: Path) -> None:
    with walked(tmp_path / "case", [planned("/a\ud800b", 9)]) as store:
        assert [stored.entry.path for stored in store.entries()] == ["/a\\ud800b"]


def test_pending_is_ordered_by_priority_then_place_and_safe_while_results_arrive(tmp_path: Path) -> None:
    many = [planned(f"/{n}.{'jpg' if n % 3 else 'txt'}", (n * 7919) % 12_000) for n in range(12_000)]
    with walked(tmp_path / "case", many) as store:
        files, size = store.pending_totals()
        seen = []
        for stored in store.pending():
            seen.append(stored)
            if len(seen) % 500 == 0:
                store.add_results([FileResult(one.id, "done") for one in seen[-500:]])

        keys = [(1 if s.entry.path.endswith("jpg") else 3, s.entry.extents) for s in seen]
        assert (files, size) == (12_000, 12_000 * 4096)
        assert len({stored.id for stored in seen}) == 12_000
        assert sorted(keys) == keys
        assert store.pending_totals() == (0, 0)
        assert list(store.pending()) == []


def test_find_gives_live_and_deleted_entries_of_a_path_in_one_volume(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        assert [s.entry.address for s in store.find(1, "p2", "/Users/a/copy of holiday.jpg")] == ["37-128-1"]
        assert store.find(1, "p1", "/Users/a/copy of holiday.jpg") == []


def test_a_walk_that_was_cut_off_is_gone_over_again_and_what_was_found_stays(tmp_path: Path) -> None:
    with CaseStore.create(tmp_path / "case") as store:
        number = begin(store)
        store.add_entries(number, entries()[:3])
        done = next(store.entries()).id
        store.add_results([FileResult(done, "done")])
    with CaseStore.open(tmp_path / "case", writable=True) as store:
        assert not store.evidence()[0].walked
        assert number == begin(store)
        store.begin_walk(number)
        store.add_entries(number, entries())
        store.finish_walk(number)
        again = [stored.id for stored in store.entries()]
        assert [content.entry for content in store.contents()] == [done]
    with walked(tmp_path / "whole", entries()) as store:
        assert [stored.id for stored in store.entries()] == again


@pytest.mark.parametrize("before", [0, 1])
def test_what_follows_a_difference_is_dropped_with_its_results(tmp_path: Path, before: int) -> None:
    other = [*entries()[:before], *entries()[before + 1 :]]
    with CaseStore.create(tmp_path / "case") as store:
        number = begin(store)
        for one in entries():
            store.add_entries(number, [one])
        store.add_results([FileResult(stored.id, "done") for stored in store.entries()])
    with CaseStore.open(tmp_path / "case", writable=True) as store:
        store.begin_walk(number)
        for one in other:
            store.add_entries(number, [one])
        store.finish_walk(number)
        assert [stored.entry for stored in store.entries()] == [one.entry for one in other]
        assert len(list(store.contents())) == before


def test_what_a_longer_walk_had_left_is_dropped_at_the_end(tmp_path: Path) -> None:
    with CaseStore.create(tmp_path / "case") as store:
        number = begin(store)
        store.add_entries(number, entries())
    with CaseStore.open(tmp_path / "case", writable=True) as store:
        store.begin_walk(number)
        store.add_entries(number, entries()[:2])
        store.finish_walk(number)
        assert len(list(store.entries())) == 2


def test_ids_do_not_depend_on_the_order_in_which_evidence_is_walked(tmp_path: Path) -> None:
    digests = []
    for order in ((0, 1), (1, 0)):
        with CaseStore.create(tmp_path / str(order)) as store:
            numbers = [begin(store, "one"), begin(store, "two")]
            for which in order:
                store.add_entries(numbers[which], entries()[which : which + 4])
                store.finish_walk(numbers[which])
            digests.append(store.content_digest())

    assert digests[0] == digests[1]


def test_the_content_digest_does_not_depend_on_the_order_of_results(tmp_path: Path) -> None:
    def digest(folder: Path, turn: int) -> str:
        with walked(folder, entries()) as store:
            store._db.execute("UPDATE entry SET volume = 'p2'")
            results = sample.results(store)[::turn]
            for result in results:
                store.add_results([result])
            return store.content_digest()

    assert digest(tmp_path / "a", 1) == digest(tmp_path / "b", -1)


def test_the_content_digest_does_not_depend_on_where_the_evidence_lay(tmp_path: Path) -> None:
    digests = []
    for place in ("/mnt/a", "/media/b"):
        with CaseStore.create(tmp_path / place.replace("/", "_")) as store:
            store.begin_evidence(LABEL, place, "raw", 5, [place], {}, {})
            digests.append(store.content_digest())

    assert digests[0] == digests[1]


def test_a_second_result_for_an_entry_replaces_the_first(tmp_path: Path) -> None:
    with walked(tmp_path / "case", [planned("/a.jpg", 9)]) as store:
        place = Locator(LABEL, "p2", "/a.jpg")
        (entry_id,) = (stored.id for stored in store.pending())
        doubt = notice(NoticeKind.CRASHED, place, "once", "engine")
        hit = Found("hash.known", Hit(source=place, grade=Grade.EXACT, name="n", detail="d"))
        store.add_results([FileResult(entry_id, "failed", notices=(doubt,))])
        store.add_results([FileResult(entry_id, "done", found=(hit, hit))])

        assert [content.status for content in store.contents()] == ["done"]
        assert list(store.notices()) == []
        assert [stored.sequence for stored in store.records()] == [0, 1]


def test_equal_notices_are_one_and_all_are_sorted(tmp_path: Path) -> None:
    given = [
        notice(NoticeKind.REMARK, Locator(LABEL, "p1", path, row=row), "text", "origin")
        for path, row in (("/b", 1), ("/a", -1), ("/b", 1), ("/a", 10), ("/a", 9))
    ]
    with CaseStore.create(tmp_path / "case") as store:
        store.add_notices(given)
        store.add_notices(given[:2])

        assert sorted(set(given)) == list(store.notices())


def test_numbers_beyond_64_bits_are_stored_and_notices_between_entries(tmp_path: Path) -> None:
    with CaseStore.create(tmp_path / "case") as store:
        number = begin(store)

        def walk():
            yield entries()[0]
            store.add_notices([notice(NoticeKind.LOOP, Locator(LABEL), "in between", "test")])
            yield PlannedEntry("p1", Entry("/far", "r", "1", 1 << 80), 0, -1, True)

        assert store.add_entries(number, walk()) == 2
        assert [one.message for one in store.notices()] == ["in between"]


def test_records_come_back_by_entry_plugin_and_sequence(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        keys = [(stored.entry, stored.plugin, stored.sequence) for stored in store.records()]
        visits = [stored.record for stored in store.records("visit")]

    assert sorted(keys) == keys
    assert [visit.source.row for visit in visits] == [3, 4]


def test_hits_come_strongest_grade_first(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        grades = [stored.hit.grade for stored in store.hits()]

    assert sorted(grades, key=list(Grade).index) == grades
    assert set(Grade) == set(grades)


def test_coverage_counts_every_file_once(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        totals = store.totals()
        files = sum(row.entries for row in totals.entries if row.type == "r")

        assert files == totals.files_read + sum(row.files for row in totals.unread)
        assert {row.plugin: sum(row.counts.values()) for row in totals.plugins} == dict.fromkeys(sample.PLUGINS, 10)
        assert store.coverage()["media.exif"] == {"F": 1, "0": 6, "-": 1, "S": 1, "X": 1, "R": 0}
        assert dict(totals.notices) == {"encrypted": 1, "failed": 1}


def test_a_closed_case_is_one_file(tmp_path: Path) -> None:
    fill(tmp_path / "case").close()

    assert [path.name for path in (tmp_path / "case").iterdir()] == ["case.sqlite"]


def test_a_case_is_written_by_one_at_a_time_and_read_by_others(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        with pytest.raises(CaseError, match="in use"):
            CaseStore.open(tmp_path / "case", writable=True)
        with CaseStore.open(tmp_path / "case") as reader:
            assert store.content_digest() == reader.content_digest()
            with pytest.raises(CaseError, match="reading only"):
                reader.add_notices([])


def test_the_lock_of_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    fill(tmp_path / "case").close()
    script = (
        "import os, sys; from pathlib import Path; from triage.case.store import CaseStore\n"
        "store = CaseStore.open(Path(sys.argv[1]), writable=True)\n"
        "store.set_manifest('half', 1); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "case")], check=False, env=os.environ)

    assert (tmp_path / "case" / "case.lock").exists()
    with CaseStore.open(tmp_path / "case", writable=True) as store:
        assert store.manifest()["half"] == 1


def test_a_case_is_not_made_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")

    with pytest.raises(CaseError, match="not empty"):
        CaseStore.create(tmp_path)
    fill(tmp_path / "case").close()
    with pytest.raises(CaseError, match="already holds a case"):
        CaseStore.create(tmp_path / "case")


def test_what_is_not_a_case_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no case here"):
        CaseStore.open(tmp_path)
    path = tmp_path / "case.sqlite"
    path.write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(IntegrityError, match="damaged"):
        CaseStore.open(tmp_path)
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE other (x)")
    db.close()
    with pytest.raises(CaseError, match="not a case"):
        CaseStore.open(tmp_path, writable=True)
    assert not (tmp_path / "case.lock").exists()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "case").close()
    db = sqlite3.connect(tmp_path / "case" / "case.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(CaseError, match="schema version 99"):
        CaseStore.open(tmp_path / "case")


def test_another_evidence_under_a_label_that_is_taken_is_refused(tmp_path: Path) -> None:
    with CaseStore.create(tmp_path / "case") as store:
        begin(store)
        with pytest.raises(CaseError, match="already has another evidence"):
            store.begin_evidence(LABEL, "/e/x", "raw", 7, [], {}, {})


def test_a_read_only_case_can_be_read(tmp_path: Path) -> None:
    fill(tmp_path / "case").close()
    (tmp_path / "case" / "case.sqlite").chmod(0o444)

    with CaseStore.open(tmp_path / "case") as store:
        assert len(list(store.entries())) == 1 + len(entries())


def test_what_a_killed_scan_leaves_before_there_is_a_case_is_no_obstacle(tmp_path: Path) -> None:
    for name in ("case.sqlite.new", "case.sqlite.new-journal"):
        (tmp_path / name).write_bytes(b"half a store")
    (tmp_path / "hashsets").mkdir()

    with CaseStore.create(tmp_path):
        pass

    assert {path.name for path in tmp_path.iterdir()} == {"case.sqlite", "hashsets"}
