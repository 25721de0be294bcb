"""Which files make up one set of EWF segments, and in which order.

Naming: libewf documentation of EWF, section "Segment file extensions": ``.E01`` to ``.E99``, then ``.EAA`` to ``.EZZ``,
``.FAA`` to ``.ZZZ``; the same with ``S``, ``L``, ``Ex``, ``Lx`` at the start. The order is that of the numbers in the
file headers.
"""

import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.container import Doubt
from triage.evidence.files import OpenFile, read_exactly
from triage.notices import NoticeKind

_SUFFIX: Final = re.compile(r"([A-Z]X?)(\d\d|[A-Z][A-Z])")
_LETTERS: Final = string.ascii_uppercase


def extension_number(suffix: str, first: str) -> int | None:
    """The number that a suffix such as ``EAB`` stands for in the set that starts with ``first`` (such as ``E01``).

    >>> extension_number("E02", "E01"), extension_number("EAA", "E01"), extension_number("FAA", "E01")
    (2, 100, 776)
    """
    start, match = _SUFFIX.fullmatch(first.upper()), _SUFFIX.fullmatch(suffix.upper())
    if start is None or match is None or len(start[1]) != len(match[1]):
        return None
    if match[2].isdigit():
        return int(match[2]) if match[1] == start[1] else None
    prefixes = ord(match[1][0]) - ord(start[1][0])
    if prefixes < 0 or (prefixes and len(start[1]) > 1):
        return None
    return 100 + prefixes * 676 + _LETTERS.index(match[2][0]) * 26 + _LETTERS.index(match[2][1])


def find_segments(path: Path, number_of: Callable[[bytes], int | None]) -> tuple[dict[int, Path], list[Doubt]]:
    """The segments of the set whose first file is ``path``, by number; ``number_of`` reads it out of a file header.

    Raises:
        EvidenceError: ``path`` is not the first segment; the message names the first if it is there.
    """
    number = _header_number(path, number_of)
    neighbours = _neighbours(path)
    if number != 1:
        first = next((p for n, p in sorted(neighbours.items()) if n == 1 and _header_number(p, number_of) == 1), None)
        where = f"open the first, {first.name}" if first else "the first segment is not beside it"
        raise EvidenceError(f"{path}: segment {number} of an EWF set; {where}")
    found = {1: path}
    doubts: list[Doubt] = []
    for expected, neighbour in sorted(neighbours.items()):
        if neighbour == path:
            continue
        stated = _header_number(neighbour, number_of)
        if stated is None and expected > 99:
            continue  # words such as .raw and .vhd look like letters of a long set
        if stated is None:
            doubts.append(
                (NoticeKind.DAMAGED, f"{neighbour.name} is named like a segment of the set and is none; it is left out")
            )
        elif stated in found:
            message = f"{neighbour.name} states to be segment {stated}, as {found[stated].name} does; it is left out"
            doubts.append((NoticeKind.DAMAGED, message))
        else:
            found[stated] = neighbour
            if stated != expected:
                message = f"{neighbour.name} states to be segment {stated} of the set; its place is taken from there"
                doubts.append((NoticeKind.REMARK, message))
    return found, doubts


def _header_number(path: Path, number_of: Callable[[bytes], int | None]) -> int | None:
    with OpenFile(path) as handle:
        try:
            return number_of(read_exactly(handle, 0, 32))
        except OSError as problem:
            raise EvidenceError(f"{path}: cannot be read: {problem.strerror}") from problem


def _neighbours(path: Path) -> dict[int, Path]:
    """Files of the same name with a suffix of the same set, by the number of the suffix."""
    suffix = path.suffix[1:]
    if not _SUFFIX.fullmatch(suffix.upper()):
        return {}
    first = re.sub(r"..\Z", "01", suffix)
    found: dict[int, Path] = {}
    try:
        for neighbour in sorted(path.parent.iterdir()):
            number = extension_number(neighbour.suffix[1:], first) if neighbour.stem == path.stem else None
            if number is not None and neighbour.is_file():
                found.setdefault(number, neighbour)
    except PermissionError:
        return {}
    return found
