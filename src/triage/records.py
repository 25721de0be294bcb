"""The closed set of facts that plugins yield. Plain frozen data; every one carries the `Locator` of its source.

A time field is named after what the source calls the event, so that a timeline row can be made from any
record without knowing its type. New record types are added here, not in plugins.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from functools import cache
from typing import ClassVar, Final, get_args, get_type_hints

from triage.absent import Absent
from triage.locator import Locator
from triage.times import Time, Timestamp

Text = str | Absent
Number = int | Absent


ALERT: Final = "alert"
"""Disposition of a hit that no scheme maps: somebody has to look."""
EXCLUDE: Final = "exclude"
"""Disposition of a file that a set of harmless files holds: nobody has to look."""
PRESSING: Final = frozenset({"illegal-candidate", ALERT})
"""Dispositions that a report begins with."""


class Grade(Enum):
    """How much a hit says. Only `EXACT` may be worded as "matches known file"; the others are candidates."""

    EXACT = "exact"
    """A cryptographic digest of the whole content is in a loaded set."""
    PARTIAL = "partial"
    """A digest of the first block, or of a block or fragment, is."""
    NEAR = "near"
    """A perceptual digest lies within the stated distance."""
    REFERENCE = "reference"
    """An application's database names a digest of a loaded set; the file itself may be absent."""
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
    url: Text
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedFile:
    """A file that an application's data names by a digest, whether or not the file itself is there.

    ``algorithm`` is named as in `triage.hashsets.entry.DIGEST_BYTES`, ``digest`` is lower-case hex; a file named by
    several digests makes a record for each. ``name`` and ``path`` are as the application states them. ``recorded`` is
    the time that belongs to the statement (sent, added, last shared …; the plugin says which), ``state`` what the
    application says of the file, in its own terms (``sent``, ``received``, ``completed``, ``deleted`` …).
    ``conversation`` and ``sender`` belong to messages, ``account`` is whose data it is; ``context`` is what else
    tells of this file in one line, ``url`` where it was fetched from.
    """

    kind: ClassVar[str] = "referenced_file"
    source: Locator
    application: str
    algorithm: str
    digest: str
    name: Text
    path: Text = Absent.NOT_APPLICABLE
    size: Number
    recorded: Time
    state: Text
    conversation: Text = Absent.NOT_APPLICABLE
    sender: Text = Absent.NOT_APPLICABLE
    account: Text = Absent.NOT_APPLICABLE
    context: Text = Absent.NOT_APPLICABLE
    url: Text = Absent.NOT_APPLICABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class CarvedFile:
    """A file that was found by its structure in space that belongs to no file.

    ``offset`` and ``size`` are bytes in the file system, its first part if it lies in several. ``complete`` says that
    the format's own end was reached, ``checked`` that the content between was followed too; ``reason`` what ended it.
    """

    kind: ClassVar[str] = "carved_file"
    source: Locator
    type: str
    offset: int
    size: int
    complete: bool
    checked: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureDigest:
    """A perceptual digest of a picture, which lies near to those of its scaled, recompressed or blurred copies.

    ``value`` is lower-case hex; ``quality`` (0 to 100) is how much there is to see: below 50 no near match is possible.
    ``width`` and ``height`` are pixels as stored. ``how`` is ``full``, or ``screened`` where the picture was decoded at
    a fraction of its size: such a value is a few bits off, good for grouping, and never the ground of a hit.
    """

    kind: ClassVar[str] = "picture_digest"
    source: Locator
    algorithm: str
    value: str
    quality: int
    width: int
    height: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDigest:
    """Perceptual digests of frames of a video: two videos that show the same have frames that lie near to each other.

    ``frames`` are (milliseconds from the start, value as lower-case hex, quality from 0 to 100) in order of time, as
    many as were looked at; ``how`` says which these are (``one frame in each second``, ``key frames``). ``width`` and
    ``height`` are pixels as stored, ``milliseconds`` is the length that the video states, 0 where it states none.
    """

    kind: ClassVar[str] = "video_digest"
    source: Locator
    algorithm: str
    frames: tuple[tuple[int, str, int], ...]
    width: int
    height: int
    milliseconds: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureScore:
    """A number that pictures can be put in an order by, for review; it says nothing of what a picture shows.

    ``score`` is from 0 to 1 (later and earlier in the order), ``band`` its range in words. ``model`` names the model,
    ``model_sha256`` is the digest of its file.
    """

    kind: ClassVar[str] = "picture_score"
    source: Locator
    model: str
    model_sha256: str
    score: float
    band: str


Record = (
    Hit
    | Visit
    | RecycledFile
    | MediaMetadata
    | ReferencedFile
    | PictureDigest
    | CarvedFile
    | VideoDigest
    | PictureScore
)

RECORD_TYPES: Final[tuple[type[Record], ...]] = (
    Hit,
    Visit,
    RecycledFile,
    MediaMetadata,
    ReferencedFile,
    PictureDigest,
    CarvedFile,
    VideoDigest,
    PictureScore,
)


def field_names(record_type: type[Record]) -> tuple[str, ...]:
    """Field names of a record type, in order, without the locator."""
    return tuple(f.name for f in fields(record_type) if f.name != "source")


def record_to_json(record: Record) -> dict[str, object]:
    """A record as plain JSON values: no value is lost, and `record_from_json` makes an equal record again.

    A time is ``{"ns", "stored", "encoding", "basis", "resolution_ns"}``, a missing value ``{"absent": reason}``,
    the source a nested object without the parts that do not apply.
    """
    return {f.name: _to_json(getattr(record, f.name)) for f in fields(record)}


def record_from_json(kind: str, values: Mapping[str, object]) -> Record:
    """Inverse of `record_to_json` for the record type whose ``kind`` is given.

    Raises:
        ValueError: the kind is unknown, or the values are not those of such a record.
    """
    make = _types_by_kind().get(kind)
    if make is None:
        raise ValueError(f"no record type is called {kind!r}")
    enums = _enum_fields(kind)
    try:
        return make(**{name: _from_json(value, enums.get(name)) for name, value in values.items()})
    except (TypeError, KeyError) as error:
        raise ValueError(f"not the values of a {kind} record: {error}") from error


def _to_json(value: object) -> object:
    if isinstance(value, Absent):
        return {"absent": value.value}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Timestamp):
        return asdict(value)
    if isinstance(value, Locator):
        return json.loads(value.to_json())
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


def _from_json(value: object, enum: type[Enum] | None) -> object:
    if isinstance(value, list):
        return tuple(_from_json(item, enum) for item in value)
    if not isinstance(value, dict):
        return value if enum is None else enum(value)
    if "absent" in value:
        return Absent(value["absent"])
    return Timestamp(**value) if "ns" in value else Locator(**value)


@cache
def _types_by_kind() -> dict[str, Callable[..., Record]]:
    return {record_type.kind: record_type for record_type in RECORD_TYPES}


@cache
def _enum_fields(kind: str) -> dict[str, type[Enum]]:
    """Fields that hold a member of an enumeration (besides `Absent`), which JSON holds as its value."""
    hints = get_type_hints(next(record_type for record_type in RECORD_TYPES if record_type.kind == kind))
    return {
        name: part
        for name, hint in hints.items()
        for part in (hint, *get_args(hint))
        if isinstance(part, type) and issubclass(part, Enum) and part is not Absent
    }
