"""Logical evidence files (``.L01``): files that were chosen and copied, with a tree of names in front of their bytes.

Format: libewf documentation of EWF, section "Ltree section". The tree is UTF-16 text of tab-separated values: for each
entry one line with the number of entries below it and one with its values, in the order that a line of column names
gives.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from triage.errors import EvidenceError
from triage.evidence.entry import HOLE, Entry, EntryFlag, EntryTimes, EntryType, Extent, ExtentSource, FileSystem
from triage.evidence.limits import Bounds, WalkLimits
from triage.evidence.source import ByteSource, UnreadableBytes
from triage.locator import Locator
from triage.notices import Notice, NoticeKind, notice
from triage.times import SECOND

_ORIGIN: Final = "evidence.ewf_logical"
_HEADER: Final = 48
MAX_TREE: Final = 1 << 30
_DELETED: Final = 0x80
_SPARSE: Final = 0x0400_0000


@dataclass(frozen=True, slots=True)
class Tree:
    """The text of a tree of names; ``intact`` says whether its stored MD5 matches."""

    text: str
    intact: bool


def parse_tree(stored: bytes) -> Tree:
    """Check and decode the data of an ltree section.

    Raises:
        EvidenceError: it holds no tree.
    """
    size = int.from_bytes(stored[16:24], "little")
    data = stored[_HEADER : _HEADER + size]
    text = data.decode("utf-16-le", "replace")
    if len(stored) < _HEADER or "\nentry\n" not in text:
        raise EvidenceError("the tree of names in this logical evidence file is missing or damaged")
    return Tree(text, len(data) == size and hashlib.md5(data).digest() == stored[:16])


class LogicalFileSystem(FileSystem):
    """The entries of a logical evidence file; their content lies in its media."""

    type = "ewf-logical"

    def __init__(self, media: ByteSource, tree: Tree, locator: Locator, limits: WalkLimits | None = None) -> None:
        self.source: ByteSource = media
        self.locator = locator
        self._tree = tree
        self._limits = limits or WalkLimits()

    def walk(self) -> Iterator[Entry | Notice]:
        """See `FileSystem.walk`; in the order of the file."""
        if not self._tree.intact:
            message = "the digest of the tree of names does not match; names, sizes and places may be wrong"
            yield notice(NoticeKind.DAMAGED, self.locator, message, _ORIGIN)
        lines = _lines(self._tree.text, self._tree.text.index("\nentry\n") + len("\nentry\n"))
        next(lines, "")
        columns = next(lines, "").split("\t")
        bounds = Bounds(self._limits, self.locator, _ORIGIN)
        waiting = [(1, "")]  # how many entries are still to come below which path
        number = 0
        while waiting:
            left, folder = waiting.pop()
            if not left:
                continue
            waiting.append((left - 1, folder))
            counts, values = next(lines, None), next(lines, None)
            if counts is None or values is None:
                yield notice(
                    NoticeKind.TRUNCATED, self.locator, "the tree of names ends before its last entry", _ORIGIN
                )
                return
            row = dict(zip(columns, values.split("\t"), strict=False))
            path = f"{folder}/{_name(row)}" if number else ""
            if number:
                if bounds.full():
                    yield bounds.stop()
                    return
                yield from self._entry(number, path, row)
            children = _decimal(counts.split("\t")[-1])
            refused = bounds.refuse(path, len(waiting), number) if children else None
            if refused:
                yield refused
                return  # what follows in the text is below it
            waiting.append((children, path))
            number += 1

    def _entry(self, number: int, path: str, row: Mapping[str, str]) -> Iterator[Entry | Notice]:
        directory = row.get("p") == "1"
        size = 0 if directory else _decimal(row.get("ls", ""))
        flags = _decimal(row.get("opr", ""))
        extents, problem = ((), "") if directory or not size else self._extents(row, size, flags)
        if problem:
            where = replace(self.locator, path=path, address=str(number))
            yield notice(NoticeKind.DAMAGED, where, problem, _ORIGIN)
        times = (_time(row.get(column, "")) for column in ("wr", "ac", "mo", "cr"))
        yield Entry(
            path,
            EntryType.DIRECTORY if directory else EntryType.FILE,
            str(number),
            size,
            (EntryFlag.DELETED if flags & _DELETED else 0) | (EntryFlag.SPARSE if flags & _SPARSE else 0),
            EntryTimes(*times),
            None if problem else extents,
        )

    def _extents(self, row: Mapping[str, str], size: int, flags: int) -> tuple[tuple[Extent, ...], str]:
        """Where the content lies, or what is wrong with it. Sparse content is one byte that stands for all of them."""
        numbers = [int(word, 16) for word in row.get("be", "").split() if _is_hex(word)][1:]
        extents = [Extent(at, length) for at, length in zip(numbers[::2], numbers[1::2], strict=False)]
        duplicate = row.get("du", "")
        if duplicate.isdecimal() and flags & _SPARSE:
            extents = [Extent(int(duplicate), size)]
        elif flags & _SPARSE and sum(extent.length for extent in extents) == 1 and size > 1:
            return self._repeated(extents[0].offset, size)
        fitted: list[Extent] = []
        left = size
        for at, length in extents:
            step = min(length, left)
            if step and at + step <= self.source.size:
                fitted.append(Extent(at, step))
                left -= step
        if left:
            return (), f"{left} of its {size} bytes have no place in the media"
        return tuple(fitted), ""

    def _repeated(self, at: int, size: int) -> tuple[tuple[Extent, ...], str]:
        try:
            byte = self.source.read_at(at, 1)
        except UnreadableBytes as problem:
            return (), str(problem)
        if byte == b"\0":
            return (Extent(HOLE, size),), ""
        return (), "its content is one repeated byte other than zero, which is not read"

    def open(self, entry: Entry) -> ByteSource:
        """See `FileSystem.open`."""
        if entry.extents is None:
            raise EvidenceError(f"{entry.path}: its content has no place in the media")
        return ExtentSource(self.source, entry.extents)


def _lines(text: str, at: int) -> Iterator[str]:
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        yield text[at:end].rstrip("\r")
        at = end + 1


def _name(row: Mapping[str, str]) -> str:
    return row.get("n", "").replace("/", "\\x2f").replace("\0", "\\x00")


def _decimal(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def _is_hex(word: str) -> bool:
    return 0 < len(word) <= 16 and all(letter in "0123456789abcdefABCDEF" for letter in word)


def _time(stored: str) -> int | None:
    """Unix seconds in ns; nothing and 0 are no time."""
    return _decimal(stored) * SECOND or None
