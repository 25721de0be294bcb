"""Sources cut out of sources read what lies there, wherever the cut is."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.evidence.entry import HOLE, Extent, ExtentSource
from triage.evidence.files import FileSet, ReadAhead
from triage.evidence.source import MemorySource, Slice, physical_offset

MEDIA = bytes(range(256)) * 8


@given(
    st.lists(st.tuples(st.one_of(st.just(HOLE), st.integers(0, 1500)), st.integers(0, 300)), max_size=40),
    st.integers(0, 3000),
    st.integers(0, 3000),
)
def test_a_file_is_the_sum_of_its_extents(runs: list[tuple[int, int]], offset: int, length: int) -> None:
    extents = [Extent(at, run) for at, run in runs]
    whole = b"".join(bytes(run) if at == HOLE else MEDIA[at : at + run] for at, run in extents)
    source = ExtentSource(MemorySource(MEDIA), extents)

    assert source.size == len(whole)
    assert source.read_at(offset, length) == whole[offset : offset + length]


@given(st.integers(0, 2100), st.integers(0, 3000), st.integers(0, 2100), st.integers(0, 3000), st.integers(0, 3000))
def test_a_slice_of_a_slice_is_a_slice(first: int, size: int, second: int, inner: int, length: int) -> None:
    expected = MEDIA[first : first + size][second : second + inner]
    source = Slice(Slice(MemorySource(MEDIA), first, size), second, inner)

    assert source.size == len(expected)
    assert source.read_at(0, length) == expected[:length]
    assert physical_offset(source, 5) == first + second + 5


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 2200), st.integers(1, 300), st.integers(-50, 2500)), max_size=30
    )
)
def test_a_piece_is_the_same_however_much_was_fetched_with_it(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, int, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("set")
    paths = [folder / "first", folder / "second"]
    for path, data in zip(paths, (MEDIA, MEDIA[::-1][:1500]), strict=True):
        path.write_bytes(data)
    files = FileSet(paths)
    ahead = ReadAhead(files)
    for index, offset, length, further in pieces:
        got = ahead.fetched(index, offset, length)
        if got is None:
            got = ahead.read(index, offset, length, offset + further)

        assert bytes(got) == paths[index].read_bytes()[offset : offset + length]
    files.close()


def test_reading_on_without_a_jump_takes_ever_fewer_fetches(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(MEDIA * 32)
    files = FileSet([path])
    ahead = ReadAhead(files)
    fetches = 0
    for offset in range(0, len(MEDIA) * 32, 512):
        if ahead.fetched(0, offset, 512) is None:
            ahead.read(0, offset, 512, offset + 512)
            fetches += 1

    assert fetches < 10
    files.close()
