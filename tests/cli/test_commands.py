"""The command line as its user meets it: output, formats, exit codes, and no traceback whatever is asked."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from triage.report.listings import FIELDS


def triage(*words: object, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "triage", *map(str, words)], capture_output=True, input=data, timeout=300
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


@pytest.fixture(scope="module")
def case(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "case"
    done = triage(
        "scan", fixtures / "laptop.E01", "--case", folder, "--hashset", fixtures / "known.vics.json", "--quiet"
    )
    assert done.returncode == 3, done.stderr  # the fixture holds a damaged recycle-bin entry
    assert str(folder / "report" / "index.html") in done.stdout.decode()
    return folder


@pytest.mark.parametrize(
    ("verb", "listing"),
    [("hits", "hits"), ("timeline", "timeline"), ("notices", "notices"), ("coverage", "coverage")],
)
def test_listings_have_their_documented_fields_in_every_format(case: Path, verb: str, listing: str) -> None:
    rows = [json.loads(line) for line in triage(verb, case, "--format", "jsonl").stdout.decode().splitlines()]
    table = list(csv.DictReader(io.StringIO(triage(verb, case, "--format", "csv").stdout.decode())))

    assert rows
    assert all(tuple(row) == FIELDS[listing] for row in rows)
    assert len(table) == len(rows)
    assert tuple(table[0]) == FIELDS[listing]


def test_ls_names_what_the_case_names(case: Path, fixtures: Path) -> None:
    done = triage("ls", fixtures / "laptop.E01", "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]

    assert done.returncode == 0
    assert all(tuple(row) == FIELDS["entries"] for row in rows)
    assert any(row["path"].endswith("/report.docx") and row["stream"] == "holiday.jpg" for row in rows)
    assert any(row["deleted"] for row in rows)


def test_cat_gives_the_bytes_of_a_file_a_stream_and_an_address(fixtures: Path) -> None:
    import hashlib

    truth = json.loads((fixtures / "expected.json").read_text("utf-8"))["laptop"]
    stream = next(p for p in truth["pictures"] if p["state"] == "stream")
    live = next(p for p in truth["pictures"] if p["path"].endswith("/kite.jpg") or p["picture"] == "kite.jpg")
    for words, picture in (([stream["path"]], stream), ([live["path"]], live)):
        done = triage("cat", fixtures / "laptop.E01", *words)
        assert hashlib.sha256(done.stdout).hexdigest() == picture["sha256"]

    wrong = triage("cat", fixtures / "laptop.E01", "/nothing/here")
    assert wrong.returncode == 2
    assert b"no entry is called" in wrong.stderr


def test_info_tells_the_stored_digests_and_the_volumes(fixtures: Path) -> None:
    done = triage("info", fixtures / "laptop.E01")
    volumes = triage("info", fixtures / "laptop.E01", "--format", "jsonl").stdout.decode().splitlines()

    assert b"stored md5" in done.stdout
    assert "ntfs" in {json.loads(line)["file_system"] for line in volumes}


def test_mactime_reads_the_body_file(case: Path, tool: Callable[[str], str], tmp_path: Path) -> None:
    body = tmp_path / "body.txt"
    body.write_bytes(triage("timeline", case, "--format", "bodyfile").stdout)
    done = subprocess.run([tool("mactime"), "-b", str(body), "-d", "-z", "UTC", "-y"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Date,Size,Type,Mode,UID,GID,Meta,File Name"
    assert any("IMG_20250330_154733.jpg" in line for line in lines)
    assert len(lines) > 200


@pytest.mark.parametrize("form", ["timesketch-csv", "timesketch-jsonl"])
def test_timesketch_finds_its_required_columns(case: Path, form: str) -> None:
    text = triage("timeline", case, "--format", form).stdout.decode()
    rows = (
        list(csv.DictReader(io.StringIO(text))) if form.endswith("csv") else [json.loads(t) for t in text.splitlines()]
    )

    assert rows
    for row in rows:
        assert {"message", "datetime", "timestamp_desc"} <= row.keys()
        assert row["message"]
        assert row["timestamp_desc"]
        assert row["datetime"].endswith("+00:00")


def test_verify_is_content_with_a_fresh_case_and_not_with_a_changed_report(case: Path) -> None:
    good = triage("verify", case)
    page = case / "report" / "index.html"
    page.write_text(page.read_text("utf-8").replace("</html>", " </html>"), "utf-8")
    bad = triage("verify", case)
    again = triage("report", case)

    assert good.returncode == 0, good.stdout
    assert bad.returncode == 7
    assert b"report" in bad.stderr
    assert again.returncode == 0
    assert triage("verify", case).returncode == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["info", "missing.E01"], 2),
        (["ls", "empty.dd"], 4),
        (["hits", "not-a-case"], 6),
        (["scan", "empty.dd", "--case", "new-case", "--profile", "nonsense"], 2),
        (["scan", "text.dd", "--case", "new-case", "--hashset", "missing.csv"], 2),
        (["scan", "text.dd", "--case", "new-case", "--hashset", "text.dd"], 2),
        (["scan", "text.dd", "--case", "new-case", "--rules", "text.dd"], 2),
        (["scan", "text.dd", "--case", "new-case", "--key-file", "missing.key"], 2),
        (["ls", "text.dd", "--volume", "p9"], 2),
        (["scan", "text.dd", "--case", "new-case", "--password", "-"], 2),
    ],
)
def test_wrong_use_is_a_sentence_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.dd").touch()
    (tmp_path / "text.dd").write_text("this is no disk image, and no list or rule either\n" * 100)
    done = triage(*words, data=b"")

    assert done.returncode == code, done.stderr
    assert b"triage: " in done.stderr


def test_an_image_of_nothing_known_is_examined_as_far_as_that_goes(tmp_path: Path) -> None:
    (tmp_path / "text.dd").write_text("no file system\n" * 5000)
    done = triage("scan", tmp_path / "text.dd", "--case", tmp_path / "case", "--quiet")

    assert done.returncode == 3
    assert b"coverage is incomplete" in done.stdout


def test_plugins_lists_broken_ones_with_their_reason(tmp_path: Path) -> None:
    (tmp_path / "broken_one.py").write_text("def broken(:")
    rows = [
        json.loads(t)
        for t in triage("plugins", "--plugins", tmp_path, "--format", "jsonl").stdout.decode().splitlines()
    ]

    assert {"hash.known", "yara.scan", "browser.chrome_history", "windows.recycle_bin", "media.exif"} <= {
        row["plugin"] for row in rows if row["state"] == "loaded"
    }
    broken = [row for row in rows if row["state"] == "broken"]
    assert len(broken) == 1
    assert "broken_one.py" in broken[0]["origin"]
    assert "SyntaxError" in broken[0]["error"]
