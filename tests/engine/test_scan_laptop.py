"""A whole scan of the bundled laptop against its ground truth: hits, records, coverage, sameness, resumption."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from triage.case.digest import content_digest
from triage.case.store import CaseStore
from triage.engine.discover import discover
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import ScanSummary, scan
from triage.errors import CaseError, EvidenceError
from triage.records import Grade, RecycledFile, Visit
from triage.report.exports import write_exports
from triage.report.findings import is_finished
from triage.timeline import events

LISTS = ("known.vics.json", "known.csv", "known.md5")


def request(fixtures: Path, case: Path, workers: int = 2, lists: tuple[str, ...] = LISTS) -> ScanRequest:
    known = next(loaded.plugin for loaded in discover().loaded if loaded.plugin.id == "hash.known")
    options = {"hash.known": known.Options(lists=tuple(fixtures / name for name in lists))}
    return ScanRequest((fixtures / "laptop.E01",), case, profile("triage"), plugin_options=options, workers=workers)


@dataclass(frozen=True)
class Scanned:
    summary: ScanSummary
    folder: Path
    truth: dict[str, Any]


@pytest.fixture(scope="module")
def scanned(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    folder = tmp_path_factory.mktemp("laptop") / "case"
    summary = scan(request(fixtures, folder))
    return Scanned(summary, folder, json.loads((fixtures / "expected.json").read_text("utf-8"))["laptop"])


def place(path: str, stream: str) -> str:
    return f"{path}:{stream}" if stream else path


def test_known_pictures_are_found_where_they_are_and_nowhere_else(scanned: Scanned) -> None:
    # Content outside of files and attachments are not read; what was overwritten is not there any more.
    reached = {"live", "deleted", "orphan", "stream", "recycled", "member"}
    expected = {
        (picture["record"], picture["path"].partition(":")[2], known["list"])
        for picture in scanned.truth["pictures"]
        for known in picture["known"]
        if known["list"] in LISTS and picture["state"] in reached
    }
    with CaseStore.open(scanned.folder) as store:
        exact = [h.hit for h in store.hits() if h.hit.grade is Grade.EXACT]

    found = {(int(hit.source.address.partition("-")[0]), hit.source.stream, hit.name) for hit in exact}
    assert len(expected) == 17
    assert expected == found


def test_categories_are_told_as_the_list_holds_them(scanned: Scanned) -> None:
    wanted = {
        picture["sha256"]: known["category"]
        for picture in scanned.truth["pictures"]
        for known in picture["known"]
        if known["list"] == "known.vics.json"
    }
    with CaseStore.open(scanned.folder) as store:
        hits = [h for h in store.hits() if h.hit.name == "known.vics.json"]

    assert hits
    for stored in hits:
        assert stored.content is not None
        category = wanted[stored.content.digests["sha256"]]
        assert stored.hit.category == ("" if category is None else str(category))
        assert stored.hit.disposition == "alert"


def test_every_live_file_has_the_digest_that_was_written(scanned: Scanned) -> None:
    with CaseStore.open(scanned.folder) as store:
        contents = {content.entry: content.digests.get("sha256") for content in store.contents()}
        digests = {
            place(stored.entry.path, stored.entry.stream): contents.get(stored.id)
            for stored in store.entries()
            if not stored.entry.flags & 1
        }

    wrong = {f["path"]: digests.get(f["path"]) for f in scanned.truth["files"] if digests.get(f["path"]) != f["sha256"]}
    assert wrong == {}


def test_history_rows_of_the_write_ahead_log_are_there_and_marked(scanned: Scanned) -> None:
    truth = scanned.truth["history"]
    with CaseStore.open(scanned.folder) as store:
        visits = [r.record for r in store.records("visit") if isinstance(r.record, Visit)]

    parts = [visit.source.part for visit in visits]
    assert sum(not part.endswith("superseded") for part in parts) == truth["visits_with_log"]
    superseded = {visit.source.row for visit in visits if visit.source.part.endswith("superseded")}
    in_log = {visit.source.row for visit in visits if visit.source.part.endswith(" wal")}
    # A visit whose row is older than the log, but whose page's row the log changed, is in both.
    assert len(in_log - superseded) == truth["visits_in_log_only"]
    assert superseded - in_log == {truth["removed_by_log"]}
    removed = [v for v in visits if v.source.part.endswith("superseded") and v.source.row == truth["removed_by_log"]]
    live = [v for v in visits if not v.source.part.endswith("superseded")]
    assert sorted(visit["url"] for visit in truth["visits"]) == sorted(visit.url for visit in live + removed)


def test_recycle_bin_entries_say_where_files_were(scanned: Scanned) -> None:
    truth = scanned.truth["recycle_bin"]
    with CaseStore.open(scanned.folder) as store:
        found = [r.record for r in store.records("recycled_file") if isinstance(r.record, RecycledFile)]
        damaged = [n for n in store.notices() if n.origin == "windows.recycle_bin"]

    assert len(found) == truth["pairs"] + truth["index_only"]
    assert len(damaged) == truth["damaged_index"]
    assert all(str(record.original_path).startswith("C:\\Users\\Amani") for record in found)


def test_the_media_digest_is_computed_and_is_the_stored_one(scanned: Scanned) -> None:
    with CaseStore.open(scanned.folder) as store:
        (evidence,) = store.evidence()

    assert evidence.stored_digests == {"md5": scanned.truth["media_md5"], "sha1": scanned.truth["media_sha1"]}
    assert evidence.computed_digests == evidence.stored_digests


def test_the_media_digest_can_be_left_to_a_later_run(scanned: Scanned, fixtures: Path, tmp_path: Path) -> None:
    asked = request(fixtures, tmp_path / "case")
    scan(replace(asked, verify_media=False))
    with CaseStore.open(tmp_path / "case") as store:
        assert store.evidence()[0].computed_digests == {}
        examined = content_digest(store)
    scan(asked)
    with CaseStore.open(tmp_path / "case") as store:
        assert store.evidence()[0].computed_digests == store.evidence()[0].stored_digests
        assert content_digest(store) == examined


@pytest.mark.parametrize("workers", [1, 4])
def test_the_number_of_workers_changes_nothing(scanned: Scanned, fixtures: Path, tmp_path: Path, workers: int) -> None:
    scan(request(fixtures, tmp_path / "case", workers))
    with CaseStore.open(scanned.folder) as one, CaseStore.open(tmp_path / "case") as other:
        assert content_digest(one) == content_digest(other)
        write_exports(one, tmp_path / "one")
        write_exports(other, tmp_path / "other")

    for path in sorted((tmp_path / "one").iterdir()):
        if path.name != "custody.txt":  # holds the time of day
            assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name


def test_the_same_command_again_does_no_work_again(scanned: Scanned, fixtures: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(scanned.folder, case)
    summary = scan(request(fixtures, case))

    assert summary.progress.files_total == 0
    assert summary.exit_code == scanned.summary.exit_code


def test_other_lists_in_the_same_case_are_refused(scanned: Scanned, fixtures: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(scanned.folder, case)

    with pytest.raises(CaseError, match="other inputs"):
        scan(request(fixtures, case, lists=("known.csv",)))
    with CaseStore.open(case) as store:
        assert is_finished(store)


def test_a_second_evidence_is_added_when_the_first_is_no_longer_at_hand(fixtures: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.E01"
    shutil.copy(fixtures / "card.E01", first)
    scan(ScanRequest((first,), tmp_path / "case", profile("triage"), workers=1))
    first.unlink()
    summary = scan(ScanRequest((fixtures / "stick.E01",), tmp_path / "case", profile("triage"), workers=1))

    assert summary.progress.files > 0
    with CaseStore.open(tmp_path / "case") as store:
        assert [row.label for row in store.evidence()] == ["first.E01", "stick.E01"]


@pytest.mark.parametrize("after", [0.9, 1.5, 2.2])
def test_a_killed_scan_goes_on_and_ends_the_same(
    scanned: Scanned, fixtures: Path, tmp_path: Path, after: float
) -> None:
    case = tmp_path / "case"
    lists = [word for name in LISTS for word in ("--hashset", str(fixtures / name))]
    command = [
        sys.executable,
        "-m",
        "triage",
        "scan",
        str(fixtures / "laptop.E01"),
        "--case",
        str(case),
        "--quiet",
        *lists,
    ]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == scanned.summary.exit_code, done.stderr
    with CaseStore.open(scanned.folder) as one, CaseStore.open(case) as other:
        assert content_digest(one) == content_digest(other)
    assert not (case / "work").exists()


def test_times_beyond_every_calendar_are_not_made_into_1970(scanned: Scanned) -> None:
    with CaseStore.open(scanned.folder) as store:
        (found,) = (s.entry for s in store.entries() if s.entry.path.endswith("/far future.txt"))
        dates = [event.time.iso()[:4] for event in events(store) if event.record is None]

    assert all(ns is not None and ns > 4 * 10**20 for ns in found.times)
    assert "1970" not in dates


def test_evidence_that_changed_since_is_not_mixed_into_the_case(fixtures: Path, tmp_path: Path) -> None:
    image = tmp_path / "stick.E01"
    shutil.copy(fixtures / "stick.E01", image)
    first = ScanRequest((image,), tmp_path / "case", profile("triage"), workers=1)
    scan(first)
    os.utime(image, ns=(1, 1))

    with pytest.raises(EvidenceError, match="modification time"):
        scan(first)
