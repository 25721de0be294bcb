"""Verification finds what was changed in the case, beside it, and in the evidence."""

import hashlib
import os
import sqlite3
from pathlib import Path

import pytest
from sample import LABEL, fill, planned

from triage.case import custody
from triage.case.rows import FileResult
from triage.case.store import CaseStore
from triage.errors import CaseError
from triage.report.build import build_exports, build_report
from triage.verify import verify_case

MEDIA = bytes(range(256)) * 4096


def state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case over a raw image, with a rule file, a drop-in plugin and a written report."""
    image, rules, plugin = tmp_path / "disk.raw", tmp_path / "rules.yar", tmp_path / "mine.py"
    image.write_bytes(MEDIA)
    rules.write_text("rule a { condition: false }")
    plugin.write_text("class A: ...")
    folder = tmp_path / "case"
    with CaseStore.create(folder) as store:
        number = store.begin_evidence(LABEL, str(image), "raw", len(MEDIA), [str(image)], {}, {})
        opened = {"path": str(image), "files": {str(image): state(image)}}
        store.custody.append(custody.EVIDENCE_OPENED, opened, 1, "op")
        store.add_entries(number, [planned("/a.jpg", 3), planned("/b.jpg", 4)])
        store.finish_walk(number)
        store.add_results([FileResult(stored.id, "done") for stored in store.pending()])
        store.set_computed_digests(number, {"sha256": hashlib.sha256(MEDIA).hexdigest()})
        digest = hashlib.sha256(plugin.read_bytes()).hexdigest()
        store.set_manifest("plugins", [{"id": "mine", "origin": f"file {plugin}", "module": "x", "sha256": digest}])
        store.set_manifest("inputs", {"mine": {str(rules): hashlib.sha256(rules.read_bytes()).hexdigest()}})
        store.custody.append(custody.SCAN_FINISHED, {"content digest": store.content_digest()}, 2, "op")
        build_exports(store, folder, "op")
        build_report(store, folder, "op")
    return folder


def outcome(case: Path) -> dict[str, bool | None]:
    return {check.name: check.ok for check in verify_case(case, "op")}


def failed(case: Path) -> set[str]:
    return {name for name, ok in outcome(case).items() if ok is False}


def change(case: Path, sql: str) -> None:
    db = sqlite3.connect(case / "case.sqlite")
    with db:
        db.execute(sql)
    db.close()


def test_an_untouched_case_passes_every_check_and_says_so_in_its_log(case: Path) -> None:
    found = outcome(case)

    assert set(found.values()) == {True}
    assert len(found) == 10
    with CaseStore.open(case) as store:
        logged = store.custody.last(custody.VERIFIED)
        assert logged is not None
        assert set(logged.detail.values()) == {"ok"}


@pytest.mark.parametrize(
    ("sql", "check"),
    [
        ("UPDATE entry SET path = '/b.jpg' WHERE path = '/a.jpg'", "content"),
        ("UPDATE content SET type = 'x'", "content"),
        ("DELETE FROM content", "content"),
        ("INSERT INTO record VALUES (1, 'p', 0, 'hit', 'exact', '{}')", "content"),
        ("DELETE FROM custody WHERE number = 1", "custody log"),
        ("UPDATE manifest SET value = '{}' WHERE section = 'inputs'", "manifest"),
        ("UPDATE evidence SET computed_digests = '{}'", "manifest"),
    ],
)
def test_a_change_in_the_store_is_found(case: Path, sql: str, check: str) -> None:
    change(case, sql)

    assert check in failed(case)


def test_one_flipped_bit_in_the_store_is_found(case: Path) -> None:
    path = case / "case.sqlite"
    data = bytearray(path.read_bytes())
    at = data.index(b"/a.jpg")
    data[at + 1] ^= 1
    path.write_bytes(data)

    assert failed(case) & {"content", "case store"}


def test_a_store_that_is_no_database_any_more_is_one_failed_check(case: Path) -> None:
    path = case / "case.sqlite"
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])

    assert failed(case) == {"case store"}


@pytest.mark.parametrize("folder", ["report/index.html", "exports/hits.csv"])
def test_a_changed_missing_or_added_file_of_ours_is_found(case: Path, folder: str) -> None:
    path = case / folder
    name = folder.partition("/")[0]
    whole = path.read_bytes()
    path.write_bytes(whole + b" ")
    assert failed(case) == {name}
    path.unlink()
    assert failed(case) == {name}
    path.write_bytes(whole)
    assert failed(case) == set()
    path.with_name("more.html").write_text("x")
    assert failed(case) == {name}


@pytest.mark.parametrize(("name", "check"), [("rules.yar", "input of mine"), ("mine.py", "plugin mine")])
def test_a_changed_rule_file_or_plugin_is_found_and_a_missing_one_is_not_checked(
    case: Path, name: str, check: str
) -> None:
    path = case.parent / name
    path.write_text("other")
    assert failed(case) == {check}
    path.unlink()
    assert outcome(case)[check] is None


def test_changed_media_are_found_even_with_their_old_size_and_time(case: Path) -> None:
    image = case.parent / "disk.raw"
    before = image.stat()
    image.write_bytes(MEDIA[:-1] + b"x")
    assert f"media of {LABEL}" in failed(case)
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert failed(case) == {f"media of {LABEL}"}


def test_evidence_that_is_elsewhere_is_not_checked(case: Path) -> None:
    (case.parent / "disk.raw").unlink()

    found = outcome(case)

    assert (found[f"media of {LABEL}"], found[f"files of {LABEL}"]) == (None, None)


def test_nothing_is_added_to_a_broken_log(case: Path) -> None:
    change(case, "DELETE FROM custody WHERE number = 2")
    outcome(case)

    with CaseStore.open(case) as store:
        assert store.custody.last(custody.VERIFIED) is None


def test_an_unfinished_scan_has_no_content_to_check(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        store.custody.append(custody.SCAN_STARTED, {}, 9, "op")

    assert outcome(tmp_path / "case")["content"] is None


def test_a_folder_without_a_case_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no case here"):
        verify_case(tmp_path, "op")
