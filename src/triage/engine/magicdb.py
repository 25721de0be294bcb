"""A short form of libmagic's compiled database, for content that most of its tests cannot be about.

libmagic tries some three thousand tests one after the other, nearly all of them "these bytes at this place". Looking
those places up in sets takes microseconds, so where none of them holds, a database without them gives the same answer
several times sooner. What a test means is left to libmagic: here is only decided which tests cannot hold.

The format is that of ``apprentice.c`` and ``file.h`` of file 5.41 (version 16 of the compiled database): a header of
one record's size (magic number, version, number of main and of named records), then records of 376 bytes in the order
in which they are tried. A record of level 0 begins a group; the others are tried only if it holds.
"""

import operator
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

_MAGIC: Final = 0xF11E041C
_VERSION: Final = 16
_HEADER: Final = struct.Struct("<4I")
_RECORD: Final = struct.Struct("<HBxBBB2xB2xi8xQ128s216x")
_KIND: Final = struct.Struct("<H4xB369x")
_UNSIGNED, _NO_SPACE, _BINARY, _TEXT = 0x08, 0x10, 0x20, 0x40
_PLAIN: Final = _UNSIGNED | _NO_SPACE | _BINARY | _TEXT
"""Flags that change nothing about where a test looks."""
_STRING, _SEARCH, _INDIRECT, _USE = 5, 20, 41, 46
_ANY_SPACE, _ANY_CASE, _EITHER_CONTENT = 0x03, 0x0C, 0x60
_SEARCH_FLAGS: Final = _ANY_SPACE | _ANY_CASE | _EITHER_CONTENT
"""Flags of strings: runs of white space count as one, letters in any case, for text or binary content."""
_UNEQUAL: Final = ord("!")
_COMPARISONS: Final[dict[int, Callable[[int, int], bool]]] = {
    ord("="): operator.eq,
    _UNEQUAL: operator.ne,
    ord("<"): operator.lt,
    ord(">"): operator.gt,
}
_LITTLE: Final = {1: 1, 2: 2, 4: 4, 24: 8, 10: 2, 11: 4, 25: 8}
_BIG: Final = {7: 2, 8: 4, 26: 8}
"""Types of numbers and their widths in bytes; those of the machine's own order are little-endian."""
_SHORTEST_KEY, _LONGEST_KEY = 2, 4
"""Bytes by which a test is looked up: one alone is too common to tell anything, more than four tell hardly more."""


class UnknownDatabase(ValueError):
    """Not a compiled database of the one version that is understood here."""


class _Test(NamedTuple):
    level: int
    flags: int
    relation: int
    length: int
    type: int
    mask_operator: int
    offset: int
    mask: int
    value: bytes

    def name(self) -> bytes:
        return self.value.split(b"\0", 1)[0].lstrip(b"^\\")


class _Comparison(NamedTuple):
    """A plain comparison of a number at a fixed place."""

    start: int
    end: int
    order: Literal["little", "big"]
    mask: int
    sign: int
    """Value of the sign bit; 0 if the number has none."""
    relation: int
    wanted: int

    def holds(self, head: bytes) -> bool:
        start, end, order, mask, sign, relation, wanted = self
        found = head[start:end]
        if len(found) < end - start:
            return relation == _UNEQUAL
        number = int.from_bytes(found, order) & mask
        return _COMPARISONS[relation]((number ^ sign) - sign, wanted)


class _Search(NamedTuple):
    """Bytes that must stand somewhere from ``start`` to ``end``; in lower case if ``fold``."""

    start: int
    end: int
    wanted: bytes
    fold: bool

    def holds(self, head: bytes) -> bool:
        start, end, wanted, fold = self
        return (wanted in head[start:end].lower()) if fold else head.find(wanted, start, end) >= 0


@dataclass(frozen=True, slots=True)
class ShortDatabase:
    """The groups that have to be tried on any content, and what shows that one of the others might hold."""

    data: bytes
    """A compiled database, for ``magic_load_buffers``."""
    keys: tuple[tuple[int, int, frozenset[bytes]], ...]
    """Start and end in the content, and the bytes there that groups left out ask for; by start."""
    searches: tuple[_Search, ...]
    """What groups left out look for."""
    chains: tuple[tuple[_Comparison, ...], ...]
    """What must all hold before a group that is kept looks at a part of the content with the whole database."""

    def suffices(self, head: bytes) -> bool:
        """Whether the groups left out cannot be about ``head``. Only for content that libmagic takes for no text."""
        size = len(head)
        for start, end, values in self.keys:
            if start >= size:
                break
            if head[start:end] in values:
                return False
        for search in self.searches:
            if search.holds(head):
                return False
        for chain in self.chains:
            for comparison in chain:
                if not comparison.holds(head):
                    break
            else:
                return False
        return True


def shortened(whole: bytes) -> ShortDatabase:
    """The short form of the compiled database ``whole``; `UnknownDatabase` if its format is another one."""
    if len(whole) < _RECORD.size or len(whole) % _RECORD.size:
        raise UnknownDatabase("not a whole number of records")
    magic, version, main, named = _HEADER.unpack_from(whole)
    if (magic, version, (main + named + 1) * _RECORD.size) != (_MAGIC, _VERSION, len(whole)):
        raise UnknownDatabase(f"compiled database {magic:#x}, version {version}")
    kinds = list(_KIND.iter_unpack(memoryview(whole)[_RECORD.size :]))
    nested = _names_that_look_inside(whole, kinds, _groups(kinds, main, main + named))
    keys: defaultdict[tuple[int, int], set[bytes]] = defaultdict(set)
    searches: set[_Search] = set()
    chains: set[tuple[_Comparison, ...]] = set()
    kept: list[bytes] = []
    for start, end in _groups(kinds, 0, main):
        first = _test(whole, start)
        if not first.flags & _BINARY:
            continue
        if key := _key(first):
            keys[first.offset, first.offset + len(key)].add(key)
        elif search := _search(first):
            searches.add(search)
        else:
            kept.append(whole[(start + 1) * _RECORD.size : (end + 1) * _RECORD.size])
            if any(kind in (_USE, _INDIRECT) for _, kind in kinds[start:end]):
                chains.update(_chains([_test(whole, index) for index in range(start, end)], nested))
    body = b"".join(kept)
    header = _HEADER.pack(_MAGIC, _VERSION, len(body) // _RECORD.size, named).ljust(_RECORD.size, b"\0")
    places = tuple((start, end, frozenset(values)) for (start, end), values in sorted(keys.items()))
    return ShortDatabase(header + body + whole[(main + 1) * _RECORD.size :], places, tuple(searches), tuple(chains))


def _test(whole: bytes, index: int) -> _Test:
    return _Test(*_RECORD.unpack_from(whole, (index + 1) * _RECORD.size))


def _groups(kinds: Sequence[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """Bounds of the groups among the records ``start`` to ``end``, of which ``kinds`` gives level and type."""
    begins = [index for index in range(start, end) if kinds[index][0] == 0]
    return list(pairwise([*begins, end]))


def _key(test: _Test) -> bytes:
    """Bytes that must stand at the test's offset for it to hold, or ``b""`` if there are none that tell anything."""
    if test.relation != ord("=") or test.flags & ~_PLAIN or test.mask_operator:
        return b""
    if test.type == _STRING:
        value = b"" if test.mask & ~(_EITHER_CONTENT << 32) else test.value[: test.length]
    elif test.mask:
        return b""
    elif test.type in _BIG:
        value = test.value[: _BIG[test.type]][::-1]
    else:
        value = test.value[: _LITTLE.get(test.type, 0)]
    value = value[:_LONGEST_KEY]
    # Blocks of zeros are common, so looking them up would only send half of all files to the whole database.
    return value if len(value) >= _SHORTEST_KEY and any(value) else b""


def _names_that_look_inside(
    whole: bytes, kinds: Sequence[tuple[int, int]], groups: Iterable[tuple[int, int]]
) -> frozenset[bytes]:
    """Named groups that apply all tests to a part of the content, themselves or by a name that they use."""
    uses = {
        _test(whole, start).name(): {
            _test(whole, index).name() if kinds[index][1] == _USE else b""
            for index in range(start, end)
            if kinds[index][1] in (_USE, _INDIRECT)
        }
        for start, end in groups
    }
    found = {b""}
    while more := {name for name, used in uses.items() if name not in found and used & found}:
        found |= more
    return frozenset(found)


def _chains(group: Sequence[_Test], nested: frozenset[bytes]) -> Iterator[tuple[_Comparison, ...]]:
    """For each test of the group that applies all tests to a part of the content: what must hold before it is tried."""
    path: list[_Test] = []
    for test in group:
        del path[test.level :]
        if test.type == _INDIRECT or (test.type == _USE and test.name() in nested):
            found = (comparison for before in path if (comparison := _comparison(before)))
            yield tuple(sorted(found, key=_is_common))
        path.append(test)


def _is_common(comparison: _Comparison) -> bool:
    return comparison.wanted == 0 or comparison.relation != ord("=")


def _comparison(test: _Test) -> _Comparison | None:
    width = _LITTLE.get(test.type) or _BIG.get(test.type)
    if width is None or test.flags & ~_PLAIN or test.mask_operator or test.relation not in _COMPARISONS:
        return None
    bits = (1 << 8 * width) - 1
    signed = not test.flags & _UNSIGNED
    mask = test.mask & bits if test.mask else bits
    wanted = int.from_bytes(test.value[:8], "little", signed=signed)
    sign = 1 << (8 * width - 1) if signed else 0
    return _Comparison(
        test.offset, test.offset + width, "big" if test.type in _BIG else "little", mask, sign, test.relation, wanted
    )


def _search(test: _Test) -> _Search | None:
    """What a search at a fixed place looks for, as far as its flags leave that certain; `None` for other tests."""
    flags, reach = test.mask >> 32, test.mask & 0xFFFFFFFF
    if test.type != _SEARCH or test.relation != ord("=") or test.flags & ~_PLAIN or flags & ~_SEARCH_FLAGS:
        return None
    value = test.value[: test.length]
    if flags & _ANY_SPACE:
        value = value.split()[0] if value.strip() else b""
    if len(value) < _LONGEST_KEY or not any(value):
        return None
    fold = bool(flags & _ANY_CASE)
    return _Search(test.offset, test.offset + reach + len(value), value.lower() if fold else value, fold)
