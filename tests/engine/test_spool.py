"""What a worker has written is read whole, however much of it is there yet."""

from pathlib import Path

import pytest

from triage.engine.spool import SpoolReader, SpoolWriter
from triage.errors import CaseError


def test_frames_come_as_they_are_written(tmp_path: Path) -> None:
    reader = SpoolReader(tmp_path / "a")
    assert list(reader.frames()) == []
    with SpoolWriter(tmp_path / "a") as writer:
        writer.write([1, "two"])
        assert list(reader.frames()) == [[1, "two"]]
        writer.write(b"three")
        writer.write(None)
    assert list(reader.frames()) == [b"three", None]
    assert list(reader.frames()) == []


def test_a_frame_that_was_cut_off_is_not_read_until_it_is_whole(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path / "whole") as writer:
        writer.write("first")
        writer.write("second" * 100)
    data = (tmp_path / "whole").read_bytes()
    for end in range(len(data)):
        (tmp_path / "cut").write_bytes(data[:end])
        assert list(SpoolReader(tmp_path / "cut").frames()) in ([], ["first"])


def test_a_full_disk_is_a_case_error() -> None:
    with SpoolWriter(Path("/dev/full")) as writer, pytest.raises(CaseError, match="No space left"):
        writer.write(bytes(1 << 20))
