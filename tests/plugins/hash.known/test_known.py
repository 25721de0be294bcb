"""A file whose digest is in a list is a hit, with what the list says of it and no more."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from triage_plugins.hash_known import KnownFiles, Options

from triage.api import Grade, Hit, SkipFile
from triage.records import Record
from triage.testing import MemoryFile, check_golden, plugin_file, run_plugin

CONTENT = b"a neutral file"
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def scan(folder: Path, content: bytes = CONTENT, **lists: str) -> list[Record]:
    paths = []
    for name, text in lists.items():
        paths.append(folder / f"{name}.csv")
        paths[-1].write_text(text)
    return run_plugin(KnownFiles(Options(tuple(paths))), plugin_file("/a/b.jpg", content))


def test_hits_are_as_expected(tmp_path: Path) -> None:
    hits = scan(
        tmp_path,
        unit=f"md5,category,size\n{MD5},2,{len(CONTENT)}\n",
        baseline=f"sha256\n{SHA256}\n",
        wrong_size=f"md5,size\n{MD5},9999\n",
    )

    check_golden(Path(__file__).parent / "expected.jsonl", hits)


def test_only_the_whole_content_counts(tmp_path: Path) -> None:
    assert scan(tmp_path, CONTENT + b"\n", unit=f"md5\n{MD5}\n") == []


def test_a_hit_is_exact_and_alerts_where_nothing_says_otherwise(tmp_path: Path) -> None:
    (hit,) = scan(tmp_path, unit=f"md5,category\n{MD5},0\n")

    assert isinstance(hit, Hit)
    assert (hit.grade, hit.disposition, hit.category) == (Grade.EXACT, "alert", "0")


def test_an_empty_file_is_never_known(tmp_path: Path) -> None:
    assert scan(tmp_path, b"", unit=f"md5\n{MD5}\n{hashlib.md5().hexdigest()}\n") == []


def test_without_lists_there_is_nothing_to_find() -> None:
    assert run_plugin(KnownFiles(), plugin_file("/a", CONTENT)) == []
    assert KnownFiles().inputs() == {}


def test_a_list_of_digests_that_were_not_made_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryFile, "digests", {"md5": MD5})

    with pytest.raises(SkipFile, match="sha256"):
        scan(tmp_path, baseline=f"sha256\n{SHA256}\n")


def test_the_lists_are_named_with_their_digests_for_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"md5\n{MD5}\n")

    assert KnownFiles(Options((path,))).inputs() == {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_list_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unit\.csv holds no usable digest"):
        scan(tmp_path, unit=f"md5\n{hashlib.md5().hexdigest()}\n")


def build(folder: Path, text: str, **options: str) -> Path:
    """A built set, made by the command line as a user does."""
    listed, out = folder / "list.csv", folder / "unit.hset"
    listed.write_text(text)
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "triage", "hashset", "build", str(listed), "--out", str(out), *words]
    subprocess.run(command, check=True, capture_output=True)
    return out


def hits(*sets: Path) -> list[Hit]:
    found = run_plugin(KnownFiles(Options(sets)), plugin_file("/a/b.jpg", CONTENT))
    return [hit for hit in found if isinstance(hit, Hit)]


def test_a_built_set_gives_the_hits_of_its_list_with_name_scheme_and_disposition(tmp_path: Path) -> None:
    path = build(tmp_path, f"md5,category,size\n{MD5},1,9\n", name="Unit list", scheme="vic-us")
    (hit,) = hits(path)

    assert (hit.name, hit.scheme, hit.category, hit.disposition) == ("Unit list", "vic-us", "1", "illegal-candidate")
    assert hit.detail == f"md5 {MD5}; the list states 9 bytes, this file has {len(CONTENT)}"
    assert KnownFiles(Options((path,))).inputs() == {str(path): hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_file_in_a_set_that_excludes_is_a_hit_that_says_so(tmp_path: Path) -> None:
    (hit,) = hits(build(tmp_path, f"md5,category\n{MD5},1\n", role="exclude", scheme="vic-us"))

    assert (hit.grade, hit.disposition) == (Grade.EXACT, "exclude")


def test_a_damaged_set_stops_the_start(tmp_path: Path) -> None:
    path = build(tmp_path, f"md5\n{MD5}\n")
    whole = path.read_bytes()
    path.write_bytes(whole[:64] + bytes([whole[64] ^ 1]) + whole[65:])

    with pytest.raises(ValueError, match=r"unit\.hset is damaged"):
        KnownFiles(Options((path,))).inputs()


def test_what_is_not_in_the_sets_is_told_with_the_scan(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"md5\n{MD5}\nnonsense\n{hashlib.md5().hexdigest()}\n")
    refused, dropped = KnownFiles(Options((path,))).remarks()

    assert refused.startswith("a.csv: 1 entries were refused and 0 used in part; first: line 3")
    assert dropped == "a.csv: 1 digests of empty files, or placeholders, are left out"


def test_a_set_of_perceptual_values_is_left_to_others(tmp_path: Path) -> None:
    path = tmp_path / "pdq.csv"
    path.write_text(f"pdq\n{'ab' * 32}\n")
    plugin = KnownFiles(Options((path,)))

    assert run_plugin(plugin, plugin_file("/a/b.jpg", CONTENT)) == []
    assert plugin.remarks() == ["pdq.csv: holds pdq only, which hash.known does not compare"]
