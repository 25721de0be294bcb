"""Body-file lines are those of ``fls -m`` for the same entry."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType, OpenOptions
from triage.evidence.open import open_evidence
from triage.report.bodyfile import bodyfile_lines, mode_text

IMAGES = ("fat12.raw", "iso9660.raw", "ext2.raw", "ext4.raw", "ntfs.raw")
BEFORE_UNIX = "3373865674"  # fls prints this for times before 1970, we print what is there


@pytest.mark.parametrize("name", IMAGES)
def test_lines_equal_those_of_fls(name: str, real: Path, tool: Callable[[str], str]) -> None:
    image = real / "dfvfs" / "test_data" / name
    command = [tool("fls"), "-r", "-p", "-m", "/", str(image)]
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "TZ": "UTC"})
    # The number of the $FILE_NAME attribute is not kept.
    theirs = {re.sub(r"(\(\$FILE_NAME\).*\|\d+-48)-\d+\|", r"\1|", line) for line in done.stdout.decode().splitlines()}
    evidence = open_evidence(image, name, OpenOptions())
    ours = {
        line
        for system in evidence.file_systems().values()
        for entry in system.walk()
        if isinstance(entry, Entry)
        for line in bodyfile_lines("", "", entry)
    }

    assert theirs
    assert [line for line in theirs - ours if BEFORE_UNIX not in line] == []
    assert len(theirs) == len(ours)


def test_a_name_cannot_break_a_row() -> None:
    entry = Entry("/a|b\nc\x7f\ud800", "r", "5", 1)
    (line,) = bodyfile_lines("ev|1", "p1", entry)

    assert line == "0|ev\\x7C1/p1/a\\x7Cb\\x0Ac\\x7F\\ud800|5|-/r---------|0|0|1|0|0|0|0"


def test_deleted_names_and_name_times_are_marked_as_fls_marks_them() -> None:
    flags = EntryFlag.DELETED | EntryFlag.REALLOCATED
    times = EntryTimes(1_900_000_000, 2_000_000_000, None, -1)
    entry = Entry("/d/é.txt", "r", "5-128-1", 7, flags, times, stream="s", name_type="r", mode=0o777, name_times=times)

    assert list(bodyfile_lines("", "", entry, "ab")) == [
        "0|/d/é.txt ($FILE_NAME) (deleted-realloc)|5-48|r/rrwxrwxrwx|0|0|76|2|1|0|-1",
        "ab|/d/é.txt:s (deleted-realloc)|5-128-1|r/rrwxrwxrwx|0|0|7|2|1|0|-1",
    ]


def test_links_show_where_they_lead() -> None:
    entry = Entry("/l", EntryType.SYMLINK, "5", 2, name_type="l", mode=0o777, link_target="/a|b")

    assert list(bodyfile_lines("", "", entry)) == ["0|/l -> /a\\x7Cb|5|l/lrwxrwxrwx|0|0|2|0|0|0|0"]


@pytest.mark.parametrize(
    ("mode", "text"),
    [(0o4755, "r/rrwsr-xr-x"), (0o2644, "r/rrw-r-Sr--"), (0o1776, "r/rrwxrwxrwT"), (0, "r/r---------")],
)
def test_modes_are_written_as_ls_writes_them(mode: int, text: str) -> None:
    assert mode_text(Entry("/a", "r", "5", 0, mode=mode, name_type="r")) == text
