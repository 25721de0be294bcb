"""Building a set: the same in, the same out; whole or not at all; what is left out is told."""

import hashlib
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from triage.hashsets import build, sort
from triage.hashsets.build import BuildOptions, build_set, degenerate_digests
from triage.hashsets.entry import DIGEST_BYTES, ListFacts, SetEntry
from triage.hashsets.importers import ListOptions
from triage.hashsets.index import HashIndex
from triage.hashsets.prepare import is_set, open_set, prepare

NOWHERE = Path("made")
MD5 = hashlib.md5(b"neutral").hexdigest()
OTHER = hashlib.md5(b"other").hexdigest()


def write(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_same_lists_give_the_same_bytes(make_set, monkeypatch):
    entries = [
        SetEntry(
            "x",
            (("md5", hashlib.md5(b"%d" % (n % 700)).digest()), ("sha1", hashlib.sha1(b"%d" % n).digest())),
            str(n % 3),
            n,
        )
        for n in range(2_000)
    ]
    first = make_set(entries)
    monkeypatch.setattr(sort, "_BATCH", 100)
    monkeypatch.setattr(sort, "_LARGEST_PART", 3)

    assert make_set(entries) == first
    assert make_set(iter(entries)) == first


def test_an_older_set_is_replaced_and_nothing_else_is_left(tmp_path):
    out = tmp_path / "unit.hset"
    build_set([write(tmp_path, f"md5\n{MD5}\n")], out)
    build_set([write(tmp_path, f"md5\n{OTHER}\n")], out)

    assert list(HashIndex.open(out).values("md5")) == [bytes.fromhex(OTHER)]
    assert names(tmp_path) == ["list.csv", "unit.hset"]


def test_an_open_set_stays_as_it_is_while_it_is_replaced(tmp_path):
    out = tmp_path / "unit.hset"
    build_set([write(tmp_path, f"md5\n{MD5}\n")], out)
    index = HashIndex.open(out)
    build_set([write(tmp_path, f"md5\n{OTHER}\n")], out)

    assert index.find({"md5": MD5}) is not None
    assert index.find({"md5": OTHER}) is None


@pytest.mark.parametrize("text", ["", "only words\nand more\n", f"md5\n{'0' * 32}\n", "\x89PNG\r\n\x1a\n"])
def test_a_list_that_cannot_be_used_leaves_the_older_set(tmp_path, text):
    out = tmp_path / "unit.hset"
    build_set([write(tmp_path, f"md5\n{MD5}\n")], out)
    before = out.read_bytes()

    with pytest.raises(ValueError, match=r"bad\.csv"):
        build_set([write(tmp_path, text, "bad.csv")], out)
    assert out.read_bytes() == before
    assert names(tmp_path) == ["bad.csv", "list.csv", "unit.hset"]


SLOW = """
import sys, time
from pathlib import Path
from triage.hashsets import build
from triage.hashsets.entry import ListFacts, SetEntry
if sys.argv[3] == "reading":
    def entries():
        yield SetEntry("x", (("md5", bytes(range(16))),))
        print("now", flush=True)
        time.sleep(60)
    build.open_in_bulk = lambda path, options: (ListFacts("slow"), entries())
else:
    def sleep(stream):
        print("now", flush=True)
        time.sleep(60)
    build.os.fsync = sleep
build.build_set([Path(sys.argv[1])], Path(sys.argv[2]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process like that")
@pytest.mark.parametrize("moment", ["reading", "writing"])
def test_a_build_that_is_killed_leaves_the_older_set_and_the_next_one_cleans_up(tmp_path, moment):
    path, out = write(tmp_path, f"md5\n{OTHER}\n"), tmp_path / "unit.hset"
    build_set([write(tmp_path, f"md5\n{MD5}\n", "old.csv")], out)
    before = out.read_bytes()
    command = [sys.executable, "-c", SLOW, str(path), str(out), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)

    assert out.read_bytes() == before
    assert any(name.endswith(".partial") for name in names(tmp_path))
    build_set([path], out)
    assert HashIndex.open(out).find({"md5": OTHER}) is not None
    assert names(tmp_path) == ["list.csv", "old.csv", "unit.hset"]


def test_a_full_disk_is_told_with_the_name_of_what_was_written(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    out = tmp_path / "unit.hset"
    opened = Path.open

    def open_full(self: Path, mode: str = "r", *rest: object, **more: object):
        return opened(full, "wb") if mode == "xb" else opened(self, mode, *rest, **more)

    with (
        mock.patch.object(Path, "open", open_full),
        pytest.raises(OSError, match=r"cannot be written: No space left on device: .*unit\.hset"),
    ):
        build_set([write(tmp_path, "\n".join(hashlib.md5(b"%d" % n).hexdigest() for n in range(2_000)))], out)
    assert names(tmp_path) == ["list.csv"]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(OSError, match="cannot be written"):
        build_set([write(tmp_path, f"md5\n{MD5}\n")], tmp_path / "no such folder" / "unit.hset")


def test_what_is_not_a_set_is_never_overwritten(tmp_path):
    path = write(tmp_path, f"md5\n{MD5}\n")

    with pytest.raises(ValueError, match="not a hash set"):
        build_set([path], path)
    assert path.read_text() == f"md5\n{MD5}\n"


def test_a_set_is_no_list(tmp_path):
    out = tmp_path / "unit.hset"
    build_set([write(tmp_path, f"md5\n{MD5}\n")], out)

    with pytest.raises(ValueError, match="built set"):
        build_set([out], tmp_path / "other.hset")
    with pytest.raises(ValueError, match="no list"):
        build_set([], out)


def test_a_scheme_that_is_not_known_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match=r"no scheme 'VICS'; there are .*vic-us"):
        build_set([tmp_path / "nowhere"], tmp_path / "unit.hset", BuildOptions(scheme="VICS"))


def test_lists_of_different_schemes_need_a_choice(make_set):
    entries = [SetEntry("x", (("md5", bytes(range(16))),), "1")]
    facts = ListFacts("f", "VICS 2.0 US", "1", "here"), ListFacts("f", "VICS 2.0 UK", "2", "here")

    with pytest.raises(ValueError, match=r"VICS 2\.0 UK, VICS 2\.0 US"):
        make_set(entries, entries, facts=facts)
    chosen = HashIndex(make_set(entries, entries, facts=facts, options=BuildOptions(scheme="vic-us")), NOWHERE).facts
    assert (chosen.scheme, chosen.version, chosen.provider) == ("vic-us", "1, 2", "here")
    assert [source.scheme for source in chosen.sources] == ["VICS 2.0 US", "VICS 2.0 UK"]


@pytest.mark.parametrize("algorithm", sorted(DIGEST_BYTES))
def test_digests_of_nothing_are_dropped_and_counted(make_set, algorithm):
    good = bytes(range(DIGEST_BYTES[algorithm]))
    nothing = sorted(degenerate_digests(algorithm))
    index = HashIndex(make_set([SetEntry("x", ((algorithm, each),)) for each in (*nothing, good, *nothing)]), NOWHERE)

    assert list(index.values(algorithm)) == [good]
    assert not any(index.find_value(algorithm, each) for each in nothing)
    assert (index.facts.degenerate, index.facts.repeated, index.facts.rejected) == (2 * len(nothing), 0, 0)


def test_the_empty_file_is_known_in_every_algorithm_that_files_are_digested_with():
    empty = {
        "md5": "d41d8cd98f00b204e9800998ecf8427e",
        "sha1": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ed2k": "31d6cfe0d16ae931b73c59d7e0c089c0",
    }

    assert all(bytes.fromhex(digest) in degenerate_digests(name) for name, digest in empty.items())
    assert hashlib.sha512().digest() in degenerate_digests("sha512")


def test_what_could_not_be_used_is_counted_and_the_first_few_reasons_are_kept(make_set):
    good = (("md5", bytes(range(16))),)
    entries = [
        SetEntry("line 1", good, problems=("no size",)),
        *(SetEntry(f"line {n}", problems=("no digest", "no category")) for n in range(2, 500)),
    ]
    one = HashIndex(make_set(entries), NOWHERE).facts
    two = HashIndex(make_set(entries, entries), NOWHERE).facts

    assert (one.sources[0].entries, one.rejected, one.partly, len(one.reasons)) == (499, 498, 1, 20)
    assert one.reasons[:3] == ("line 1: no size", "line 2: no digest", "line 2: no category")
    assert (two.rejected, two.reasons[0]) == (996, "list0: line 1: no size")


def test_a_column_that_is_no_category_is_refused_in_words(make_set, monkeypatch):
    monkeypatch.setattr("triage.hashsets.labels._MOST_LABELS", 10)
    entries = [SetEntry("x", (("md5", hashlib.md5(b"%d" % n).digest()),), f"name {n}") for n in range(20)]

    with pytest.raises(ValueError, match="no category"):
        make_set(entries)


def test_more_digests_than_a_table_counts_are_refused(make_set, monkeypatch):
    monkeypatch.setattr("triage.hashsets.columns.MOST_ROWS", 3)

    with pytest.raises(ValueError, match="more than 2 md5 digests"):
        make_set([SetEntry("x", (("md5", hashlib.md5(b"%d" % n).digest()),)) for n in range(3)])


def test_a_digest_of_the_wrong_length_never_shifts_the_others(make_set):
    entries = [SetEntry("x", (("md5", bytes(15)),)), SetEntry("x", (("md5", bytes(17)),))]

    with pytest.raises(ValueError, match="not 16 bytes"):
        make_set(entries)


def test_a_list_that_breaks_off_is_refused_with_its_name(tmp_path):
    def entries():
        yield SetEntry("x", (("md5", bytes(range(16))),))
        raise ValueError("the document breaks off")

    with (
        mock.patch("triage.hashsets.build.open_in_bulk", lambda path, options: (ListFacts("f"), entries())),
        pytest.raises(ValueError, match=r"list\.csv cannot be used: the document breaks off"),
    ):
        build_set([write(tmp_path, "x")], tmp_path / "unit.hset")
    assert names(tmp_path) == ["list.csv"]


@pytest.mark.parametrize(
    ("after", "expected"), [("  name", [10, 20, 25, 35, 45, 50]), ("", [24, 25, 49, 50])], ids=["single", "in bulk"]
)
def test_progress_tells_of_entries_over_all_lists(tmp_path, monkeypatch, after, expected):
    monkeypatch.setattr(build, "_SETTLE_EVERY", 10)
    told: list[int] = []
    lines = "\n".join(hashlib.md5(b"%d" % n).hexdigest() + after for n in range(25))
    build_set([write(tmp_path, lines, name) for name in "ab"], tmp_path / "unit.hset", progress=told.append)

    assert told == expected


def test_lists_are_prepared_once_and_sets_stay_where_they_are(tmp_path):
    folder = tmp_path / "case" / "hashsets"
    first, second = write(tmp_path, f"md5\n{MD5}\n", "first.csv"), write(tmp_path, f"md5\n{OTHER}\n", "second.csv")
    copy = write(tmp_path, f"md5\n{MD5}\n", "copy.csv")
    unit = tmp_path / "unit.hset"
    build_set([second], unit)
    prepared = prepare([first, unit, copy, second], folder)
    states = [path.stat().st_mtime_ns for path in prepared]

    assert prepared[1] == unit
    assert len(prepared) == 3
    assert prepared[0].name.startswith(hashlib.sha256(first.read_bytes()).hexdigest())
    assert [HashIndex.open(path).name for path in prepared] == ["first.csv", "unit", "second.csv"]
    assert prepare([first, unit, copy, second], folder) == prepared
    assert [path.stat().st_mtime_ns for path in prepared] == states


@pytest.mark.parametrize("damage", [b"", b"junk", "flip"])
def test_a_prepared_set_that_is_damaged_is_built_again(tmp_path, damage):
    path, folder = write(tmp_path, f"md5\n{MD5}\n"), tmp_path / "sets"
    (prepared,) = prepare([path], folder)
    whole = prepared.read_bytes()
    prepared.write_bytes(whole[:64] + bytes([whole[64] ^ 1]) + whole[65:] if isinstance(damage, str) else damage)

    assert prepare([path], folder) == [prepared]
    assert prepared.read_bytes() == whole


def test_other_options_make_another_prepared_set(tmp_path):
    path = write(tmp_path, f"hash\n{'ab' * 32}\n")
    sha256 = prepare([path], tmp_path, BuildOptions(reading=ListOptions("sha256")))
    pdq = prepare([path], tmp_path, BuildOptions(reading=ListOptions("pdq")))

    assert sha256 != pdq
    assert [list(HashIndex.open(each[0]).counts) for each in (sha256, pdq)] == [["sha256"], ["pdq"]]


def test_a_list_can_be_opened_as_it_is(tmp_path):
    path = write(tmp_path, f"md5,category\n{MD5},2\n")
    index = open_set(path)
    match = index.find({"md5": MD5})

    assert not is_set(path)
    assert match is not None and (match.name, match.category) == ("list.csv", "2")
    assert (index.path, index.sha256) == (path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert names(tmp_path) == ["list.csv"]


def test_a_list_that_is_not_there_is_named(tmp_path):
    for use in (open_set, lambda path: prepare([path], tmp_path)):
        with pytest.raises(ValueError, match=r"nowhere\.csv cannot be used"):
            use(tmp_path / "nowhere.csv")
