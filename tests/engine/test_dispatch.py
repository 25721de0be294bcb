"""Work handed to processes comes back whole, whatever a plugin does to its process."""

from pathlib import Path

from triage.case.store import CaseStore
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import scan
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
        yield Hit(source=file.locator, grade=Grade.INDICATOR, name="seen", detail=file.digests["md5"])
'''


def test_a_plugin_that_crashes_hangs_or_exits_costs_its_own_files_only(tmp_path: Path) -> None:
    plugins, evidence = tmp_path / "plugins", tmp_path / "evidence"
    plugins.mkdir()
    evidence.mkdir()
    (plugins / "test_harmful.py").write_text(HARMFUL)
    names = ["abort.txt", "sleep.txt", "exit.txt", "raise.txt", *(f"good-{n}.txt" for n in range(60))]
    for name in names:
        (evidence / name).write_text(name)
    request = ScanRequest(
        (evidence,), tmp_path / "case", profile("triage"), plugin_folders=(plugins,), workers=2, step_seconds=3
    )

    summary = scan(request)

    assert summary.exit_code == INCOMPLETE
    with CaseStore.open(tmp_path / "case") as store:
        kinds = {n.source.path: n.kind for n in store.notices() if n.origin == "test.harmful"}
        seen = {hit.hit.source.path for hit in store.hits() if hit.plugin == "test.harmful"}
        digested = sum(1 for content in store.contents() if content.status == "done")
    assert kinds == {
        "/abort.txt": NoticeKind.CRASHED,
        "/exit.txt": NoticeKind.CRASHED,
        "/raise.txt": NoticeKind.FAILED,
        "/sleep.txt": NoticeKind.TIMED_OUT,
    }
    assert seen == {f"/good-{n}.txt" for n in range(60)}
    assert digested == len(names)
    assert not (tmp_path / "case" / "work").exists()
