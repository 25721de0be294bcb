"""Lines that are made without rows say what the rows say, byte for byte."""

import csv
import io

import pytest

from triage.evidence.entry import Entry, EntryTimes
from triage.report.entry_lines import csv_rows, json_lines
from triage.report.listings import FIELDS, entry_row
from triage.report.writing import write_csv, write_jsonl
from triage.times import CLOCKS

TIMES = (None, 0, -1, 1_700_000_000_123_456_700, -62_135_596_800_000_000_001, 10**22)
NAMES = ('/a "b"\\%s%d,c', "/=1+1", "-/x\n\r\t\x7f", "/\ud800\u202egpj.exe", "/写真 '@", "", "+1;2")
ENTRIES = [
    Entry(
        name, kind, address, number, flags, EntryTimes(*(TIMES[(number + n) % 6] for n in range(4))), None, stream,
        kind, mode, 501, number, 1, target, b"", EntryTimes(TIMES[number % 6], None, 7, 8) if number % 2 else None,
    )
    for number, (name, kind, address, flags, stream, mode, target) in enumerate(
        (name, kind, address, flags, stream, mode, stream)
        for name in NAMES
        for kind, address, mode in (("r", "5-128-1", 0o644), ("-", "=5", 0o7777), ("d", '"', 0))
        for flags, stream in ((0, ""), (5, "Zone.Identifier"), (1023, "@\x00\n"))
    )
]  # fmt: skip


@pytest.mark.parametrize("kind", ["ntfs", "fat32", "ext2", "iso9660", "xfs"])
def test_lines_are_those_of_the_rows(kind: str) -> None:
    label, volume, clock = 'disk "100%s"\n', "=p1", CLOCKS[kind]
    rows = [entry_row(label, volume, entry, clock) for entry in ENTRIES]
    expected, made = io.StringIO(), io.StringIO()
    write_jsonl(rows, expected)
    made.writelines(json_lines(label, volume, clock, ENTRIES))

    assert made.getvalue() == expected.getvalue()

    expected, made = io.StringIO(), io.StringIO()
    write_csv(rows, FIELDS["entries"], expected)
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(FIELDS["entries"])
    writer.writerows(csv_rows(label, volume, clock, ENTRIES))

    assert made.getvalue() == expected.getvalue()


def test_many_different_times_do_not_pile_up() -> None:
    entries = [Entry("/a", "r", "5", 1, times=EntryTimes(n, n, n, n)) for n in range(20_000)]
    lines = list(json_lines("d", "", CLOCKS["xfs"], entries))

    assert len(set(lines)) == 20_000
    assert '"created":"1970-01-01T00:00:00.000019999Z"' in lines[-1]
