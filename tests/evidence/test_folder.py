import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from triage.errors import EvidenceError
from triage.evidence.entry import Entry, EntryFlag, EntryType, FileSystem, content
from triage.evidence.folder import FolderFileSystem, open_folder
from triage.evidence.limits import WalkLimits
from triage.evidence.source import ByteSource
from triage.locator import Locator
from triage.notices import Notice, NoticeKind

posix = pytest.mark.skipif(os.name == "nt", reason="needs names, links and pipes of POSIX")


def system_of(path: Path) -> FileSystem:
    return open_folder(path, "f").file_systems()[""]


def walk(system: FileSystem) -> tuple[dict[str, Entry], list[Notice]]:
    items = list(system.walk())
    return {i.path: i for i in items if isinstance(i, Entry)}, [i for i in items if isinstance(i, Notice)]


def read(source: ByteSource) -> bytes:
    try:
        return source.read_at(0, source.size)
    finally:
        source.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "evidence"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"content of a")
    (root / "sub" / "empty").touch()
    (root / "sub" / "deep" / "b.bin").write_bytes(bytes(range(256)) * 10)
    os.utime(root / "a.txt", ns=(1_600_000_000_123_456_700, 1_500_000_000_987_654_300))
    return root


def test_every_name_is_listed_with_what_the_system_says_of_it(tree: Path) -> None:
    entries, notices = walk(system_of(tree))

    assert notices == []
    assert list(entries) == ["/a.txt", "/sub", "/sub/deep", "/sub/empty", "/sub/deep/b.bin"]
    a, status = entries["/a.txt"], (tree / "a.txt").stat()
    assert (a.type, a.name_type, a.size, a.extents, a.raw_path) == ("r", "r", 12, None, b"")
    assert (a.mode, a.uid, a.gid, a.links) == (status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_nlink)
    assert a.address == str(status.st_ino)
    assert (a.times.modified, a.times.accessed) == (status.st_mtime_ns, status.st_atime_ns)
    assert a.times.modified == 1_500_000_000_987_654_300
    assert entries["/sub"].type == EntryType.DIRECTORY


def test_content_reads_at_any_offset(tree: Path) -> None:
    system = system_of(tree)
    entries, _ = walk(system)
    source = content(system, entries["/sub/deep/b.bin"])

    assert source.size == 2560
    assert source.read_at(250, 10) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
    assert source.read_at(2559, 10) == b"\xff"
    assert source.read_at(2560, 10) == b""
    source.close()
    assert read(system.open(entries["/sub/empty"])) == b""


@posix
def test_links_are_entries_and_are_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"x")
    (tree / "to-dir").symlink_to(tmp_path / "outside")
    (tree / "up").symlink_to("..")
    (tree / "dangling").symlink_to("nowhere")
    os.symlink(b"bad\xff", os.fsencode(tree) + b"/odd")
    system = system_of(tree)
    entries, notices = walk(system)

    assert notices == []
    assert entries["/to-dir"].type == EntryType.SYMLINK
    assert entries["/to-dir"].link_target == str(tmp_path / "outside")
    assert entries["/up"].link_target == ".."
    assert read(system.open(entries["/dangling"])) == b"nowhere"
    assert entries["/odd"].link_target == "bad\\xff"
    assert read(system.open(entries["/odd"])) == b"bad\xff"
    assert not any("secret" in path for path in entries)


@posix
def test_a_link_put_in_place_of_a_directory_after_the_listing_leads_nowhere(tree: Path, tmp_path: Path) -> None:
    system = system_of(tree)
    entries, _ = walk(system)
    (tmp_path / "outside" / "deep").mkdir(parents=True)
    (tmp_path / "outside" / "deep" / "b.bin").write_bytes(bytes(range(256)) * 10)
    (tree / "sub").rename(tree / "moved")
    (tree / "sub").symlink_to(tmp_path / "outside")

    with pytest.raises(EvidenceError, match="cannot be opened"):
        read(system.open(entries["/sub/deep/b.bin"]))


def test_paths_that_lead_out_of_the_folder_are_refused(tree: Path) -> None:
    (tree.parent / "beside").write_bytes(b"x")
    system = system_of(tree)

    for path in ("/../beside", "/sub/../../beside", "/./a.txt", "//a.txt", "", "/"):
        with pytest.raises(EvidenceError, match="no such file in this folder"):
            system.open(Entry(path, "r", "1", 1))


@posix
def test_special_files_are_listed_and_never_opened(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tree)  # paths of sockets are limited to about a hundred bytes
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    system = system_of(tree)
    entries, notices = walk(system)

    assert notices == []
    assert (entries["/pipe"].type, entries["/socket"].type) == (EntryType.FIFO, EntryType.SOCKET)
    for path in ("/pipe", "/socket", "/sub"):
        with pytest.raises(EvidenceError, match="only files and links"):
            system.open(entries[path])


@posix
def test_a_pipe_put_in_place_of_a_file_does_not_block(tree: Path) -> None:
    system = system_of(tree)
    entries, _ = walk(system)
    (tree / "a.txt").unlink()
    os.mkfifo(tree / "a.txt")

    with pytest.raises(EvidenceError, match="no file any more"):
        read(system.open(entries["/a.txt"]))


@posix
def test_names_that_are_no_text_are_listed_and_opened_by_their_bytes(tree: Path) -> None:
    root = os.fsencode(tree)
    os.mkdir(root + b"/d\xff")
    Path(os.fsdecode(root + b"/d\xff/\xfe.jpg")).write_bytes(b"picture")
    (tree / "back\\xff").write_bytes(b"honest name")
    system = system_of(tree)
    entries, _ = walk(system)

    odd = entries["/d\\xff/\\xfe.jpg"]
    assert odd.raw_path == b"/d\xff/\xfe.jpg"
    assert read(system.open(odd)) == b"picture"
    assert entries["/back\\xff"].raw_path == b""
    assert read(system.open(entries["/back\\xff"])) == b"honest name"


@posix
def test_hard_links_share_address_and_content(tree: Path) -> None:
    os.link(tree / "a.txt", tree / "sub" / "again")
    entries, _ = walk(system_of(tree))

    assert entries["/a.txt"].address == entries["/sub/again"].address
    assert entries["/a.txt"].links == 2


def test_order_is_that_of_the_bytes_of_names(tmp_path: Path) -> None:
    for name in ("é", "z", "a", "Z", "~"):
        (tmp_path / name).touch()
    entries, _ = walk(system_of(tmp_path))

    assert list(entries) == ["/Z", "/a", "/z", "/~", "/é"]


def test_a_file_that_changed_or_went_away_after_the_listing_says_so(tree: Path) -> None:
    system = system_of(tree)
    for change, message in (
        (lambda p: p.write_bytes(b"longer content of a"), "had 12 bytes and has 19"),
        (lambda p: os.utime(p, ns=(1, 1)), "was written to"),
        (lambda p: p.unlink(), "vanished"),
    ):
        (tree / "a.txt").write_bytes(b"content of a")
        entries, _ = walk(system)
        change(tree / "a.txt")

        with pytest.raises(EvidenceError, match=message):
            read(system.open(entries["/a.txt"]))


def test_a_file_that_shrinks_while_it_is_read_says_so(tree: Path) -> None:
    system = system_of(tree)
    entries, _ = walk(system)
    source = system.open(entries["/a.txt"])
    assert source.read_at(0, 3) == b"con"
    os.truncate(tree / "a.txt", 5)

    with pytest.raises(EvidenceError, match="became shorter"):
        source.read_at(0, 12)
    source.close()


@posix
def test_a_directory_that_cannot_be_listed_is_a_notice(tree: Path) -> None:
    (tree / "locked").mkdir(mode=0o000)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from triage.evidence.folder import open_folder\n"
        "from triage.evidence.entry import Entry\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for i in open_folder(Path(sys.argv[1]), 'f').file_systems()[''].walk():\n"
        "    if not isinstance(i, Entry): print(i.kind_text, i.source.path)\n"
    )
    for folder in (tree, *tree.parents):
        if folder.name.startswith(("pytest-", "popen-", "test_", tree.name)):
            folder.chmod(0o755)  # pytest keeps these to itself
    done = subprocess.run([sys.executable, "-c", code, str(tree)], capture_output=True, text=True, check=False)
    (tree / "locked").chmod(0o700)

    assert (done.stdout, done.stderr) == ("unreadable /locked\n", "")


@posix
def test_sparse_files_of_huge_claimed_size_cost_nothing(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(1 << 40)
    system = system_of(tmp_path)
    entries, _ = walk(system)
    source = system.open(entries["/huge"])

    assert entries["/huge"].flags & EntryFlag.SPARSE
    assert source.size == 1 << 40
    assert source.read_at((1 << 40) - 4, 100) == bytes(4)
    source.close()


@posix
def test_paths_longer_than_the_system_allows_are_walked_and_read(tmp_path: Path) -> None:
    levels = 25
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    descriptor = os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(descriptor, b"deep")
    os.close(descriptor)
    os.close(here)
    system = system_of(tmp_path)
    entries, notices = walk(system)

    assert notices == []
    assert len(entries) == levels + 1
    assert read(system.open(list(entries.values())[-1])) == b"deep"


def test_a_walk_keeps_its_limits(tree: Path) -> None:
    by_count = walk(FolderFileSystem(tree, Locator("f"), WalkLimits(entries=2)))
    by_depth = walk(FolderFileSystem(tree, Locator("f"), WalkLimits(depth=1)))

    assert (len(by_count[0]), [n.kind for n in by_count[1]]) == (2, [NoticeKind.LIMIT])
    assert "/sub/deep" in by_depth[0]
    assert "/sub/deep/b.bin" not in by_depth[0]
    assert [(n.kind, n.source.path) for n in by_depth[1]] == [(NoticeKind.LIMIT, "/sub/deep")]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc holds other mounted file systems on Linux")
def test_other_file_systems_below_are_named_and_not_entered(monkeypatch: pytest.MonkeyPatch, tree: Path) -> None:
    real = os.stat

    def elsewhere(name: object, **options: object) -> os.stat_result:
        status = real(name, **options)  # type: ignore[call-overload]
        return os.stat_result([*status[:2], status.st_dev + 1, *status[3:]]) if name == "sub" else status

    monkeypatch.setattr(os, "stat", elsewhere)
    entries, notices = walk(FolderFileSystem(tree, Locator("f")))

    assert list(entries) == ["/a.txt", "/sub"]
    assert [(n.kind, n.source.path) for n in notices] == [(NoticeKind.NOT_EXAMINED, "/sub")]


@posix
def test_walking_and_reading_leaves_no_trace(tree: Path) -> None:
    everything = sorted([tree, *tree.rglob("*")])
    for path in everything:
        os.utime(path, ns=(10**18, path.stat().st_mtime_ns))  # older than mtime, so that relatime would touch it

    def state() -> list[tuple[int, int, int, int, int]]:
        found = [path.lstat() for path in everything]
        return [(s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_atime_ns) for s in found]

    before = state()
    system = system_of(tree)
    entries, _ = walk(system)
    contents = [read(system.open(e)) for e in entries.values() if e.type == "r"]

    assert [len(data) for data in contents] == [12, 0, 2560]
    assert state() == before
    assert {values[4] for values in before} == {10**18}


@pytest.mark.parametrize("name", ["missing", "a.txt"])
def test_what_is_no_folder_is_an_evidence_error(tree: Path, name: str) -> None:
    with pytest.raises(EvidenceError, match="cannot be listed"):
        open_folder(tree / name, "f")
