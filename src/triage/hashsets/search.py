"""Look-ups in the columns of a set, by a compiled kernel where there is one.

The kernel `_search` is compiled when the suite is installed, if there is a C compiler. Without it Python does the same,
with the same answers.
"""

from binascii import unhexlify
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final, Protocol, TypeAlias

from triage.hashsets.entry import DIGEST_BYTES
from triage.hashsets.index_format import MOST_BITS, Section
from triage.hashsets.match import Data, HashMatch, Says

try:
    from triage.hashsets import _search

    _MISSING = ""
except ImportError as error:  # no C compiler when the suite was installed
    _search = None  # type: ignore[assignment]
    _MISSING = str(error)

COMPILED: Final = "compiled"
NOWHERE: Final = -1
_PAIR: Final = Struct("<II")
_NARROW: Final = 64
_DIGITS: Final = frozenset("0123456789abcdef")
_OUTSIDE: Final = "a hash set is damaged: its table leads outside"


class Search(Protocol):
    """Look-ups in one section.

    All raise `ValueError` where a digest has another length than its algorithm's, or the set is damaged there.
    """

    def row(self, digest: bytes, /) -> int:
        """Where a digest stands, `NOWHERE` if nowhere."""
        ...

    def rows(self, digests: Sequence[bytes], /) -> bytearray:
        """Where each of many stands, as signed 64-bit numbers of this machine."""
        ...

    def find(self, digest: bytes, /) -> HashMatch | None:
        """The match for a digest, `None` if it does not stand there."""
        ...

    def find_text(self, digest: str, /) -> HashMatch | None:
        """The same for a digest in lower-case hexadecimal."""
        ...

    def find_many(self, digests: Sequence[bytes], /) -> list[HashMatch | None]:
        """`find` for each of many."""
        ...


Step: TypeAlias = tuple[str, Search | None, Search | None]
"""An algorithm, the column of what is listed by it, and that of what is withdrawn by it."""


class Finder(Protocol):
    """Look-ups in all sections."""

    def find(self, digests: Mapping[str, str], /) -> HashMatch | None:
        """As `triage.hashsets.index.HashIndex.find`."""
        ...

    def find_value(self, algorithm: str, value: bytes, /) -> HashMatch | None:
        """As `triage.hashsets.index.HashIndex.find_value`."""
        ...


def kernel() -> str:
    """What looks up: `COMPILED`, or Python and why."""
    return COMPILED if _search is not None else f"Python ({_MISSING})"


def compiled(data: Data, section: Section, says: Says) -> Search | None:
    """The kernel's look-ups in a section whose columns lie in ``data``, `None` where there is no kernel."""
    if _search is None:
        return None
    return _search.Column(
        data, HashMatch, says.name, says.role, section.algorithm, says.scheme, says.said,
        width=DIGEST_BYTES[section.algorithm], rows=section.rows, bits=section.bits, drop=section.drop,
        keys=section.keys, table=section.table, labels=section.labels, label_width=section.label_width,
        label=section.label, sizes=section.sizes, size_width=section.size_width,
    )  # fmt: skip


def finder(columns: dict[str, Search], exact: tuple[Step, ...]) -> Finder:
    """Look-ups in ``columns``, by algorithm; those in ``exact`` are tried in that order for the digests of a file."""
    return PlainFinder(columns, exact) if _search is None else _search.Finder(_search.Column, columns, exact)


class PlainFinder:
    """Look-ups in all sections, in Python."""

    def __init__(self, columns: Mapping[str, Search], exact: Sequence[Step]) -> None:
        self._columns = columns
        self._exact = exact

    def find(self, digests: Mapping[str, str], /) -> HashMatch | None:
        """As `Finder.find`."""
        for algorithm, listed, withdrawn in self._exact:
            text = digests.get(algorithm)
            if not text:
                continue
            if listed is not None and (match := listed.find_text(text)) is not None:
                return match
            if withdrawn is not None and withdrawn.row(_value(text, algorithm)) >= 0:
                return None
        return None

    def find_value(self, algorithm: str, value: bytes, /) -> HashMatch | None:
        """As `Finder.find_value`."""
        column = self._columns.get(algorithm)
        return None if column is None else column.find(value)


class PlainSearch:
    """The look-ups in Python; also what stands in a row."""

    def __init__(self, data: Data, section: Section, says: Says) -> None:
        self._data = data
        self._section = section
        self._says = says
        self._width = DIGEST_BYTES[section.algorithm]
        self._key_width = section.key_width
        self._shift = MOST_BITS - section.bits

    def find(self, digest: bytes, /) -> HashMatch | None:
        """As `Search.find`."""
        row = self.row(digest)
        return None if row < 0 else self.match(row, digest.hex())

    def find_text(self, digest: str, /) -> HashMatch | None:
        """As `Search.find_text`."""
        row = self.row(_value(digest, self._section.algorithm))
        return None if row < 0 else self.match(row, digest)

    def find_many(self, digests: Sequence[bytes], /) -> list[HashMatch | None]:
        """As `Search.find_many`."""
        rows, match = memoryview(self.rows(digests)).cast("q"), self.match
        return [None if row < 0 else match(row, digest.hex()) for row, digest in zip(rows, digests, strict=True)]

    def match(self, row: int, digest: str) -> HashMatch:
        """The match for a row, whose digest (hex) is known."""
        says = self._says
        categories, disposition = says.said(self._label(row))
        return HashMatch(
            says.name, says.role, self._section.algorithm, digest, says.scheme, categories, self._size(row), disposition
        )

    def _label(self, row: int) -> int:
        section, width = self._section, self._section.label_width
        if not width:
            return section.label
        start = section.labels + row * width
        return int.from_bytes(self._data[start : start + width], "little")

    def _size(self, row: int) -> int | None:
        section, width = self._section, self._section.size_width
        if not width:
            return None
        start = section.sizes + row * width
        stated = int.from_bytes(self._data[start : start + width], "little")
        return stated - 1 if stated else None

    def row(self, digest: bytes, /) -> int:
        """As `Search.row`."""
        if len(digest) != self._width:
            raise ValueError(f"not a digest of {self._section.algorithm}: {digest.hex()[:80]}")
        section, width = self._section, self._key_width
        bucket = (digest[0] << 16 | digest[1] << 8 | digest[2]) >> self._shift
        low, high = _PAIR.unpack_from(self._data, section.table + 4 * bucket)
        if not low <= high <= section.rows:
            raise ValueError(_OUTSIDE)
        wanted = digest[section.drop :]
        if high - low > _NARROW:
            low, high = self._narrowed(wanted, low, high)
        keys = self._data[section.keys + low * width : section.keys + high * width]
        at = keys.find(wanted)
        # The end of one key and the begin of the next may look like a third.
        while at % width and at >= 0:
            at = keys.find(wanted, at + 1)
        return NOWHERE if at < 0 else low + at // width

    def _narrowed(self, wanted: bytes, low: int, high: int) -> tuple[int, int]:
        """The few rows of a large bucket in which a key can only be."""
        place, width = self._section.keys, self._key_width
        while high - low > _NARROW:
            middle = (low + high) >> 1
            start = place + middle * width
            if self._data[start : start + width] <= wanted:
                low = middle
            else:
                high = middle
        return low, high

    def rows(self, digests: Sequence[bytes], /) -> bytearray:
        """As `Search.rows`: a bisection of all at once."""
        import numpy as np

        from triage.hashsets.columns import bucket_numbers

        if set(map(len, digests)) - {self._width}:
            raise ValueError(f"not all are digests of {self._section.algorithm}")
        section, width = self._section, self._key_width
        plain = np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), self._width)
        wanted = np.ascontiguousarray(plain[:, section.drop :]).view(f"S{width}")[:, 0]
        keys = np.frombuffer(self._data, f"S{width}", section.rows, section.keys if section.rows else 0)
        table = np.frombuffer(self._data, "<u4", (1 << section.bits) + 1, section.table)
        buckets = bucket_numbers(plain, section.bits)
        low, high = table[buckets].astype(np.int64), table[buckets + 1].astype(np.int64)
        if ((low > high) | (high > section.rows)).any():
            raise ValueError(_OUTSIDE)
        ends = high.copy()
        searched = np.flatnonzero(low < high)
        while len(searched):
            middle = (low[searched] + high[searched]) >> 1
            before = keys[middle] < wanted[searched]
            low[searched[before]] = middle[before] + 1
            high[searched[~before]] = middle[~before]
            searched = searched[low[searched] < high[searched]]
        there = low < ends
        there[there] = keys[low[there]] == wanted[there]
        return bytearray(np.where(there, low, NOWHERE).astype(np.int64).tobytes())


def _value(text: str, algorithm: str) -> bytes:
    if len(text) != 2 * DIGEST_BYTES[algorithm] or not _DIGITS.issuperset(text):
        raise ValueError(f"not a digest of {algorithm}: {text[:80]}")
    return unhexlify(text)
