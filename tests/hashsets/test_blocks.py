"""Digests of parts of files: what is counted, what is left out as common, and what an index finds again."""

import hashlib
import itertools
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.evidence.source import MemorySource
from triage.hashsets.block_index import BlockIndex, BlockIndexBuilder, Place
from triage.hashsets.blocks import (
    BLOCK,
    BlockMatch,
    FileMatch,
    Run,
    block_digests,
    distinct_blocks,
    first_digests,
    is_distinct,
    summarise,
)


def noise(length, seed=0):
    return random.Random(seed).randbytes(length)


def test_first_digests_cover_512_bytes_and_64_kib():
    data = noise(100_000)
    digests = first_digests(data)

    assert digests.md5_512 == hashlib.md5(data[:512]).digest()
    assert digests.sha256_512 == hashlib.sha256(data[:512]).digest()
    assert digests.md5_64k == hashlib.md5(data[:65536]).digest()
    assert digests.sha256_64k == hashlib.sha256(data[:65536]).digest()


@pytest.mark.parametrize(("length", "given_digests"), [(0, 0), (511, 0), (512, 2), (65535, 2), (65536, 4)])
def test_a_file_too_short_for_a_first_block_has_no_digest_of_it(length, given_digests):
    assert sum(digest != b"" for digest in first_digests(noise(length))) == given_digests


def test_first_bytes_that_are_all_the_same_have_no_digest():
    assert first_digests(b"\xff" * 512 + noise(70_000)).md5_512 == b""
    assert first_digests(b"\xff" * 512 + noise(70_000)).md5_64k != b""


def test_block_digests_are_those_of_whole_blocks_only():
    data = noise(3 * BLOCK + 100)

    assert list(block_digests(data)) == [
        (i * BLOCK, hashlib.md5(data[i * BLOCK : (i + 1) * BLOCK]).digest()) for i in range(3)
    ]
    assert [offset for offset, _ in block_digests(data, step=512)][:3] == [0, 512, 1024]
    assert len(next(block_digests(data, algorithm="sha1"))[1]) == 20


COMMON = {
    "zeros": bytes(BLOCK),
    "one byte": b"\xf6" * BLOCK,
    "one word": b"\x01\x02\x03\x04" * 1024,
    "two words": struct.pack("<II", 7, 9) * 512,
    "ramp": struct.pack("<1024I", *range(5000, 6024)),
    "big-endian ramp": struct.pack(">1024I", *range(5000, 6024)),
    "ramp in half of the block": struct.pack("<600I", *range(600)) + noise(BLOCK - 2400),
    "ascending": struct.pack("<1024I", *sorted(random.Random(1).sample(range(1 << 32), 1024))),
    "descending": struct.pack("<1024I", *sorted(random.Random(1).sample(range(1 << 32), 1024), reverse=True)),
    "white space": b"".join(b" \t\n "[i % 4 : i % 4 + 1] for i in range(3200)) + noise(BLOCK - 3200),
    "a third of one word": noise(2000) + b"\xaa\xbb\xcc\xdd" * 341 + noise(BLOCK - 2000 - 1364, 1),
    "pattern of 20 bytes": (noise(20) * 205)[:BLOCK],
    "pattern of 200 bytes": (noise(200) * 21)[:BLOCK],
    "few bits": bytes(random.Random(2).choice((1, 2)) for _ in range(BLOCK)),
}


@pytest.mark.parametrize("name", COMMON)
def test_blocks_that_many_files_share_are_not_distinct(name):
    assert not is_distinct(COMMON[name])


def test_blocks_of_compressed_data_and_of_text_are_distinct():
    words = [noise(random.Random(i).randrange(2, 9), i).hex() for i in range(400)]
    text = " ".join(random.Random(3).choices(words, k=2000)).encode()[:BLOCK]

    assert is_distinct(noise(BLOCK))
    assert is_distinct(text)
    assert not is_distinct(b"")


def slow_labels(block):
    """The first four rules as hashdb states them, one block and one word at a time; without the last word of ramps."""
    words = struct.unpack(f"<{len(block) // 4}I", block)
    steps = list(itertools.pairwise(words))
    ramp = sum(a + 1 == b for a, b in steps) > len(block) // 8
    histogram = len(set(words)) < 3 or max(words.count(word) for word in set(words)) > len(block) // 16
    space = sum(byte in b" \t\n\v\f\r" for byte in block) >= len(block) * 3 // 4
    ways = (sum(b > a for a, b in steps), sum(b < a for a, b in steps), sum(b == a for a, b in steps))
    return ramp or histogram or space or max(ways) >= len(words) * 0.75


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.binary(min_size=4, max_size=4), st.just(b"    "), st.just(b"\0\0\0\1")), min_size=1),
    st.data(),
)
def test_every_block_that_the_published_rules_refuse_is_refused(words, data):
    length = data.draw(st.sampled_from([128, 512]))
    block = (b"".join(words) * length)[:length]

    assert not (slow_labels(block) and is_distinct(block))


def test_many_blocks_are_judged_as_each_alone():
    blocks = [*COMMON.values(), *(noise(BLOCK, seed) for seed in range(300))]
    random.Random(4).shuffle(blocks)

    assert distinct_blocks(b"".join(blocks) + b"rest").tolist() == [is_distinct(block) for block in blocks]
    with pytest.raises(ValueError, match="words of four"):
        distinct_blocks(b"", 6)


@pytest.fixture
def index(tmp_path):
    builder = BlockIndexBuilder()
    assert builder.add_file("a.jpg", MemorySource(noise(10 * BLOCK + 7, 1))) == 10
    assert builder.add_file("b \udcff.mp4", MemorySource(noise(3 * BLOCK, 2) + bytes(BLOCK) + noise(BLOCK, 1))) == 4
    assert builder.add_file("empty", MemorySource(b"")) == 0
    builder.write(tmp_path / "known.blocks")
    return BlockIndex(tmp_path / "known.blocks")


def test_an_index_finds_every_distinct_block_with_its_files_and_numbers(index):
    first = hashlib.md5(noise(BLOCK, 1)).digest()

    assert len(index) == 14
    assert index.distinct == {"a.jpg": 10, "b \udcff.mp4": 4, "empty": 0}
    assert set(index.find(first)) == {Place("a.jpg", 0), Place("b \udcff.mp4", 4)}
    assert index.find(hashlib.md5(noise(10 * BLOCK, 1)[5 * BLOCK : 6 * BLOCK]).digest()) == (Place("a.jpg", 5),)
    assert index.find(hashlib.md5(bytes(BLOCK)).digest()) == ()
    assert index.find(first[:8] + bytes(8)) == ()
    with pytest.raises(ValueError, match="16 bytes"):
        index.find(b"short")
    index.verify()


def test_fragments_are_summed_up_by_file_in_the_order_in_which_they_lie(index):
    a = noise(10 * BLOCK + 7, 1)
    space = noise(2 * BLOCK, 9) + a[2 * BLOCK : 5 * BLOCK] + bytes(BLOCK) + a[8 * BLOCK : 9 * BLOCK] + noise(BLOCK, 8)

    matches = index.find_blocks(space, base=1 << 20)
    [found] = index.summarise(matches)

    start = 1 << 20
    assert found == FileMatch("a.jpg", 4, 10, (Run(start + 2 * BLOCK, 2, 3), Run(start + 6 * BLOCK, 8, 1)))
    assert str(found) == f"4 of 10 distinct blocks of a.jpg found, in 2 runs from offset {start + 2 * BLOCK}"


def test_blocks_that_begin_at_any_sector_are_found_in_small_steps(index):
    space = bytes(3 * 512) + noise(10 * BLOCK + 7, 1)

    assert index.find_blocks(space) == []
    [found] = index.summarise(index.find_blocks(space, step=512))[:1]
    assert (found.label, found.found, found.runs) == ("a.jpg", 10, (Run(1536, 0, 10),))
    with pytest.raises(ValueError, match="do not divide"):
        index.find_blocks(space, step=500)


def test_a_block_found_twice_counts_once_and_both_places_show():
    matches = [BlockMatch(0, "a", 0), BlockMatch(BLOCK, "a", 1), BlockMatch(8 * BLOCK, "a", 0)]

    assert summarise(matches, {"a": 5}) == (FileMatch("a", 2, 5, (Run(0, 0, 2), Run(8 * BLOCK, 0, 1))),)


def test_the_same_files_give_the_same_index(tmp_path):
    for name in ("one", "two"):
        builder = BlockIndexBuilder()
        for number in range(5):
            builder.add_file(str(number), MemorySource(noise(5 * BLOCK, number % 3)))
        builder.write(tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_an_index_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "known"
    BlockIndexBuilder().write(path)
    before = path.read_bytes()
    builder = BlockIndexBuilder()
    builder.add_file("a", MemorySource(noise(BLOCK)))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        builder.write(path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_two_files_of_one_name_are_refused():
    builder = BlockIndexBuilder()
    builder.add_file("a", MemorySource(b""))

    with pytest.raises(ValueError, match="two known files"):
        builder.add_file("a", MemorySource(b""))
    with pytest.raises(ValueError, match="blocks of 6 bytes"):
        BlockIndexBuilder(6)


def test_an_empty_index_finds_nothing(tmp_path):
    BlockIndexBuilder().write(tmp_path / "none")
    index = BlockIndex(tmp_path / "none")
    index.verify()

    assert len(index) == 0
    assert index.find(bytes(16)) == ()
    assert index.find_blocks(noise(BLOCK)) == []


@settings(max_examples=120, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(0, 700),
)
def test_a_hostile_index_is_refused_or_answers_but_nothing_else(tmp_path_factory, changes, cut):
    path = tmp_path_factory.mktemp("hostile") / "known"
    builder = BlockIndexBuilder()
    builder.add_file("a.jpg", MemorySource(noise(20 * BLOCK, 1)))
    builder.add_file("b.jpg", MemorySource(noise(5 * BLOCK, 2)))
    builder.write(path)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data[: len(data) - cut] if cut % 2 else data)

    try:
        index = BlockIndex(path)
        index.find(hashlib.md5(noise(BLOCK, 1)).digest())
        index.summarise(index.find_blocks(noise(20 * BLOCK, 1)))
        index.verify()
    except ValueError:
        return
    assert isinstance(len(index), int)


def test_an_index_with_digests_out_of_order_is_found_out(index, tmp_path):
    data = bytearray(index.path.read_bytes())
    columns = np.frombuffer(data[40 : 40 + 8 * 14], "<u8")[::-1]
    data[40 : 40 + 8 * 14] = columns.tobytes()
    (tmp_path / "bad").write_bytes(data)

    with pytest.raises(ValueError, match="not in order"):
        BlockIndex(tmp_path / "bad").verify()
