"""The closed set of facts that plugins yield. Plain frozen data; every one carries the `Locator` of its source.

A time field is named after what the source calls the event, so that a timeline row can be made from any
record without knowing its type. New record types are added here, not in plugins.
"""

from dataclasses import dataclass, fields
from enum import Enum
from typing import ClassVar, Final

from triage.absent import Absent
from triage.locator import Locator
from triage.times import Time

Text = str | Absent
Number = int | Absent


class Grade(Enum):
    """How much a hit says. Only `EXACT` may be worded as "matches known file"; the others are candidates."""

    EXACT = "exact"
    """A cryptographic digest of the whole content is in a loaded set."""
    PARTIAL = "partial"
    """A digest of the first block, or of a block or fragment, is."""
    NEAR = "near"
    """A perceptual digest lies within the stated distance."""
    REFERENCE = "reference"
    """An application's database names a digest of a loaded set; the file itself is absent."""
    INDICATOR = "indicator"
    """A rule, keyword or pattern matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A graded lead on one file.

    ``name`` is what matched (a hash set's name, a rule's name), ``category`` the raw category of the set in
    ``scheme`` (data, not meaning; empty where there is none), ``disposition`` what the loaded mapping says of it
    (``alert`` where nothing maps it), ``detail`` the evidence for the match in one line (digest, matched string with
    offset), ``tags`` the rule's own labels.
    """

    kind: ClassVar[str] = "hit"
    source: Locator
    grade: Grade
    name: str
    detail: str
    algorithm: str = ""
    scheme: str = ""
    category: str = ""
    disposition: str = "alert"
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One row of a browser's history."""

    kind: ClassVar[str] = "visit"
    source: Locator
    browser: str
    url: str
    title: Text
    visited: Time
    transition: Text
    visit_count: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class RecycledFile:
    """One index entry of a recycle bin: where a file was before it was put there, and when that was."""

    kind: ClassVar[str] = "recycled_file"
    source: Locator
    original_path: Text
    content_path: str
    size: Number
    deleted: Time
    owner: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaMetadata:
    """What a picture or video says about its own making."""

    kind: ClassVar[str] = "media_metadata"
    source: Locator
    width: Number
    height: Number
    make: Text
    model: Text
    software: Text
    taken: Time
    digitized: Time
    modified: Time
    latitude: float | Absent
    longitude: float | Absent
    positioned: Time


Record = Hit | Visit | RecycledFile | MediaMetadata

RECORD_TYPES: Final[tuple[type[Record], ...]] = (Hit, Visit, RecycledFile, MediaMetadata)


def field_names(record_type: type[Record]) -> tuple[str, ...]:
    """Field names of a record type, in order, without the locator."""
    return tuple(f.name for f in fields(record_type) if f.name != "source")
