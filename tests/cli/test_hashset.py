"""``triage hashset`` as its user meets it: what it prints, its exit codes, and round trips through other formats."""

import csv
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from triage.cli.hashset import FOUND, INFO
from triage.hashsets.index import HashIndex


def hashset(*words: object, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "triage", "hashset", *map(str, words)]
    done = subprocess.run(command, capture_output=True, input=data, timeout=120)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


LIST = "\n".join(
    [
        "md5,sha1,category,size",
        *(f"{md5(str(n))},{sha1(str(n))},{n % 3},{n * 10}" for n in range(30)),
        "nonsense,,1,",
        f"{'0' * 32},,2,5",
        f"{md5('1')},,2,",
        "",
    ]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    (folder / "unit.csv").write_text(LIST)
    words = ("--scheme", "vic-us", "--name", "Unit list", "--provider", "Unit 7", "--version", "May")
    done = hashset("build", folder / "unit.csv", "--out", folder / "unit.hset", *words)
    assert done.returncode == 0, done.stderr
    (folder / "built.txt").write_bytes(done.stdout)
    return folder


def test_building_tells_what_is_in_the_set_and_what_is_not(folder):
    told = (folder / "built.txt").read_text()
    lines = dict(line.split(None, 1) for line in told.splitlines() if line[0] != " ")

    assert lines["set"] == "Unit list"
    assert lines["role"].startswith("alert")
    assert (lines["scheme"], lines["version"], lines["provider"]) == ("vic-us", "May", "Unit 7")
    assert "33 entries" in lines["list"]
    assert hashlib.sha256(LIST.encode()).hexdigest() in told
    assert (lines["md5"], lines["sha1"]) == ("30", "30")
    assert "1 in category 1 | 2: illegal-candidate" in told
    assert lines["repeated"].startswith("1 ")
    assert lines["dropped"].startswith("1 ")
    assert lines["rejected"].startswith("1 of 33")
    assert "line 32" in told
    size = (folder / "unit.hset").stat().st_size
    assert lines["size"] == f"{size:,} bytes, {size / 60:.1f} per digest"


def test_info_has_its_fields_in_every_format(folder):
    (row,) = map(json.loads, hashset("info", folder / "unit.hset", "--format", "jsonl", "--verify").stdout.splitlines())
    table = list(csv.DictReader(io.StringIO(hashset("info", folder / "unit.hset", "--format", "csv").stdout.decode())))

    assert tuple(row) == tuple(table[0]) == INFO
    assert (row["name"], row["md5"], row["rejected"], row["degenerate"], row["entries"]) == ("Unit list", 30, 1, 1, 33)
    assert row["file_sha256"] == hashlib.sha256((folder / "unit.hset").read_bytes()).hexdigest()
    assert row["content_digest"] == table[0]["content_digest"] != row["file_sha256"]
    assert table[0]["file_sha256"] == ""


def test_a_damaged_set_ends_with_7_when_it_is_verified(folder, tmp_path):
    whole = (folder / "unit.hset").read_bytes()
    (tmp_path / "bad.hset").write_bytes(whole[:70] + bytes([whole[70] ^ 1]) + whole[71:])
    (tmp_path / "cut.hset").write_bytes(whole[:-1])

    assert hashset("info", tmp_path / "bad.hset").returncode == 0
    assert hashset("info", tmp_path / "bad.hset", "--verify").returncode == 7
    done = hashset("info", tmp_path / "cut.hset")
    assert (done.returncode, b"cut.hset cannot be used" in done.stderr) == (1, True)


def test_lookup_says_what_every_set_says(folder, tmp_path):
    hashset("build", folder / "unit.csv", "--out", tmp_path / "benign.hset", "--role", "exclude")
    done = hashset(
        "lookup",
        folder / "unit.hset",
        tmp_path / "benign.hset",
        md5("1"),
        sha1("4").upper(),
        md5("no"),
        "--format",
        "jsonl",
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0
    assert all(tuple(row) == FOUND for row in rows)
    assert [(row["digest"], row["state"], row["set"], row["category"], row["disposition"]) for row in rows] == [
        (md5("1"), "listed", "Unit list", "1 | 2", "illegal-candidate"),
        (md5("1"), "listed", "benign", "1 | 2", "exclude"),
        (sha1("4"), "listed", "Unit list", "1", "illegal-candidate"),
        (sha1("4"), "listed", "benign", "1", "exclude"),
        (md5("no"), "not listed", "", "", ""),
    ]
    assert [row["listed_size"] for row in rows] == [10, 10, 40, 40, None]


def test_lookup_in_words(folder):
    done = hashset("lookup", folder / "unit.hset", md5("1"), md5("no"))

    assert done.stdout.decode().splitlines() == [
        f"{md5('1')}  listed in Unit list (md5), category 1 | 2 of vic-us: illegal-candidate, 10 bytes",
        f"{md5('no')}  not listed",
    ]


def test_lookup_reads_what_md5sum_writes_and_tells_lines_without_a_digest(folder):
    data = f"{md5('1')}  a name.jpg\n\\{sha1('2')} *odd\\nname\n\nno digest here\n".encode()
    done = hashset("lookup", folder / "unit.hset", "-", "--format", "jsonl", data=data)

    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["listed", "listed"]
    assert done.returncode == 3
    assert b"no digest here" in done.stderr


def test_lookup_names_a_withdrawal(tmp_path):
    xml = (
        '<?xml version="1.0"?><queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2"><images>'
        f'<image><member id="1">M</member><timestamp>2026-01-01T00:00:00Z</timestamp><id>a</id><classification>A1'
        f"</classification><fingerprints><md5>{md5('1')}</md5></fingerprints></image>"
        f'<deletedImage><member id="1">M</member><id>b</id><timestamp>2026-01-02T00:00:00Z</timestamp>'
        f"<fingerprints><md5>{md5('2')}</md5></fingerprints></deletedImage></images></queryResult>"
    )
    (tmp_path / "shared.xml").write_text(xml)
    built = hashset("build", tmp_path / "shared.xml", "--out", tmp_path / "n.hset", "--scheme", "ncmec")
    told = hashset("lookup", tmp_path / "n.hset", md5("1"), md5("2")).stdout.decode().splitlines()

    assert built.returncode == 0, built.stderr
    assert HashIndex.open(tmp_path / "n.hset").facts.withdrawn_counts == {"md5": 1}
    assert "listed in n (md5), category A1" in told[0]
    assert told[1] == f"{md5('2')}  withdrawn by the publisher of n (md5)"


@pytest.mark.parametrize("form", ["csv", "vics"])
def test_what_is_exported_can_be_built_again(folder, tmp_path, form):
    exported = hashset("export", folder / "unit.hset", "--format", form)
    (tmp_path / "again.txt").write_bytes(exported.stdout)
    built = hashset("build", tmp_path / "again.txt", "--out", tmp_path / "again.hset", "--scheme", "vic-us")
    first, second = HashIndex.open(folder / "unit.hset"), HashIndex.open(tmp_path / "again.hset")

    assert (exported.returncode, built.returncode) == (0, 0)
    for name in ("md5", "sha1"):
        said = [[(m.digest, m.categories, m.listed_size) for m in index.matches(name)] for index in (first, second)]
        assert said[0] == said[1]


def test_lines_can_be_exported_for_one_algorithm(folder):
    done = hashset("export", folder / "unit.hset", "--format", "lines", "--algorithm", "sha1")

    assert done.stdout.decode().splitlines() == sorted(sha1(str(n)) for n in range(30))


def test_what_vics_has_no_place_for_is_refused_in_words(tmp_path):
    (tmp_path / "a.csv").write_text(f"md5,category\n{md5('1')},A1\n")
    done = hashset("export", tmp_path / "a.csv", "--format", "vics")

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"'A1'" in done.stderr


def test_several_lists_make_one_set_that_names_them(folder, tmp_path):
    (tmp_path / "more.txt").write_text(f"{md5('more')}\n")
    done = hashset("build", folder / "unit.csv", tmp_path / "more.txt", "--out", tmp_path / "both.hset")

    assert b"unit.csv: " in done.stdout and b"more.txt: " in done.stdout
    assert HashIndex.open(tmp_path / "both.hset").counts == {"md5": 31, "sha1": 30}


def test_digests_of_64_digits_are_what_the_user_says(tmp_path):
    digest = hashlib.sha256(b"neutral").hexdigest()
    (tmp_path / "a.txt").write_text(digest + "\n")
    for kind in ("sha256", "pdq"):
        done = hashset("build", tmp_path / "a.txt", "--out", tmp_path / f"{kind}.hset", "--digests", kind)
        assert done.returncode == 0, done.stderr
        assert HashIndex.open(tmp_path / f"{kind}.hset").counts == {kind: 1}
    refused = hashset("build", tmp_path / "a.txt", "--out", tmp_path / "none.hset")
    assert (refused.returncode, (tmp_path / "none.hset").exists()) == (1, False)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("lookup", "nowhere.hset", "0" * 32), 2, b"nowhere.hset does not exist"),
        (("lookup", "0" * 32), 2, b"at least one set"),
        (("info", "nowhere.hset"), 2, b"does not exist"),
        (("build", "nowhere.csv", "--out", "x.hset"), 1, b"nowhere.csv cannot be used"),
        (("export", "nowhere.hset"), 2, b"does not exist"),
        (("build", "a.csv"), 2, b"--out"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(words, code, reason):
    done = hashset(*words)

    assert (done.returncode, reason in done.stderr) == (code, True)


def test_an_algorithm_that_the_set_does_not_have_is_wrong_usage(folder):
    done = hashset("export", folder / "unit.hset", "--algorithm", "pdq")

    assert done.returncode == 2
    assert b"it has md5, sha1" in done.stderr
