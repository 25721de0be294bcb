"""Members of archives are entries like any other, and no archive can hold up or fill a scan."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from recipes import damage

from triage.case.digest import content_digest
from triage.case.ids import archive_of
from triage.case.store import CaseStore
from triage.engine.expand import DEPTH
from triage.engine.profile import profile
from triage.engine.request import ScanRequest
from triage.engine.run import ScanSummary, scan
from triage.errors import COMPLETE, INCOMPLETE
from triage.evidence.entry import EntryFlag
from triage.notices import NoticeKind

TEXT = b"neutral words about the weather\n" * 20


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_700_000_000
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def run(tmp_path: Path, files: dict[str, bytes], **more: object) -> ScanSummary:
    evidence = tmp_path / "evidence"
    evidence.mkdir(exist_ok=True)
    for name, content in files.items():
        (evidence / name).write_bytes(content)
    workers = int(str(more.pop("workers", 2)))
    return scan(ScanRequest((evidence,), tmp_path / "case", profile("triage"), workers=workers, **more))  # type: ignore[arg-type]


def found(tmp_path: Path) -> dict[str, str]:
    with CaseStore.open(tmp_path / "case") as store:
        contents = {content.entry: content.digests.get("sha256", "") for content in store.contents()}
        return {stored.entry.path: contents.get(stored.id, "not read") for stored in store.entries()}


def test_members_at_any_depth_are_examined_and_stand_behind_their_archive(tmp_path: Path) -> None:
    inner = zipped({"deep/a.txt": TEXT + b"a"})
    summary = run(
        tmp_path,
        {"one.zip": zipped({"b.txt": TEXT + b"b", "inner.zip": inner}), "two.tar.gz": tarred({"d/c.txt": TEXT + b"c"})},
    )

    assert summary.exit_code == COMPLETE
    import hashlib

    digests = found(tmp_path)
    for path, end in (
        ("/one.zip/b.txt", b"b"),
        ("/one.zip/inner.zip/deep/a.txt", b"a"),
        ("/two.tar.gz/two.tar/d/c.txt", b"c"),
    ):
        assert digests[path] == hashlib.sha256(TEXT + end).hexdigest()
    with CaseStore.open(tmp_path / "case") as store:
        entries = list(store.entries())
        archives = {stored.id: stored.entry.path for stored in entries if not stored.entry.container}
        addresses = {stored.entry.path: stored.entry.address for stored in entries}
    for stored in entries:
        assert stored.entry.path.startswith(archives[archive_of(stored.id)])
    assert addresses["/one.zip/inner.zip/deep/a.txt"] == addresses["/one.zip"] + "/2/1"


def test_the_number_of_workers_changes_nothing_about_members(tmp_path: Path) -> None:
    files = {f"{n}.zip": zipped({f"{m}.txt": TEXT * m for m in range(n + 2)}) for n in range(9)}
    files["large.zip"] = zipped({f"{m}.bin": bytes(1 << 20) + bytes([m]) for m in range(6)}, zipfile.ZIP_STORED)
    digests = []
    for workers in (1, 3):
        (tmp_path / str(workers)).mkdir()
        run(tmp_path / str(workers), files, workers=workers)
        with CaseStore.open(tmp_path / str(workers) / "case") as store:
            label = [(e.entry.path, e.id) for e in store.entries()]
            digests.append((sorted(found(tmp_path / str(workers)).items()), [path for path, _ in label]))

    assert sorted(digests[0][0]) == sorted(digests[1][0])
    assert len(digests[0][0]) == 10 + sum(range(2, 11)) + 6


@pytest.mark.parametrize("name", ["bomb.zip", "nested.zip", "bomb.gz"])
def test_a_bomb_is_bounded_and_noticed(tmp_path: Path, name: str) -> None:
    made = {
        "bomb.zip": lambda: zipped({f"{n}.bin": bytes(21 << 20) for n in range(20)}),
        "nested.zip": damage.zip_bomb,
        "bomb.gz": lambda: damage.gzip_bomb(600 << 20),
    }
    summary = run(tmp_path, {name: made[name](), "beside.txt": TEXT})

    assert summary.exit_code == INCOMPLETE
    with CaseStore.open(tmp_path / "case") as store:
        limits = [n for n in store.notices() if n.kind is NoticeKind.LIMIT and n.source.path.startswith(f"/{name}")]
        unpacked = sum(stored.entry.size for stored in store.entries() if stored.entry.container)
    assert limits
    assert "bytes unpacked, out of an archive of" in limits[0].message
    assert unpacked < 900 << 20
    assert found(tmp_path)["/beside.txt"]


def test_archives_beyond_the_depth_are_named_and_not_opened(tmp_path: Path) -> None:
    content = TEXT
    for level in range(DEPTH + 1):
        content = zipped({f"level-{level}.zip" if level else "a.txt": content})
    summary = run(tmp_path, {"outer.zip": content})

    assert summary.exit_code == INCOMPLETE
    with CaseStore.open(tmp_path / "case") as store:
        (limit,) = (n for n in store.notices() if n.kind is NoticeKind.LIMIT)
    assert limit.source.path.endswith("/level-1.zip")
    assert not any(path.endswith("a.txt") for path in found(tmp_path))


def test_an_encrypted_member_is_named_and_coverage_says_so(tmp_path: Path) -> None:
    content = bytearray(zipped({"secret.txt": TEXT}, zipfile.ZIP_STORED))
    content[6] |= 1  # the flags of the local header, and those of the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    summary = run(tmp_path, {"locked.zip": bytes(content)})

    assert summary.exit_code == INCOMPLETE
    with CaseStore.open(tmp_path / "case") as store:
        (member,) = (stored.entry for stored in store.entries() if stored.entry.container)
        (locked,) = (n for n in store.notices() if n.kind is NoticeKind.ENCRYPTED)
        reasons = {unread.reason for unread in store.totals().unread}
    assert member.flags & EntryFlag.ENCRYPTED
    assert locked.source.path == "/locked.zip/secret.txt"
    assert "encrypted member of an archive" in reasons


DIES = '''
"""Dies on members called ``bad.txt``."""
import os

from triage.api import Grade, Hit, Scanner


class Dies(Scanner):
    """Ends its own process.

    It does not do anything else. References: none.
    """

    id = "test.dies"
    yields = (Hit,)

    def scan(self, file):
        if file.name == "bad.txt":
            os.abort()
        yield Hit(source=file.locator, grade=Grade.INDICATOR, name="seen", detail="")
'''


@pytest.mark.parametrize("size", [10, 6 << 20], ids=["at once", "as work of its own"])
def test_a_crash_on_a_member_costs_that_member_and_plugin_only(tmp_path: Path, size: int) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "test_dies.py").write_text(DIES)
    members = {"good.txt": TEXT, "bad.txt": TEXT + b"!", "also.txt": TEXT + b"?", "fill.bin": bytes(size)}
    summary = run(tmp_path, {"a.zip": zipped(members, zipfile.ZIP_STORED), "b.txt": TEXT}, plugin_folders=(plugins,))

    assert summary.exit_code == INCOMPLETE
    with CaseStore.open(tmp_path / "case") as store:
        crashed = [n.source.path for n in store.notices() if n.kind is NoticeKind.CRASHED]
        seen = {hit.hit.source.path for hit in store.hits() if hit.plugin == "test.dies"}
    assert crashed == ["/a.zip/bad.txt"]
    assert seen == {"/a.zip", "/b.txt", "/a.zip/good.txt", "/a.zip/also.txt", "/a.zip/fill.bin"}
    assert found(tmp_path)["/a.zip/bad.txt"]


def test_members_that_an_interrupted_scan_left_are_not_kept_beside_the_new_ones(tmp_path: Path) -> None:
    large = zipped({f"{n}.bin": bytes(1 << 20) + bytes([n]) for n in range(6)}, zipfile.ZIP_STORED)
    run(tmp_path, {"large.zip": large})
    with CaseStore.open(tmp_path / "case", writable=True) as store:
        whole = content_digest(store)
        for sql in ("DELETE FROM expansion", "DELETE FROM content WHERE entry IN (SELECT max(entry) FROM content)"):
            store._db.execute(sql)
    run(tmp_path, {})

    with CaseStore.open(tmp_path / "case") as store:
        assert content_digest(store) == whole
