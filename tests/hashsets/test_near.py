"""A near look-up gives what comparing everything gives, whatever the set, and damaged indexes are named."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.hashsets import near
from triage.hashsets.near import NearIndex

Rows = list[tuple[int, int]]


def some(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def flipped(value: bytes, bits: list[int]) -> bytes:
    number = int.from_bytes(value)
    for bit in bits:
        number ^= 1 << bit
    return number.to_bytes(32)


def compared(values: np.ndarray, value: bytes, threshold: int) -> Rows:
    """By Python's own numbers, one by one."""
    wanted = int.from_bytes(value)
    distances = ((row, (int.from_bytes(each.tobytes()) ^ wanted).bit_count()) for row, each in enumerate(values))
    return sorted(((row, d) for row, d in distances if d <= threshold), key=lambda pair: (pair[1], pair[0]))


MANY = some(6_000)
MANY[100:160] = MANY[100]  # repeated values
for row in range(200, 260):
    MANY[row] = np.frombuffer(flipped(MANY[200].tobytes(), [row * 3 % 256, row * 7 % 256]), np.uint8)


def written(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    near.write(out, values)
    return out.getvalue()


WHOLE = written(MANY)
INDEX = NearIndex(WHOLE)
FEW = NearIndex.of(MANY[:50])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5_999), st.lists(st.integers(0, 255), max_size=60, unique=True), st.integers(0, 70))
def test_answers_are_those_of_comparing_everything(row: int, bits: list[int], threshold: int) -> None:
    value = flipped(MANY[row].tobytes(), bits)

    assert INDEX.find(value, threshold) == compared(MANY, value, threshold)


@pytest.mark.parametrize("threshold", [0, 15, 16, 31, 32, 41, 47, 48])
def test_every_distance_up_to_the_threshold_is_found(threshold: int) -> None:
    rng = np.random.default_rng(threshold)
    for distance in range(threshold + 1):
        value = flipped(MANY[4_000].tobytes(), rng.choice(256, distance, replace=False).tolist())

        assert (4_000, distance) in INDEX.find(value, threshold)


def test_errors_spread_over_all_words_are_found() -> None:
    value = flipped(MANY[17].tobytes(), list(range(0, 256, 8))[:31])

    assert INDEX.find(value, 31) == [(17, 31)]


def test_larger_sets_have_fewer_and_longer_words() -> None:
    widths = [near._widths(count) for count in (4_001, 1 << 16, 1_000_000, 5_000_000, 1 << 30)]

    assert all(sum(each) == 256 for each in widths)
    assert [len(each) for each in widths] == [16, 16, 13, 12, 10]


@pytest.mark.parametrize("widths", [(16,) * 16, (22,) * 4 + (21,) * 8, (26,) * 6 + (25,) * 4])
@pytest.mark.parametrize("threshold", [0, 5, 31, 41])
def test_no_way_of_spreading_the_differing_bits_escapes_the_tables(widths: tuple[int, ...], threshold: int) -> None:
    plan = near._plan(widths, threshold)

    assert plan is not None
    most = [max((int(mask).bit_count() for mask in plan.masks[plan.tables == table]), default=-1)
            for table in range(len(widths))]  # fmt: skip
    # One more bit than a table forgives, in every table, has to be more than the threshold.
    assert sum(radius + 1 for radius in most) > threshold
    for table, (width, radius) in enumerate(zip(widths, most, strict=True)):
        count = sum(math.comb(width, bits) for bits in range(radius + 1))
        assert len(set(plan.masks[plan.tables == table].tolist())) == count


def test_small_sets_and_empty_ones_are_compared_whole() -> None:
    assert FEW.find(MANY[3].tobytes()) == [(3, 0)]
    assert NearIndex.of(some(0)).find(bytes(32)) == []
    assert INDEX.find_any(np.zeros((0, 32), np.uint8)) == []


def test_several_queries_at_once_name_the_nearest_first() -> None:
    far, close = flipped(MANY[9].tobytes(), [1, 2, 3]), flipped(MANY[4_500].tobytes(), [7])
    queries = np.frombuffer(far + close, np.uint8).reshape(2, 32)

    assert [tuple(each) for each in INDEX.find_any(queries)] == [(1, 4_500, 1), (0, 9, 3)]


def test_thousands_of_equal_digests_are_all_found() -> None:
    index = NearIndex.of(np.tile(MANY[0], (20_000, 1)))

    assert index.find(flipped(MANY[0].tobytes(), [5])) == [(row, 1) for row in range(20_000)]


def test_a_file_gives_the_same_answers_and_keeps_its_key(tmp_path: Path) -> None:
    path = tmp_path / "a.near"
    NearIndex.build(MANY, path, b"k" * 32)
    opened = NearIndex.open(path)

    assert opened.key == b"k" * 32
    assert opened.find(MANY[100].tobytes()) == INDEX.find(MANY[100].tobytes())
    assert np.array_equal(opened.values, MANY)
    assert [each.name for each in tmp_path.iterdir()] == ["a.near"]


def test_what_fails_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.near"
    NearIndex.build(MANY[:10], path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(near, "_table", fail)
    with pytest.raises(OSError, match="no space"):
        NearIndex.build(MANY, path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("cut", [0, 3, 40, 64, 100_000, -1])
def test_a_cut_off_file_is_named(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.near"
    NearIndex.build(MANY, path)
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(ValueError, match=r"a\.near"):
        NearIndex.open(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_ends_in_answers_or_in_words(data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    at = data.draw(st.one_of(st.integers(0, 80), st.integers(0, len(content) - 64)))
    content[at : at + 64] = data.draw(st.binary(min_size=64, max_size=64))
    try:
        found = NearIndex(bytes(content)).find(MANY[7].tobytes(), 31)
    except ValueError as error:
        assert "near matches" in str(error)
    else:
        assert all(0 <= row < len(MANY) and distance <= 31 for row, distance in found)


def test_tables_that_lead_outside_are_refused() -> None:
    content = bytearray(WHOLE)
    content[-4 * 6_000 * 16 :] = b"\xff" * (4 * 6_000 * 16)

    with pytest.raises(ValueError, match="damaged"):
        NearIndex(bytes(content)).find(MANY[7].tobytes())


@pytest.mark.parametrize("values", [np.zeros((3, 31), np.uint8), np.zeros(32, np.uint8), np.zeros((3, 32), np.int64)])
def test_other_arrays_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not digests"):
        NearIndex.of(values)
