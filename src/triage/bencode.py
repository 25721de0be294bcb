"""Bencoding, the notation of BitTorrent files: read item by item, with the place of each, and bounded.

Format: https://www.bittorrent.org/beps/bep_0003.html
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

MOST_VALUES: Final = 4_000_000
MOST_DEPTH: Final = 64
_MOST_DIGITS: Final = 20

Value = bytes | int | list["Value"] | dict[bytes, "Value"]


class Item(NamedTuple):
    """One entry of the outermost dictionary; ``start`` and ``end`` are the byte offsets of the encoded value."""

    key: bytes
    value: Value
    start: int
    end: int


def bencoded_items(data: bytes) -> Iterator[Item]:
    """The entries of the dictionary that ``data`` starts with, in their order; what follows it is not looked at.

    Raises:
        ValueError: the data is no such dictionary or ends inside it, after the entries before; names the offset.

    >>> [(item.key, item.value) for item in bencoded_items(b"d4:sizei3e4:tagsl1:a2:bbee")]
    [(b'size', 3), (b'tags', [b'a', b'bb'])]
    """
    if not data.startswith(b"d"):
        raise ValueError("no bencoded dictionary at offset 0")
    reader, at = _Reader(data), 1
    while data[at : at + 1] != b"e":
        key, start = reader.text(at)
        value, end = reader.value(start, 1)
        yield Item(key, value, start, end)
        at = end


class _Reader:
    """Reads values; the second of each result is the offset behind it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = MOST_VALUES

    def value(self, at: int, depth: int) -> tuple[Value, int]:
        self._left -= 1
        if depth > MOST_DEPTH or self._left < 0:
            raise ValueError(f"more than {MOST_VALUES:,} values or {MOST_DEPTH} levels at offset {at:,}")
        kind = self._data[at : at + 1]
        if kind == b"i":
            return self._number(at + 1, b"e")
        if kind == b"l":
            return self._list(at + 1, depth)
        if kind == b"d":
            return self._dictionary(at + 1, depth)
        return self.text(at)

    def text(self, at: int) -> tuple[bytes, int]:
        length, start = self._number(at, b":")
        if not 0 <= length <= len(self._data) - start:
            raise ValueError(f"{length:,} bytes are announced at offset {at:,}, {len(self._data) - start:,} are left")
        return self._data[start : start + length], start + length

    def _number(self, at: int, end: bytes) -> tuple[int, int]:
        stop = self._data.find(end, at, at + _MOST_DIGITS + 2)
        digits = self._data[at : max(stop, at)]
        if not digits.removeprefix(b"-").isdigit():
            raise ValueError(f"not bencoded at offset {at:,}: {self._data[at : at + 8].hex(' ') or 'the data ends'}")
        return int(digits), stop + 1

    def _list(self, at: int, depth: int) -> tuple[Value, int]:
        items: list[Value] = []
        while self._data[at : at + 1] != b"e":
            item, at = self.value(at, depth + 1)
            items.append(item)
        return items, at + 1

    def _dictionary(self, at: int, depth: int) -> tuple[Value, int]:
        items: dict[bytes, Value] = {}
        while self._data[at : at + 1] != b"e":
            key, at = self.text(at)
            items[key], at = self.value(at, depth + 1)
        return items, at + 1
