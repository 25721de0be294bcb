"""Sources cut out of sources read what lies there, wherever the cut is."""

from hypothesis import given
from hypothesis import strategies as st

from triage.evidence.entry import HOLE, Extent, ExtentSource
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
