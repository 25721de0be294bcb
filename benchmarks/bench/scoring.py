"""What a scan found of planted pictures: hits against the truth."""

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from statistics import median
from typing import Any, Final

from bench.figures import table
from bench.planting import BURSTS, SAME_BYTES, Truth, Way

GRADES: Final = ("exact", "partial", "near", "reference")
"""Strongest first."""
BYSTANDERS: Final = "other files"
SAME_SCENE: Final = "the same scene a moment later"
_DIGEST: Final = re.compile(r"\b[0-9a-f]{32,128}\b")
_DISTANCE: Final = re.compile(r"\bdistance (\d+)\b")
_SPACE: Final = "part-"
"""Name of a part of unallocated space in which blocks were found."""
_NAMELESS: Final = frozenset({Way.DELETED.value, Way.UNALLOCATED.value})
"""What may turn up under another name than its own, or none."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A hit on what is no copy of the picture that it names. ``row`` is the way of what was planted at that place."""

    row: str
    grade: str
    path: str
    detail: str


@dataclass(slots=True)
class Score:
    """All that came of a scan. ``found`` is the strongest right grade of each planted picture, by its number."""

    planted: Sequence[Truth]
    found: dict[int, str] = field(default_factory=dict)
    distances: dict[int, int] = field(default_factory=dict)
    """Distances of right near matches, by number of the picture."""
    wrong: list[Wrong] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    """How many files are no copies, by the row that they stand in."""

    @property
    def wrong_exact(self) -> list[Wrong]:
        """What must never be."""
        return [one for one in self.wrong if one.grade == "exact"]

    def missed(self, way: Way | None = None) -> list[Truth]:
        """Planted pictures (of one way) without any right hit."""
        return [one for one in self.planted if one.original not in self.found and way in (None, one.way)]

    def counts(self, way: Way) -> Counter[str]:
        """How many of those planted in one way were found in which grade at best, and how many were missed."""
        return Counter(self.found.get(one.original, "missed") for one in self.planted if one.way == way)


def score(
    planted: Sequence[Truth], others: Collection[str], hits: Iterable[Mapping[str, Any]], known: Container[str]
) -> Score:
    """Compare hits, rows as `triage hits --format jsonl` gives them, of the sets named in ``known`` with the truth.

    ``others`` are the paths of all files that are no copies. Hits of rules and other sets are left out. A hit names the
    known picture by one of its digests; where it names none, its place alone decides.
    """
    result = Score(planted, others=Counter(_row(path, None) for path in others))
    places = {one.path: one for one in planted if one.path}
    named = {digest: one for one in planted for digest in (one.sha1, one.md5, one.pdq)}
    for hit in hits:
        if hit["name"] not in known or hit["grade"] not in GRADES:
            continue
        claimed = next((named[digest] for digest in _DIGEST.findall(hit["detail"]) if digest in named), None)
        place = places.get(hit["path"])
        right = _right(hit, claimed, place, others)
        if right is None:
            result.wrong.append(Wrong(_row(hit["path"], place), hit["grade"], hit["path"], hit["detail"]))
            continue
        best = result.found.get(right.original)
        if best is None or GRADES.index(hit["grade"]) < GRADES.index(best):
            result.found[right.original] = hit["grade"]
        if hit["grade"] == "near" and (distance := _DISTANCE.search(hit["detail"])):
            result.distances[right.original] = int(distance[1])
    return result


def _right(hit: Mapping[str, Any], claimed: Truth | None, place: Truth | None, others: Container[str]) -> Truth | None:
    """The planted picture that a hit is about; None if it is wrong."""
    if hit["grade"] == "exact" and (claimed is None or hit["sha1"] != claimed.sha1 or claimed.way not in SAME_BYTES):
        return None
    if place is not None:
        return place if claimed in (None, place) else None
    path = PurePosixPath(hit["path"])
    if claimed is None or claimed.way not in _NAMELESS or any(str(each) in others for each in (path, *path.parents)):
        return None
    if path.stem.startswith(_SPACE):
        return claimed
    # What has no name is called after its place.
    return claimed if claimed.offset in (None, _offset(path)) else None


def _row(path: str, place: Truth | None) -> str:
    if place is not None:
        return place.way
    return SAME_SCENE if path.startswith(f"/{BURSTS}/") else BYSTANDERS


def _offset(path: PurePosixPath) -> int:
    return int(path.stem) if path.stem.isdecimal() else -1


def render(result: Score) -> str:
    """The tables, as Markdown."""
    columns = (*GRADES, "missed")
    wrong = Counter(one.row for one in result.wrong)
    total: Counter[str] = Counter()
    rows: list[tuple[str, ...]] = []
    for way in Way:
        counts = result.counts(way)
        total += counts
        rows.append(_line(way, counts.total(), [counts[each] for each in columns], wrong[way.value]))
    rows += [_line(row, result.others[row], [""] * len(columns), wrong[row]) for row in (SAME_SCENE, BYSTANDERS)]
    rows.append(_line("all planted", len(result.planted), [total[each] for each in columns], len(result.wrong)))
    head = ("planted", "files", *columns, "wrong")
    return "\n\n".join((table(head, rows, range(1, len(head))), *_distances(result), *_mistakes(result)))


def _line(name: str, files: int, cells: Sequence[object], wrong: int) -> tuple[str, ...]:
    return (name, *(str(cell) for cell in (files, *cells, wrong)))


def _distances(result: Score) -> list[str]:
    rows = []
    for way in Way:
        bits = [result.distances[one.original] for one in result.planted
                if one.way == way and one.original in result.distances]  # fmt: skip
        if bits:
            rows.append((way.value, str(len(bits)), f"{median(bits):g}", str(max(bits))))
    if not rows:
        return []
    return ["Distances of right near matches, in bits:", table(("planted", "near", "median", "most"), rows, (1, 2, 3))]


def _mistakes(result: Score) -> list[str]:
    rows = [(one.row, one.grade, f"`{one.path}`", one.detail.partition(",")[0]) for one in result.wrong]
    return ["Wrong:", table(("at", "grade", "path", "said"), rows)] if rows else []
