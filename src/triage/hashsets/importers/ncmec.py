"""NCMEC hash sharing, version 2: XML with images, videos, and the withdrawals of both.

A withdrawal names the entry by member and id and gives no digest. So withdrawals are gathered first: an entry that the
same file withdraws is given as withdrawn, with its digests, after all others; a digest that another entry still lists
is not withdrawn. A withdrawal whose entry is not in the file is given with a problem that names it, for only the holder
of the earlier file can follow it.

Reference: the format as python-threatexchange's ``clients/ncmec/hash_api.py`` and its tests read it.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import iterparse

from triage.hashsets.entry import ListFacts, SetEntry
from triage.hashsets.importers.digests import BLANK, algorithm_of, value_of
from triage.hashsets.importers.sample import HEAD, Opened, Readable, Sample, Watched

_ROOT: Final = re.compile(r"<(?:\w+:)?queryResult\b[^>]*hashsharing/v(\d+)")
_LATEST: Final = re.compile(r'maxTimestamp="([^"]{1,40})"')
_NEXT: Final = re.compile(rb"<(?:\w+:)?next>\s*[^<\s]")
_DELETED: Final = "deleted"
_WITHDRAWAL: Final = b"<deleted"
_KINDS: Final = frozenset(("image", "video", "deletedimage", "deletedvideo"))
_DEEPEST: Final = 64
_LARGEST: Final = 2 << 20
_MOST_PARTS: Final = 20_000
_BLOCK: Final = 1 << 20

Key = tuple[str, str, str]
"""Kind, member and id of an entry."""


def open_ncmec(sample: Sample) -> Opened | None:
    """Read a result of the hash sharing service."""
    root = _ROOT.search(sample.text)
    if root is None or not sample.text.lstrip().startswith("<"):
        return None
    remarks = []
    if root[1] != "2":
        remarks.append(f"version {root[1]} of the format is not known here; read as version 2")
    if _is_page(sample):
        remarks.append("one page of several: the service has more, which is not in this file")
    latest = max(_LATEST.findall(sample.text), default="")
    facts = ListFacts(f"NCMEC hash sharing XML v{root[1]}", "NCMEC", latest, "NCMEC hash sharing", tuple(remarks))
    return facts, _entries(sample)


def _is_page(sample: Sample) -> bool:
    if sample.member:
        return bool(_NEXT.search(sample.head))
    with sample.open() as stream:
        stream.seek(max(stream.seek(0, 2) - HEAD, 0))
        return bool(_NEXT.search(stream.read(HEAD)))


def _entries(sample: Sample) -> Iterator[SetEntry]:
    withdrawals = _withdrawals(sample) if _has_withdrawals(sample) else {}
    unmet = dict.fromkeys(withdrawals)
    held: list[SetEntry] = []
    broken: ValueError | None = None
    try:
        for number, element in _elements(sample):
            kind = _tag(element).lower()
            withdrawn = kind.startswith(_DELETED) or _is_withdrawn(element, kind, withdrawals)
            entry = _entry(element, f"{kind} {number}", withdrawn=withdrawn)
            if withdrawn and not entry.digests:
                continue
            unmet.pop(_key(element, kind.removeprefix(_DELETED)), None)
            if withdrawn:
                held.append(entry)
            else:
                yield entry
    except ValueError as error:
        broken = error
    yield from _withdrawn(sample, held, withdrawals)
    for kind, member, name in unmet:
        said = f"withdrawn: {kind} {name[:80]} of member {member[:80]}, whose digests are not in this file"
        yield SetEntry(f"withdrawal of {kind} {name[:80]}", problems=(said,), withdrawn=True)
    if broken is not None:
        raise broken


def _is_withdrawn(element: Element, kind: str, withdrawals: dict[Key, str]) -> bool:
    """Whether the file withdraws an entry. One that was entered anew after it was withdrawn counts."""
    key = _key(element, kind)
    if key not in withdrawals:
        return False
    entered, taken_off = _child(element, "timestamp"), withdrawals[key]
    return not entered or not taken_off or entered <= taken_off


def _withdrawn(sample: Sample, held: list[SetEntry], withdrawals: dict[Key, str]) -> Iterator[SetEntry]:
    """Withdrawn entries with those digests that nobody else lists: one member's withdrawal is not another's."""
    asked = {digest for entry in held for digest in entry.digests}
    live: set[tuple[str, bytes]] = set()
    if asked:
        with suppress(ValueError):
            for _, element in _elements(sample):
                kind = _tag(element).lower()
                if not kind.startswith(_DELETED) and not _is_withdrawn(element, kind, withdrawals):
                    live |= asked.intersection(_entry(element, "", withdrawn=False).digests)
    for entry in held:
        gone = tuple(digest for digest in entry.digests if digest not in live)
        kept = [
            f"withdrawn, but another entry lists the same {name}"
            for name, value in entry.digests
            if (name, value) in live
        ]
        yield entry._replace(digests=gone, problems=(*entry.problems, *kept))


def _has_withdrawals(sample: Sample) -> bool:
    with sample.utf8() as stream:
        rest = b""
        while block := stream.read(_BLOCK):
            if _WITHDRAWAL in rest + block or b":deleted" in rest + block:
                return True
            rest = block[-len(_WITHDRAWAL) :]
    return False


def _withdrawals(sample: Sample) -> dict[Key, str]:
    """Withdrawn entries with the time of their withdrawal."""
    found: dict[Key, str] = {}
    try:
        for _, element in _elements(sample):
            kind = _tag(element).lower()
            if kind.startswith(_DELETED):
                key = _key(element, kind.removeprefix(_DELETED))
                found[key] = max(found.get(key, ""), _child(element, "timestamp"))
    except ValueError:
        # The pass that gives the entries says so, at the place.
        return found
    return found


def _elements(sample: Sample) -> Iterator[tuple[int, Element]]:
    """Entries of all kinds in order, each forgotten as soon as the next one is asked for."""
    with sample.open() as stream:
        watched = Watched(stream, _LARGEST)
        try:
            yield from _parsed(watched)
        except ParseError as error:
            raise ValueError(f"the XML document is malformed or breaks off: {error}") from error
        except LookupError as error:
            raise ValueError(f"the XML document names an encoding that is not known: {error}") from error


def _parsed(watched: Watched) -> Iterator[tuple[int, Element]]:
    number = parts = 0
    path: list[Element] = []
    for event, element in _events(watched):
        if event == "start":
            path.append(element)
            if len(path) > _DEEPEST:
                raise ValueError("the XML document is nested without end")
            parts += 1
            if parts > _MOST_PARTS:
                raise ValueError(f"an entry of the XML document has more than {_MOST_PARTS} parts")
            continue
        path.pop()
        if _tag(element).lower() in _KINDS and len(path) == 2:
            number += 1
            parts = 0
            watched.mark()
            yield number, element
        if len(path) <= 2 and path:
            path[-1].remove(element)


def _events(stream: Readable) -> Iterator[tuple[str, Element]]:
    yield from iterparse(stream, events=("start", "end"), forbid_dtd=True)


def _tag(element: Element) -> str:
    return _local(element.tag)


@lru_cache(maxsize=1024)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _child(element: Element, name: str) -> str:
    return next(((each.text or "").strip() for each in element if _tag(each) == name), "")


def _key(element: Element, kind: str) -> Key:
    member = next((each.get("id") or "" for each in element if _tag(each) == "member"), "")
    return kind, member, _child(element, "id")


def _entry(element: Element, where: str, *, withdrawn: bool) -> SetEntry:
    digests: dict[str, bytes] = {}
    problems: list[str] = []
    for fingerprints in (each for each in element if _tag(each) == "fingerprints"):
        for each in fingerprints:
            algorithm, text = algorithm_of(_tag(each)), (each.text or "").strip()
            if not algorithm or text.lower() in BLANK:
                continue
            try:
                digests.setdefault(algorithm, value_of(text, algorithm))
            except ValueError as error:
                problems.append(str(error))
    if not digests and not problems:
        problems.append("no digest")
    return SetEntry(where, tuple(digests.items()), _child(element, "classification"), None, tuple(problems), withdrawn)
