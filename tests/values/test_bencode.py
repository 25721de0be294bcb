"""Bencoded data is read item by item, what stands before damage is given, and hostile data is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import bencode
from triage.bencode import Item, bencoded_items

VALUES = st.recursive(
    st.integers(-(10**15), 10**15) | st.binary(max_size=20),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.binary(max_size=8), below, max_size=4),
    max_leaves=20,
)


def encode(value: object) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:" % len(value) + value
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    assert isinstance(value, dict)
    return b"d" + b"".join(encode(key) + encode(item) for key, item in value.items()) + b"e"


@given(st.dictionaries(st.binary(max_size=8), VALUES, max_size=6), st.binary(max_size=5))
def test_what_was_written_is_read_with_its_place(values: dict[bytes, bencode.Value], behind: bytes) -> None:
    data = encode(values)
    items = list(bencoded_items(data + behind))

    assert {item.key: item.value for item in items} == values
    assert all(data[item.start : item.end] == encode(item.value) for item in items)


@given(st.dictionaries(st.binary(max_size=8), VALUES, min_size=1, max_size=6), st.data())
def test_items_before_a_cut_are_given_and_the_cut_is_told(
    values: dict[bytes, bencode.Value], data: st.DataObject
) -> None:
    whole = encode(values)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    read: list[Item] = []
    with pytest.raises(ValueError, match="offset"):
        for item in bencoded_items(cut):
            read.append(item)

    assert [(item.key, item.value) for item in read] == list(values.items())[: len(read)]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"l1:ae", b"d", b"d1:a", b"d1:ai1", b"d1:aie", b"d1:ai--1ee", b"d1:ai 1ee", b"d-1:ae", b"d1:a99999999:xe",
        b"d9999999999999999999999:xe", b"d" + b"1:a" + b"l" * 100_000, b"d1:a" + b"d1:a" * 100_000, b"di1ei2ee",
        b"d1:ax", b"d1:a\xb2:xxe",
    ],
)  # fmt: skip
def test_hostile_data_is_an_error_with_its_place(data: bytes) -> None:
    with pytest.raises(ValueError, match="offset"):
        list(bencoded_items(data))


def test_values_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bencode, "MOST_VALUES", 1000)

    with pytest.raises(ValueError, match="more than 1,000 values"):
        list(bencoded_items(b"d1:al" + b"0:" * 2000 + b"ee"))
