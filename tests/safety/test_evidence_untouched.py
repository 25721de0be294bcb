"""Evidence is never written: a system-call trace of whole commands, and digests and times around them."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TRIAGE = [sys.executable, "-m", "triage"]
CALLS = ",".join(
    "open openat openat2 creat rename renameat renameat2 unlink unlinkat mkdir mkdirat truncate ftruncate link linkat "
    "symlink symlinkat chmod fchmodat chown fchownat utimensat utime utimes futimesat setxattr lsetxattr removexattr "
    "mknod mknodat mount".split()
)


def state(folder: Path) -> dict[str, tuple[int, int, int, str]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, digest)
    status = folder.lstat()
    found[str(folder)] = (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, "")
    return found


def touching_calls(trace: str, folder: Path) -> list[str]:
    """Lines of the trace in which a path of ``folder`` is opened other than for reading, or changed."""
    bad = []
    for line in trace.splitlines():
        # The arguments of a call that was interrupted stand in its first line.
        if str(folder) not in line or "= -1" in line or "resumed>" in line:
            continue
        call = re.search(r"(\w+)\(", line)
        assert call is not None, line
        opening = call[1] in {"open", "openat", "openat2"}
        if not opening or re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE", line):
            bad.append(line)
    return bad


def traced(strace: str, command: list[str], log: Path) -> tuple[int, str]:
    # -s: paths whole; -y: the path behind a descriptor, for names that are opened relative to one.
    done = subprocess.run(
        [strace, "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(log), *command],
        capture_output=True, timeout=600,
    )  # fmt: skip
    return done.returncode, log.read_text(errors="replace")


@pytest.fixture
def image_folder(tmp_path: Path, fixtures: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for path in fixtures.glob("laptop.E*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def phone_folder(tmp_path: Path, fixtures: Path) -> Path:
    """A loose folder with databases and their write-ahead logs, which SQLite would love to tidy up."""
    folder = tmp_path / "evidence"
    shutil.copytree(fixtures / "databases", folder / "data")
    shutil.copytree(fixtures / "pictures", folder / "pictures")
    return folder


def test_a_whole_scan_of_an_image_opens_it_for_reading_only(
    tmp_path: Path, image_folder: Path, fixtures: Path, tool: Callable[[str], str]
) -> None:
    before = state(image_folder)
    command = [*TRIAGE, "scan", str(image_folder / "laptop.E01"), "--case", str(tmp_path / "case"), "--quiet"]
    code, trace = traced(tool("strace"), [*command, "--hashset", str(fixtures / "known.vics.json")], tmp_path / "log")

    assert code in (0, 3)
    assert str(image_folder / "laptop.E01") in trace, "the trace must have seen the evidence being opened"
    assert touching_calls(trace, image_folder) == []
    assert state(image_folder) == before


def test_a_whole_scan_of_a_folder_opens_it_for_reading_only(
    tmp_path: Path, phone_folder: Path, tool: Callable[[str], str]
) -> None:
    before = state(phone_folder)
    command = [*TRIAGE, "scan", str(phone_folder), "--case", str(tmp_path / "case"), "--quiet"]
    code, trace = traced(tool("strace"), command, tmp_path / "log")

    assert code in (0, 3)
    assert str(phone_folder / "data") in trace
    assert touching_calls(trace, phone_folder) == []
    assert state(phone_folder) == before


def test_looking_without_a_case_leaves_no_trace(tmp_path: Path, image_folder: Path, tool: Callable[[str], str]) -> None:
    before = state(image_folder)
    for verb in (["info"], ["ls"], ["ls", "--format", "bodyfile"]):
        command = [*TRIAGE, verb[0], str(image_folder / "laptop.E01"), *verb[1:]]
        code, trace = traced(tool("strace"), command, tmp_path / "log")
        assert code in (0, 3)
        assert touching_calls(trace, image_folder) == []

    assert state(image_folder) == before


def test_the_check_itself_would_notice_a_write(tmp_path: Path, tool: Callable[[str], str]) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    code, trace = traced(tool("strace"), ["touch", str(folder / "new")], tmp_path / "log")

    assert code == 0
    assert touching_calls(trace, folder)


@pytest.mark.parametrize("inside", [True, False])
def test_case_and_evidence_may_not_lie_in_one_another(tmp_path: Path, phone_folder: Path, inside: bool) -> None:
    before = state(phone_folder)
    case = phone_folder / "case" if inside else tmp_path
    done = subprocess.run([*TRIAGE, "scan", str(phone_folder), "--case", str(case)], capture_output=True, text=True)

    assert done.returncode == 2
    assert "inside" in done.stderr
    assert state(phone_folder) == before
