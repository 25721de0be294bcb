"""Body-file lines look as those of ``fls -m``, and no name breaks them; tests/real compares with fls itself."""

import pytest

from triage.evidence.entry import Entry, EntryFlag, EntryTimes, EntryType
from triage.report.bodyfile import bodyfile_lines, mode_text


def test_a_name_cannot_break_a_row() -> None:
    entry = Entry("/a|b\nc\x7f\ud800", "r", "5", 1)
    (line,) = bodyfile_lines("ev|1", "p1", entry)

    assert line == b"0|ev\\x7C1/p1/a\\x7Cb^c^\xed\xa0\x80|5|-/r---------|0|0|1|0|0|0|0"


def test_a_name_that_is_no_text_stands_as_it_is_stored() -> None:
    entry = Entry("/caf\\xe9", "r", "5", 1, raw_path=b"/caf\xe9")

    assert next(bodyfile_lines("", "p1", entry)).split(b"|")[1] == b"p1/caf\xe9"


def test_deleted_names_and_name_times_are_marked_as_fls_marks_them() -> None:
    flags = EntryFlag.DELETED | EntryFlag.REALLOCATED
    times = EntryTimes(1_900_000_000, 2_000_000_000, None, -1)
    entry = Entry("/d/é.txt", "r", "5-128-1", 7, flags, times, stream="s", name_type="r", mode=0o777, name_times=times)

    assert list(bodyfile_lines("", "", entry, "ab")) == [
        "0|/d/é.txt ($FILE_NAME) (deleted-realloc)|5-48|r/rrwxrwxrwx|0|0|76|2|1|0|-1".encode(),
        "ab|/d/é.txt:s (deleted-realloc)|5-128-1|r/rrwxrwxrwx|0|0|7|2|1|0|-1".encode(),
    ]


def test_links_show_where_they_lead() -> None:
    entry = Entry("/l", EntryType.SYMLINK, "5", 2, name_type="l", mode=0o777, link_target="/a|b")

    assert list(bodyfile_lines("", "", entry)) == [b"0|/l -> /a\\x7Cb|5|l/lrwxrwxrwx|0|0|2|0|0|0|0"]


@pytest.mark.parametrize(
    ("mode", "text"),
    [(0o4755, "r/rrwsr-xr-x"), (0o2644, "r/rrw-r-Sr--"), (0o1776, "r/rrwxrwxrwT"), (0, "r/r---------")],
)
def test_modes_are_written_as_ls_writes_them(mode: int, text: str) -> None:
    assert mode_text(Entry("/a", "r", "5", 0, mode=mode, name_type="r")) == text
