"""Pictures of a case in groups that look alike, so that one decision serves many. No picture is shown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from triage.case.reader import CaseReader
from triage.hashsets.pdq import PDQ_LEAST_QUALITY
from triage.records import EXCLUDE, PRESSING, PictureDigest
from triage.report.listings import FIELDS, Row

LISTING: Final = "pictures"
_SQL: Final = """
    SELECT c.entry, v.label, e.volume, e.path, e.address, e.stream, e.flags & 1, e.size, c.type,
           coalesce(c.sha256, c.sha1, c.md5, '')
    FROM content c JOIN entry e ON e.id = c.entry JOIN evidence v ON v.id = e.evidence
    WHERE c.type LIKE 'image/%' ORDER BY c.entry"""
_HITS: Final = """
    SELECT entry, json_extract(body, '$.name'), json_extract(body, '$.grade'), json_extract(body, '$.disposition')
    FROM record WHERE kind = 'hit' AND grade IN ('exact', 'partial', 'near') ORDER BY entry, plugin, sequence"""


class _Picture(NamedTuple):
    """A picture: its place in the listing, its content's digest, and its perceptual digest if that can be compared."""

    row: Sequence[Any]
    content: str
    digest: PictureDigest | None


def picture_rows(store: CaseReader) -> Iterator[Row]:
    """All pictures that were read, group by group; groups in the order in which their first members were found.

    Pictures are in one group if they are the same content, or if their perceptual digests lie near to one another,
    directly or by way of others. Those without such a digest, or with one that says too little, stand with their equals
    in content alone.
    """
    pictures = _pictures(store)
    hits = _hits(store)
    members: dict[int, list[int]] = {}
    for place, group in enumerate(_groups(pictures)):
        members.setdefault(group, []).append(place)
    for number, places in enumerate(members.values(), 1):
        for place in places:
            row, _, digest = pictures[place]
            entry, *rest = row
            said = hits.get(entry, ())
            values = (
                number, len(places), "; ".join(said), *rest[:5], bool(rest[5]), rest[6], rest[7],
                digest.width if digest else None, digest.height if digest else None,
                digest.quality if digest else None, digest.value if digest else "", rest[8],
            )  # fmt: skip
            yield dict(zip(FIELDS[LISTING], values, strict=True))


def group_count(store: CaseReader) -> int:
    """How many groups of pictures there are to look at: groups of which no member is in a set of harmless files."""
    pictures = _pictures(store)
    said: dict[int, set[str]] = {}
    for entry, _, _, disposition in store.rows(_HITS):
        said.setdefault(entry, set()).add(disposition)
    harmless = {
        entry for entry, dispositions in said.items() if EXCLUDE in dispositions and not dispositions & PRESSING
    }
    groups = _groups(pictures)
    taken = {group for group, picture in zip(groups, pictures, strict=True) if picture.row[0] in harmless}
    return len(set(groups) - taken)


def has_digests(store: CaseReader) -> bool:
    """Whether pictures of this case have perceptual digests."""
    return bool(store.record_counts().get(PictureDigest.kind))


def _pictures(store: CaseReader) -> list[_Picture]:
    digests = {
        stored.entry: stored.record
        for stored in store.records(PictureDigest.kind)
        if isinstance(stored.record, PictureDigest)
    }
    return [_Picture(row, row[9] or f"entry {row[0]}", digests.get(row[0])) for row in store.rows(_SQL)]


def _hits(store: CaseReader) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = {}
    for entry, name, grade, disposition in store.rows(_HITS):
        found.setdefault(entry, []).append(f"{grade} {name} ({disposition})")
    return found


def _groups(pictures: Sequence[_Picture]) -> list[int]:
    """A number for each picture, the same for those that belong together."""
    import numpy as np  # most cases that are listed have no such digests

    from triage.hashsets.group import groups

    comparable = [
        (place, bytes.fromhex(picture.digest.value))
        for place, picture in enumerate(pictures)
        if picture.digest is not None and picture.digest.quality >= PDQ_LEAST_QUALITY
    ]
    values = np.frombuffer(b"".join(value for _, value in comparable), np.uint8).reshape(len(comparable), 32)
    near = {place: int(group) for (place, _), group in zip(comparable, groups(values), strict=True)}
    by_content: dict[str, int] = {}
    numbers = []
    for place, picture in enumerate(pictures):
        # The same content has the same digest, so one that could be compared speaks for its equals.
        number = by_content.get(picture.content)
        if number is None:
            number = by_content[picture.content] = near.get(place, len(comparable) + place)
        numbers.append(number)
    return numbers
