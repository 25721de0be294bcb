"""Exports can be read by the tools they are for, and no name in evidence breaks or runs anything."""

import csv
import json
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sample import HOSTILE_PATHS, fill

from triage.report import listings
from triage.report.build import build_exports, build_report
from triage.report.exports import LOCAL_BASIS, TIMESKETCH_FIELDS, write_exports
from triage.report.listings import FIELDS
from triage.report.text import visible
from triage.report.writing import csv_cell


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("case") / "case"
    with fill(folder) as store:
        return write_exports(store, folder / "exports")


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_jsonl(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", ["hits", "notices", "coverage", "not_read", "volumes", "evidence"])
def test_tables_have_the_documented_fields(exports: Path, name: str) -> None:
    head = (exports / f"{name}.csv").read_text("utf-8").splitlines()[0]

    assert head.split(",") == list(FIELDS[name])


def test_no_line_of_a_table_is_broken_and_no_cell_is_a_formula(exports: Path) -> None:
    for path in exports.glob("*.csv"):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) == 1 + len(read_csv(path))
        for row in read_csv(path):
            assert not [cell for cell in row.values() if cell.startswith(("=", "+", "@", "-"))]


def test_json_lines_hold_every_name_exactly(exports: Path) -> None:
    rows = read_jsonl(exports / "timeline.jsonl")

    assert set(HOSTILE_PATHS) <= {row["path"] for row in rows}
    assert "\u202e" not in (exports / "timeline.jsonl").read_text("utf-8")


def test_hits_are_told_alike_in_both_forms(exports: Path) -> None:
    table, lines = read_csv(exports / "hits.csv"), read_jsonl(exports / "hits.jsonl")

    assert [row["grade"] for row in table] == [row["grade"] for row in lines]
    assert [list(row) for row in lines] == [list(FIELDS["hits"])] * len(lines)
    assert [str(row["path"]) for row in lines if row["grade"] == "exact"] == ["/Users/a/holiday.jpg"]
    assert {row["deleted"] for row in lines if row["path"] == "/Users/a/copy of holiday.jpg"} == {True}


def test_timesketch_rows_have_what_it_asks_for(exports: Path) -> None:
    rows = read_jsonl(exports / "timeline.jsonl")

    assert [list(row) for row in rows] == [list(TIMESKETCH_FIELDS)] * len(rows)
    epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    for row in rows:
        moment = datetime.fromisoformat(str(row["datetime"]))
        assert row["message"]
        assert row["timestamp_desc"]
        assert (moment - epoch) // timedelta(microseconds=1) == row["timestamp"]
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)


def test_times_without_a_zone_say_so(exports: Path) -> None:
    rows = read_jsonl(exports / "timeline.jsonl")

    assert {row["time_basis"] for row in rows if row["path"] == "/DCIM/IMG_0001.JPG"} == {LOCAL_BASIS}
    assert {row["time_basis"] for row in rows if row["volume"] == "p2"} == {"utc"}


def test_the_body_file_is_read_by_mactime(exports: Path, tool: Callable[[str], str]) -> None:
    command = [tool("mactime"), "-b", str(exports / "bodyfile.txt"), "-d", "-z", "UTC"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = list(csv.reader(done.stdout.splitlines()[1:]))
    lines = (exports / "bodyfile.txt").read_text("utf-8").splitlines()

    assert {line.count("|") for line in lines} == {10}
    assert {row[-1] for row in rows} == {line.split("|")[1] for line in lines}
    assert "laptop.E01/p2/Users/a/copy of holiday.jpg ($FILE_NAME) (deleted)" in {row[-1] for row in rows}


def test_the_custody_log_is_among_them(exports: Path) -> None:
    assert len((exports / "custody.txt").read_text("utf-8").splitlines()) == 4


def test_writing_again_replaces_the_whole_folder(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        first = write_exports(store, tmp_path / "case" / "exports")
        (first / "old.csv").write_text("x")
        before = {path.name: path.read_bytes() for path in first.iterdir() if path.name != "old.csv"}
        write_exports(store, tmp_path / "case" / "exports")

    assert before == {path.name: path.read_bytes() for path in first.iterdir()}
    assert sorted(path.name for path in (tmp_path / "case").iterdir()) == ["case.sqlite", "exports"]


def test_writing_all_logs_the_digests_of_what_was_written(tmp_path: Path) -> None:
    with fill(tmp_path / "case") as store:
        build_exports(store, tmp_path / "case", "J. Examiner")
        index = build_report(store, tmp_path / "case", "J. Examiner")
        actions = [entry.action for entry in store.custody.entries()][-2:]
        store.custody.check()

    assert index.is_file()
    assert actions == ["exports written", "report written"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1", "'=1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("'=1", "''=1"), ("\t=1", "\\t=1"),
        ("\r\n", "\\r\\n"), (-1, -1), (["a", "b"], "a; b"), (None, ""), (False, "false"), ("a=1", "a=1"),
        ("\u2067a", "\\u2067a"),
    ],
)  # fmt: skip
def test_cells_are_safe_and_can_be_undone(value: listings.Value, cell: object) -> None:
    assert csv_cell(value) == cell


def test_visible_text_has_nothing_invisible() -> None:
    hostile = "".join(map(chr, range(0x300))) + "\u202e\u2066\ufeff\U000e0041\u200d\u3164\ud800"

    assert visible(visible(hostile)) == visible(hostile)
    assert not [c for c in visible(hostile) if not c.isprintable() and c not in "\u0378\xa0"]


def test_every_documented_field_is_in_the_document() -> None:
    text = (Path(__file__).parents[2] / "docs" / "output-fields.md").read_text("utf-8")
    for listing, names in {**FIELDS, "timesketch": TIMESKETCH_FIELDS}.items():
        section = text.split(f"## {listing}\n")[1].split("\n## ")[0]
        documented = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
        assert documented == list(names), listing
