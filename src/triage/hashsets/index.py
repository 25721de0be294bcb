"""A built set of known digests: opened at once, mapped, searched by exact value.

Look-ups compare the whole digest. Opening checks the header, not the columns, which may be gigabytes:
`HashIndex.verify` does that, in one pass. A damaged column gives a `ValueError` or no match, and never a crash.
"""

import hashlib
import mmap
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from triage.hashsets.columns import bucket_numbers
from triage.hashsets.entry import DIGEST_BYTES
from triage.hashsets.index_format import (
    MAGIC,
    MOST_BITS,
    TRAILER,
    Role,
    Section,
    SetFacts,
    decode_header,
    header_length,
)
from triage.hashsets.labels import Label, decode_labels
from triage.hashsets.schemes import JOINED

STRONGEST_FIRST: Final = ("sha512", "sha256", "sha1", "md5")
"""Digests of whole contents that make an exact match, in the order in which they are tried."""
_PAIR: Final = Struct("<II")
_NARROW: Final = 64
_STEP: Final = 1 << 22
_ROWS: Final = 1 << 16

Bytes = npt.NDArray[np.uint8]


class HashMatch(NamedTuple):
    """A digest that is in a set.

    ``name`` is the set's. ``categories`` are the publisher's raw values in ``scheme``, several where its lists hold the
    digest more than once, none where they give none. ``listed_size`` is the size in bytes that the list states.
    ``disposition`` is one of `triage.hashsets.schemes.DISPOSITIONS`: ``exclude`` for a set of that role, else what the
    scheme that was chosen for the set makes of the categories, ``alert`` where none was chosen.
    """

    name: str
    role: Role
    algorithm: str
    digest: str
    scheme: str
    categories: tuple[str, ...]
    listed_size: int | None
    disposition: str

    @property
    def category(self) -> str:
        """The categories in one text."""
        return JOINED.join(self.categories)


class HashIndex:
    """A built set.

    ``facts`` is what it says of itself, ``role`` what it is for, ``path`` where it lies. ``digest`` (hex) stands for
    all its content and costs nothing, but is not the file's SHA-256. One that was built for this process only has the
    path of its list, and ``list_sha256`` of that.
    """

    def __init__(self, data: "mmap.mmap | bytes", path: Path, list_sha256: str = "") -> None:
        """Check the header.

        Raises:
            ValueError: ``data`` is no set, is damaged, or was written by a later version.
        """
        if data[: len(MAGIC)] != MAGIC:
            later = data[: len(MAGIC) - 1] == MAGIC[:-1]
            raise ValueError("a hash set of a later version" if later else "not a hash set")
        trailer = data[-TRAILER:]
        length = header_length(trailer, len(data))
        end = len(data) - TRAILER
        self.path = path
        self.facts: SetFacts = decode_header(data[end - length : end], trailer, len(data))
        self.role = Role(self.facts.role)
        self.name = self.facts.name
        self.digest = trailer[-32:].hex()
        self._data = data
        self._list_sha256 = list_sha256
        self._columns = {section.algorithm: _Column(data, section) for section in self.facts.sections}
        self._withdrawn = {section.algorithm: _Column(data, section) for section in self.facts.withdrawn}
        self._exact = [name for name in STRONGEST_FIRST if name in self._columns or name in self._withdrawn]

    @classmethod
    def open(cls, path: Path) -> "HashIndex":
        """Map a set. It must not be cut short while it is open; replacing it by another file is harmless.

        Raises:
            ValueError: it is no set, is damaged, or cannot be read; names it.
        """
        try:
            with path.open("rb") as stream:
                head = stream.read(len(MAGIC))
                # An empty file cannot be mapped.
                data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if head else b""
            return cls(data, path)
        except (OSError, ValueError) as error:
            raise ValueError(f"the hash set {path} cannot be used: {error}") from error

    @property
    def counts(self) -> dict[str, int]:
        """Distinct digests by algorithm."""
        return self.facts.counts

    @cached_property
    def sha256(self) -> str:
        """SHA-256 (hex) of the file at ``path``. A set is read and checked for it, see `verify`."""
        return self._list_sha256 or self.verify()

    @property
    def size(self) -> int:
        """Bytes of the set."""
        return len(self._data)

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """Every combination of categories that a digest of the set has, by number."""
        place, length, count = self.facts.labels
        return decode_labels(self._data[place : place + length], count)

    def find(self, digests: Mapping[str, str]) -> HashMatch | None:
        """The match for a file with these digests (algorithm → lower-case hex).

        The strongest algorithm that the file and the set have decides; a weaker one is asked where that has no entry,
        for sets mix entries with different digests. What the publisher has withdrawn does not match.
        """
        for algorithm in self._exact:
            text = digests.get(algorithm)
            if not text:
                continue
            value = bytes.fromhex(text)
            match = self.find_value(algorithm, value)
            if match is not None:
                return match
            if algorithm in self._withdrawn and self.is_withdrawn(algorithm, value):
                return None
        return None

    def find_value(self, algorithm: str, value: bytes) -> HashMatch | None:
        """The match for one digest."""
        column = self._columns.get(algorithm)
        if column is None:
            return None
        row = column.row(value)
        return None if row is None else self._match(column, row, value.hex())

    def find_many(self, algorithm: str, values: Sequence[bytes]) -> list[HashMatch | None]:
        """`find_value` for each of many digests of one algorithm, all at once.

        Raises:
            ValueError: one has another length than its algorithm's digests.
        """
        column = self._columns.get(algorithm)
        matches: list[HashMatch | None] = [None] * len(values)
        if column is not None:
            rows = column.rows(values)
            for at in np.flatnonzero(rows >= 0).tolist():
                matches[at] = self._match(column, int(rows[at]), values[at].hex())
        return matches

    def holds_many(self, algorithm: str, values: Sequence[bytes]) -> "npt.NDArray[np.bool_]":
        """Which of many digests of one algorithm the set holds.

        Raises:
            ValueError: one has another length than its algorithm's digests.
        """
        column = self._columns.get(algorithm)
        return np.zeros(len(values), np.bool_) if column is None else column.rows(values) >= 0

    def is_withdrawn(self, algorithm: str, value: bytes) -> bool:
        """Whether the publisher has withdrawn a digest."""
        column = self._withdrawn.get(algorithm)
        return column is not None and column.row(value) is not None

    def values(self, algorithm: str) -> Iterator[bytes]:
        """The digests of an algorithm, ascending."""
        column = self._columns.get(algorithm)
        rows = self.counts.get(algorithm, 0)
        for some in (column.whole(first, first + _ROWS) for first in range(0, rows, _ROWS) if column is not None):
            data, width = some.tobytes(), some.shape[1]
            for at in range(0, len(data), width):
                yield data[at : at + width]

    def array(self, algorithm: str) -> Bytes:
        """The digests of an algorithm, ascending, as rows of bytes; perceptual ones are mapped, not copied."""
        column = self._columns.get(algorithm)
        if column is None:
            return np.empty((0, DIGEST_BYTES[algorithm]), np.uint8)
        return column.whole(0, column.section.rows)

    def at(self, algorithm: str, row: int) -> HashMatch:
        """The match for the digest in a row of `array`.

        Raises:
            IndexError: there is no such row.
        """
        column = self._columns.get(algorithm)
        if column is None or not 0 <= row < column.section.rows:
            raise IndexError(f"the set {self.name} has no row {row} of {algorithm}")
        return self._match(column, row, column.whole(row, row + 1).tobytes().hex())

    def matches(self, algorithm: str) -> Iterator[HashMatch]:
        """Everything that the set says of the digests of an algorithm, ascending."""
        column = self._columns.get(algorithm)
        if column is not None:
            for row, value in enumerate(self.values(algorithm)):
                yield self._match(column, row, value.hex())

    def categories(self, algorithm: str) -> dict[Label, int]:
        """How many digests of an algorithm have which label; most frequent first."""
        column = self._columns.get(algorithm)
        if column is None:
            return {}
        numbers = column.label_numbers()
        if numbers is None:
            return {self._label(column.section.label): column.section.rows}
        counts = np.bincount(numbers)
        found = ((self._label(number), int(counts[number])) for number in np.flatnonzero(counts).tolist())
        return dict(sorted(found, key=lambda pair: (-pair[1], pair[0])))

    def verify(self) -> str:
        """Read all of it, compare with its digest, and return the file's own SHA-256 (hex).

        Raises:
            ValueError: it is damaged; names it.
        """
        digest = hashlib.sha256()
        end = len(self._data) - 32
        for place in range(0, end, _STEP):
            digest.update(self._data[place : min(place + _STEP, end)])
        if digest.digest() != self._data[end:]:
            raise ValueError(f"the hash set {self.path} is damaged: its digest does not match its content")
        digest.update(self._data[end:])
        return digest.hexdigest()

    def _match(self, column: "_Column", row: int, digest: str) -> HashMatch:
        categories, disposition = self._label(column.label(row))
        if self.role is Role.EXCLUDE:
            disposition = "exclude"
        return HashMatch(
            self.name, self.role, column.algorithm, digest, self.facts.scheme, categories, column.size(row), disposition
        )

    def _label(self, number: int) -> Label:
        try:
            return self.labels[number]
        except IndexError as error:
            raise ValueError(f"the hash set {self.path} is damaged: there is no label {number}") from error


class _Column:
    """The columns of one section."""

    def __init__(self, data: "mmap.mmap | bytes", section: Section) -> None:
        self.section = section
        self.algorithm = section.algorithm
        self._data = data
        self._width = DIGEST_BYTES[section.algorithm]
        self._key_width = section.key_width
        self._shift = MOST_BITS - section.bits

    def row(self, value: bytes) -> int | None:
        """Where a digest stands, `None` if nowhere."""
        if len(value) != self._width:
            raise ValueError(f"not a digest of {self.algorithm}: {value.hex()[:80]}")
        section, width = self.section, self._key_width
        bucket = (value[0] << 16 | value[1] << 8 | value[2]) >> self._shift
        low, high = _PAIR.unpack_from(self._data, section.table + 4 * bucket)
        if not low <= high <= section.rows:
            raise ValueError("a hash set is damaged: its table leads outside")
        wanted = value[section.drop :]
        if high - low > _NARROW:
            low, high = self._narrowed(wanted, low, high)
        keys = self._data[section.keys + low * width : section.keys + high * width]
        at = keys.find(wanted)
        # The end of one key and the begin of the next may look like a third.
        while at % width and at >= 0:
            at = keys.find(wanted, at + 1)
        return None if at < 0 else low + at // width

    def _narrowed(self, wanted: bytes, low: int, high: int) -> tuple[int, int]:
        """The few rows of a large bucket in which a key can only be."""
        place, width = self.section.keys, self._key_width
        while high - low > _NARROW:
            middle = (low + high) >> 1
            start = place + middle * width
            if self._data[start : start + width] <= wanted:
                low = middle
            else:
                high = middle
        return low, high

    def rows(self, values: Sequence[bytes]) -> "npt.NDArray[np.int64]":
        """Where digests stand, -1 where they do not: a bisection of all at once."""
        if set(map(len, values)) - {self._width}:
            raise ValueError(f"not all are digests of {self.algorithm}")
        section, width = self.section, self._key_width
        plain = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), self._width)
        wanted = np.ascontiguousarray(plain[:, section.drop :]).view(f"S{width}")[:, 0]
        keys = np.frombuffer(self._data, f"S{width}", section.rows, section.keys)
        table = np.frombuffer(self._data, "<u4", (1 << section.bits) + 1, section.table)
        buckets = bucket_numbers(plain, section.bits)
        low, high = table[buckets].astype(np.int64), table[buckets + 1].astype(np.int64)
        if ((low > high) | (high > section.rows)).any():
            raise ValueError("a hash set is damaged: its table leads outside")
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
        return np.where(there, low, -1)

    def label(self, row: int) -> int:
        """Number of the label of a row."""
        width = self.section.label_width
        if not width:
            return self.section.label
        start = self.section.labels + row * width
        return int.from_bytes(self._data[start : start + width], "little")

    def size(self, row: int) -> int | None:
        """The size that the list states for a row."""
        width = self.section.size_width
        if not width:
            return None
        start = self.section.sizes + row * width
        stated = int.from_bytes(self._data[start : start + width], "little")
        return stated - 1 if stated else None

    def label_numbers(self) -> "npt.NDArray[np.uint32] | None":
        """The number of each row's label, `None` if all have the same."""
        width = self.section.label_width
        if not width:
            return None
        return np.frombuffer(self._data, f"<u{width}", self.section.rows, self.section.labels)

    def whole(self, first: int, last: int) -> Bytes:
        """Digests of rows as rows of bytes, with the leading bytes that their bucket gives."""
        section = self.section
        last = min(last, section.rows)
        place = section.keys + first * self._key_width
        flat = np.frombuffer(self._data, np.uint8, (last - first) * self._key_width, place)
        keys = flat.reshape(last - first, self._key_width)
        if not section.drop:
            return keys
        table = np.frombuffer(self._data, "<u4", (1 << section.bits) + 1, section.table)
        buckets = np.searchsorted(table, np.arange(first, last), side="right") - 1
        leading = np.clip(buckets, 0, None) << self._shift
        digests = np.empty((last - first, self._width), np.uint8)
        digests[:, section.drop :] = keys
        for at in range(section.drop):
            digests[:, at] = (leading >> (16 - 8 * at)) & 0xFF
        return digests
