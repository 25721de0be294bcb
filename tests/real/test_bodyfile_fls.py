"""Body-file lines are those of ``fls -m`` for the same entry."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.evidence.entry import Entry, OpenOptions
from triage.evidence.open import open_evidence
from triage.report.bodyfile import bodyfile_lines

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
