"""A built set of known digests: opened at once, mapped, searched by exact value.

Look-ups compare the whole digest. Opening checks the header, not the columns, which may be gigabytes:
`HashIndex.verify` does that, in one pass. A damaged column gives a `ValueError` or no match, and never a crash.
"""

import hashlib
import mmap
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

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
from triage.hashsets.labels import Label
from triage.hashsets.match import Data, Says
from triage.hashsets.match import HashMatch as HashMatch
from triage.hashsets.search import PlainSearch, compiled, finder

if TYPE_CHECKING:
    # Takes longer to import than a set to open, and single look-ups do without.
    import numpy as np
    import numpy.typing as npt

STRONGEST_FIRST: Final = ("sha512", "sha256", "sha1", "md5")
"""Digests of whole contents that make an exact match, in the order in which they are tried."""
_STEP: Final = 1 << 22
_ROWS: Final = 1 << 16

Bytes: TypeAlias = "npt.NDArray[np.uint8]"


class HashIndex:
    """A built set.

    ``facts`` is what it says of itself, ``role`` what it is for, ``path`` where it lies. ``digest`` (hex) stands for
    all its content and costs nothing, but is not the file's SHA-256. One that was built for this process only has the
    path of its list, and ``list_sha256`` of that.

    ``find(digests)`` is the match for a file with these digests (algorithm → lower-case hex). The strongest algorithm
    that the file and the set have decides; a weaker one is asked where that has no entry, for sets mix entries with
    different digests. What the publisher has withdrawn does not match. ``find_value(algorithm, value)`` is the match
    for one digest (bytes). Both give a `HashMatch` or `None`, and raise `ValueError` where a digest is none of its
    algorithm or the set is damaged there.
    """

    def __init__(self, data: Data, path: Path, list_sha256: str = "") -> None:
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
        self._says = says = Says(data, self.facts, path)
        self._columns = {section.algorithm: _Column(data, section, says) for section in self.facts.sections}
        self._withdrawn = {section.algorithm: _Column(data, section, says) for section in self.facts.withdrawn}
        searches = {name: column.search for name, column in self._columns.items()}
        gone = {name: column.search for name, column in self._withdrawn.items()}
        exact = [(name, searches.get(name), gone.get(name)) for name in STRONGEST_FIRST if name in {*searches, *gone}]
        found_in = finder(searches, tuple(exact))
        # Asked once for each file and each set: not through another call.
        self.find: Final = found_in.find
        self.find_value: Final = found_in.find_value

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

    @property
    def labels(self) -> tuple[Label, ...]:
        """Every combination of categories that a digest of the set has, by number."""
        return self._says.labels

    def find_many(self, algorithm: str, values: Sequence[bytes]) -> list[HashMatch | None]:
        """``find_value`` for each of many digests of one algorithm, all at once.

        Raises:
            ValueError: one has another length than its algorithm's digests.
        """
        column = self._columns.get(algorithm)
        return [None] * len(values) if column is None else column.search.find_many(values)

    def holds_many(self, algorithm: str, values: Sequence[bytes]) -> "npt.NDArray[np.bool_]":
        """Which of many digests of one algorithm the set holds.

        Raises:
            ValueError: one has another length than its algorithm's digests.
        """
        import numpy as np

        column = self._columns.get(algorithm)
        if column is None:
            return np.zeros(len(values), np.bool_)
        return np.frombuffer(column.search.rows(values), np.int64) >= 0

    def is_withdrawn(self, algorithm: str, value: bytes) -> bool:
        """Whether the publisher has withdrawn a digest."""
        column = self._withdrawn.get(algorithm)
        return column is not None and column.search.row(value) >= 0

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
        import numpy as np

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
        return column.match(row, column.whole(row, row + 1).tobytes().hex())

    def matches(self, algorithm: str) -> Iterator[HashMatch]:
        """Everything that the set says of the digests of an algorithm, ascending."""
        column = self._columns.get(algorithm)
        if column is not None:
            for row, value in enumerate(self.values(algorithm)):
                yield column.match(row, value.hex())

    def categories(self, algorithm: str) -> dict[Label, int]:
        """How many digests of an algorithm have which label; most frequent first."""
        import numpy as np

        column = self._columns.get(algorithm)
        if column is None:
            return {}
        numbers = column.label_numbers()
        if numbers is None:
            return {self._says.label(column.section.label): column.section.rows}
        counts = np.bincount(numbers)
        found = ((self._says.label(number), int(counts[number])) for number in np.flatnonzero(counts).tolist())
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


class _Column:
    """The columns of one section."""

    def __init__(self, data: Data, section: Section, says: Says) -> None:
        self.section = section
        self._data = data
        self._width = DIGEST_BYTES[section.algorithm]
        self._key_width = section.key_width
        plain = PlainSearch(data, section, says)
        self.match = plain.match
        self.search = compiled(data, section, says) or plain

    def label_numbers(self) -> "npt.NDArray[np.uint32] | None":
        """The number of each row's label, `None` if all have the same."""
        width = self.section.label_width
        if not width:
            return None
        import numpy as np

        return np.frombuffer(self._data, f"<u{width}", self.section.rows, self.section.labels)

    def whole(self, first: int, last: int) -> Bytes:
        """Digests of rows as rows of bytes, with the leading bytes that their bucket gives."""
        import numpy as np

        section = self.section
        last = min(last, section.rows)
        place = section.keys + first * self._key_width
        flat = np.frombuffer(self._data, np.uint8, (last - first) * self._key_width, place)
        keys = flat.reshape(last - first, self._key_width)
        if not section.drop:
            return keys
        table = np.frombuffer(self._data, "<u4", (1 << section.bits) + 1, section.table)
        buckets = np.searchsorted(table, np.arange(first, last), side="right") - 1
        leading = np.clip(buckets, 0, None) << (MOST_BITS - section.bits)
        digests = np.empty((last - first, self._width), np.uint8)
        digests[:, section.drop :] = keys
        for at in range(section.drop):
            digests[:, at] = (leading >> (16 - 8 * at)) & 0xFF
        return digests
