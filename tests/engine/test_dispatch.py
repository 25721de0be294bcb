"""Work handed to processes comes back whole, whatever a plugin does to its process."""

from pathlib import Path

from triage.case.store import CaseStore
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
from triage.engine.workers import WALK_FRAME
from triage.errors import INCOMPLETE
from triage.notices import NoticeKind

HARMFUL = '''
"""Harms its own process on files named after what to do."""
import os
import time
from triage.api import Grade, Hit, Scanner


class Harmful(Scanner):
    """Reads nothing and does what the file name says.

    It does not do anything else. References: none.
    """

    id = "test.harmful"
    yields = (Hit,)

    def scan(self, file):
        if file.name == "abort.txt":
            os.abort()
        if file.name == "sleep.txt":
            time.sleep(3600)
        if file.name == "exit.txt":
            os._exit(0)
        if file.name == "raise.txt":
            raise RuntimeError("as asked")
        if file.name == "eat.txt":
            hoard = []
            while True:
                hoard.append(bytearray(64 << 20))
        yield Hit(source=file.locator, grade=Grade.INDICATOR, name="seen", detail=file.digests["md5"])
'''


def test_a_plugin_that_crashes_hangs_or_exits_costs_its_own_files_only(tmp_path: Path) -> None:
    plugins, evidence = tmp_path / "plugins", tmp_path / "evidence"
    plugins.mkdir()
    evidence.mkdir()
    (plugins / "test_harmful.py").write_text(HARMFUL)
    names = ["abort.txt", "sleep.txt", "exit.txt", "raise.txt", "eat.txt", *(f"good-{n}.txt" for n in range(60))]
    for name in names:
        (evidence / name).write_text(name)
    request = ScanRequest(
        (evidence,),
        tmp_path / "case",
        profile("triage"),
        plugin_folders=(plugins,),
        workers=2,
        step_seconds=5,
        memory=640 << 20,
    )

    summary = scan(request)

    assert summary.exit_code == INCOMPLETE
    with CaseStore.open(tmp_path / "case") as store:
        kinds = {n.source.path: n.kind for n in store.notices() if n.origin == "test.harmful"}
        seen = {hit.hit.source.path for hit in store.hits() if hit.plugin == "test.harmful"}
        digested = sum(1 for content in store.contents() if content.status == "done")
    assert kinds == {
        "/abort.txt": NoticeKind.CRASHED,
        "/eat.txt": NoticeKind.LIMIT,
        "/exit.txt": NoticeKind.CRASHED,
        "/raise.txt": NoticeKind.FAILED,
        "/sleep.txt": NoticeKind.TIMED_OUT,
    }
    assert seen == {f"/good-{n}.txt" for n in range(60)}
    assert digested == len(names)
    assert not (tmp_path / "case" / "work").exists()


BREAKS_WALKS = '''
"""Makes workers die in the walk of a folder, after some entries."""
import multiprocessing
import os

from triage.evidence.folder import FolderFileSystem

whole = FolderFileSystem.walk


def broken(self):
    for number, found in enumerate(whole(self)):
        if number == {limit}:
            os.abort()
        yield found


if multiprocessing.parent_process() is not None:
    FolderFileSystem.walk = broken
'''


def test_a_walk_that_kills_its_worker_keeps_what_it_had_found_and_the_scan_goes_on(tmp_path: Path) -> None:
    plugins, evidence = tmp_path / "plugins", tmp_path / "evidence"
    plugins.mkdir()
    evidence.mkdir()
    # The worker hands over its entries in portions; those of the last one are lost with it.
    (plugins / "test_breaks.py").write_text(BREAKS_WALKS.format(limit=WALK_FRAME + 50))
    for number in range(WALK_FRAME + 100):
        (evidence / f"{number}.txt").write_text("text")

    summary = scan(ScanRequest((evidence,), tmp_path / "case", profile("triage"), plugin_folders=(plugins,), workers=2))

    assert summary.exit_code == INCOMPLETE
    with CaseStore.open(tmp_path / "case") as store:
        (lost,) = (each for each in store.notices() if each.kind is NoticeKind.CRASHED)
        entries = len(list(store.entries()))
        files = [content for content in store.contents() if content.status == "done"]
    assert lost.origin == "walk"
    assert f"{WALK_FRAME:,} entries" in lost.message
    assert entries == WALK_FRAME
    assert len(files) == WALK_FRAME
