"""A file whose digest is in a list is a hit, with what the list says of it and no more."""

import hashlib
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
    with pytest.raises(ValueError, match="no usable digest"):
        scan(tmp_path, unit="md5\n")
