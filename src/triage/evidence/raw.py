"""Raw images: one file, or one that was split into numbered (``.001``) or lettered (``.aa``) parts.

Naming of parts: FTK Imager and EnCase number from ``.001``, ewfexport and others from ``.000``; ``split`` of GNU
coreutils letters from ``aa``. All parts are of one size but the last, which may be shorter.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.container import Candidate, Container, Doubt
from triage.evidence.entry import Keys
from triage.evidence.files import FileSet, FileSource
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.notices import NoticeKind

_NUMBERED: Final = re.compile(r"\.(\d{2,3})\Z")
_LETTERED: Final = re.compile(r"\.([a-z]{2,3})\Z")
_CONTAINER_NAMES: Final = re.compile(r"\.([els]\d\d|[el]x\d\d|qcow2?|vhdx?|avhdx?|vmdk|sparseimage)")
_OFTEN_RAW: Final = (".vmdk", ".vhd")
"""Suffixes that flat extents and converted images keep."""
MAX_PARTS: Final = 17_576  # .aaa to .zzz, the longest scheme


class SplitSource(ByteSource):
    """Parts of one image, end to end. ``places`` are the numbers of the parts that are there, counted from 0.

    All parts but the last have the size of the first, so that a missing part leaves a hole of known place and length;
    reading it raises `UnreadableBytes`.
    """

    def __init__(self, paths: Sequence[Path], places: Sequence[int]) -> None:
        self._files = FileSet(paths)
        self.sizes = sizes = self._files.sizes
        self.part_size = sizes[0]
        self._starts = [place * self.part_size for place in places]
        self.size = self._starts[-1] + sizes[-1]

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource.read_at`."""
        length = min(length, self.size - offset)
        parts: list[bytes] = []
        while length > 0:
            data = self._read_part(offset, length)
            parts.append(data)
            offset, length = offset + len(data), length - len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_part(self, offset: int, length: int) -> bytes:
        index = bisect_right(self._starts, offset) - 1
        start, size = self._starts[index], self._files.sizes[index]
        if offset >= start + size:
            end = self._starts[index + 1]
            raise UnreadableBytes(
                f"bytes {offset} to {end - 1} lie in a missing part of the split image", offset, end - offset
            )
        step = min(length, start + size - offset)
        try:
            data = self._files.read(index, offset - start, step)
        except UnreadableBytes as problem:
            raise UnreadableBytes(str(problem), start + problem.offset, problem.length) from problem
        if len(data) < step:
            name = self._files.paths[index].name
            raise UnreadableBytes(f"{name}: the file became shorter than it was", offset + len(data), step - len(data))
        return data

    def close(self) -> None:
        """See `ByteSource.close`."""
        self._files.close()


@dataclass(frozen=True, slots=True)
class _Naming:
    """How the parts of one image are named: ``stem`` and a suffix of ``width`` digits or letters."""

    stem: str
    width: int
    digits: bool

    def number(self, name: str) -> int | None:
        """The number in ``name``, or `None` if it is no part of this image. Numbers grow a digit after ``.999``."""
        match = re.fullmatch(re.escape(self.stem) + (r"\.(\d+)" if self.digits else r"\.([a-z]+)"), name)
        if match is None or len(match[1]) < self.width or (len(match[1]) > self.width and not self.digits):
            return None
        if self.digits:
            return int(match[1]) if len(match[1]) <= 5 and str(int(match[1])).zfill(self.width) == match[1] else None
        value = 0
        for letter in match[1]:
            value = value * 26 + ord(letter) - ord("a")
        return value

    def name(self, number: int) -> str:
        """The name of part ``number``."""
        if self.digits:
            return f"{self.stem}.{number:0{self.width}d}"
        letters = ""
        for _ in range(self.width):
            number, letter = divmod(number, 26)
            letters = chr(ord("a") + letter) + letters
        return f"{self.stem}.{letters}"


def open_raw(candidate: Candidate, keys: Keys) -> Container:  # noqa: ARG001 - the signature of all detectors
    """Open a file as raw media, joined with the following parts if it is the first part of a split image.

    Raises:
        EvidenceError: the path is a later part of a split image; the message names the first.
    """
    naming = _naming(candidate.path.name)
    parts = _parts(candidate.path, naming) if naming else {}
    if naming is None or len(parts) < 2:
        return Container("raw", FileSource(candidate.path), (candidate.path,), notices=_misnamed(candidate.path))
    number = naming.number(candidate.path.name)
    first = min(parts)
    if first > 1:
        reason = (
            f"parts before {parts[first].name} of what looks like a split image are missing; this part is read alone"
        )
        return Container(
            "raw", FileSource(candidate.path), (candidate.path,), notices=((NoticeKind.TRUNCATED, reason),)
        )
    if number != first:
        raise EvidenceError(
            f"{candidate.path}: a later part of a split image; open its first part, {parts[first].name}"
        )
    return _join(candidate.path, naming, parts)


def _misnamed(path: Path) -> tuple[Doubt, ...]:
    """A doubt if the name promises a container that the content is not: a damaged signature would look like this."""
    suffix = path.suffix.lower()
    if _CONTAINER_NAMES.fullmatch(suffix):
        kind = NoticeKind.REMARK if suffix in _OFTEN_RAW else NoticeKind.DAMAGED
        return ((kind, f"{path.name} does not start as a {suffix} file does; it is read as raw media"),)
    return ()


def _join(path: Path, naming: _Naming, parts: dict[int, Path]) -> Container:
    numbers = sorted(parts)
    source = SplitSource([parts[number] for number in numbers], [number - numbers[0] for number in numbers])
    sizes = source.sizes
    misfit = next((i for i, size in enumerate(sizes) if size > sizes[0]), None)
    if misfit is not None:
        source.close()
        reason = (
            f"{parts[numbers[misfit]].name} is larger than {path.name}, so the two are not parts of one split image; "
        )
        return Container(
            "raw", FileSource(path), (path,), notices=((NoticeKind.TRUNCATED, reason + "the first is read alone"),)
        )
    facts = {"parts": str(len(numbers)), "part_size": str(source.part_size)}
    notices = (*_gaps(naming, numbers), *_short(parts, numbers, sizes))
    return Container("raw", source, tuple(parts[number] for number in numbers), facts=facts, notices=notices)


def _gaps(naming: _Naming, numbers: Sequence[int]) -> list[Doubt]:
    found: list[Doubt] = []
    for before, after in pairwise(numbers):
        if after == before + 1:
            continue
        first, last = naming.name(before + 1), naming.name(after - 1)
        names = f"part {first} is" if first == last else f"parts {first} to {last} are"
        found.append(
            (NoticeKind.TRUNCATED, f"{names} missing; the bytes in there are unreadable, all others are in place")
        )
    return found


def _short(parts: dict[int, Path], numbers: Sequence[int], sizes: Sequence[int]) -> list[Doubt]:
    return [
        (
            NoticeKind.DAMAGED,
            f"part {parts[number].name} has {size} bytes where the others have {sizes[0]}; the rest is unreadable",
        )
        for number, size in zip(numbers[:-1], sizes[:-1], strict=True)
        if size < sizes[0]
    ]


def _naming(name: str) -> _Naming | None:
    for pattern, digits in ((_NUMBERED, True), (_LETTERED, False)):
        match = pattern.search(name)
        if match and match.start() > 0:
            return _Naming(name[: match.start()], len(match[1]), digits)
    return None


def _parts(path: Path, naming: _Naming) -> dict[int, Path]:
    """The parts of an image that lie in its folder, by number; none if the folder cannot be listed."""
    found: dict[int, Path] = {}
    try:
        for neighbour in path.parent.iterdir():
            number = naming.number(neighbour.name)
            if number is not None and number < MAX_PARTS and neighbour.is_file():
                found[number] = neighbour
    except PermissionError:
        return {}
    if naming.digits:
        return found if naming.width > 2 or min(found, default=2) < 2 else {}  # 10.14 and 10.15 are versions, no parts
    return _lettered_parts(path, naming, found)


def _lettered_parts(path: Path, naming: _Naming, found: dict[int, Path]) -> dict[int, Path]:
    """Of files with lettered suffixes those that are parts: ``.dd``, ``.raw`` and ``.img`` are mostly words."""
    if 0 not in found:
        return {}
    size = found[0].stat().st_size
    run = next(number for number in range(len(found) + 1) if number not in found)
    parts = {number: part for number, part in found.items() if number < run or part.stat().st_size == size}
    return parts if naming.number(path.name) in parts else {}
