"""What is left of a known file is found by its blocks, and said to be a part and no more."""

import random
from pathlib import Path

import pytest
from triage_plugins.hash_fragments import KnownFragments, Options

from triage.api import Grade, Hit, SkipFile
from triage.evidence.source import MemorySource
from triage.hashsets.block_index import BlockIndexBuilder
from triage.records import Record
from triage.testing import check_golden, plugin_file, run_plugin

KNOWN = random.Random(5).randbytes(20 * 4096 + 100)
OTHER = random.Random(6).randbytes(30 * 4096)


@pytest.fixture
def plugin(tmp_path: Path) -> KnownFragments:
    builder = BlockIndexBuilder()
    builder.add_file("held.jpg", MemorySource(KNOWN))
    builder.write(tmp_path / "unit.hblk")
    return KnownFragments(Options((tmp_path / "unit.hblk",)))


def scan(plugin: KnownFragments, content: bytes) -> list[Record]:
    return run_plugin(plugin, plugin_file("/a/b.jpg", content))


def test_hits_are_as_expected(plugin: KnownFragments) -> None:
    check_golden(Path(__file__).parent / "expected.jsonl", scan(plugin, KNOWN[: 12 * 4096] + OTHER + KNOWN[-8292:]))


def test_what_is_cut_off_is_a_part_with_its_place(plugin: KnownFragments) -> None:
    (hit,) = scan(plugin, KNOWN[:50_000])

    assert isinstance(hit, Hit)
    assert hit.grade is Grade.PARTIAL
    assert hit.detail.startswith("12 of 20 distinct blocks of 4,096 bytes of held.jpg: 12 from block 0 on at offset 0")


def test_content_across_the_pieces_in_which_a_file_is_read_is_found(plugin: KnownFragments) -> None:
    (hit,) = scan(plugin, bytes((4 << 20) - 8192) + KNOWN)

    assert isinstance(hit, Hit)
    assert "20 of 20" in hit.detail


@pytest.mark.parametrize("content", [b"", OTHER, bytes(100_000), KNOWN[:4096], KNOWN[:4000]])
def test_one_block_or_none_is_no_hit(plugin: KnownFragments, content: bytes) -> None:
    assert scan(plugin, content) == []


def test_without_an_index_it_has_nothing_to_do_and_says_so(plugin: KnownFragments) -> None:
    assert KnownFragments().idle()
    assert not plugin.idle()
    assert len(plugin.inputs()) == 1


def test_a_damaged_index_is_refused_by_name(plugin: KnownFragments, tmp_path: Path) -> None:
    path = tmp_path / "unit.hblk"
    path.write_bytes(path.read_bytes()[:-5])

    with pytest.raises(ValueError, match=r"unit\.hblk"):
        KnownFragments(Options((path,)))


def test_a_bound_on_matches_is_said_and_what_was_found_stays(
    plugin: KnownFragments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triage_plugins.hash_fragments.MOST_MATCHES", 5)
    found = plugin.scan(plugin_file("/a/b.jpg", KNOWN))

    assert "5 of 20" in next(iter(found)).detail
    with pytest.raises(SkipFile, match="the rest was not compared"):
        next(iter(found))
