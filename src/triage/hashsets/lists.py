"""Lists of known files in memory: loading, what was refused, and the look-up by content.

A category is what the list's publisher wrote, in the publisher's scheme; what it means in a jurisdiction is decided
elsewhere. A list is not by itself a list of illegal material: NSRL publishes benign files in the same formats.
"""

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from triage.hashsets.formats import Format, detect, entries

ALGORITHMS: Final = {32: "md5", 40: "sha1", 64: "sha256"}
"""Algorithm by length of the hex digest. PDQ has 64 digits too; such lists are not read here."""
REJECTS_KEPT: Final = 20
_STRONGEST_FIRST: Final = ("sha256", "sha1", "md5")
_UNKNOWN_SIZE: Final = -1
_NO_ROW: Final = -1
_DEGENERATE: Final = frozenset(
    {hashlib.new(name).digest() for name in _STRONGEST_FIRST}
    | {bytes([value]) * (length // 2) for length in ALGORITHMS for value in (0, 255)}
)
"""Digests of nothing: of the empty file, and placeholders. In a list they would match every empty file."""


@dataclass(frozen=True, slots=True)
class HashMatch:
    """A file's digest that is in a list.

    ``category`` is the publisher's raw value in ``scheme``, several joined with `` | `` where the list holds the digest
    more than once, empty where it gives none. ``listed_size`` is the size in bytes that the list states, or `None`.
    """

    name: str
    algorithm: str
    digest: str
    scheme: str
    category: str
    listed_size: int | None


@dataclass(slots=True)
class HashList:
    """One loaded list.

    ``sha256`` is that of the list's file; ``format`` (such as ``VICS 2.0 #Media``) and ``scheme`` (``VICS 2.0 US``) say
    how it was read. ``rejected`` rows were not usable; ``reasons`` says why, for the first few.
    """

    name: str
    path: Path
    sha256: str
    format: str
    scheme: str
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    _rows: dict[str, dict[bytes, int]] = field(default_factory=dict, repr=False)
    _category: "array[int]" = field(default_factory=lambda: array("l"), repr=False)
    _size: "array[int]" = field(default_factory=lambda: array("q"), repr=False)
    _categories: list[str] = field(default_factory=list, repr=False)
    _numbers: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Distinct digests by algorithm."""
        return {name: len(rows) for name, rows in sorted(self._rows.items())}

    def find(self, digests: Mapping[str, str]) -> HashMatch | None:
        """The entry for a file with these digests (algorithm → lower-case hex), by the strongest that both have."""
        for algorithm in _STRONGEST_FIRST:
            rows, digest = self._rows.get(algorithm), digests.get(algorithm)
            if not rows or not digest:
                continue
            row = rows.get(bytes.fromhex(digest), _NO_ROW)
            if row != _NO_ROW:
                size = None if self._size[row] == _UNKNOWN_SIZE else self._size[row]
                category = self._categories[self._category[row]]
                return HashMatch(self.name, algorithm, digest, self.scheme, category, size)
        return None

    def add(self, digests: tuple[str, ...], category: str, size: int | None, where: str) -> None:
        """Take in one entry with all its digests in hex, or note why not. ``where`` names the entry in the list."""
        usable: dict[str, bytes] = {}
        for text in digests:
            digest = _binary(text)
            if digest is None:
                self.reject(f"{where}: not a digest of a known length: {text[:80]!r}")
            elif digest in _DEGENERATE:
                self.reject(f"{where}: the digest of an empty file, or a placeholder: {text}")
            else:
                usable[ALGORITHMS[2 * len(digest)]] = digest
        if not usable:
            return
        row = _NO_ROW
        for algorithm, digest in usable.items():
            known = self._rows.setdefault(algorithm, {})
            if digest in known:
                self._also(known[digest], category)
                continue
            if row == _NO_ROW:
                row = len(self._size)
                self._size.append(_UNKNOWN_SIZE if size is None else size)
                self._category.append(self._number(category))
            known[digest] = row

    def reject(self, reason: str) -> None:
        """Count a row that could not be used."""
        self.rejected += 1
        if len(self.reasons) < REJECTS_KEPT:
            self.reasons.append(reason)

    def _also(self, row: int, category: str) -> None:
        """A digest is in the list again; keep what both entries say."""
        present = [each for each in self._categories[self._category[row]].split(" | ") if each]
        if category and category not in present:
            self._category[row] = self._number(" | ".join(sorted([*present, category])))

    def _number(self, category: str) -> int:
        number = self._numbers.setdefault(category, len(self._categories))
        if number == len(self._categories):
            self._categories.append(category)
        return number


def load_list(path: Path) -> HashList:
    """Read a list of digests in any of the formats of `triage.hashsets.formats`.

    Raises:
        ValueError: it cannot be read, is in no known format, breaks off, or holds no usable digest; names the file.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        found: Format = detect(path)
        loaded = HashList(path.name, path, digest, found.name, found.scheme)
        for entry in entries(path, found):
            if entry.problem:
                loaded.reject(f"{entry.where}: {entry.problem}")
            else:
                loaded.add(entry.digests, entry.category, entry.size, entry.where)
    except (OSError, ValueError) as error:
        raise ValueError(f"the list of known files {path} cannot be used: {error}") from error
    if not loaded.counts:
        first = f"; first: {loaded.reasons[0]}" if loaded.reasons else ""
        raise ValueError(
            f"the list of known files {path} holds no usable digest ({loaded.rejected} rows refused{first})"
        )
    return loaded


def _binary(text: str) -> bytes | None:
    cleaned = text.strip().strip("\"'").strip().lower().removeprefix("0x")
    if len(cleaned) not in ALGORITHMS:
        return None
    try:
        return bytes.fromhex(cleaned)
    except ValueError:
        return None
