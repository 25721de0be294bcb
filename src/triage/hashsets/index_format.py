"""The file format of a built hash set (``.hset``): what stands where, and the checks on opening.

::

    magic                      8 bytes, MAGIC
    columns of every section   each begins at a multiple of 64; the gaps are zero
    labels                     JSON: list of [disposition, raw category, ...]
    header                     JSON: SetFacts with the sections' places
    trailer                    length of the header (8 bytes, little-endian), SHA-256 of the header,
                               SHA-256 of everything before these last 32 bytes

A section holds the digests of one algorithm, without repetition and in ascending order, as columns: ``keys`` (the
digests, without the leading ``drop`` bytes that their bucket gives), ``table`` (where each bucket begins; one more than
there are buckets, 4 bytes each; the bucket of a digest is the number that its first ``bits`` bits make), ``labels``
(number of a label, ``label_width`` bytes; with a width of 0 all have ``label``) and ``sizes`` (stated size plus one,
``size_width`` bytes; 0 where none is stated, a width of 0 where none has one). Integers are little-endian.

The header stands at the end so that a set is written in one go; opening reads it and the trailer, nothing else.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, TypeVar

from triage.hashsets.entry import DIGEST_BYTES

MAGIC: Final = b"\x89HSET\r\n\x01"
"""Begins like PNG's, for the same reason: a transfer as text damages it visibly. The last byte is the version."""
SUFFIX: Final = ".hset"
ALIGNMENT: Final = 64
TRAILER: Final = 8 + 32 + 32
MOST_BITS: Final = 24
MOST_ROWS: Final = 1 << 32
_LONGEST_HEADER: Final = 1 << 24
_LABEL_WIDTHS: Final = (0, 1, 2, 4)
_SIZE_WIDTHS: Final = (0, 4, 8)

Data = TypeVar("Data")


class Role(StrEnum):
    """What a set is for. Sets of harmless files come in the same formats as sets of unlawful ones."""

    ALERT = "alert"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class Source:
    """A list that a set was built from: the file (``bytes`` long) and what was read in it.

    ``entries`` counts what the list names, ``rejected`` the entries of which nothing could be used, ``partly`` those of
    which something could not.
    """

    name: str
    sha256: str
    bytes: int
    format: str
    scheme: str = ""
    version: str = ""
    provider: str = ""
    remarks: tuple[str, ...] = ()
    entries: int = 0
    rejected: int = 0
    partly: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """Digests of one algorithm: numbers as the module says, places in bytes from the start of the file."""

    algorithm: str
    rows: int
    bits: int
    drop: int
    keys: int
    table: int
    labels: int = 0
    label_width: int = 0
    label: int = 0
    sizes: int = 0
    size_width: int = 0

    @property
    def key_width(self) -> int:
        """Bytes of a key."""
        return DIGEST_BYTES[self.algorithm] - self.drop

    def columns(self) -> tuple[tuple[int, int], ...]:
        """Place and length in bytes of each column."""
        return (
            (self.keys, self.rows * self.key_width),
            (self.table, ((1 << self.bits) + 1) * 4),
            (self.labels, self.rows * self.label_width),
            (self.sizes, self.rows * self.size_width),
        )


@dataclass(frozen=True, slots=True)
class SetFacts:
    """What a set says of itself.

    ``scheme``, ``version`` and ``provider`` are those chosen when it was built, else the lists' own. ``repeated``
    counts digests that were given again, ``degenerate`` dropped ones: of the empty file, or placeholders. ``reasons``
    are the first few why something was rejected. ``labels`` is the place, length and number of the labels. Sections of
    withdrawn digests have neither labels nor sizes.
    """

    name: str
    role: str
    scheme: str
    version: str
    provider: str
    builder: str
    sources: tuple[Source, ...]
    repeated: int
    degenerate: int
    reasons: tuple[str, ...]
    labels: tuple[int, int, int]
    sections: tuple[Section, ...] = field(repr=False)
    withdrawn: tuple[Section, ...] = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Distinct digests by algorithm."""
        return {section.algorithm: section.rows for section in self.sections}

    @property
    def withdrawn_counts(self) -> dict[str, int]:
        """Distinct digests that the publisher has withdrawn, by algorithm."""
        return {section.algorithm: section.rows for section in self.withdrawn}

    @property
    def rejected(self) -> int:
        """Entries of the lists of which nothing could be used."""
        return sum(source.rejected for source in self.sources)

    @property
    def partly(self) -> int:
        """Entries of the lists of which something could not be used."""
        return sum(source.partly for source in self.sources)


def encode_header(facts: SetFacts) -> bytes:
    """The header and the trailer but for its last 32 bytes."""
    text = json.dumps(asdict(facts), ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode("ascii")
    return text + len(text).to_bytes(8, "little") + hashlib.sha256(text).digest()


def header_length(trailer: bytes, size: int) -> int:
    """Length of the header of a file of ``size`` bytes that ends with ``trailer``.

    Raises:
        ValueError: there is no such trailer.
    """
    length = int.from_bytes(trailer[:8], "little")
    if len(trailer) != TRAILER or not 0 < length <= min(_LONGEST_HEADER, size - TRAILER - len(MAGIC)):
        raise ValueError("the file breaks off or is damaged at its end")
    return length


def decode_header(text: bytes, trailer: bytes, size: int) -> SetFacts:
    """The facts in a header, checked against its digest and the length of the file.

    Raises:
        ValueError: it is damaged, or says what cannot be.
    """
    if hashlib.sha256(text).digest() != trailer[8:40]:
        raise ValueError("the header is damaged: its digest does not match")
    try:
        facts = _facts(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"the header does not say what a header says: {error}") from error
    end = size - TRAILER - len(text)
    for section in (*facts.sections, *facts.withdrawn):
        _check(section, facts.labels[2])
        for place, length in section.columns():
            _within(place, length, end)
    _within(*facts.labels[:2], end)
    return facts


def _facts(value: object) -> SetFacts:
    plain = _plain(SetFacts, value)
    plain["sources"] = tuple(_source(each) for each in plain["sources"])
    plain["sections"] = tuple(_section(each) for each in plain["sections"])
    plain["withdrawn"] = tuple(_section(each) for each in plain["withdrawn"])
    plain["labels"] = tuple(_number(each) for each in plain["labels"])
    plain["reasons"] = tuple(str(each) for each in plain["reasons"])
    plain["role"] = Role(plain["role"]).value
    if len(plain["labels"]) != 3:
        raise ValueError("three numbers tell of labels")
    for name in ("name", "scheme", "version", "provider", "builder"):
        plain[name] = str(plain[name])
    return SetFacts(**{**plain, "repeated": _number(plain["repeated"]), "degenerate": _number(plain["degenerate"])})


def _source(value: object) -> Source:
    plain = _plain(Source, value)
    plain["remarks"] = tuple(str(each) for each in plain["remarks"])
    numbers = {name: _number(plain[name]) for name in ("bytes", "entries", "rejected", "partly")}
    texts = {name: str(plain[name]) for name in ("name", "sha256", "format", "scheme", "version", "provider")}
    return Source(**{**plain, **numbers, **texts})


def _section(value: object) -> Section:
    plain = _plain(Section, value)
    return Section(str(plain.pop("algorithm")), **{name: _number(number) for name, number in plain.items()})


def _plain(kind: type[Data], value: object) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(value, Mapping) or value.keys() != names:
        raise ValueError(f"the fields of {kind.__name__} are others")
    return dict(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise ValueError(f"{value!r} where a number belongs")
    return value


def _check(section: Section, labels: int) -> None:
    if section.algorithm not in DIGEST_BYTES:
        raise ValueError(f"it holds digests of an algorithm that is not known here: {section.algorithm!r}")
    possible = (
        section.bits <= MOST_BITS
        and section.drop <= section.bits // 8
        and section.rows < MOST_ROWS
        and section.label_width in _LABEL_WIDTHS
        and section.size_width in _SIZE_WIDTHS
        and (section.label_width > 0 or section.label < labels)
    )
    if not possible:
        raise ValueError(f"the {section.algorithm} section cannot be as the header says")


def _within(place: int, length: int, end: int) -> None:
    if length and (place < len(MAGIC) or place + length > end):
        raise ValueError("the file breaks off: what the header names lies outside")
