"""One read of a file gives digests, windows without gaps, and an exact account of what could not be read."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from triage.engine.readpass import Piece, Reading, lost_bytes, pieces
from triage.errors import EvidenceError
from triage.evidence.entry import HOLE, Extent, ExtentSource
from triage.evidence.source import ByteSource, MemorySource, Slice, UnreadableBytes


class Holed(ByteSource):
    """Content of which one range cannot be read."""

    def __init__(self, data: bytes, start: int, length: int) -> None:
        self._data, self._start, self._end = data, start, start + length
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < self._end and offset + length > self._start:
            raise EvidenceError("bad sector")
        return self._data[offset : offset + length]


def read(source: ByteSource, size: int, window: int = 1000, overlap: int = 10) -> tuple[Reading, list[Piece]]:
    reading = Reading(size)
    return reading, list(pieces(source, size, ("md5", "sha256"), window, overlap, reading))


@given(st.binary(max_size=5000), st.integers(50, 1500), st.integers(0, 49))
def test_windows_cover_everything_once_and_overlap_as_said(data: bytes, window: int, overlap: int) -> None:
    reading, seen = read(MemorySource(data), len(data), window, overlap)

    assert data == b"".join(piece.data[piece.overlap :] for piece in seen)
    assert all(piece.data == data[piece.offset : piece.offset + len(piece.data)] for piece in seen)
    assert [piece.last for piece in seen] == [False] * (len(seen) - 1) + [True]
    assert {"md5": hashlib.md5(data).hexdigest(), "sha256": hashlib.sha256(data).hexdigest()} == reading.digests


def test_small_content_is_kept_whole_and_large_is_not() -> None:
    small, _ = read(MemorySource(b"a" * 1000), 1000)
    large, _ = read(MemorySource(b"a" * 1001), 1001)

    assert small.whole == b"a" * 1000
    assert large.whole is None
    assert len(large.head) == 1000


def test_an_empty_file_has_the_digest_of_nothing() -> None:
    reading, seen = read(MemorySource(b""), 0)

    assert reading.digests["md5"] == "d41d8cd98f00b204e9800998ecf8427e"
    assert len(seen) == 1


def test_unreadable_bytes_are_zeros_named_exactly_and_leave_no_digest() -> None:
    data = bytes(range(1, 251)) * 1000
    reading, seen = read(Holed(data, 100_000, 512), len(data), window=1 << 20)

    assert reading.digests == {}
    assert lost_bytes(reading) == 4096
    assert [(part.offset, part.length) for part in reading.lost] == [(98304, 4096)]
    content = seen[0].data
    assert content[98304:102400] == bytes(4096)
    assert content[:98304] == data[:98304]
    assert content[102400:] == data[102400:]


def test_a_source_that_ends_early_is_not_digested() -> None:
    reading, _ = read(MemorySource(b"x" * 700), 1000)

    assert reading.digests == {}
    assert [(part.offset, part.length) for part in reading.lost] == [(700, 300)]


class Exact(Holed):
    """As `Holed`, and the error says which bytes are lost."""

    def read_at(self, offset: int, length: int) -> bytes:
        if offset < self._end and offset + length > self._start:
            start = max(offset, self._start)
            raise UnreadableBytes("bad chunk", start, self._end - start)
        return self._data[offset : offset + length]


@given(st.integers(0, 4_000), st.integers(1, 3_000), st.integers(500, 5_000))
def test_a_loss_of_known_extent_costs_exactly_that(start: int, length: int, window: int) -> None:
    data = bytes(range(1, 251)) * 20
    length = min(length, len(data) - start)
    reading, seen = read(Exact(data, start, length), len(data), window=window)
    content = b"".join(piece.data[piece.overlap :] for piece in seen)

    assert content == data[:start] + bytes(length) + data[start + length :]
    assert sum(part.length for part in reading.lost) == length
    assert reading.digests == {}


def test_losses_are_told_in_the_coordinates_of_the_file() -> None:
    media = Exact(bytes(range(1, 251)) * 40, 3_000, 100)
    volume = Slice(media, 1_000, 8_000)
    file = ExtentSource(volume, (Extent(5_000, 500), Extent(HOLE, 50), Extent(1_900, 500)))
    reading, seen = read(file, 1_050, window=2_000)

    assert [(part.offset, part.length) for part in reading.lost] == [(650, 100)]
    assert seen[0].data[750:1050] == media.read_at(3_100, 300)
